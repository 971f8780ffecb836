"""What is printed when a person stops waiting for a message: the daemon goes on (spec/09-command.md)."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from client.cli import render
from client.cli.options import command


class Watch:
    """Around all that a command does: Ctrl-C says how to look at the message it waits for, and how to cancel it."""

    def __init__(self, profile: str, folder: Path | None) -> None:
        """`number` is set once there is a message to wait for."""
        self._profile, self._folder = profile, folder
        self.number: int | None = None

    def __enter__(self) -> Self:
        """Nothing yet."""
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        """Explain, and let the interruption go on as ever."""
        if error is not None and self.number is not None and _interrupted(error):
            look = command(self._folder, "message", self._profile, self.number)
            cancel = command(self._folder, "cancel", self._profile, self.number)
            render.note(f"the daemon goes on sending: look with `{look}`, cancel with `{cancel}`")


def _interrupted(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_interrupted(one) for one in error.exceptions)
    return isinstance(error, KeyboardInterrupt)
