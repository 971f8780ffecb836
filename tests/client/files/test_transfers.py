"""How far files are, as both ends see it."""

import json
import math
import time
from dataclasses import replace

import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.api.files import NotComplete
from mixnet.client.cli import files, inbox, messages, render_files
from mixnet.client.e2e.bodies import CHUNK_SIZE
from mixnet.client.files.throughput import LATELY, Throughput
from mixnet.client.model.errors import NoFile, UnknownMessage
from mixnet.client.model.views import Leg, MessageInfo, MessageKind, MessageState, Transfer
from mixnet.letters import steers
from tests.client.worlds.channel import RATE, Channel
from tests.client.worlds.daemons import befriend as meet
from tests.client.worlds.daemons import daemon_of, play
from tests.client.worlds.devices import HOME, PHONE, Family
from tests.client.worlds.friends import befriend, write
from tests.client.worlds.hostile import HOSTILE
from tests.client.worlds.service import make_service

STEPS = st.lists(st.tuples(st.floats(-1e4, 1e6), st.integers(0, 1 << 40)), max_size=80)


@given(STEPS, st.floats(-1e6, 1e9))
@example([(2.2250738585e-313, 1)], 0.0)  # a step so short that it made the rate infinite
def test_a_rate_is_never_negative_or_infinite_whatever_the_clock_does(steps, later):
    throughput, now = Throughput(0, 0.0), 0.0
    for step, done in steps:
        now += step
        throughput.note(done, now)
    rate = throughput.rate(now + later)
    assert math.isfinite(rate) and rate >= 0.0


def test_a_rate_is_what_comes_now_falls_when_nothing_does_and_recovers():
    throughput = Throughput(0, 0.0)
    assert throughput.rate(0.0) == throughput.rate(5.0) == 0.0
    for second in range(1, 21):
        throughput.note(1000 * second, float(second))
    assert throughput.rate(20.0) == 1000.0 and throughput.heard_at == 20.0
    assert throughput.rate(40.0) < 600.0
    night = 20.0 + 50 * LATELY
    assert 0 < throughput.rate(night) < 1.0
    for second in range(21, 31):
        throughput.note(1000 * second, night + second)
    assert throughput.rate(night + 30.0) == pytest.approx(1000.0), "a pause doesn't count"
    throughput.note(500, night + 31.0)
    assert throughput.rate(night + 31.0) == 0.0, "it began anew"


def both(channel, after=0):
    return [channel[name].messenger.files(after, 200, channel.now) for name in ("alice", "bob")]


