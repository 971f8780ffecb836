"""The live page beside something else that runs, such as a demonstration (spec/11-demonstration.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from mixnet.pages.extra import PagesMissing, needed


@asynccontextmanager
async def page_beside(folder: Path, tell: Callable[[str], None]) -> AsyncIterator[None]:
    """Serve the page of the network in `folder` for as long as the block runs; tell its link, or what it needs."""
    try:
        with needed():
            from mixnet.deploy.observe.live import LocalNetwork  # noqa: PLC0415  # an extra
            from mixnet.deploy.observe.page import show  # noqa: PLC0415  # an extra
    except PagesMissing as missing:
        tell(str(missing))
        yield
        return
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(show, LocalNetwork(folder), tell))
        yield
        nursery.cancel_scope.cancel()
