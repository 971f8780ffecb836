"""Matching: only those who have each other's address meet, and a provider learns no address, whatever happens."""

import hashlib

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from mixnet.benchmarks.simulation.world import World, WorldConfig, run_world
from mixnet.client.model.address_entries import Entry
from mixnet.client.model.errors import BadAddress
from mixnet.client.model.match_states import TRANSITIONS, MatchState
from mixnet.client.model.views import ContactState
from mixnet.client.pairing import matching
from mixnet.client.pairing.matching import SPOILED, day_secret, meeting
from mixnet.crypto import password_key
from tests.client.worlds.channel import NETWORK
from tests.client.worlds.hall import Hall, cheap
from tests.client.worlds.whole import RULES

PEOPLE = {name: f"{name}@example.org" for name in ("alice", "bob", "carol", "dave")}
HOURS = 3600.0


@pytest.fixture(autouse=True)
def slow_contacts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours pass here, in which contacts needn't have 30 slots a second."""
    monkeypatch.setattr("tests.client.worlds.hall.STEP", 20.0)
    monkeypatch.setattr(matching, "DAY", 2 * HOURS)
    monkeypatch.setattr("tests.client.worlds.channel.RATE", 0.1)


def entries(*names: str) -> list[Entry]:
    return [Entry(PEOPLE.get(name, f"{name}@example.org"), name.title()) for name in names]


async def found(hall: Hall, name: str) -> dict[str, str]:
    """Address book to contact, of those that were found."""
    status = await hall.matching[name].status()
    return {one.label.lower(): one.contact for one in status.entries if one.state is MatchState.FOUND}


async def begin(hall: Hall, **books: tuple[str, ...]) -> None:
    for name, table in books.items():
        await hall.matching[name].start(PEOPLE[name], entries(*table))


async def until_found(hall: Hall, *names: str, within: float = 4 * HOURS) -> None:
    with trio.fail_after(within):
        while not all([await found(hall, name) for name in names]):
            await trio.sleep(30)


