"""Handshakes of a server go step by step (spec/03-links.md 3.2).

Promises: between two steps of handshakes, all other tasks that can run do run. A step is the dearest thing that a
stranger can order, about a millisecond for 1.4 kB: a hundred that came at once would keep every open link waiting. How
many handshakes begin at all is for the doorstep to say. Never: a step that jumps the queue.
"""

from __future__ import annotations

from collections.abc import Callable

import trio


class HandshakePace:
    """Of one server: all its handshakes go through it."""

    def __init__(self) -> None:
        """Nobody is at it."""
        self._one = trio.Lock()

    async def step(self, go_on: Callable[[], bool]) -> bool:
        """What `go_on` says, once those before have had their steps."""
        async with self._one:  # its next holder runs no sooner than in the scheduler's next turn
            return go_on()
