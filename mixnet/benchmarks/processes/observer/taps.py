"""Taps: forwarding proxies in front of the nodes, for machines where nobody may sniff (spec/13-measurements.md 13.6).

Promises: a tap forwards bytes as they come, both ways, and records when, between whom and how many; it never looks at
one. Whoever dials a tap sees it end when the node ends, and the other way round. What a tap adds to a link (a copy in
this process) is in the times that the nodes see. A row is what one read took, so writes that follow closely may be one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import trio

from mixnet.benchmarks.processes.observer.recorder import Recorder
from mixnet.errors import Unavailable
from mixnet.network import TCP, Address
from mixnet.tcp_stream import TcpStream

_READ = 1 << 17  # bytes


@dataclass(frozen=True, slots=True)
class Tap:
    """Where others dial, and where the node listens."""

    front: Address
    behind: Address


async def serve_tap(
    tap: Tap, recorder: Callable[[], Recorder | None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Forward until cancelled; started when it listens. While `recorder()` gives one, rows go there."""
    listener = await TCP().listen(tap.front)

    async def forward(stream: trio.abc.Stream) -> None:
        assert isinstance(stream, TcpStream)  # noqa: S101 -- TCP gives no others
        with suppress(OSError, Unavailable, trio.BrokenResourceError):
            caller = stream.socket.getpeername()[0]
            async with stream, await TCP().dial(tap.behind, source=caller) as node:
                await _both_ways(stream, node, caller, tap.front.host, recorder)

    async with listener:
        task_status.started()
        await trio.serve_listeners(forward, [listener])


async def _both_ways(
    caller: trio.abc.Stream,
    node: trio.abc.Stream,
    source: str,
    target: str,
    recorder: Callable[[], Recorder | None],
) -> None:
    """Forward until one side ends."""

    async def one_way(here: trio.abc.Stream, there: trio.abc.Stream, src: str, dst: str) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await here.receive_some(_READ):
                at = recorder()
                if at is not None:
                    at.saw(time.time_ns(), src, dst, len(data))
                await there.send_all(data)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one_way, caller, node, source, target)
        nursery.start_soon(one_way, node, caller, target, source)
