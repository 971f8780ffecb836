"""A Prometheus end point with a minimal HTTP server (spec/08-errors-and-figures.md 8.1).

Promises: whatever is asked, the answer is the published text, coarse in value and time; a connection lasts two seconds
at most, and there are never more than a few.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import trio

from mixnet.network import Address, Network

CONNECTIONS = 8
_TIMEOUT = 2.0  # seconds
_HEAD = "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"


async def serve_metrics(
    network: Network,
    address: Address,
    text: Callable[[], str],
    *,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer with `text()` at `address` until cancelled; Unavailable if one can't listen there."""
    room = trio.Semaphore(CONNECTIONS)

    async def answer(stream: trio.abc.Stream) -> None:
        try:
            with trio.move_on_after(_TIMEOUT), suppress(trio.BrokenResourceError):
                async with stream:
                    await stream.receive_some(4096)
                    body = text().encode()
                    await stream.send_all(_HEAD.format(len(body)).encode() + body)
        finally:
            room.release()

    listener = await network.listen(address)
    async with listener, trio.open_nursery() as nursery:
        task_status.started(listener.address)
        while True:
            await room.acquire()  # those in excess wait with the kernel, and hold no file of ours
            nursery.start_soon(answer, await listener.accept())
