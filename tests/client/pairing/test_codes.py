"""Spoken codes from both ends: right, wrong, raced, stale, under attack; and across a whole network of real actors."""

import pytest
import trio
from trio.testing import MockClock

from mixnet.benchmarks.simulation.world import World, WorldConfig, run_world
from mixnet.client.api.codes import CodeAccess, CodeFailed
from mixnet.client.model.code_states import SETTLED, TRANSITIONS, CodeChanged, CodeInfo, CodeState
from mixnet.client.model.errors import (
    BadName,
    MalformedCode,
    NameTaken,
    NobodyWaits,
    TooManyCodes,
    UnknownCode,
    WrongCode,
)
from mixnet.client.pairing.code import Code
from mixnet.client.pairing.codes import AT_ONCE, LIFETIME, Codes
from mixnet.client.pairing.exchange import reply_slot
from tests.client.worlds.channel import NETWORK
from tests.client.worlds.hall import Hall
from tests.client.worlds.whole import RULES


async def until(codes: Codes, number: int, *states: CodeState, within: float = 120.0) -> CodeInfo:
    with trio.fail_after(within):
        while codes.get(number).state not in states:
            await trio.sleep(within / 1000)
    return codes.get(number)


async def opened(codes: Codes) -> CodeInfo:
    return await until(codes, codes.open().id, CodeState.WAITING)


def slip(code: str) -> str:
    """The same code with another last word."""
    *first, last = code.split("-")
    return "-".join([*first, "acorn" if last != "acorn" else "zigzag"])


async def test_who_hears_the_code_becomes_a_contact_and_both_see_how_it_goes(tmp_path, autojump_clock: MockClock):
    hall = Hall(tmp_path, "alice", "bob")
    async with hall.open():
        mine = await opened(hall.codes["alice"])
        theirs = await hall.codes["bob"].enter(mine.code.upper().replace("-", " "), "ally")
        over_here = await until(hall.codes["alice"], mine.id, CodeState.DONE)
        over_there = await until(hall.codes["bob"], theirs.id, CodeState.DONE)
    assert (over_here.contact, over_there.contact) == ("bob", "ally")
    assert (hall.people("alice"), hall.people("bob")) == (["bob"], ["ally"])
    assert not hall.channel["alice"].messenger.contacts()[0].verified
    seen = [event.code for event in hall.events if isinstance(event, CodeChanged)]
    assert [one.state for one in seen if one.ours] == ["waiting", "handed over", "done"]
    assert [one.state for one in seen if not one.ours] == ["replied", "accepted", "done"]
    assert {one.code for one in seen if not one.ours} == {""}  # who typed it knows it
    for _, question in hall.asked:
        assert mine.code.partition("-")[2].encode() not in question.body + question.subject
        assert b"alice" not in question.body


async def test_a_wrong_word_is_said_at_both_ends_and_burns_the_code(tmp_path, autojump_clock: MockClock):
    hall = Hall(tmp_path, "alice", "bob", "carol")
    async with hall.open():
        mine = await opened(hall.codes["alice"])
        theirs = await hall.codes["bob"].enter(slip(mine.code))
        for codes, number in ((hall.codes["alice"], mine.id), (hall.codes["bob"], theirs.id)):
            failed = await until(codes, number, CodeState.FAILED)
            assert failed.error == str(WrongCode())
        again = await hall.codes["carol"].enter(mine.code)
        failed = await until(hall.codes["carol"], again.id, CodeState.FAILED)
        assert "used this code already" in failed.error
    assert [hall.people(name) for name in hall.codes] == [[], [], []]
    assert hall.channel["alice"].store.one("SELECT count(*) FROM invitations") == (0,)


async def test_of_two_who_race_for_a_code_one_wins_and_the_other_is_told(tmp_path, autojump_clock: MockClock):
    hall = Hall(tmp_path, "alice", "bob", "carol")
    async with hall.open():
        mine = await opened(hall.codes["alice"])
        racing = {name: (await hall.codes[name].enter(mine.code)).id for name in ("bob", "carol")}
        ends = {name: await until(hall.codes[name], racing[name], *SETTLED) for name in racing}
        await until(hall.codes["alice"], mine.id, CodeState.DONE)
    assert sorted(end.state for end in ends.values()) == ["done", "failed"]
    loser = next(name for name, end in ends.items() if end.state is CodeState.FAILED)
    assert "used this code already" in ends[loser].error
    assert hall.people(loser) == []


