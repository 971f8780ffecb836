"""The kernel tells how many bytes went each way, of connections to the network and no others."""

import os

import pytest
import trio

from mixnet.deploy.observe.kernel import Kernel
from mixnet.errors import Unavailable


@pytest.fixture
def opened():
    try:
        with Kernel("127.0.254") as kernel:
            kernel.connections()
            yield kernel
    except Unavailable:
        pytest.skip("this system doesn't tell what its connections carry")


async def test_bytes_of_both_ends_are_told_and_strangers_left_out(opened):
    async def echo(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data[:10])

    async def connected(host: str) -> trio.SocketStream:
        (listener,) = await trio.open_tcp_listeners(0, host=host)
        nursery.start_soon(trio.serve_listeners, echo, [listener])
        return await trio.open_tcp_stream(host, listener.socket.getsockname()[1])

    async with trio.open_nursery() as nursery:
        async with await connected("127.0.254.1") as near, await connected("127.0.253.1") as far:
            await far.send_all(b"x")
            inode = os.fstat(near.socket.fileno()).st_ino
            told = {one.inode: one for one in opened.connections()}
            assert {one.peer for one in told.values()} == {"127.0.254.1"}
            before = told[inode]
            await near.send_all(bytes(5000))
            got = await near.receive_some(1)
            assert got
            while (now := {one.inode: one for one in opened.connections()}[inode]).sent < before.sent + 5000:
                await trio.sleep(0.01)
            assert now.sent - before.sent == 5000
            assert now.received > before.received
        nursery.cancel_scope.cancel()


def test_other_networks_are_silent():
    try:
        with Kernel("127.0.252") as kernel:
            assert kernel.connections() == []
    except Unavailable:
        pytest.skip("this system doesn't tell what its connections carry")
