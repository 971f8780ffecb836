"""Where a client's documents come from, whoever lies or is silent: its provider, then, at drawn times, authorities."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import msgspec
import pytest
import trio
from trio.testing import MockClock

from mixnet.benchmarks.simulation import virtual
from mixnet.client.api.connection import Connection
from mixnet.client.concurrency.worker import InlineWorker
from mixnet.client.storage.database import Store
from mixnet.client.traffic import directory_client
from mixnet.client.traffic.directory_client import SHORTEST_PAUSE, DocumentSource, StoreMemory
from mixnet.client.traffic.provider_requests import ProviderRequests
from mixnet.clock import VirtualClock
from mixnet.crypto import SymmetricKey
from mixnet.errors import RemoteError
from mixnet.link import FrameKind, split
from mixnet.pki.document import MAX_DOCUMENT, parse_untrusted
from mixnet.pki.keeper import DocumentKeeper
from mixnet.pki.requests import AskDocument, DocumentAnswer, encode, parse_request_untrusted
from mixnet.pki.trust import Trust
from mixnet.pki.views import Contradiction, Views
from tests.client.worlds.town import RULES, START
from tests.client.worlds.town import Town as ClientTown
from tests.mixnet.pki.builders import Town
from tests.mixnet.pki.liars import Liars

TOWN = Town()
LENGTH = TOWN.epoch_length
OTHER = TOWN.signed(0, randomness=bytes(range(32)))
ENDLESS = b"endless"  # stands for an answer whose last part never comes
Provider = Callable[[int], bytes | None]  # the document that it gives for an epoch; None for silence


class Reader:
    """A client's source and keeper; `provider` answers its questions, honest authorities those that reach them."""

    def __init__(self, nursery: trio.Nursery, provider: Provider) -> None:
        self.liars = Liars(TOWN, nursery)
        self.asked: list[int] = []
        self.turns: list[float] = []  # when an authority was asked
        self.requests = ProviderRequests(lambda: None)
        self._provider = provider
        self.trust = trust = Trust(TOWN.bootstrap)
        views = Views(trust)
        self.source = DocumentSource(
            trust, self.liars.network, self.liars.clock, random.Random(1), self.requests, views
        )
        self.keeper = DocumentKeeper(
            trust, self.source.fetch, clock=self.liars.clock, rng=random.Random(2), views=views
        )
        nursery.start_soon(self._serve)

    async def start(self, nursery: trio.Nursery) -> None:
        await self.liars.start(a0=self._honest, a1=self._honest, a2=self._honest)
        await nursery.start(self.keeper.run)
        self.turns.clear()

    def _honest(self, asked: object) -> bytes:
        self.turns.append(self.liars.clock.now() - TOWN.bootstrap.genesis)
        return encode(DocumentAnswer(TOWN.signed(TOWN.bootstrap.epochs.at(self.liars.clock.now()))))

    async def _serve(self) -> None:
        """A slot a second, as a session has them."""
        frames: list[object] = []
        while True:
            await trio.sleep(1.0)
            if (frame := self.requests.next_frame()) is None:
                continue
            frames.append(frame)
            number = int.from_bytes(frame.body[:4], "big")
            question = parse_request_untrusted(frame.body[12:])
            assert isinstance(question, AskDocument)
            self.asked.append(question.epoch)
            raw = self._provider(question.epoch)
            if raw is not None:
                parts = split(encode(DocumentAnswer(raw)), FrameKind.RESPONSE, number)
                if raw is ENDLESS:
                    parts = split(bytes(MAX_DOCUMENT), FrameKind.RESPONSE, number)[:100]
                try:
                    for part in parts:
                        self.requests.take_untrusted(part)
                except RemoteError:  # more than is kept: a session ends the link
                    self.requests.link_lost()