def test_both_ends_tell_the_same_of_a_file(tmp_path):
    channel = Channel(tmp_path, seed=3)
    befriend(channel)
    channel.run(10)
    size = 30 * CHUNK_SIZE
    number = channel["alice"].messenger.send_file("bob", write(channel, size), channel.now)
    ((queued,), nothing) = both(channel)
    assert (queued.message.state, queued.done, queued.rate, nothing) == (MessageState.QUEUED, 0, 0.0, [])
    assert queued.left == channel["alice"].messenger.estimate(number)
    assert channel.run(60, lambda: both(channel)[1])
    (begins,) = both(channel)[1]
    assert (begins.message.state, begins.done, begins.rate) == (MessageState.RECEIVING, 0, 0.0)
    assert begins.left == pytest.approx(queued.left), "by the network's rate, as over there"
    assert channel.run(60, lambda: channel["alice"].messenger.message(number).done > size // 3)
    (out,), (came,) = both(channel)
    assert abs(out.done - came.done) <= 3 * CHUNK_SIZE and (out.message.size, came.message.size) == (size, size)
    expected = 2596 * RATE  # bytes of a file in each slot
    assert out.rate == pytest.approx(expected, rel=0.2) and came.rate == pytest.approx(expected, rel=0.2)
    assert came.left == pytest.approx((size - came.done) / came.rate) and out.heard_at > 0.0
    channel["bob"].crash()
    (again,) = both(channel)[1]
    assert (again.done, again.rate, again.heard_at) == (came.done, 0.0, 0.0) and again.left
    assert channel.run(60, channel.settled)
    assert both(channel) == [[], []]
    whole = channel["bob"].messenger.transfer(channel["bob"].messenger.messages()[-1].id, channel.now)
    assert (whole.message.state, whole.done, whole.left) == (MessageState.RECEIVED, size, None)


def test_pages_and_what_is_no_file(tmp_path):
    channel = Channel(tmp_path, seed=4)
    befriend(channel)
    alice = channel["alice"].messenger
    numbers = [alice.send_file("bob", write(channel, 10, f"{n}"), channel.now) for n in range(5)]
    text = alice.send_text("bob", "hi", channel.now)
    assert [one.message.id for one in alice.files(numbers[1], 2, channel.now)] == numbers[2:4]
    with pytest.raises(NoFile):
        alice.transfer(text, channel.now)
    with pytest.raises(UnknownMessage):
        alice.transfer(99, channel.now)
    alice.cancel(numbers[0], channel.now)
    assert [one.message.id for one in alice.files(0, 200, channel.now)] == numbers[1:]


def test_a_satellite_tells_of_the_way_between_it_and_its_home(tmp_path):
    family = Family(tmp_path, 5, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    (tmp_path / "photo.bin").write_bytes(bytes(20 * CHUNK_SIZE))
    number = family.user(PHONE).send_file("bob", tmp_path / "photo.bin", family.now)

    def seen():
        return family.user(PHONE).transfer(number, family.now)

    assert (seen().leg, seen().done) == (Leg.HOME, 0)
    assert family.run(60, lambda: seen().done > 5 * CHUNK_SIZE) and seen().leg is Leg.HOME
    assert family.run(60, lambda: seen().leg is Leg.ELSEWHERE)
    assert family.run(60, lambda: seen().message.state is MessageState.DELIVERED)
    assert (seen().leg, seen().done) == (Leg.CONTACT, 20 * CHUNK_SIZE)
    number = family[HOME].messenger.messages()[-1].id
    assert family.run(60, family.calm)
    there = family[PHONE].devices.replica.local(number)
    family[PHONE].store.run("UPDATE messages SET path = '' WHERE id = ?", there)
    family[PHONE].devices.fetch(there)
    assert family.run(
        60, lambda: 5 * CHUNK_SIZE < family.user(PHONE).transfer(there, family.now).done < 15 * CHUNK_SIZE
    )
    (fetched,) = family.user(PHONE).files(0, 200, family.now)
    assert (fetched.leg, fetched.message.id) == (Leg.HOME, there) and fetched.rate > 0 and fetched.left
    assert family.run(60, lambda: family[PHONE].messenger.message(there).path != "")
    assert family.user(PHONE).files(0, 200, family.now) == []


def test_a_program_is_told_that_a_file_comes_and_waits_for_it(tmp_path):
    content, seen = bytes(range(256)) * 1000, []

    async def program(town, nursery):
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2, downloads=tmp_path / "down")
        await meet(alice, bob)
        (tmp_path / "photo").write_bytes(content)
        sent = await alice.send_file("bob", tmp_path / "photo")
        coming = []
        with trio.move_on_after(60) as scope:
            async for _ in bob.messages(follow=True, coming=lambda file: (coming.append(file), scope.cancel())):
                pass
        (number,) = [file.id for file in coming]
        assert [one.message.id for one in await bob.files.under_way()] == [number]
        whole = await bob.files.wait(number, lambda one: seen.append(one.done))
        assert (await alice.files.wait(sent)).message.state in (MessageState.DELIVERED, MessageState.READ)
        assert whole.done == len(content) and (tmp_path / "down" / "photo").read_bytes() == content
        assert await bob.files.under_way() == []
        given_up = await alice.send_file("bob", tmp_path / "photo")
        await alice.cancel(given_up)
        with pytest.raises(NotComplete, match="cancelled by you"):
            await alice.files.wait(given_up)

    play(program)
    assert seen == sorted(seen) and len(set(seen)) > 2


# what is shown


def transfer(name="photo.jpg", **changes) -> Transfer:
    file = MessageKind.FILE
    message = MessageInfo(7, "bob", False, file, MessageState.RECEIVING, name, "", 1_000_000, 312_000, "", 1.0, 0, 0, 0)
    return replace(Transfer(message, Leg.CONTACT, 312_000, 2596.0, 265.0, time.time()), **changes)


def test_the_table_has_bytes_share_rate_end_and_state(capsys):
    render_files.files([transfer(), transfer(rate=0.0, left=None, heard_at=time.time() - 7300, leg=Leg.HOME)])
    first, second = capsys.readouterr().out.splitlines()
    assert first == "7\t← bob\tphoto.jpg\t312,000 of 1,000,000\t31 %\t2.6 kB/s\tabout 5m\treceiving"
    assert second.endswith("\t31 %\t-\t-\tcoming from your home device, nothing for 3h")


@pytest.mark.parametrize(
    ("outgoing", "state", "words"),
    [
        (True, MessageState.QUEUED, "going to"),
        (True, MessageState.READ, "coming from"),
        (False, MessageState.READ, "coming from"),
    ],
)
def test_a_file_that_a_satellite_fetches_comes_whoever_sent_it(outgoing, state, words):
    one = transfer(leg=Leg.HOME)
    assert f"{words} your home device" in render_files.pace(
        replace(one, message=replace(one.message, outgoing=outgoing, state=state))
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_bars_and_lines_are_text_whatever_a_contact_wrote(capsys, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    with render_files.bars() as show:
        show([transfer(HOSTILE + "[bold]")])
        show([transfer(HOSTILE + "[bold]", done=999_999)])
        show([])
    shown = capsys.readouterr()
    assert shown.out == "" or terminal
    if not terminal:
        lines = shown.err.splitlines()
        assert [("30 %" in lines[0]), ("90 %" in lines[1]), len(lines)] == [True, True, 2]
        assert all(not any(map(steers, line)) for line in lines) and "[bold]" in lines[0]


async def test_the_commands_show_files(network, capsys, monkeypatch):
    said: list[str] = []
    async with daemon_of(network, "alice") as alice, daemon_of(network, "bob") as bob:
        await alice.accept(await bob.invite(), "bob")
        await files.files("alice", folder=network)
        assert "no file is on its way" in capsys.readouterr().err
        (network / "photo.jpg").write_bytes(b"x" * 1234)
        number = await alice.send_file("bob", network / "photo.jpg")
        capsys.readouterr()
        await files.files("alice", folder=network, as_json=True)
        (shown,) = json.loads(capsys.readouterr().out)
        assert (shown["done"], shown["message"]["size"], shown["leg"]) == (0, 1234, "contact")
        with trio.move_on_after(0.5):
            await files.files("alice", follow=True, folder=network, as_lines=True)
        assert len(capsys.readouterr().out.splitlines()) == 1, "only when something changes"
        shown = trio.Event()
        monkeypatch.setattr(render_files, "note", lambda text: (said.append(text), shown.set()))

        async def cancel_what_is_shown():
            await shown.wait()
            await alice.cancel(number)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel_what_is_shown)
            with pytest.raises(NotComplete, match="cancelled by you"):
                await messages.message("alice", number, wait=True, folder=network)
        assert len(said) == 1 and "0 % of 1,234 bytes" in said[0]


async def test_an_inbox_says_that_a_file_is_coming(network, capsys, monkeypatch):
    service = make_service()
    me = Connection(DirectChannel(service))
    coming = transfer().message

    async def all_coming(_contact):
        await trio.lowlevel.checkpoint()
        return [coming]

    monkeypatch.setattr(me, "coming", all_coming)

    class Talk:
        async def __aenter__(self):
            return me

        async def __aexit__(self, *_):
            return None

    monkeypatch.setattr(inbox, "talk", lambda _folder, _name: Talk())
    await inbox.inbox("alice")
    assert "'photo.jpg' from bob: see how far with `mixnet files alice`" in capsys.readouterr().err
