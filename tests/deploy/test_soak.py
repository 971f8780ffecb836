"""What the long run accepts: nothing lost, nothing doubled, nothing refused at an edge, nothing kept too long."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from deploy.soak import Endurance, overdue
from mixnet.crypto import SigningKey
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap

GOOD = Endurance(
    minutes=10.0,
    epochs=20,
    sent=4,
    delivered=4,
    lost=0,
    duplicated=0,
    latency_ms={"p50": 1.0, "p95": 2.0},
    dropped={"link_lost": 3},
    keys_retired=0,
    overdue_keys=0,
    authorities_killed=["authority-1"],
    signatures=2,
    nodes_ready=10,
    node_memory_mb=60.0,
)


def test_a_run_in_which_everything_arrived_once_succeeds() -> None:
    assert GOOD.success


@pytest.mark.parametrize(
    "fault",
    [
        {"delivered": 3},
        {"duplicated": 1},
        {"keys_retired": 1},
        {"overdue_keys": 1},
        {"dropped": {"malformed_packet": 1}},
        {"dropped": {"replayed": 1}},
        {"dropped": {"replay_store": 1}},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_each_fault_fails_it(fault: dict[str, object]) -> None:
    assert not msgspec.structs.replace(GOOD, **fault).success


def test_keys_of_other_epochs_than_a_node_may_have_are_found(tmp_path: Path) -> None:
    Bootstrap(1000.0, 30.0, (AuthorityInfo(SigningKey.generate().public, "127.0.0.1:9"),)).save(
        tmp_path / "bootstrap.json"
    )
    keys = tmp_path / "mix-1" / "keys"
    keys.mkdir(parents=True)
    for epoch in range(2, 9):
        (keys / f"{epoch}.key").touch()
    assert sorted(path.name for path in overdue(tmp_path, 1000.0 + 4 * 30 + 1)) == ["2.key", "7.key", "8.key"]
