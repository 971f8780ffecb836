"""The bootstrap file: what is trusted, and nothing half-right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.pki.bootstrap import MAX_AUTHORITIES, AuthorityInfo, BadBootstrap, Bootstrap
from tests.mixnet.pki.builders import Town, key

TRUST = Town().bootstrap


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    for trust in (TRUST, Town(threshold=3).bootstrap):
        path = tmp_path / "bootstrap.json"
        trust.save(path)
        assert Bootstrap.load(path) == trust
        assert Bootstrap.load(path).network_id == trust.network_id
        assert [entry.name for entry in tmp_path.iterdir()] == ["bootstrap.json"]


@given(raw=st.binary(max_size=300))
def test_garbage_is_said_to_be_damaged(raw: bytes) -> None:
    with pytest.raises(BadBootstrap):
        Bootstrap.parse(raw)


def _table(**changes: Any) -> bytes:
    authorities = [{"identity": key(str(n)).public.hex(), "address": f"10.0.0.{n}:70"} for n in range(3)]
    table = {"version": 1, "genesis": 0.0, "epoch_length": 20.0, "authorities": authorities, "threshold": None}
    return msgspec.json.encode(table | changes)


def test_the_sample_table_is_good() -> None:
    assert Bootstrap.parse(_table()).majority == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"authorities": []},
        {"authorities": [{"identity": "00", "address": "h:1"}]},
        {"authorities": [{"identity": "00" * 32, "address": "h"}]},
        {"authorities": [{"identity": "00" * 32}]},
        {"authorities": [{"identity": "zz" * 32, "address": "h:1"}]},
        {"authorities": [{"identity": "00" * 32, "address": "h:1"}] * 2},
        {"epoch_length": 0},
        {"genesis": -1.0},
        {"threshold": 1},
        {"threshold": 4},
        {"surprise": 1},
    ],
)
def test_what_could_never_work_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadBootstrap):
        Bootstrap.parse(_table(**changes))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadBootstrap, match="nowhere"):
        Bootstrap.load(tmp_path / "nowhere")


@pytest.mark.parametrize(("count", "majority"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 4), (31, 16)])
def test_a_majority_is_more_than_half(count: int, majority: int) -> None:
    assert Town(count).bootstrap.majority == Town(count).bootstrap.required == majority


def test_the_larger_threshold_counts() -> None:
    assert Town(7, threshold=5).bootstrap.required == 5


def test_too_many_authorities_are_refused() -> None:
    with pytest.raises(BadBootstrap):
        assert Town(MAX_AUTHORITIES + 1).bootstrap


def test_the_network_is_what_one_trusts() -> None:
    first, *rest = TRUST.authorities
    moved = Bootstrap(TRUST.genesis, TRUST.epoch_length, (AuthorityInfo(first.identity, "elsewhere:1"), *rest))
    shuffled = Bootstrap(TRUST.genesis, TRUST.epoch_length, (*rest, first))
    assert moved.network_id == TRUST.network_id == shuffled.network_id
    others = [
        Bootstrap(TRUST.genesis + 1, TRUST.epoch_length, TRUST.authorities),
        Bootstrap(TRUST.genesis, TRUST.epoch_length + 1, TRUST.authorities),
        Bootstrap(TRUST.genesis, TRUST.epoch_length, tuple(rest)),
        Bootstrap(TRUST.genesis, TRUST.epoch_length, TRUST.authorities, 3),
    ]
    assert len({TRUST.network_id, *(other.network_id for other in others)}) == 5


def test_a_bare_majority_is_the_same_network_whether_named_or_not() -> None:
    named = Bootstrap(TRUST.genesis, TRUST.epoch_length, TRUST.authorities, 2)
    assert named.network_id == TRUST.network_id
