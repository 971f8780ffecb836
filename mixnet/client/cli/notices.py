"""When a notice is due that something new came, and what it says. Only `notify.py` knows how one is shown.

Promises: a notice has a number of messages, and names if the user asked for them, never a text; however much comes, one
is shown at most in each period, and the next takes its place; once all is read it is taken away. Nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import anyio

from mixnet import shown
from mixnet.client.api.command import Change, wait_for
from mixnet.client.model.views import Conversation

SETTLE = 1.0  # seconds in which what is seen in another program becomes read
NAMED = 3  # conversations


@dataclass(frozen=True, slots=True)
class Notice:
    """What is shown: neither line has any letter of a message."""

    title: str
    text: str


class Face(Protocol):
    """Where notices are shown, one at a time."""

    async def show(self, notice: Notice) -> None:
        """Show it, in place of the one before."""

    async def clear(self) -> None:
        """Take it away."""


class Daemon(Protocol):
    """What is asked of a daemon."""

    async def conversations(self) -> list[Conversation]:
        """All of them, and how much of each is unread."""

    async def next_change(self) -> Change:
        """What is set when something happens."""


class Tally:
    """What came since one began to look, and is still unread, of each conversation."""

    def __init__(self, found: list[Conversation]) -> None:
        """What is unread now is old."""
        self._unread = {one.name: one.unread for one in found}
        self.new: dict[str, int] = {}

    def look(self, found: list[Conversation]) -> bool:
        """Whether something came since the last time."""
        before, self._unread = self._unread, {one.name: one.unread for one in found}
        grown = False
        for name, unread in self._unread.items():
            more = max(0, unread - before.get(name, 0))
            grown = grown or more > 0
            self.new[name] = min(self.new.get(name, 0) + more, unread)
        self.new = {name: count for name, count in self.new.items() if count and name in self._unread}
        return grown


def notice(new: Mapping[str, int], *, names: bool) -> Notice:
    """How it is told."""
    count = sum(new.values())
    said = "1 new message" if count == 1 else f"{count:,} new messages"
    if not names:
        return Notice("mixnet", said)
    most = sorted(new, key=lambda name: (-new[name], name))
    some = [shown.isolated(shown.one_line(name)) for name in most[:NAMED]]
    others = f" and {len(most) - NAMED} more" if len(most) > NAMED else ""
    return Notice(", ".join(some) + others, said)


async def follow(daemon: Daemon, face: Face, *, names: bool, every: float) -> None:
    """Show notices of what comes from now on, one in `every` seconds at most, until the daemon ends."""
    tally, due, next_at = Tally(await daemon.conversations()), False, -1.0
    while True:
        change = await daemon.next_change()
        due = tally.look(await daemon.conversations()) or due
        if not tally.new:
            due = False
            await face.clear()
        elif due:
            await anyio.sleep(max(SETTLE, next_at - anyio.current_time()))
            tally.look(await daemon.conversations())
            if tally.new:
                await face.show(notice(tally.new, names=names))
                due, next_at = False, anyio.current_time() + every
            continue
        await wait_for(change)
