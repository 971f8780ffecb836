"""What a node remembers of the directory, and what it says when its clock is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from mixnet.errors import Unavailable
from mixnet.log import Log
from mixnet.pki.keeper import CLOCK_WRONG, SPLIT_VIEW
from mixnet.pki.views import Contradiction
from mixnode.documents import DocumentFiles
from tests.mixnode.town import QUIET, Town


async def test_the_last_document_is_remembered(tmp_path: Path) -> None:
    files = DocumentFiles(tmp_path / "directory")
    assert files.newest() is None
    for raw in (b"one", b"another"):
        await files.keep(raw)
        assert DocumentFiles(tmp_path / "directory").newest() == raw
    assert [path.name for path in (tmp_path / "directory").iterdir()] == ["document"]
    assert (tmp_path / "directory" / "document").stat().st_mode & 0o777 == 0o600


async def test_evidence_is_both_documents(tmp_path: Path) -> None:
    files = DocumentFiles(tmp_path)
    await files.accuse(Contradiction(7, b"first", b"second"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "evidence-7-1": b"first",
        "evidence-7-2": b"second",
    }
    await files.accuse(Contradiction(12, b"other", b"documents"))
    (tmp_path / "evidence-x-1").touch()
    (tmp_path / "evidence-3-1").touch()  # without its second part
    assert DocumentFiles(tmp_path).evidence() == [(7, b"first", b"second"), (12, b"other", b"documents")]


async def test_a_disk_that_refuses_is_unavailable_and_leaves_what_was_there(tmp_path: Path) -> None:
    files = DocumentFiles(tmp_path)
    await files.keep(b"one")
    (tmp_path / "document.new").mkdir()
    with pytest.raises(Unavailable):
        await files.keep(b"another")
    assert files.newest() == b"one"


async def test_a_node_that_starts_again_goes_by_its_last_document_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    town = Town(tmp_path)
    mix = town.members[0]
    async with town.running() as nursery:
        await town.stop(mix)
        town.network.crash("10.0.9.1")  # the authority
        await town.start(nursery, mix)
        await trio.sleep(1.0)
        assert mix.serving is not None
        assert mix.serving.snapshot()["ready"]


async def test_a_split_view_shows_in_the_status_and_is_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The document of the next epoch continues another one than this node was shown."""
    town = Town(tmp_path)
    mix, other = town.members[:2]
    async with town.running() as nursery:
        first = town.documents[0]
        town.previous = bytes(range(32))
        await trio.sleep(town.parameters.epoch_length)
        for node in (mix, other):
            assert node.serving is not None
            assert node.serving.snapshot()["warnings"] == [SPLIT_VIEW]
            assert "contradict" in node.serving.snapshot()["problem"]
            assert node.serving.snapshot()["epoch"] == 1
            evidence = tmp_path / node.name / "directory"
            assert (evidence / "evidence-1-1").read_bytes() == first
            assert (evidence / "evidence-1-2").read_bytes() == town.documents[1]
        for known in (True, False):
            await town.stop(mix)
            for file in (tmp_path / mix.name / "directory").glob("*" if not known else "document"):
                file.unlink()
            await town.start(nursery, mix)
            assert mix.serving is not None
            assert mix.serving.snapshot()["warnings"] == ([SPLIT_VIEW] if known else [])


@pytest.mark.parametrize(("wrong", "said"), [(3600.0, "ahead"), (-3600.0, "behind")])
async def test_a_node_with_a_wrong_clock_says_so(
    tmp_path: Path, autojump_clock: MockClock, wrong: float, said: str
) -> None:
    town = Town(parameters=QUIET, genesis=1_800_000_000.0)
    mix = town.members[0]
    async with town.running() as nursery:
        await trio.sleep(2 * 3600.0)
        assert mix.serving is not None
        assert mix.serving.snapshot()["problem"] == ""
        await town.stop(mix)
        log = town.logs[mix.name] = Log(tmp_path / "log")
        mix.skew = wrong
        await town.start(nursery, mix)
        await trio.sleep(30.0)
        figures = mix.serving.snapshot()
        assert not figures["ready"]
        assert figures["warnings"] == [CLOCK_WRONG]
        assert said in figures["problem"]
        log.close()
        entries = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
        assert [one["warnings"] for one in entries if one["event"] == "warning"] == [[CLOCK_WRONG]]
