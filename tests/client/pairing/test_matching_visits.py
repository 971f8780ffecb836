"""Matching, visit by visit: one at a time, what makes an entry found, and what spoils its day."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from mixnet.client.model.address_entries import Entry
from mixnet.client.model.errors import StoreUnavailable
from mixnet.client.model.match_states import MatchState
from mixnet.client.model.views import ContactInfo, ContactState
from mixnet.client.pairing import matching
from mixnet.client.pairing.exchange import reply_slot
from mixnet.client.pairing.matching import SPOILED, day_secret, meeting
from mixnet.client.pairing.matching_store import Answering, Look, MatchTable, Progress, Replying, Spoiled
from tests.client.worlds.channel import NETWORK
from tests.client.worlds.hall import Hall, cheap

ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"
REPLYING = Replying(b"s" * 32, b"body", b"context", b"offer", b"reply", b"k" * 32)
ANSWERING = Answering(b"s" * 32, b"body", b"channel")
PLACED = Answering(b"s" * 32, b"body", b"channel", placed=True)


@pytest.fixture
def hall(tmp_path) -> Hall:
    return Hall(tmp_path, "alice", "bob")


def look(hall: Hall, name: str, address: str) -> Look:
    """What somebody's store says of an entry."""
    found = MatchTable(hall.channel[name].store).get(address)
    assert found is not None
    return found


def begin(hall: Hall, name: str, me: str, *others: str, met: dict[str, Progress] | None = None) -> None:
    """Somebody looks for others, today has begun for these entries, and `met` is how far some of them have come."""
    table = MatchTable(hall.channel[name].store)
    table.begin(me, [Entry(address, "friend") for address in others])
    day = int(hall.clock.now() // matching.DAY)
    for address in others:
        table.begin_day(address, day, day_secret(NETWORK, (me, address), day, cheap))
    for address, progress in (met or {}).items():
        table.keep(address, progress, MatchState.MET)


async def visit(hall: Hall, name: str, address: str) -> Look:
    await hall.matching[name]._try_visit(look(hall, name, address))
    return look(hall, name, address)


async def test_two_visitors_are_never_at_work_at_once(
    hall: Hall, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One looks for entries that met nobody yet, the other for those that did: an entry may change between them."""
    monkeypatch.setattr(matching, "PAUSE", 0.01)
    monkeypatch.setattr(matching, "MET_PAUSE", 0.01)
    begin(hall, "alice", ALICE, BOB, CAROL, met={CAROL: REPLYING})
    under_way: list[str] = []
    visited: list[str] = []
    at_work = hall.matching["alice"]._visit

    async def watched(entry: Look) -> None:
        assert under_way == []
        under_way.append(entry.address)
        await at_work(entry)
        visited.append(under_way.pop())

    monkeypatch.setattr(hall.matching["alice"], "_visit", watched)
    async with hall.open(mail=False):
        await trio.sleep(60)
    assert min(visited.count(BOB), visited.count(CAROL)) > 10


@pytest.mark.parametrize("state", [None, *ContactState])
async def test_an_entry_is_found_only_when_its_contact_has_answered(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, state: ContactState | None
) -> None:
    hall.channel.introduce()
    hall.channel.run(60)
    messenger = hall.channel["alice"].messenger
    (known,) = messenger.contacts()
    begin(hall, "alice", ALICE, BOB, met={BOB: ANSWERING})

    def user_of(channel: bytes) -> ContactInfo | None:
        return None if state is None or channel != ANSWERING.channel else replace(known, state=state)

    monkeypatch.setattr(messenger, "contact_by", user_of)
    after = await visit(hall, "alice", BOB)
    if state in (None, ContactState.PENDING):
        assert (after.state, after.progress) == (MatchState.MET, PLACED)
    else:
        assert (after.state, after.contact, after.progress) == (MatchState.FOUND, 1, None)


async def reply_place(hall: Hall) -> tuple[bytes, bytes]:
    """Where somebody replies to Alice, who has made her offer: the provider, and the slot."""
    begin(hall, "alice", ALICE, BOB)
    begin(hall, "bob", BOB, ALICE)
    secret = (await visit(hall, "alice", BOB)).secret
    assert secret is not None
    where = meeting(NETWORK, secret)
    provider = hall.provider_for(where.slot)
    offer = await hall.matching["alice"].rendezvous.read(provider, where.slot)
    assert offer is not None
    return provider, reply_slot(where.context, offer)


async def test_whose_reply_is_in_second_place_asks_no_more_that_day(hall: Hall, autojump_clock: MockClock) -> None:
    """The offer was answered by somebody else, so no invitation there is for us."""
    provider, slot = await reply_place(hall)
    assert await hall.matching["alice"].rendezvous.put(provider, slot, b"somebody else's") == 0
    after = await visit(hall, "bob", ALICE)
    assert (after.state, after.error) == (MatchState.LOOKING, SPOILED)
    asked = len(hall.asked)
    assert await visit(hall, "bob", ALICE) == after
    assert len(hall.asked) == asked


async def test_who_finds_no_room_for_its_reply_tries_again(
    hall: Hall, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, full_slot = await reply_place(hall)
    with monkeypatch.context() as full:
        put = hall.matching["bob"].rendezvous.put

        async def no_room_for_replies(provider: bytes, slot: bytes, body: bytes) -> int | None:
            await trio.lowlevel.checkpoint()
            return None if slot == full_slot else await put(provider, slot, body)

        full.setattr(hall.matching["bob"].rendezvous, "put", no_room_for_replies)
        assert (await visit(hall, "bob", ALICE)).state is MatchState.MET
    assert (await visit(hall, "bob", ALICE)).state is MatchState.MET
    assert (await visit(hall, "alice", BOB)).state is MatchState.MET
    assert (await visit(hall, "bob", ALICE)).state is MatchState.FOUND


async def test_a_full_disk_while_a_day_is_spoiled_ends_nothing(
    hall: Hall, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a stranger made go wrong is noted in the store, which may be full: then it goes wrong again later."""
    begin(hall, "alice", ALICE, BOB)
    matcher = hall.matching["alice"]

    async def wrong(_entry: Look) -> None:
        raise ValueError

    def full(*_values: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(matcher, "_visit", wrong)
    with monkeypatch.context() as now:
        now.setattr(matcher.table, "keep", full)
        assert (await visit(hall, "alice", BOB)).state is MatchState.LOOKING
    assert isinstance((await visit(hall, "alice", BOB)).progress, Spoiled)
