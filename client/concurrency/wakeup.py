"""A wake-up for one waiting task. Any task may set it, any number of times; it stays set until it is waited for."""

from __future__ import annotations

import trio


class Wakeup:
    """Rings are not counted: however many there were, the listener wakes once and looks at everything."""

    def __init__(self) -> None:
        """Silent."""
        self._event = trio.Event()

    def wake(self) -> None:
        """Wake the listener, or let it not sleep at all if it is busy."""
        self._event.set()

    def listen(self) -> trio.Event:
        """What to wait for; take it before looking at what the rings are about, or one may be missed."""
        self._event = trio.Event()
        return self._event
