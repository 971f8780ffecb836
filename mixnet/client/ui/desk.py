"""The page's connection to the daemon: looked for again when it ends, as any program's would be.

Promises: it asks, and sends nothing by itself; whoever waits for a change is woken when something happened, or when the
daemon has gone or come.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import trio

from mixnet.client.api.command import Command, R, wait_for
from mixnet.client.api.connection import Connection
from mixnet.client.ui import asked
from mixnet.errors import MixnetError, Unavailable

RETRY = 2.0  # seconds until the daemon is looked for again
PAUSE = 0.1  # seconds between two looks, however much happens


class NoDaemon(Unavailable):
    """No daemon runs: this waits until there is one again."""


class Desk:
    """What the page reaches the daemon through."""

    def __init__(
        self,
        profile: str,
        connect: Callable[[], AbstractAsyncContextManager[Connection]],
        explain: Callable[[str], str] = str,
    ) -> None:
        """`connect` reaches the daemon, `explain` completes hints."""
        self.profile = profile
        self._connect, self._explain = connect, explain
        self._me: Connection | None = None
        self._problem = "looking for the daemon…"
        self._changed = trio.Event()

    async def stay_connected(self) -> None:
        """For ever."""
        while True:
            try:
                async with self._connect() as me:
                    self._me = me
                    while True:
                        change = await me.next_change()
                        await me.status()  # which fails if the daemon has ended
                        self._tell()
                        await wait_for(change)
                        await trio.sleep(PAUSE)
            except (MixnetError, OSError) as error:
                self._problem = self.said(error)
            finally:
                self._me = None
                self._tell()
            await trio.sleep(RETRY)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def next_change(self) -> trio.Event:
        """What is set when something happens after this call."""
        return self._changed

    @property
    def me(self) -> Connection:
        """The connection; NoDaemon."""
        if self._me is None:
            raise NoDaemon
        return self._me

    async def ask(self, command: Command[R]) -> R:
        """The daemon's answer; NoDaemon."""
        return await self.me.ask(command)

    async def overview(self) -> dict[str, Any]:
        """All that is always in view; without a daemon, what is wrong."""
        if self._me is None:
            return {"profile": asked.clean(self.profile), "trouble": self._problem}
        me = self._me
        return asked.overview(
            self.profile, await me.status(), await me.conversations(), await me.contacts(), await me.groups.list()
        )

    def said(self, error: Exception) -> str:
        """An error as its user reads it."""
        return asked.lines(self._explain(str(error)))