async def test_two_who_draw_one_number_don_t_meet(tmp_path, autojump_clock: MockClock, monkeypatch):
    hall = Hall(tmp_path, "alice", "bob", "carol")
    drawn = iter([5, 5, 6])
    monkeypatch.setattr(Codes, "_free_number", lambda self, most: next(drawn))
    async with hall.open():
        mine, theirs = await opened(hall.codes["alice"]), await opened(hall.codes["bob"])
        assert (mine.code.partition("-")[0], theirs.code.partition("-")[0]) == ("5", "6")
        entered = await hall.codes["carol"].enter(theirs.code)
        assert (await until(hall.codes["carol"], entered.id, CodeState.DONE)).contact == "bob"


async def test_several_codes_run_side_by_side_and_no_more_than_some(tmp_path, autojump_clock: MockClock):
    hall = Hall(tmp_path, "alice", "bob", "carol")
    async with hall.open():
        waiting = [await opened(hall.codes["alice"]) for _ in range(AT_ONCE)]
        with pytest.raises(TooManyCodes):
            hall.codes["alice"].open()
        one = await hall.codes["bob"].enter(waiting[1].code)
        other = await hall.codes["carol"].enter(waiting[0].code)
        await until(hall.codes["bob"], one.id, CodeState.DONE)
        await until(hall.codes["carol"], other.id, CodeState.DONE)
        await until(hall.codes["alice"], waiting[0].id, CodeState.DONE)
        await until(hall.codes["alice"], waiting[1].id, CodeState.DONE)
        assert hall.codes["alice"].cancel(waiting[2].id).error == "cancelled by you"
        hall.codes["alice"].open()
    assert sorted(hall.people("alice")) == ["bob", "carol"]
    with pytest.raises(UnknownCode):
        hall.codes["alice"].cancel(99)


async def test_codes_wait_elsewhere_than_at_their_own_provider(tmp_path, autojump_clock: MockClock):
    hall = Hall(tmp_path, "alice")
    async with hall.open(mail=False):
        for _ in range(AT_ONCE):
            await opened(hall.codes["alice"])
    assert {provider for provider, _ in hall.asked} == {hall.nodes[1].identity}
    alone = Hall(tmp_path, "bob", providers=1)
    async with alone.open(mail=False):
        await opened(alone.codes["bob"])


async def test_hostile_bodies_cost_a_code_and_nothing_more(tmp_path, autojump_clock: MockClock):
    hall = Hall(tmp_path, "alice", "bob")
    async with hall.open(mail=False):
        for body in (b"", b"B" * 49, bytes(2200)):
            mine = await opened(hall.codes["alice"])
            worker = hall.desks[hall.nodes[1].identity]
            meeting = Code.parse(mine.code).meeting(NETWORK)
            offer = worker.hour.read(meeting.slot, 0, trio.current_time()).body
            worker.hour.put(reply_slot(meeting.context, offer), body, trio.current_time())
            assert (await until(hall.codes["alice"], mine.id, CodeState.FAILED)).error == str(WrongCode())
            theirs = await hall.codes["bob"].enter(mine.code)
            await until(hall.codes["bob"], theirs.id, CodeState.FAILED)
        for body in (b"", b"A" * 33, b"A" + bytes(32), bytes(2200)):
            code = Code.make(1000 + len(body) + body.count(b"A"))
            slot = code.meeting(NETWORK).slot
            hall.desks[hall.provider_for(slot)].hour.put(slot, body, trio.current_time())
            theirs = await hall.codes["bob"].enter(code.text)
            assert (await until(hall.codes["bob"], theirs.id, CodeState.FAILED)).error == str(WrongCode())


