"""The bootstrap file: what is trusted, and nothing half-right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.pki.bootstrap import MAX_AUTHORITIES, AuthorityInfo, BadBootstrap, Bootstrap, Successor
from tests.mixnet.pki.builders import Town, key

TRUST = Town().bootstrap
HEIRS = TRUST.succeeded_by(Successor(7, Town(5, name="new ").bootstrap.successor.authorities, 4))


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    for trust in (TRUST, Town(threshold=3).bootstrap, HEIRS):
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
        {"network": "00" * 32},
        {"network": "00" * 32, "first_epoch": 0},
        {"network": "00" * 31, "first_epoch": 1},
        {"network": "zz" * 32, "first_epoch": 1},
        {"network": None, "first_epoch": 1},
        {"first_epoch": 1},
        {"network": "00" * 32, "first_epoch": -1},
        {"network": "00" * 32, "first_epoch": 2**48},
        {"network": "00" * 32, "first_epoch": 1.5},
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


def test_those_who_succeed_serve_the_same_network() -> None:
    assert HEIRS.network_id == TRUST.network_id == HEIRS.succeeded_by(Successor(9, HEIRS.authorities)).network_id
    assert (HEIRS.epochs, HEIRS.first_epoch, HEIRS.required, HEIRS.majority) == (TRUST.epochs, 7, 4, 3)
    assert Bootstrap.parse(_table(network="00" * 32, first_epoch=1)).network_id == bytes(32)
    assert TRUST.first_epoch == 0
    assert TRUST.at(5) is TRUST


def test_a_first_bootstrap_file_says_nothing_of_successions(tmp_path: Path) -> None:
    """So an older release reads it too."""
    TRUST.save(tmp_path / "bootstrap.json")
    table = msgspec.json.decode((tmp_path / "bootstrap.json").read_bytes())
    assert set(table) == {"version", "genesis", "epoch_length", "authorities", "threshold"}


@pytest.mark.parametrize("count", [1, 3, 31])
def test_a_successor_says_what_the_set_is(count: int) -> None:
    trust = Town(count).bootstrap
    assert Successor(0, trust.successor.authorities) == trust.successor
    assert trust.succeeded_by(HEIRS.successor).successor == HEIRS.successor


BAD = {
    "nobody": (1, ()),
    "too many": (1, Town(MAX_AUTHORITIES).bootstrap.successor.authorities + HEIRS.authorities[:1]),
    "twice the same": (1, HEIRS.authorities[:1] * 2),
    "descending": (1, HEIRS.authorities[::-1]),
    "a short identity": (1, (AuthorityInfo(b"short", "10.0.0.1:7000"),)),
    "no address": (1, (AuthorityInfo(bytes(32), "nowhere"),)),
    "a minority": (1, HEIRS.authorities, 2),
    "more than all": (1, HEIRS.authorities, 6),
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_successors_that_could_never_work_are_refused(fields: tuple[Any, ...]) -> None:
    with pytest.raises(BadBootstrap):
        Successor(*fields)
