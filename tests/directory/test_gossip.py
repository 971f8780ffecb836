"""Two validly signed documents for one epoch are noticed, kept as proof, and told."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from mixnet.directory.ledger import Ledger, MemoryStore
from mixnet.pki.document import verify_untrusted
from tests.directory.authority_world import AuthorityWorld
from tests.mixnet.pki.builders import START, Town

TOWN = Town()


async def compared(nursery: trio.Nursery, folder: Path, signers: int) -> AuthorityWorld:
    """Three authorities, of which the last gives out another document with that many signatures."""
    world = AuthorityWorld(TOWN, nursery)
    await world.start(0, data_dir=folder)
    await world.start(1, 2)
    world.enter(*TOWN.nodes)
    await world.fetch_when_ready()
    await trio.sleep(60)
    other = TOWN.document(0, randomness=b"\1" * 32)
    world.authorities[2]._archive._held[0] = (other, TOWN.sign(other, signers))
    await trio.sleep(0.3 * TOWN.epoch_length)
    return world


async def test_two_documents_are_kept_and_their_signers_named(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    world = await compared(nursery, tmp_path, 2)
    kept = [path.read_bytes() for path in sorted((tmp_path / "splits").iterdir())]
    documents = [verify_untrusted(raw, TOWN.bootstrap, START) for raw in kept]
    assert len({document.digest for document in documents}) == 2
    assert {document.epoch for document in documents} == {0}
    state = world.authorities[0].snapshot()
    assert state["two_documents"] == [0]
    assert state["suspects"] == sorted(one.public.hex()[:16] for one in TOWN.authorities[:2])
    await world.crash(0)
    await world.start(0, data_dir=tmp_path)
    assert world.authorities[0].snapshot()["two_documents"] == [0]


@pytest.mark.parametrize("signers", [0, 1])
async def test_a_document_that_nobody_would_believe_is_none(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, signers: int
) -> None:
    world = await compared(nursery, tmp_path, signers)
    assert world.authorities[0].snapshot()["two_documents"] == []
    assert list((tmp_path / "splits").iterdir()) == []


def test_the_documents_that_are_kept_are_bounded() -> None:
    ledger = Ledger(MemoryStore())
    for epoch in range(20):
        ledger.keep_split(epoch, b"first", b"second")
    assert ledger.splits() == list(range(8))
