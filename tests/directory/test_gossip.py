"""Two validly signed documents for one epoch are noticed, kept as proof, and told."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from directory.ledger import Ledger, MemoryStore
from mixnet.pki.document import verify_untrusted
from tests.directory.city import City
from tests.mixnet.pki.builders import START, Town

TOWN = Town()


async def compared(nursery: trio.Nursery, folder: Path, signers: int) -> City:
    """Three authorities, of which the last gives out another document with that many signatures."""
    city = City(TOWN, nursery)
    await city.start(0, data_dir=folder)
    await city.start(1, 2)
    city.enter(*TOWN.nodes)
    await city.fetch_when_ready()
    await trio.sleep(60)
    other = TOWN.document(0, randomness=b"\1" * 32)
    city.authorities[2]._archive._held[0] = (other, TOWN.sign(other, signers))
    await trio.sleep(0.3 * TOWN.epoch_length)
    return city


async def test_two_documents_are_kept_and_their_signers_named(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    city = await compared(nursery, tmp_path, 2)
    kept = [path.read_bytes() for path in sorted((tmp_path / "splits").iterdir())]
    documents = [verify_untrusted(raw, TOWN.bootstrap, START) for raw in kept]
    assert len({document.digest for document in documents}) == 2
    assert {document.epoch for document in documents} == {0}
    state = city.authorities[0].snapshot()
    assert state["two_documents"] == [0]
    assert state["suspects"] == sorted(one.public.hex()[:16] for one in TOWN.authorities[:2])
    await city.crash(0)
    await city.start(0, data_dir=tmp_path)
    assert city.authorities[0].snapshot()["two_documents"] == [0]


@pytest.mark.parametrize("signers", [0, 1])
async def test_a_document_that_nobody_would_believe_is_none(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, signers: int
) -> None:
    city = await compared(nursery, tmp_path, signers)
    assert city.authorities[0].snapshot()["two_documents"] == []
    assert list((tmp_path / "splits").iterdir()) == []


def test_the_documents_that_are_kept_are_bounded() -> None:
    ledger = Ledger(MemoryStore())
    for epoch in range(20):
        ledger.keep_split(epoch, b"first", b"second")
    assert ledger.splits() == list(range(8))
