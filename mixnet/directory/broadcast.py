"""Authenticated broadcast: all honest authorities receive the same statement, or none (spec/05-directory.md 5.7).

After D. Dolev and H. R. Strong, "Authenticated algorithms for Byzantine agreement", SIAM
Journal on Computing 12(4), 1983: with `faults` faulty authorities, `faults` + 1 rounds. In each round every authority
says one bundle to all others; a statement counts in round r if r different authorities have signed it, its author among
them; who accepts it signs it too and relays it in the next round.

What is signed is the fingerprint of a value, and relays carry fingerprints alone: who lacks the value asks the relay
for it. So a value crosses each link once at most, and a contradiction is proven in a few hundred bytes.

Promises: if messages between honest authorities arrive within their round, then after the last round all honest ones
hold the same statement of each author, or agree that the author made none or contradicted itself; the signatures of a
contradiction are kept as evidence. At most two statements of an author are held.
Never: waits, sends or reads a clock; accepts, signs or relays a statement whose value it does not hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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
    fingerprint: Key
    signatures: Annotated[tuple[tuple[Key, Signature], ...], msgspec.Meta(min_length=1, max_length=MAX_AUTHORITIES)]


class _Bundle(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    items: Annotated[tuple[_Item, ...], msgspec.Meta(max_length=_MOST_HELD * MAX_AUTHORITIES)]
    values: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=_MOST_HELD)]  # those that are told for the first time


def fingerprint(label: Label, value: bytes) -> bytes:
    """32 bytes that stand for a value of the kind `label`."""
    return digest(label, value)


def statement(label: Label, context: bytes, author: bytes, print_: bytes) -> bytes:
    """32 bytes: what is signed where `author` states the value with the fingerprint `print_`."""
    return digest(label, context, author, print_)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Proof that `author` signed two different statements in one round of voting."""

    author: bytes
    first: tuple[bytes, bytes]  # (fingerprint, the author's signature of the statement)
    second: tuple[bytes, bytes]


@dataclass(slots=True)
class _Held:
    """A statement and who is known to have signed it."""

    value: bytes
    fingerprint: bytes
    signatures: dict[bytes, bytes] = field(default_factory=dict)


class AuthenticatedBroadcast:
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
        self._accept(self._me.public, _Held(value, fingerprint(self._label, value)))

    def next_bundle(self) -> bytes:
        """What to say in the round that opens now: all that was accepted since the last call, signed by oneself."""
        items = [
            _Item(author, held.fingerprint, tuple(sorted(held.signatures.items()))) for author, held in self._accepted
        ]
        own = tuple(held.value for author, held in self._accepted if author == self._me.public)
        self._accepted.clear()
        return encode(_Bundle(tuple(items), own))

    def value(self, print_: bytes) -> bytes | None:
        """The value with this fingerprint, for another authority that was told the fingerprint alone."""
        every = (one for held in self._held.values() for one in held)
        return next((one.value for one in every if one.fingerprint == print_), None)

    def wanted_untrusted(self, round_number: int, raw: bytes) -> list[bytes]:
        """The fingerprints in a bundle whose values have to be had from who said it; raises as `take_untrusted`."""
        bundle = self._parse_untrusted(raw)
        had = self._by_print(bundle.values)
        return [
            item.fingerprint
            for item in bundle.items
            if item.fingerprint not in had and self._is_news_untrusted(round_number, item)
        ]

    def take_untrusted(self, round_number: int, raw: bytes, values: Iterable[bytes] = ()) -> None:
        """Take what another authority said in round 1, 2, …; raises Oversized or Malformed, then nothing of it counts.

        `values` are those that `wanted_untrusted` named. Statements with too few signatures for the round, false ones,
        or without their value are ignored: their relay is faulty.
        """
        bundle = self._parse_untrusted(raw)
        had = self._by_print((*bundle.values, *values))
        for item in bundle.items:
            if item.fingerprint in had and self._is_news_untrusted(round_number, item):
                self._accept(item.author, _Held(had[item.fingerprint], item.fingerprint, dict(item.signatures)))

    def agreed(self) -> dict[bytes, bytes]:
        """The one statement of each author that made exactly one; call it after the last round."""
        return {author: held[0].value for author, held in sorted(self._held.items()) if len(held) == 1}

    def evidence(self) -> list[Evidence]:
        """Who contradicted itself, with proof."""
        return [
            Evidence(
                author,
                (held[0].fingerprint, held[0].signatures[author]),
                (held[1].fingerprint, held[1].signatures[author]),
            )
            for author, held in sorted(self._held.items())
            if len(held) == _MOST_HELD
        ]

    def _parse_untrusted(self, raw: bytes) -> _Bundle:
        bundle = decode_untrusted(raw, _Bundle, limit=MAX_BUNDLE)
        if any(item.author not in self._authorities for item in bundle.items):
            raise Malformed
        return bundle

    def _by_print(self, values: Iterable[bytes]) -> dict[bytes, bytes]:
        return {fingerprint(self._label, value): value for value in values}

    def _is_news_untrusted(self, round_number: int, item: _Item) -> bool:
        """Whether the statement counts in this round and is not held yet."""
        held = self._held[item.author]
        if len(held) == _MOST_HELD or any(known.fingerprint == item.fingerprint for known in held):
            return False
        signatures = dict(item.signatures)
        enough = len(signatures) >= round_number and item.author in signatures
        return enough and self._signed_untrusted(item.author, item.fingerprint, signatures)

    def _signed_untrusted(self, author: bytes, print_: bytes, signatures: Mapping[bytes, bytes]) -> bool:
        if not self._authorities.issuperset(signatures):
            return False
        stated = statement(self._label, self._context, author, print_)
        try:
            for signer, signature in signatures.items():
                verify_untrusted(signer, self._label, stated, signature)
        except RemoteError:
            return False
        return True

    def _accept(self, author: bytes, held: _Held) -> None:
        stated = statement(self._label, self._context, author, held.fingerprint)
        held.signatures[self._me.public] = self._me.sign(self._label, stated)
        self._held[author].append(held)
        self._accepted.append((author, held))
