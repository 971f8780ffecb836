"""A tap between real sockets: every byte both ways, rows with the ends' addresses, and an end that is passed on."""

import io

import trio

from mixnet.benchmarks.processes.observer.recorder import Recorder
from mixnet.benchmarks.processes.observer.taps import Tap, serve_tap
from mixnet.benchmarks.simulation.trace import TraceRow
from mixnet.network import TCP, Address

FRONT, BEHIND, CALLER = "127.0.253.1", "127.64.253.1", "127.0.253.9"


async def place(host: str) -> Address:
    """A free address."""
    async with await TCP().listen(Address(host, 0)) as listener:
        return listener.address


async def test_it_forwards_and_counts_every_byte():
    tap = Tap(await place(FRONT), await place(BEHIND))
    peers = []

    async def echo(stream):
        peers.append(stream.socket.getpeername()[0])
        async with stream:
            while data := await stream.receive_some(100_000):
                await stream.send_all(data + data)

    file = io.StringIO()
    with Recorder(file, 0, {FRONT: "mix-1"}) as recorder:
        recording = []
        async with trio.open_nursery() as nursery:
            listener = await TCP().listen(tap.behind)
            nursery.start_soon(trio.serve_listeners, echo, [listener])
            await nursery.start(serve_tap, tap, lambda: recorder if recording else None)
            async with await TCP().dial(tap.front, source=CALLER) as stream:
                await exchange(stream, b"before" * 100)
                recording.append(True)
                await exchange(stream, b"counted" * 5000)
            nursery.cancel_scope.cancel()
    assert peers == [CALLER]
    rows = [
        TraceRow(int(when), *ends, int(size)) for when, *ends, size in map(row_of, file.getvalue().splitlines()[1:])
    ]
    assert sum(row.size for row in rows if (row.src, row.dst) == (CALLER, "mix-1")) == 35_000
    assert sum(row.size for row in rows if (row.src, row.dst) == ("mix-1", CALLER)) == 70_000


def row_of(line: str) -> list[str]:
    return line.split(",")


async def exchange(stream: trio.abc.Stream, data: bytes) -> None:
    """Send, and take twice as much."""
    await stream.send_all(data)
    came = b""
    while len(came) < 2 * len(data):
        came += await stream.receive_some(100_000)
    assert sorted(came) == sorted(data + data)


async def test_when_the_node_ends_its_caller_learns_it():
    tap = Tap(await place(FRONT), await place(BEHIND))
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_tap, tap, lambda: None)
        async with await TCP().dial(tap.front, source=CALLER) as stream:
            assert await stream.receive_some() == b""  # nobody listens behind it

        async def greet(stream):
            async with stream:
                await stream.send_all(b"bye")

        listener = await TCP().listen(tap.behind)
        nursery.start_soon(trio.serve_listeners, greet, [listener])
        async with await TCP().dial(tap.front, source=CALLER) as stream:
            assert await stream.receive_some() == b"bye"
            assert await stream.receive_some() == b""
        nursery.cancel_scope.cancel()
