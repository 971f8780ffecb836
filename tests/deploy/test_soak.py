"""What the long run accepts: nothing lost, nothing doubled, nothing refused at an edge, nothing kept too long."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mixnet.crypto import SigningKey
from mixnet.deploy.census import SignedEpoch
from mixnet.deploy.soak import Endurance, overdue
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap

LEFT, GONE = ["authority-2", "authority-3"], ["authority-1"]


def shown(epoch: int) -> SignedEpoch:
    return SignedEpoch(epoch=epoch, document=True, signed=LEFT, missing=GONE)


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
    authorities_killed=GONE,
    authorities_left=LEFT,
    epochs_due=3,
    since_the_kill=[shown(11), shown(12), shown(13)],
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


@pytest.mark.parametrize(
    "wrong",
    [
        {"signed": [*GONE, *LEFT], "missing": []},
        {"signed": LEFT[:1], "missing": [*GONE, *LEFT[1:]]},
        {"document": False},
        {"missing": []},
    ],
    ids=["the killed one signed", "one who is left did not", "no document", "the history names nobody"],
)
def test_each_document_since_the_kill_counts(wrong: dict[str, object]) -> None:
    for place in range(3):
        history = list(GOOD.since_the_kill)
        history[place] = msgspec.structs.replace(history[place], **wrong)
        assert not msgspec.structs.replace(GOOD, since_the_kill=history).success


def test_the_history_is_told_in_a_line() -> None:
    assert GOOD.history == "3 epochs: 2 signed, missing authority-1"
    assert msgspec.structs.replace(GOOD, since_the_kill=[]).history == "-"


def test_fewer_epochs_since_the_kill_than_there_was_time_for_are_not_enough() -> None:
    assert not msgspec.structs.replace(GOOD, since_the_kill=GOOD.since_the_kill[:2]).success


def test_keys_of_other_epochs_than_a_node_may_have_are_found(tmp_path: Path) -> None:
    Bootstrap(1000.0, 30.0, (AuthorityInfo(SigningKey.generate().public, "127.0.0.1:9"),)).save(
        tmp_path / "bootstrap.json"
    )
    keys = tmp_path / "mix-1" / "keys"
    keys.mkdir(parents=True)
    for epoch in range(2, 9):
        (keys / f"{epoch}.key").touch()
    assert sorted(path.name for path in overdue(tmp_path, 1000.0 + 4 * 30 + 1)) == ["2.key", "7.key", "8.key"]
