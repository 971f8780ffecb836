"""3, 5 and 7 authorities, as many faulty as the model allows: the rest agree, and name who contradicted itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from mixnet.directory.evidence import check_evidence_untrusted
from mixnet.directory.queries import DirectoryQueries
from mixnet.directory.reports import verified_evidence
from mixnet.directory.voting import faults
from mixnet.pki.requests import AskEvidence, EvidenceAnswer
from tests.directory.authority_world import AuthorityWorld, two_faced
from tests.mixnet.pki.builders import Town, key

TOWNS = {count: Town(count, mixes=3, providers=1) for count in (3, 5, 7)}


@pytest.mark.parametrize("town", TOWNS.values(), ids=lambda town: f"{town.authority_count} authorities")
async def test_equivocators_split_nobody_and_are_named_on_disk(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, town: Town
) -> None:
    bad = range(faults(town.authority_count))
    good = range(len(bad), town.authority_count)
    world = AuthorityWorld(town, nursery)
    for number in bad:
        await world.start(number, alter=two_faced(town, number))
    for number in good:
        await world.start(number, data_dir=tmp_path / str(number))
    world.enter(*town.nodes)
    await world.fetch_when_ready()
    await trio.sleep(60)
    given = [(await world.fetch_from(number))[0] for number in good]
    assert {document.digest for document in given} == {given[0].digest}
    named = {town.authorities[number].public for number in bad}
    for number in good:
        kept = [path.read_bytes() for path in (tmp_path / str(number) / "evidence").iterdir()]
        assert {check_evidence_untrusted(raw, town.bootstrap).author for raw in kept} == named
        assert world.authorities[number].snapshot()["suspects"] == sorted(one.hex()[:16] for one in named)


async def test_anybody_may_ask_for_the_evidence_and_it_survives_a_restart(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    town = TOWNS[3]
    world = AuthorityWorld(town, nursery)
    await world.start(2, alter=two_faced(town, 2))
    await world.start(0, data_dir=tmp_path / "0")
    await world.start(1, data_dir=tmp_path / "1")
    world.enter(*town.nodes)
    await world.fetch_when_ready()
    await trio.sleep(60)
    for number in (0, 1):
        await world.crash(number)
    await world.start(0, data_dir=tmp_path / "0")
    assert world.authorities[0].snapshot()["suspects"] == [town.authorities[2].public.hex()[:16]]
    answers = await DirectoryQueries(town.bootstrap, world.network, identity=key("reader")).everybody(
        AskEvidence(), EvidenceAnswer
    )
    assert set(answers) == {town.authorities[0].public, town.authorities[2].public}
    (proof,) = {proof for proof, _ in verified_evidence(answers, town.bootstrap)}
    assert proof.author == town.authorities[2].public


@pytest.mark.parametrize("town", TOWNS.values(), ids=lambda town: f"{town.authority_count} authorities")
async def test_slow_ones_delay_nothing_but_their_signatures(
    autojump_clock: MockClock, nursery: trio.Nursery, town: Town
) -> None:
    """The links of a minority take longer than a step."""
    count = town.authority_count
    world = AuthorityWorld(town, nursery)
    slow = [f"10.0.0.{number + 1}" for number in range(faults(count))]
    world.network.partition(slow, [f"10.0.0.{number + 1}" for number in range(len(slow), count)])
    await world.start(*range(count))
    world.enter(*town.nodes)
    await world.fetch_when_ready()
    world.network.heal()
    await trio.sleep(90)
    given = [(await world.fetch_from(number))[0] for number in range(count)]
    assert {document.digest for document in given} == {given[-1].digest}
    assert not any(world.authorities[number].snapshot()["suspects"] for number in range(count))