async def test_what_isn_t_used_in_time_is_over_and_forgotten_by_the_provider(tmp_path, autojump_clock: MockClock):
    hall = Hall(tmp_path, "alice", "bob")
    async with hall.open(mail=False):
        mine = await opened(hall.codes["alice"])
        failed = await until(hall.codes["alice"], mine.id, CodeState.FAILED, within=LIFETIME + 60)
        assert "not used in time" in failed.error
        assert len(hall.asked) < 300
        await trio.sleep(3600)
        theirs = await hall.codes["bob"].enter(mine.code)
        assert (await until(hall.codes["bob"], theirs.id, CodeState.FAILED)).error == str(NobodyWaits())


async def test_a_provider_that_restarts_or_is_silent_ends_codes_in_time_and_harms_no_other(
    tmp_path, autojump_clock: MockClock
):
    hall = Hall(tmp_path, "alice", "bob")
    async with hall.open():
        lost = await opened(hall.codes["alice"])
        hall.restart_providers()
        theirs = await hall.codes["bob"].enter(lost.code)
        assert (await until(hall.codes["bob"], theirs.id, CodeState.FAILED)).error == str(NobodyWaits())
        mine = await opened(hall.codes["alice"])
        hall.deaf = True
        await trio.sleep(60)
        hall.deaf = False
        again = await hall.codes["bob"].enter(mine.code)
        await until(hall.codes["bob"], again.id, CodeState.DONE)
        assert hall.codes["alice"].get(lost.id).state is CodeState.WAITING


async def test_names_are_looked_at_before_the_guess_is_spent(tmp_path, autojump_clock: MockClock):
    hall = Hall(tmp_path, "alice", "bob")
    async with hall.open():
        mine = await opened(hall.codes["alice"])
        await until(hall.codes["bob"], (await hall.codes["bob"].enter(mine.code, "al")).id, CodeState.DONE)
        before = len(hall.asked)
        for text, name, error in (
            (mine.code, "al", NameTaken),
            (mine.code, "", BadName),
            ("7-no-such-words", None, MalformedCode),
        ):
            with pytest.raises(error):
                await hall.codes["bob"].enter(text, name)
        # Somebody who is a contact already gets another session, and keeps the name.
        second = await opened(hall.codes["alice"])
        entered = await hall.codes["bob"].enter(second.code)
        assert (await until(hall.codes["bob"], entered.id, CodeState.DONE)).contact == "al"
        assert len(hall.asked) > before


def test_states_go_only_where_the_table_says() -> None:
    assert set(TRANSITIONS) == set(CodeState)
    assert {CodeState.DONE, CodeState.FAILED} == SETTLED
    for start in (CodeState.OPENING, CodeState.JOINING):
        reached, edge = {start}, [start]
        while edge:
            following = TRANSITIONS[edge.pop()] - reached
            reached |= following
            edge += following
        assert reached > SETTLED
        assert len(reached) == 5


def test_codes_cross_a_network_of_real_actors_several_at_once_and_one_of_them_wrong() -> None:
    ends: dict[str, object] = {}

    async def talk(world: World) -> None:
        alice, bob, carol = (one.codes for one in world.clients)
        mine, for_carol, guessed = [await alice.open() for _ in range(3)]

        async def enter(who: CodeAccess, name: str, code: str) -> None:
            try:
                ends[name] = (await who.wait((await who.enter(code, "alice" if name != "guess" else None)).id)).contact
            except CodeFailed as error:
                ends[name] = str(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(enter, bob, "bob", mine.code)
            nursery.start_soon(enter, carol, "carol", for_carol.code)
            nursery.start_soon(enter, carol, "guess", slip(guessed.code))
        ends["alice"] = {(await alice.wait(one.id)).contact for one in (mine, for_carol)}
        with pytest.raises(CodeFailed, match="wrong"):
            await alice.wait(guessed.id)
        await world.clients[1].send("alice", "hello", wait=True)

    run_world(talk, WorldConfig(seed=8, clients=3, parameters=RULES, codec="plain"))
    assert ends == {"bob": "alice", "carol": "alice", "guess": str(WrongCode()), "alice": {"client-2", "client-3"}}