async def test_an_honest_provider_is_all_that_is_asked(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    reader = Reader(nursery, TOWN.signed)
    await reader.start(nursery)
    await trio.sleep(5.5 * LENGTH)
    assert reader.keeper.current == TOWN.document(5)
    assert reader.asked == [1, 2, 3, 4, 5]
    assert reader.turns == []


@pytest.mark.parametrize(
    "provider",
    [
        pytest.param(lambda epoch: None, id="silent"),
        pytest.param(lambda epoch: ENDLESS, id="never ending"),
        pytest.param(lambda epoch: TOWN.signed(0), id="old"),
        pytest.param(lambda epoch: TOWN.signed(epoch + 3), id="not yet valid"),
        pytest.param(Town(name="other ").signed, id="another network's"),
        pytest.param(lambda epoch: TOWN.signed(epoch, count=1), id="minority-signed"),
        pytest.param(lambda epoch: TOWN.signed(epoch)[:-1] + b"\0", id="forged"),
        pytest.param(lambda epoch: TOWN.signed(epoch)[:-1], id="malformed"),
        pytest.param(lambda epoch: TOWN.signed(epoch).ljust(MAX_DOCUMENT + 1, b"\0"), id="oversized"),
    ],
)
async def test_a_provider_that_lies_or_is_silent_is_passed_over_at_a_time_drawn_ahead(
    autojump_clock: MockClock, nursery: trio.Nursery, provider: Provider
) -> None:
    """Until then, for a whole epoch, no authority is asked: that would show when the provider failed."""
    reader = Reader(nursery, provider)
    await reader.start(nursery)
    await trio.sleep(1.99 * LENGTH)
    assert reader.keeper.current == TOWN.document(0)
    assert reader.keeper.problem
    assert set(reader.asked) <= {1, 2}
    assert reader.turns == []
    await trio.sleep(0.5 * LENGTH)
    assert reader.keeper.current == TOWN.document(2)
    [turn] = reader.turns
    drawn = turn - 2 * LENGTH - directory_client.PATIENCE * LENGTH
    pause = directory_client.PAUSE * LENGTH
    assert SHORTEST_PAUSE < pause < drawn < 2 * pause + 1.0


async def test_a_provider_that_shows_another_document_is_found_out(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    reader = Reader(nursery, lambda epoch: OTHER if len(reader.asked) == 1 else TOWN.signed(epoch))
    await reader.start(nursery)
    await trio.sleep(0.995 * LENGTH)
    assert reader.keeper.raw() == TOWN.signed(0)
    assert "contradict" in reader.keeper.problem


async def test_evidence_stays_in_the_store(autojump_clock: MockClock) -> None:
    store = Store.open(":memory:", SymmetricKey(bytes(32)))
    memory = StoreMemory(store, InlineWorker())
    assert directory_client.evidence(store, 3) is None
    await memory.accuse(Contradiction(3, b"first", b"second"))
    assert directory_client.evidence(store, 3) == Contradiction(3, b"first", b"second")
    await memory.accuse(Contradiction(20, b"others", b"of later"))
    assert [one.epoch for one in directory_client.all_evidence(store)] == [3, 20]
    await memory.keep(b"document")
    assert directory_client.kept(store) == b"document"


# Whole daemons.


def play(program: Callable[[ClientTown, trio.Nursery], Awaitable[None]]) -> None:
    town = ClientTown(5)

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(town.run)
            await nursery.start(town.run_authority)
            await program(town, nursery)
            nursery.cancel_scope.cancel()

    virtual.run(run, seed=1)


async def status_of(client: Connection) -> tuple[int, str]:
    figures = await client.status()
    return figures["epoch"], figures["problem"]


def test_a_contradiction_of_before_is_in_the_status_from_the_start():
    async def program(town: ClientTown, nursery: trio.Nursery) -> None:
        store = town.store("alice")
        other = msgspec.structs.replace(parse_untrusted(town.document())[0], randomness=bytes(range(32)))
        contradiction = Contradiction(0, town.document(), town.lineage.sign(other))
        await StoreMemory(store, InlineWorker()).accuse(contradiction)
        alice = await town.start(nursery, "alice", 1, store)
        assert "contradict" in (await status_of(alice))[1]
        await trio.sleep(2 * RULES.epoch_length)
        epoch, problem = await status_of(alice)
        assert (epoch, "contradict" in problem) == (2, True)
        assert directory_client.all_evidence(store) == [contradiction]

    play(program)


@pytest.mark.parametrize("away", [86400.0, 30 * 86400.0])
def test_a_client_that_was_off_for_long_comes_back_by_itself(away):
    async def program(town: ClientTown, nursery: trio.Nursery) -> None:
        store = town.store("alice")
        await trio.sleep(away)
        alice = await town.start(nursery, "alice", 1, store)
        await trio.sleep(10.0)
        present = town.bootstrap.epochs.at(town.clock.now())
        assert await status_of(alice) == (present, "")
        assert directory_client.kept(store) == town.document(present)

    play(program)


@pytest.mark.parametrize(("wrong", "said"), [(3600.0, "57 minutes ahead"), (-3600.0, "59 minutes behind")])
def test_a_start_with_a_clock_an_hour_wrong_says_so_and_begins_when_it_is_set(wrong, said):
    async def program(town: ClientTown, nursery: trio.Nursery) -> None:
        await trio.sleep(RULES.epoch_length * 100 + 10.0)
        store = town.store("alice")
        directory_client.keep(store, town.document(99))
        town.clock = VirtualClock(START + wrong)
        alice = await town.start(nursery, "alice", 1, store)
        epoch, problem = await status_of(alice)
        assert epoch is None
        assert said in problem
        town.clock._start = START
        await trio.sleep(60.0)
        assert await status_of(alice) == (town.bootstrap.epochs.at(town.clock.now()), "")

    play(program)


def test_a_clock_that_is_set_back_shows_in_the_status():
    async def program(town: ClientTown, nursery: trio.Nursery) -> None:
        alice = await town.start(nursery, "alice", 1)
        await trio.sleep(10.0)
        assert await status_of(alice) == (0, "")
        town.clock._start -= 3600.0
        assert "minutes behind" in (await status_of(alice))[1]

    play(program)


def test_an_unreachable_network_and_an_old_profile_say_what_to_do():
    town = ClientTown(5)

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            store = town.store("alice")
            await trio.sleep(86400.0)
            alice = await town.start(nursery, "alice", 1, store)
            assert "fresh bootstrap file" in (await status_of(alice))[1]
            nursery.cancel_scope.cancel()

    virtual.run(run, seed=1)
