"""Waits as long as something gets on, so that a slow machine is no failure (spec/11-demonstration.md).

Promises: a block ends by itself, or is cut off once nothing has changed for its limit, or after ten of these in all;
which of both is known afterwards. What counts as getting on, the caller says; time alone is none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

MOST = 10  # limits in all, however much goes on
_LOOKS = 60  # in a limit


@dataclass(slots=True)
class Patience:
    """How a block ended."""

    timed_out: bool = False


@asynccontextmanager
async def patient(sign: Callable[[], Awaitable[object]], limit: float) -> AsyncIterator[Patience]:
    """Cut the block off when `sign` has given the same for `limit` seconds."""
    patience = Patience()
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:

        async def look() -> None:
            begun = since = trio.current_time()
            seen = await sign()
            while trio.current_time() < min(since + limit, begun + MOST * limit):
                await trio.sleep(limit / _LOOKS)
                now = await sign()
                if now != seen:
                    seen, since = now, trio.current_time()
            patience.timed_out = True
            nursery.cancel_scope.cancel()

        nursery.start_soon(look)
        try:
            yield patience
        except Exception as error:  # kept out of the nursery, which would wrap it in a group
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
