"""A wake-up for one task, which any other task may send, any number of times."""

from __future__ import annotations

import trio


class Wakeup:
    """Wake-ups are not counted: however many were sent, the task wakes once and looks at everything."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def wake(self) -> None:
        """Wake the task; if it is busy, it won't sleep before it has looked once more."""
        self._event.set()

    def listen(self) -> trio.Event:
        """The event to wait for. Take it before looking at what there is to do, or a wake-up may be missed."""
        self._event = trio.Event()
        return self._event
