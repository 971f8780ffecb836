"""What happened in each epoch, as signatures prove it and authorities tell it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from mixnet.directory.display import show_history
from mixnet.directory.queries import DirectoryQueries
from mixnet.directory.reports import Absence, absences, sentence_about
from tests.directory.authority_world import AuthorityWorld
from tests.directory.succession_world import SuccessionWorld, successors
from tests.mixnet.pki.builders import Town, key

TOWN = Town(5, mixes=4, providers=1, epoch_length=120.0)


async def test_history_shows_who_was_missing_what_changed_and_why_there_was_none(
    autojump_clock: MockClock, nursery: trio.Nursery, capsys: pytest.CaptureFixture[str]
) -> None:
    world, epochs = AuthorityWorld(TOWN, nursery), TOWN.bootstrap.epochs
    names = list(TOWN.nodes)
    await world.start(*range(5))
    world.enter(*names[1:])
    await world.upload(names[0], 0)
    reader = DirectoryQueries(TOWN.bootstrap, world.network, identity=key("reader"))

    async def until(epoch: int) -> None:
        await trio.sleep(epochs.start(epoch) + 5 - world.clock.now())

    await until(1)
    await world.crash(3)
    await world.crash(4)
    await until(3)
    await world.crash(2)
    state = world.authorities[0].snapshot
    await until(5)
    assert not state()["ready"]
    assert "start the others" in state()["problem"]
    gone = [TOWN.authorities[number].public for number in (2, 3, 4)]
    assert state()["absent"] == sorted(one.hex()[:16] for one in gone)
    await world.start(2)
    await trio.sleep(60)
    assert state()["ready"]
    assert state()["problem"] == ""

    reports = await reader.history(0, 5)
    assert [report.epoch for report in reports] == list(range(6))
    assert [len(report.signed) for report in reports] == [5, 5, 3, 3, 0, 3]
    assert set(reports[2].missing) == {TOWN.authorities[3].public, TOWN.authorities[4].public}
    assert reports[2].silent == reports[2].missing
    assert [(one.authority, one.since, one.earlier, one.silent, one.answers) for one in absences(reports)] == [
        (one, 2, False, True, False) for one in sorted(TOWN.authorities[number].public for number in (3, 4))
    ]
    show_history(reports, TOWN.bootstrap, json=False)
    shown = capsys.readouterr().out.splitlines()
    assert all("has signed no document from epoch 2 on, and gives no answer: start it" in line for line in shown[-2:])
    assert {"10.0.0.4:7000", "10.0.0.5:7000"} == {line.split()[3] for line in shown[-2:]}
    assert reports[0].attempt is not None
    assert reports[0].attempt > 0
    assert [report.attempt for report in reports[1:4]] == [0, 0, 0]
    assert reports[4].document is None
    assert any("start the others" in failure for failure in reports[4].failures)
    assert reports[5].attempt is not None
    assert reports[5].attempt > 0
    left = [name for report in reports for name in report.left]
    assert left == [TOWN.nodes[names[0]][0].public]
    assert not any(report.joined or report.parameters_changed for report in reports)


@pytest.mark.parametrize(
    ("earlier", "silent", "answers", "said"),
    [
        (False, True, False, "from epoch 7 on, and gives no answer: start it"),
        (True, True, False, "from epoch 7 on (`--epochs` looks further back), and gives no answer"),
        (False, True, True, "it answers, but the others did not hear it"),
        (False, False, True, "though it takes part: read `problem`"),
    ],
)
def test_an_absence_is_told_with_what_to_do(earlier: bool, silent: bool, answers: bool, said: str) -> None:
    assert said in sentence_about(Absence(bytes(32), 7, earlier, silent, answers))


async def test_the_majority_comes_back_and_late_ones_catch_up(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, 1)
    world.enter(*TOWN.nodes)
    await trio.sleep(2 * TOWN.epoch_length)
    assert world.authorities[0].snapshot()["document_epoch"] is None
    await world.start(2)
    await world.fetch_when_ready()
    await world.start(3, 4)
    await trio.sleep(30)
    given = [(await world.fetch_from(number))[0] for number in range(5)]
    assert {document.digest for document in given} == {given[0].digest}


async def test_a_succession_is_part_of_the_history(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when those who were replaced are gone; each epoch has the signatures of its own authorities."""
    town = Town(3, mixes=3, providers=1, epoch_length=120.0)
    new = successors(town, [3, 4, 5], 3)
    world = SuccessionWorld(town, nursery, tmp_path, [new])
    world.propose(new, *range(6))
    await world.begin(*range(6))
    world.enter(*town.nodes)
    await world.until(4)
    await world.read(3, 4)
    for number in range(3):
        await world.crash(number)
    reports = await DirectoryQueries(world.reader, world.network, identity=key("reader")).history(0, 4)
    assert [(len(report.signed), report.missing) for report in reports] == [(3, ())] * 5
    assert [report.took_over for report in reports] == [False, False, False, True, False]
    assert [report.introduces for report in reports] == [3, 3, 3, None, None]
    show_history(reports, world.reader, json=False)
    shown = capsys.readouterr().out.splitlines()
    assert ["other authorities from epoch 3" in line for line in shown[2:]] == [True] * 3 + [False] * 2
    assert ["new authorities took over" in line for line in shown[2:]] == [False] * 3 + [True, False]
    show_history(reports, world.reader, json=True)
    assert [one["took_over"] for one in json.loads(capsys.readouterr().out)] == [False] * 3 + [True, False]