def pair_slot(hall: Hall, one: str, other: str) -> tuple[str, bytes]:
    secret = day_secret(NETWORK, (PEOPLE[one], PEOPLE[other]), int(hall.clock.now() // matching.DAY), cheap)
    return secret, meeting(NETWORK, secret).slot


async def test_pairs_meet_among_several_and_nobody_else_does(tmp_path, autojump_clock: MockClock) -> None:
    hall = Hall(tmp_path, *PEOPLE)
    async with hall.open():
        await begin(hall, alice=("bob", "carol", "x"), bob=("alice", "dave", "y"), carol=("dave",), dave=("carol", "z"))
        await until_found(hall, *PEOPLE)
        await trio.sleep(HOURS)
        ends = {name: await found(hall, name) for name in PEOPLE}
        looking = {one.label for one in (await hall.matching["alice"].status()).entries if one.state == "looking"}
    assert {name: list(end) for name, end in ends.items()} == {
        "alice": ["bob"],
        "bob": ["alice"],
        "carol": ["dave"],
        "dave": ["carol"],
    }
    assert looking == {"Carol", "X"}
    for person in hall.channel.people.values():
        (contact,) = person.messenger.contacts()
        assert contact.state is ContactState.ESTABLISHED  # so not verified
    guests = {name for name in PEOPLE if hall.people(name)[0].istitle()}
    assert len(guests) == 2  # who accepts calls the contact what the address book calls it
    _check_bytes(hall)


def _check_bytes(hall: Hall) -> None:
    """Nothing of an address book, plain or hashed in a way that anybody can do, is in what providers got."""
    told = {part for _, question in hall.asked for part in (question.subject, question.body)}
    assert len(told) > 20
    everything = b"|".join(told)
    for name, address in PEOPLE.items():
        for secret in (name.encode(), name.title().encode(), address.encode()):
            assert secret not in everything
            for how in ("sha256", "sha512", "blake2b", "md5", "sha1"):
                assert hashlib.new(how, secret).digest()[:16] not in everything


async def test_nothing_is_asked_before_it_is_turned_on_nor_after_it_is_turned_off(tmp_path, autojump_clock: MockClock):
    hall = Hall(tmp_path, "alice", "bob")
    async with hall.open(mail=False):
        await trio.sleep(HOURS)
        assert hall.asked == []
        await begin(hall, alice=("bob",))
        await trio.sleep(HOURS)
        assert hall.asked
        await hall.matching["alice"].stop()
        await trio.sleep(120)
        asked = len(hall.asked)
        await trio.sleep(HOURS)
        assert len(hall.asked) == asked
        status = await hall.matching["alice"].status()
        assert (status.me, status.entries, status.visits) == ("", [], 0.0)
    assert hall.channel["alice"].store.one("SELECT count(*) FROM matching") == (0,)


@pytest.mark.parametrize("pause", [40.0, 150.0])
async def test_restarts_of_everybody_at_any_moment_put_it_off_and_no_more(tmp_path, autojump_clock, pause: float):
    hall = Hall(tmp_path, "alice", "bob")
    async with hall.open():
        await begin(hall, alice=("bob", "x"), bob=("alice",))
        for round_ in range(12):
            await trio.sleep(pause)
            hall.restart("alice" if round_ % 2 else "bob")
            if round_ % 5 == 4:
                hall.restart_providers()
        await until_found(hall, "alice", "bob", within=4 * matching.DAY)
    assert hall.people("bob") == ["alice"] or hall.people("alice") == ["bob"]
    assert len(hall.people("alice")) == len(hall.people("bob")) == 1


@pytest.mark.parametrize("body", [b"", b"A" * 33])
async def test_who_puts_rubbish_into_the_slot_of_a_pair_costs_it_a_day(tmp_path, autojump_clock, body: bytes) -> None:
    hall = Hall(tmp_path, "alice", "bob")
    _, slot = pair_slot(hall, "alice", "bob")
    hall.desks[hall.provider_for(slot)].day.put(slot, body, trio.current_time())
    async with hall.open():
        await begin(hall, alice=("bob",), bob=("alice",))
        await trio.sleep(0.5 * HOURS)
        (entry,) = (await hall.matching["alice"].status()).entries
        assert (entry.state, entry.error, entry.contact) == (MatchState.LOOKING, SPOILED, "")
        await until_found(hall, "alice", "bob", within=2 * matching.DAY)


async def test_people_who_are_contacts_already_are_told_so(tmp_path, autojump_clock: MockClock) -> None:
    hall = Hall(tmp_path, "alice", "bob")
    hall.channel.introduce()
    hall.channel.run(20)
    async with hall.open():
        await begin(hall, alice=("bob",), bob=("alice",))
        with trio.fail_after(4 * HOURS):
            while True:
                ends = [(await hall.matching[name].status()).entries[0] for name in ("alice", "bob")]
                if any(end.state is MatchState.KNOWN for end in ends):
                    break
                await trio.sleep(30)
        known = next(end for end in ends if end.state is MatchState.KNOWN)
    assert "already have this contact" in known.error
    assert (hall.people("alice"), hall.people("bob")) == (["bob"], ["alice"])


async def test_visits_are_so_many_a_day_however_many_entries_there_are(tmp_path, autojump_clock: MockClock) -> None:
    for count in (1, 20):
        hall = Hall(tmp_path / str(count), "alice")
        async with hall.open(mail=False):
            await begin(hall, alice=tuple(f"friend{number}" for number in range(count)))
            status = await hall.matching["alice"].status()
            assert status.visits == pytest.approx(240 / count)
            await trio.sleep(1.9 * HOURS)
        # Two questions a visit, every half a minute and what the questions take.
        assert 0.8 * 2 * 228 < len(hall.asked) < 1.2 * 2 * 228
        names = {question.subject for _, question in hall.asked}
        assert 2 * count <= len(names) <= 4 * count  # two slots of an entry, and a day may have ended


async def test_every_day_has_slots_of_its_own(tmp_path, autojump_clock: MockClock) -> None:
    hall = Hall(tmp_path, "alice")
    async with hall.open(mail=False):
        await begin(hall, alice=("bob",))
        await trio.sleep(1.5 * matching.DAY)
    assert len({question.subject for _, question in hall.asked}) == 2 * 2


async def test_another_book_takes_the_place_of_the_first(tmp_path, autojump_clock: MockClock) -> None:
    hall = Hall(tmp_path, "alice", "bob")
    async with hall.open():
        await begin(hall, alice=("bob", "x"), bob=("alice",))
        await until_found(hall, "alice")
        status = await hall.matching["alice"].start(PEOPLE["alice"], entries("bob", "y", "alice"))
        assert {(one.label, one.state) for one in status.entries} == {("Bob", "found"), ("Y", "looking")}
        for me, them in (("nobody", "bob@example.org"), (PEOPLE["alice"], "030 123")):
            with pytest.raises(BadAddress):
                await hall.matching["alice"].start(me, [Entry(them)])
        moved = await hall.matching["alice"].start("new@example.org", entries("bob"))
        assert [one.state for one in moved.entries] == ["looking"]


@settings(deadline=None, max_examples=30)
@given(st.emails(), st.emails(), st.integers(0, 40_000))
def test_a_secret_is_of_a_pair_a_day_and_a_network(one: str, other: str, day: int) -> None:
    secret = day_secret(NETWORK, (one, other), day, cheap)
    assert secret == day_secret(NETWORK, (other, one), day, cheap)
    others = {
        day_secret(NETWORK, (one, other), day + 1, cheap),
        day_secret(b"M" * 32, (one, other), day, cheap),
        day_secret(NETWORK, (one, other + "x"), day, cheap),
    }
    assert len(others | {secret}) == 4


def test_the_secret_is_as_slow_as_a_passphrase() -> None:
    assert matching.Matching.__init__.__kwdefaults__ == {"stretch": password_key}


def test_an_entry_settles_for_good_and_only_after_it_met_somebody() -> None:
    assert set(TRANSITIONS) == set(MatchState)
    assert {state for state, after in TRANSITIONS.items() if not after} == {MatchState.FOUND, MatchState.KNOWN}
    assert not TRANSITIONS[MatchState.LOOKING] & {MatchState.FOUND, MatchState.KNOWN}


def test_two_real_actors_find_each_other_across_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "PAUSE", 4.0)
    monkeypatch.setattr(matching, "MET_PAUSE", 2.0)
    ends: list[object] = []

    async def meet(world: World) -> None:
        for me, them, client in (("a@x.org", "b@x.org", 0), ("b@x.org", "a@x.org", 1)):
            await world.clients[client].matching.start(me, [Entry(them, "friend")])
        with trio.fail_after(200):
            for client in (0, 1):
                while (entry := (await world.clients[client].matching.status()).entries[0]).state != "found":
                    await trio.sleep(1)
                await world.clients[client].wait_established(entry.contact)
                ends.append(entry)
        await world.clients[0].matching.stop()

    run_world(meet, WorldConfig(seed=2, clients=2, parameters=RULES, codec="plain"))
    assert [entry.address for entry in ends] == ["b@x.org", "a@x.org"]
    assert "friend" in {entry.contact for entry in ends}
