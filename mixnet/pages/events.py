"""Server-sent events: a page is told what is new, for as long as it is open (docs/pages.md).

Promises: each value is one line of JSON, so no text can end an event early; a browser that has gone ends its feed
within a beat; a browser that is slow holds back its own feed alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import trio
from starlette.types import Receive, Scope, Send

BEAT = 15.0  # seconds after which something is sent although nothing is new

Tell = Callable[[object], Awaitable[None]]  # with anything that msgspec can write as JSON


class EventStream:
    """The answer to requests for events; `feed` calls what it is given for each value, and may run for ever."""

    def __init__(self, feed: Callable[[Tell], Awaitable[None]]) -> None:
        """Ready to answer, any number of browsers."""
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the feed ends or the browser has gone."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        turn = trio.Lock()

        async def write(line: bytes) -> None:
            async with turn:
                await send({"type": "http.response.body", "body": line, "more_body": True})

        async def beat() -> None:
            while True:
                await write(b":\n\n")
                await trio.sleep(BEAT)

        async def until_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(beat)
            nursery.start_soon(until_gone)
            await self._feed(lambda value: write(b"data: " + msgspec.json.encode(value) + b"\n\n"))
            nursery.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
