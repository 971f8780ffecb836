"""One authority's statement reaches all honest ones alike, or none of them (SPEC.md section 5.7).

Authenticated broadcast after D. Dolev and H. R. Strong, "Authenticated algorithms for Byzantine agreement", SIAM
Journal on Computing 12(4), 1983: with `faults` faulty authorities, `faults` + 1 rounds. In each round every authority
says one bundle to all others; a statement counts in round r if r different authorities have signed it, its author among
them; who accepts it signs it too and relays it in the next round.

Promises: if messages between honest authorities arrive within their round, then after the last round all honest ones
hold the same statement of each author, or agree that the author made none or contradicted itself; the signatures of a
contradiction are kept as evidence. At most two statements of an author are held.
Never: waits, sends or reads a clock; bundles go in and out as bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from mixnet.crypto import Label, SigningKey, digest, verify_untrusted
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.bootstrap import MAX_AUTHORITIES
from mixnet.pki.canonical import Key, Signature, decode_untrusted, encode
from mixnet.pki.errors import Malformed

MAX_BUNDLE = 4 * 2**20 - 1024  # one message on a link, with room for its envelope
_MOST_HELD = 2  # two statements prove a contradiction; more add nothing


class _Item(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    author: Key
    value: bytes
    signatures: Annotated[tuple[tuple[Key, Signature], ...], msgspec.Meta(min_length=1, max_length=MAX_AUTHORITIES)]


class _Bundle(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    items: Annotated[tuple[_Item, ...], msgspec.Meta(max_length=_MOST_HELD * MAX_AUTHORITIES)]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Proof that `author` signed two different statements in one round of voting."""

    author: bytes
    first: tuple[bytes, bytes]  # (value, the author's signature of it)
    second: tuple[bytes, bytes]


@dataclass(slots=True)
class _Held:
    """A statement and who is known to have signed it."""

    value: bytes
    signatures: dict[bytes, bytes] = field(default_factory=dict)


class Broadcast:
    """The statements of all authorities about one subject, told apart from all other subjects by `context`."""

    def __init__(
        self, label: Label, context: bytes, authorities: Collection[bytes], me: SigningKey, *, faults: int
    ) -> None:
        """`label` and `context` are part of every signature; `faults` authorities at most are faulty."""
        self._label = label
        self._context = context
        self._authorities = frozenset(authorities)
        self._me = me
        self._held: dict[bytes, list[_Held]] = {author: [] for author in self._authorities}
        self._accepted: list[tuple[bytes, _Held]] = []  # in the round that is open: relayed in the next one
        self.rounds = faults + 1

    def propose(self, value: bytes) -> None:
        """State `value` oneself, before the first round; raises LocalError for a second one."""
        if self._held[self._me.public]:
            raise LocalError("an authority makes one statement")
        self._accept(self._me.public, _Held(value))

    def next_bundle(self) -> bytes:
        """What to say in the round that opens now: all that was accepted since the last call, signed by oneself."""
        items = [_Item(author, held.value, tuple(sorted(held.signatures.items()))) for author, held in self._accepted]
        self._accepted.clear()
        return encode(_Bundle(tuple(items)))

    def take_untrusted(self, round_number: int, raw: bytes) -> None:
        """Take what another authority said in round 1, 2, …; raises Oversized or Malformed, then nothing of it counts.

        Statements with too few signatures for the round, or false ones, are ignored: their relay is faulty.
        """
        bundle = decode_untrusted(raw, _Bundle, limit=MAX_BUNDLE)
        if any(item.author not in self._authorities for item in bundle.items):
            raise Malformed
        for item in bundle.items:
            self._take_item(round_number, item)

    def agreed(self) -> dict[bytes, bytes]:
        """The one statement of each author that made exactly one; call it after the last round."""
        return {author: held[0].value for author, held in sorted(self._held.items()) if len(held) == 1}

    def evidence(self) -> list[Evidence]:
        """Who contradicted itself, with proof."""
        return [
            Evidence(
                author,
                (held[0].value, held[0].signatures[author]),
                (held[1].value, held[1].signatures[author]),
            )
            for author, held in sorted(self._held.items())
            if len(held) == _MOST_HELD
        ]

    def _take_item(self, round_number: int, item: _Item) -> None:
        held = self._held[item.author]
        if len(held) == _MOST_HELD or any(known.value == item.value for known in held):
            return
        signatures = dict(item.signatures)
        enough = len(signatures) >= round_number and item.author in signatures
        if enough and self._signed_untrusted(item.author, item.value, signatures):
            self._accept(item.author, _Held(item.value, signatures))

    def _signed_untrusted(self, author: bytes, value: bytes, signatures: Mapping[bytes, bytes]) -> bool:
        if not self._authorities.issuperset(signatures):
            return False
        statement = self._statement(author, value)
        try:
            for signer, signature in signatures.items():
                verify_untrusted(signer, self._label, statement, signature)
        except RemoteError:
            return False
        return True

    def _accept(self, author: bytes, held: _Held) -> None:
        held.signatures[self._me.public] = self._me.sign(self._label, self._statement(author, held.value))
        self._held[author].append(held)
        self._accepted.append((author, held))

    def _statement(self, author: bytes, value: bytes) -> bytes:
        return digest(self._label, self._context, author, value)
