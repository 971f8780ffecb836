"""Questions and answers over a link."""

from functools import partial

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.errors import RemoteError, Unavailable
from mixnet.link import MESSAGE_LIMIT, Frame, FrameKind, answer_requests, ask, send_message, split
from mixnet.link.requests import BATCH
from tests.mixnet.link.ends import NETWORKS, linked, on_network, simulated, virtual


async def reverse(request):
    await trio.lowlevel.checkpoint()
    return request[::-1]


@pytest.mark.parametrize("kind", NETWORKS)
def test_each_question_gets_its_answer(kind):
    async def main(network):
        async with linked(network) as (client, server), trio.open_nursery() as nursery:
            nursery.start_soon(answer_requests, server, reverse)
            for size in (0, 1, 3060, 3061, 200_000):
                question = bytes(number % 251 for number in range(size))
                assert await ask(client, question) == question[::-1]
            await client.aclose()

    on_network(kind, main)


@given(st.lists(st.binary(max_size=7000), max_size=4))
@settings(max_examples=10)
def test_questions_of_any_bytes(questions):
    async def main(network):
        async with linked(network) as (client, server), trio.open_nursery() as nursery:
            nursery.start_soon(answer_requests, server, reverse)
            for question in questions:
                assert await ask(client, question) == question[::-1]
            await client.aclose()

    virtual(main)


def test_the_longest_answer_arrives():
    async def longest(_request):
        return bytes(MESSAGE_LIMIT)

    async def main(network):
        async with linked(network) as (client, server), trio.open_nursery() as nursery:
            nursery.start_soon(answer_requests, server, longest)
            assert await ask(client, b"?") == bytes(MESSAGE_LIMIT)
            await client.aclose()

    virtual(main)


async def test_cover_between_the_parts_is_ignored(autojump_clock):
    async with linked(simulated()) as (client, server), trio.open_nursery() as nursery:

        async def with_cover(request):
            await server.send([Frame(FrameKind.PAD)] * 3)
            return request

        await client.send([Frame(FrameKind.PAD)])
        nursery.start_soon(answer_requests, server, with_cover)
        assert await ask(client, b"question") == b"question"
        await client.aclose()


async def test_a_late_answer_is_not_taken_for_that_of_the_next_question(autojump_clock):
    async with linked(simulated()) as (client, server), trio.open_nursery() as nursery:

        async def slow_at_first(request):
            if request == b"first":
                await trio.sleep(20)
            return request

        nursery.start_soon(answer_requests, server, slow_at_first)
        with pytest.raises(Unavailable, match="in time"):
            await ask(client, b"first", timeout=10)
        assert await ask(client, b"second") == b"second"
        await client.aclose()


async def test_an_answer_that_never_comes_is_unavailable(autojump_clock):
    async with linked(simulated()) as (client, _server):
        begun = trio.current_time()
        with pytest.raises(Unavailable, match="in time"):
            await ask(client, b"question", timeout=7)
        assert trio.current_time() - begun == pytest.approx(7)


async def test_a_link_that_ends_is_unavailable(autojump_clock):
    async with linked(simulated()) as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(server.aclose)
        with pytest.raises(Unavailable):
            await ask(client, b"question")


@pytest.mark.parametrize(
    "frame",
    [
        Frame(FrameKind.PACKET, bytes(3072)),
        Frame(FrameKind.RESPONSE, b"short"),
        *split(b"question", FrameKind.REQUEST, 1),
    ],
    ids=["a packet", "half an answer", "a question"],
)
async def test_a_wrong_answer_is_refused(frame, autojump_clock):
    async with linked(simulated()) as (client, server):
        await server.send([frame])
        with pytest.raises(RemoteError):
            await ask(client, b"question")


@pytest.mark.parametrize(
    "frame",
    [Frame(FrameKind.MAIL, bytes(3072)), Frame(FrameKind.REQUEST, b"short"), *split(b"answer", FrameKind.RESPONSE, 1)],
    ids=["mail", "half a question", "an answer"],
)
async def test_a_wrong_question_is_refused(frame, autojump_clock):
    async with linked(simulated()) as (client, server):
        await client.send([frame])
        with pytest.raises(RemoteError):
            await answer_requests(server, reverse)


async def test_a_question_above_the_limit_is_refused(autojump_clock):
    async with linked(simulated()) as (client, server):
        await client.send(split(bytes(1001), FrameKind.REQUEST, 1))
        with pytest.raises(RemoteError):
            await answer_requests(server, reverse, limit=1000)


async def test_a_long_message_lets_others_send_between_its_parts(autojump_clock):
    async with linked(simulated(window=1)) as (client, server), trio.open_nursery() as nursery:
        frames = split(bytes(500_000), FrameKind.REQUEST, 1)
        nursery.start_soon(send_message, client, frames)
        nursery.start_soon(partial(client.send, [Frame(FrameKind.PAD)]))
        kinds = []
        while len(kinds) < len(frames) + 1:
            kinds += [frame.kind for frame in await server.receive()]
        assert kinds.index(FrameKind.PAD) <= BATCH


async def test_an_answer_that_nobody_takes_is_no_second_one_in_memory(autojump_clock):
    """Hundreds may ask and read nothing: each is sent a batch at a time, made when it leaves."""
    made = []

    def frames():
        for number in range(100 * BATCH):
            made.append(number)
            yield Frame(FrameKind.PAD)

    async with linked(simulated()) as (_client, server):
        with trio.move_on_after(1):
            await send_message(server, frames())
        assert len(made) <= 12 * BATCH  # what the network holds, and one that waits
