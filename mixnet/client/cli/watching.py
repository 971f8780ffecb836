"""What is said while a command waits, and when a person stops waiting: the daemon goes on (spec/09-command.md).

Promises: whoever waits learns what keeps the daemon from getting on, as `mixnet client status` knows it, and that a
daemon doesn't answer at all; whoever presses Ctrl-C learns that what was accepted goes on, and what to type next.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import trio

from mixnet import hints
from mixnet.client.cli import render

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUICK = 3.0  # seconds for which nobody is told why a command takes so long
LOOK = 5.0  # seconds between two looks at the daemon, and until one that doesn't answer is said not to
SLOW = 20.0  # seconds after which it is said what else may be wrong


class Watch:
    """Around all that a command does: Ctrl-C says that the daemon goes on, and what to type."""

    def __init__(self, profile: str, folder: Path | None) -> None:
        """Nothing is accepted yet."""
        self._profile, self._folder = profile, folder
        self._then = ""

    def __enter__(self) -> Self:
        """Nothing yet."""
        return self

    def accepted(self, then: str) -> None:
        """From now on the daemon goes on: `then` says with what, and with which commands for PROFILE."""
        self._then = then

    def accepted_message(self, number: int) -> None:
        """The same for a message of this number."""
        look, cancel = f"`mixnet message PROFILE {number}`", f"`mixnet cancel PROFILE {number}`"
        self.accepted(f"the daemon goes on sending: look with {look}, cancel with {cancel}")

    def say(self, text: str) -> None:
        """A note with commands for PROFILE."""
        render.note(hints.here(text, self._folder, self._profile))

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        """Explain, and let the interruption go on as ever."""
        if error is not None and self._then and _interrupted(error):
            self.say(self._then)

    @asynccontextmanager
    async def long(self, text: str) -> AsyncIterator[None]:
        """Say what else may be wrong with what is waited for here, once that takes long."""
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._say_if_slow, text)
            try:
                yield
            except Exception as error:  # kept out of the nursery, which would wrap it in a group
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _say_if_slow(self, text: str) -> None:
        await trio.sleep(SLOW)
        self.say(text)


async def tell_trouble(directory: Path, name: str, folder: Path | None) -> None:
    """Say what keeps the daemon from getting on, and that this is over, as long as a command takes."""
    await trio.sleep(QUICK)
    said = ""
    while True:
        now = await _trouble(directory)
        if now != said:
            told = f"{now}; what waits goes on by itself when that is over" if now else "that is over"
            render.note(hints.here(told, folder, name))
            said = now
        await trio.sleep(LOOK)


async def _trouble(directory: Path) -> str:
    """In words; empty if there is none, or if the daemon has ended, which its connection says."""
    from mixnet.client.api.connection import connect  # noqa: PLC0415
    from mixnet.client.model import wording  # noqa: PLC0415
    from mixnet.client.model.paths import LOCK  # noqa: PLC0415
    from mixnet.client.profile import lock  # noqa: PLC0415
    from mixnet.errors import MixnetError  # noqa: PLC0415

    try:
        with trio.move_on_after(LOOK):
            async with connect(directory) as me:
                return wording.trouble(await me.status())
    except MixnetError:
        return ""
    holder = lock.holder(directory / LOCK)
    return f"the daemon (process {holder}) does not answer: it is busy, or was stopped" if holder else ""


def _interrupted(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_interrupted(one) for one in error.exceptions)
    return isinstance(error, KeyboardInterrupt)
