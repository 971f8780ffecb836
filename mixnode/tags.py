"""A compact set of 16-byte replay tags (spec/04-mixing.md 4.2). Pure.

Promises: never says that a tag is new which was added before; takes 10 to 15 bytes a tag and at most 150 kB beside
them; never moves more than about a thousandth of its tags at once, so that it grows without a pause that would show.
Of a tag only 64 bits of a hash are kept: a new one is taken for a known one with a probability of its length / 2^64.
Where a tag goes follows from a key that nobody else knows: who chooses tags can choose neither crowds nor collisions.
"""

from __future__ import annotations

import hashlib
from array import array

from mixnet.crypto import SymmetricKey
from mixnet.errors import LocalError

TAG_SIZE = 16
_SHELVES = 1024  # each grows by itself
_SMALLEST = 8  # slots of a shelf
_FULLEST = 0.8  # of its slots: beyond that it grows by half


class TagSet:
    """The tags seen under one key: a hash set in 1,024 parts (shelves), each open-addressed with linear probing."""

    def __init__(self, key: SymmetricKey) -> None:
        """An empty set; `key` is drawn for it and kept nowhere else."""
        self._hash = hashlib.blake2b(digest_size=8, key=key.expose())  # copied for each tag: the key is absorbed once
        self._shelves: list[array[int] | None] = [None] * _SHELVES
        self._counts = array("L", bytes(_SHELVES * array("L").itemsize))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, tag: bytes) -> bool:
        """Whether the tag is new; afterwards it isn't. LocalError if it hasn't 16 bytes."""
        if len(tag) != TAG_SIZE:
            raise LocalError("a replay tag has 16 bytes")
        state = self._hash.copy()
        state.update(tag)
        # Zero marks an empty slot, so a hash of zero counts as one.
        value = int.from_bytes(state.digest()) or 1
        number = value % _SHELVES
        shelf = self._shelves[number]
        if shelf is None or self._counts[number] >= _FULLEST * len(shelf):
            shelf = self._shelves[number] = _grown(shelf)
        if not _put(shelf, value):
            return False
        self._counts[number] += 1
        self._count += 1
        return True

    def clear(self) -> None:
        """Forget all of them."""
        self._shelves = [None] * _SHELVES
        self._counts = array("L", bytes(len(self._counts) * self._counts.itemsize))
        self._count = 0


def _put(shelf: array[int], value: int) -> bool:
    """Put a hash into its slot or the next free one; False if it is there already."""
    size = len(shelf)
    slot = (value // _SHELVES) % size
    while there := shelf[slot]:
        if there == value:
            return False
        slot = slot + 1 if slot + 1 < size else 0
    shelf[slot] = value
    return True


def _grown(shelf: array[int] | None) -> array[int]:
    """A shelf with half as many slots again and all that was in `shelf`."""
    size = _SMALLEST if shelf is None else len(shelf) * 3 // 2
    larger = array("Q", bytes(8 * size))
    for value in shelf or ():
        if value:
            _put(larger, value)
    return larger
