"""Single-use reply blocks: headers with which others answer without knowing the route (spec/02-sphinx.md 2.8).

Promises: a block serialises to 404 bytes, first hop 32 · header 356 · key 16, and parses back or raises RemoteError.
Never: a key in a printed object.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from mixnet.crypto import KEY_SIZE, Secret
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx.geometry import GEOMETRY

_HEADER_END = GEOMETRY.target_size + GEOMETRY.header_size


@dataclass(frozen=True, slots=True)
class Surb:
    """What the replier gets: to whom to send the packet, its header, and the key (16 bytes) of its innermost layer."""

    first_hop: bytes = field(repr=False)
    header: bytes = field(repr=False)
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse parts of other lengths."""
        sizes = (len(self.first_hop), len(self.header), len(self.key))
        if sizes != (GEOMETRY.target_size, GEOMETRY.header_size, GEOMETRY.surb_key_size):
            raise LocalError("a reply block takes 32, 356 and 16 bytes")

    def serialize(self) -> bytes:
        """The 404 bytes."""
        return self.first_hop + self.header + self.key

    @classmethod
    def parse_untrusted(cls, raw: bytes) -> Self:
        """The block in `raw`; RemoteError unless it has 404 bytes. Nothing else in it can be checked by a replier."""
        if len(raw) != GEOMETRY.surb_size:
            raise RemoteError("a reply block of the wrong size")
        return cls(raw[: GEOMETRY.target_size], raw[GEOMETRY.target_size : _HEADER_END], raw[_HEADER_END:])


class SurbKeys(Secret):
    """What the owner keeps of a reply block: its key (16 bytes) and each hop's pi key (32 bytes), 1 to 6 of them."""

    def __init__(self, raw: bytes) -> None:
        """Take what `.expose()` gave; LocalError for a length that no reply block has."""
        hops, rest = divmod(len(raw) - GEOMETRY.surb_key_size, KEY_SIZE)
        if rest or not 1 <= hops <= GEOMETRY.max_hops:
            raise LocalError("the keys of a reply block have 16 bytes and 32 for each hop")
        self._raw = bytes(raw)

    @classmethod
    def join(cls, key: bytes, hop_keys: Iterable[bytes]) -> Self:
        """The keys of a block made with `key`, whose hops have the pi keys `hop_keys`, first hop first."""
        return cls(key + b"".join(hop_keys))

    @property
    def key(self) -> bytes:
        """The key of the innermost layer, which the replier has too."""
        return self._raw[: GEOMETRY.surb_key_size]

    @property
    def hop_keys(self) -> list[bytes]:
        """The pi keys, first hop first."""
        return [self._raw[at : at + KEY_SIZE] for at in range(GEOMETRY.surb_key_size, len(self._raw), KEY_SIZE)]
