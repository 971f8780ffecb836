"""The compact set of tags: exact, small, and nobody who chooses tags can choose where they go."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.crypto import SymmetricKey
from mixnet.errors import LocalError
from mixnode import tags
from mixnode.tags import TAG_SIZE, TagSet

KEY = SymmetricKey(bytes(range(32)))


def draw(count: int, seed: int = 1) -> list[bytes]:
    rng = random.Random(seed)
    return [rng.randbytes(TAG_SIZE) for _ in range(count)]


def memory(compact: TagSet) -> int:
    """The bytes of all slots."""
    return sum(8 * len(shelf) for shelf in compact._shelves if shelf is not None)


@given(st.lists(st.integers(0, 200).map(lambda number: number.to_bytes(TAG_SIZE, "big"))))
def test_it_is_a_set(added: list[bytes]) -> None:
    compact, exact = TagSet(KEY), set()
    for tag in added:
        assert compact.add(tag) == (tag not in exact)
        exact.add(tag)
        assert len(compact) == len(exact)


def test_many_tags_stay_known_while_it_grows_and_take_at_most_fifteen_bytes_each() -> None:
    compact, many = TagSet(KEY), draw(60_000)
    assert all(compact.add(tag) for tag in many)
    assert not any(compact.add(tag) for tag in many)
    assert len(compact) == len(many)
    assert 10 * len(many) <= memory(compact) <= 15 * len(many)
    compact.clear()
    assert (len(compact), memory(compact)) == (0, 0)
    assert compact.add(many[0])


def test_few_tags_take_little_memory() -> None:
    compact = TagSet(KEY)
    for tag in draw(2000):
        compact.add(tag)
    assert memory(compact) <= 120_000


def test_where_a_tag_goes_depends_on_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes tags that crowd together under one key has made ordinary ones for every other."""
    monkeypatch.setattr(tags, "_SHELVES", 16)

    def crowding(key: SymmetricKey, chosen: list[bytes]) -> int:
        filled = TagSet(key)
        for tag in chosen:
            filled.add(tag)
        return max(filled._counts[:16])

    crowd = []
    for tag in draw(16 * 300):
        probe = TagSet(KEY)
        probe.add(tag)
        if probe._counts[3]:
            crowd.append(tag)
    assert crowding(KEY, crowd) == len(crowd) > 200
    assert crowding(SymmetricKey(bytes(32)), crowd) < len(crowd) / 4


def test_a_hash_of_zero_is_no_empty_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    class Zero:
        def copy(self) -> Zero:
            return self

        def update(self, _tag: bytes) -> None:
            pass

        def digest(self) -> bytes:
            return bytes(8)

    compact = TagSet(KEY)
    compact._hash = Zero()  # type: ignore[assignment]
    assert compact.add(bytes(TAG_SIZE))
    assert not compact.add(bytes(TAG_SIZE))


def test_a_tag_of_another_size_is_a_bug() -> None:
    with pytest.raises(LocalError):
        TagSet(KEY).add(b"short")
