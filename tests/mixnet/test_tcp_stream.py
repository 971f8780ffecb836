"""A TCP stream: bytes through the kernel, whole and in order, and one kind of error an end."""

import select
import socket
import sys
import time
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from mixnet import tcp_stream
from mixnet.network import TCP, Address
from mixnet.tcp_stream import TcpStream

LARGE = bytes(range(256)) * 100_000  # more than the kernel takes at once


@asynccontextmanager
async def connected():
    async with await TCP().listen(Address("127.0.0.1", 0)) as listener:
        ours = await TCP().dial(listener.address)
        theirs = await listener.accept()
        async with ours, theirs:
            yield ours, theirs


async def whole(stream: TcpStream) -> bytes:
    got = bytearray()
    while part := await stream.receive_some():
        got += part
    return bytes(got)


async def test_what_is_sent_comes_whole_and_in_order():
    async with connected() as (ours, theirs), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def send():
            await ours.send_all(LARGE)
            await ours.aclose()

        assert await whole(theirs) == LARGE


async def test_nothing_waits_for_room_when_sending_now():
    async with connected() as (ours, theirs):
        taken = ours.send_now(LARGE)
        assert 0 < taken < len(LARGE)
        while more := ours.send_now(LARGE[taken:]):
            taken += more
        await ours.aclose()
        assert await whole(theirs) == LARGE[:taken]


@pytest.mark.skipif(sys.platform != "linux", reason="not all systems wait for so many bytes")
async def test_a_receiver_waits_for_as_many_bytes_as_it_can_use_or_the_end():
    async with connected() as (ours, theirs), trio.open_nursery() as nursery:
        theirs.wait_for(300)

        @nursery.start_soon
        async def drip():
            for _ in range(3):
                await ours.send_all(bytes(100))
                await trio.testing.wait_all_tasks_blocked(0.01)
            await ours.send_all(b"end")
            await ours.aclose()

        assert await theirs.receive_some() == bytes(300)
        assert await theirs.receive_some() == b"end"
        assert await theirs.receive_some() == b""


async def test_to_wait_on_a_stream_that_is_closed_is_no_error():
    async with connected() as (ours, theirs):
        await theirs.aclose()
        theirs.wait_for(10)
        with pytest.raises(trio.ClosedResourceError):
            await theirs.receive_some()
        await ours.aclose()


async def test_what_fits_is_sent_before_anybody_else_runs():
    async with connected() as (ours, theirs), trio.open_nursery() as nursery:
        ran = []
        nursery.start_soon(_note, ran)
        await ours.send_all(b"word")
        assert ran == []
        assert await theirs.receive_some(2) == b"wo"
        await trio.lowlevel.checkpoint()  # what ran beside the receiver may have come after it in its turn
        assert ran == ["another task"]  # a receiver waits, whatever has come


async def _reads_late(ours, theirs, seconds=0.02):
    """Send a word and read it so much later than it came; when it had come, and when it was read."""
    await ours.send_all(b"word")
    select.select([theirs.socket], [], [])
    there = trio.current_time()
    while trio.current_time() < there + seconds:
        pass
    assert await theirs.receive_some() == b"word"
    return there, trio.current_time()


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels don't say when bytes came")
async def test_bytes_came_when_the_kernel_had_them():
    async with connected() as (ours, theirs):
        before = trio.current_time()
        there, _ = await _reads_late(ours, theirs)
        slack = 0.005  # between two clocks that are read one after the other, on a machine that is busy
        assert before - slack <= theirs.arrived <= there + slack


@pytest.mark.parametrize("step", [-30.0, 30.0])
async def test_a_clock_that_was_set_meanwhile_says_nothing(monkeypatch, step):
    async with connected() as (ours, theirs):
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + step)
        there, read = await _reads_late(ours, theirs)
        assert there + 0.02 <= theirs.arrived <= read


async def test_nothing_comes_before_what_came_earlier(monkeypatch):
    async with connected() as (ours, theirs):
        await _reads_late(ours, theirs, 0.0)
        first = theirs.arrived
        monkeypatch.setattr(tcp_stream, "_waited", lambda _notes: 0.9)  # as if the clock had been set
        await _reads_late(ours, theirs, 0.0)
        assert theirs.arrived == first


async def _note(ran: list[str]) -> None:
    ran.append("another task")
    await trio.lowlevel.checkpoint()


async def test_who_waits_is_told_that_the_stream_was_closed():
    async with connected() as (ours, _theirs), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def receive():
            with pytest.raises(trio.ClosedResourceError):
                await ours.receive_some()

        await trio.testing.wait_all_tasks_blocked()
        await ours.aclose()
        for act in (ours.receive_some, ours.wait_send_all_might_not_block, lambda: ours.send_all(b"x")):
            with pytest.raises(trio.ClosedResourceError):
                await act()


async def test_a_peer_that_is_gone_breaks_the_stream():
    async with connected() as (ours, theirs):
        theirs.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset instead of an end
        await theirs.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await ours.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await ours.send_all(LARGE)


async def test_a_cancelled_sender_and_receiver_stop_waiting():
    async with connected() as (ours, _theirs), trio.open_nursery() as nursery:
        nursery.start_soon(ours.send_all, LARGE)
        nursery.start_soon(ours.receive_some)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
