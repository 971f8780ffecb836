"""Routes, reply blocks and questions: what packets are made of and what waits for an answer."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.model.destination import Destination
from mixnet.client.traffic.provider_requests import ProviderRequests
from mixnet.client.traffic.routes import Map, UnknownProvider
from mixnet.client.traffic.surb_table import Awaited, ReplyTable
from mixnet.crypto import SphinxSecret
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Assembler, Frame, FrameKind, split
from mixnet.pki.document import verify_untrusted
from mixnet.pki.errors import NoKey
from mixnet.sphinx import Kind, SurbKeys
from tests.client.worlds.town import RULES, START, Town

TOWN = Town()
DOCUMENT = verify_untrusted(TOWN.document(), TOWN.bootstrap, START)
NETWORK = Map(DOCUMENT, TOWN.bootstrap.epochs)
ENTRY, EXIT = (key.public for key in TOWN.providers)
FRIEND = Destination(EXIT, b"m" * 32, SphinxSecret(b"f" * 32).public)


@given(st.integers(0, 2**32))
def test_a_message_goes_entry_layers_exit_mailbox_recipient(seed):
    route = NETWORK.deliver(random.Random(seed), ENTRY, FRIEND, START)
    commands = [hop.command for hop in route.hops]
    assert [command.kind for command in commands] == [Kind.FORWARD] * 4 + [Kind.DELIVER_MAILBOX, Kind.DELIVER]
    targets = [command.target for command in commands]
    for layer, mix in zip(DOCUMENT.layers, targets[:3], strict=True):
        assert mix in {node.identity for node in layer}
    assert targets[3:] == [EXIT, FRIEND.mailbox, bytes(32)]
    assert [command.delay_us > 0 for command in commands] == [True] * 4 + [False] * 2
    assert route.drawn_delay == pytest.approx(sum(command.delay for command in commands))
    assert route.hops[-1].public == FRIEND.sphinx_public
    nodes = [ENTRY, *targets[:4]]
    assert [hop.public for hop in route.hops[:5]] == [TOWN.secret(node, 0).public for node in nodes]


def test_a_reply_ends_at_us_with_its_number_and_a_drop_at_any_provider():
    reply = NETWORK.reply(random.Random(1), EXIT, FRIEND, b"s" * 32, START)
    assert (reply.hops[-1].command.kind, reply.hops[-1].command.target) == (Kind.REPLY, b"s" * 32)
    rng, ends = random.Random(1), Counter()
    for _ in range(400):
        drop = NETWORK.drop(rng, ENTRY, START)
        assert [hop.command.kind for hop in drop.hops] == [Kind.FORWARD] * 4 + [Kind.DROP]
        ends[drop.hops[-2].command.target] += 1
    assert set(ends) == {ENTRY, EXIT}
    assert min(ends.values()) > 140


@given(st.floats(-0.5, 0.999))
def test_a_reply_block_ends_with_the_epoch_of_its_first_key(part):
    epochs, at = NETWORK.epochs, START + part * NETWORK.epochs.length
    end = NETWORK.usable_until(at)
    key = NETWORK.reply(random.Random(1), EXIT, FRIEND, b"s" * 32, at).hops[0].public
    epoch = next(epoch for epoch in range(DOCUMENT.epoch, DOCUMENT.epoch + 3) if TOWN.secret(EXIT, epoch).public == key)
    assert end == epochs.end(epoch)


def test_a_hop_that_is_reached_in_the_next_epoch_gets_its_next_key():
    late = START + RULES.epoch_length - 0.001
    route = NETWORK.deliver(random.Random(1), ENTRY, FRIEND, late)
    assert route.hops[0].public == TOWN.secret(ENTRY, 1).public
    with pytest.raises(NoKey):
        NETWORK.deliver(random.Random(1), ENTRY, FRIEND, START + 3 * RULES.epoch_length)


def test_a_provider_that_is_gone_is_unavailable():
    lost = Destination(b"x" * 32, FRIEND.mailbox, FRIEND.sphinx_public)
    with pytest.raises(UnknownProvider):
        NETWORK.deliver(random.Random(1), ENTRY, lost, START)


def test_the_mean_delay_is_that_of_the_document():
    rng = random.Random(5)
    drawn = [NETWORK.deliver(rng, ENTRY, FRIEND, START).drawn_delay for _ in range(3000)]
    assert sum(drawn) / len(drawn) == pytest.approx(4 * RULES.mean_delay, rel=0.05)


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0.0, 40.0)), max_size=60))
def test_reply_blocks_open_once_and_are_bounded_in_number_and_age(steps):
    table, now, waiting = ReplyTable(lifetime=100.0, limit=10), 0.0, {}
    for number, pause in steps:
        now += pause
        surb_id = number.to_bytes(32, "big")
        if number % 3:
            table.add(surb_id, Awaited(SurbKeys(bytes([number]) * 48), number), now)
            waiting[surb_id] = now
        else:
            surb_id = (number // 3).to_bytes(32, "big")
            first, second = table.take(surb_id), table.take(surb_id)
            assert second is None
            if first is not None:
                assert waiting.pop(surb_id) >= now - 100.0 - 40.0 * 60
        assert len(table) <= 10


def test_the_oldest_reply_block_goes_first_and_age_counts_from_its_renewal():
    table = ReplyTable(lifetime=10.0, limit=2)
    for number in range(3):
        table.add(bytes([number]) * 32, Awaited(SurbKeys(bytes(48)), 1), float(number))
    assert table.take(bytes(32)) is None
    table.add(b"n" * 32, Awaited(SurbKeys(bytes(48)), 1), 50.0)
    assert len(table) == 1


def answer_to(frames: list[Frame], text: bytes) -> list[Frame]:
    assembler = Assembler()
    complete = [found for frame in frames if (found := assembler.feed_untrusted(frame))]
    return split(text, FrameKind.RESPONSE, complete[0][0])


async def test_a_question_waits_for_slots_and_gets_its_own_answer(autojump_clock, nursery):
    rings: list[float] = []
    requests = ProviderRequests(lambda: rings.append(trio.current_time()))
    answers: dict[bytes, bytes] = {}

    async def ask(text: bytes) -> None:
        answers[text] = await requests.ask(text, timeout=10.0)

    for text in (b"one", b"two" * 2000):
        nursery.start_soon(ask, text)
        await trio.testing.wait_all_tasks_blocked()
    assert len(rings) == 2
    frames = []
    while frame := requests.next_frame():
        frames.append(frame)
    first, second = frames[:1], frames[1:]
    assert len(second) == 2
    for frame in answer_to(second, b"second answer") + answer_to(first, b"first" * 5000):
        requests.take_untrusted(frame)
    await trio.testing.wait_all_tasks_blocked()
    assert answers == {b"one": b"first" * 5000, b"two" * 2000: b"second answer"}


async def test_a_question_ends_with_its_time_or_its_link(autojump_clock):
    requests = ProviderRequests(lambda: None)
    with pytest.raises(Unavailable):
        await requests.ask(b"silence", timeout=3.0)
    assert trio.current_time() == 3.0
    assert requests.next_frame() is None  # nobody would wait for its answer
    requests.take_untrusted(split(b"late", FrameKind.RESPONSE, 1)[0])  # ignored

    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(Unavailable):
                await requests.ask(b"lost", timeout=1000.0)

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        requests.link_lost()
        assert requests.next_frame() is None
    assert trio.current_time() < 10.0


async def test_questions_are_bounded_and_malformed_answers_refused(nursery):
    requests = ProviderRequests(lambda: None)
    for _ in range(4):
        nursery.start_soon(lambda: requests.ask(b"?", timeout=1000.0))
        await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(Unavailable):
        await requests.ask(b"one too many", timeout=1.0)
    with pytest.raises(RemoteError):
        requests.take_untrusted(Frame(FrameKind.RESPONSE, b"?"))
