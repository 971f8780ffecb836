"""A precise timer: one deadline that one task waits for (spec/04-mixing.md 4.1).

Promises: `wait` never returns before the deadline, whatever `set` did meanwhile; moving the deadline wakes nobody. A
timer of the kernel is late by what it takes to switch to a task; one of Trio's by up to a millisecond more, since epoll
takes whole milliseconds and Trio rounds up. Nothing is polled, and a timer holds at most one file descriptor, until it
is closed.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys

import trio

from mixnet.errors import LocalError

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_MONOTONIC = 1  # CLOCK_MONOTONIC, whose seconds are those of Trio's clock
_FLAGS = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)  # which TFD_NONBLOCK and TFD_CLOEXEC are by definition
_LONGEST = 1e9  # seconds: the kernel has whole numbers, a deadline may be any


class TrioTimer:
    """A deadline of Trio's own: in virtual time exact, in real time up to a millisecond late; `closing` closes it."""

    def __init__(self) -> None:
        """Without a deadline."""
        self._deadline = math.inf
        self._scope = trio.CancelScope()

    def set(self, deadline: float) -> None:
        """Move the deadline (seconds of Trio's clock; infinity: none), also while somebody waits."""
        self._deadline = self._scope.deadline = deadline

    async def wait(self) -> None:
        """Wait until the deadline has come. One task at a time."""
        while True:
            with trio.CancelScope(deadline=self._deadline) as self._scope:
                await trio.sleep_forever()
            if self._deadline <= trio.current_time():
                return

    def close(self) -> None:
        """It holds nothing."""


class _Span(ctypes.Structure):
    """struct timespec."""

    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    """struct itimerspec: what repeats, and when it rings first."""

    _fields_ = (("interval", _Span), ("first", _Span))


class KernelTimer:
    """A timerfd: a file descriptor that is readable from the deadline on. `timerfd` opens one."""

    def __init__(self, descriptor: int) -> None:
        """Take over a timerfd that is not set."""
        self._descriptor = descriptor
        self._deadline = math.inf
        self._setting = _Setting()

    def set(self, deadline: float) -> None:
        """Move the deadline."""
        if deadline != self._deadline:
            self._deadline = deadline
            self._arm()

    async def wait(self) -> None:
        """Wait until the deadline has come."""
        while True:
            await trio.lowlevel.wait_readable(self._descriptor)
            if self._deadline <= trio.current_time():
                return  # it stays readable, unread, until it is set anew
            self._arm()

    def close(self) -> None:
        """Close the descriptor; who still waits gets trio.ClosedResourceError."""
        trio.lowlevel.notify_closing(self._descriptor)
        os.close(self._descriptor)

    def _arm(self) -> None:
        """Set the kernel's timer to the time that is left; it is not readable before that is over."""
        first = self._setting.first
        first.seconds = first.nanoseconds = 0  # which sets no time at all
        if self._deadline < math.inf:
            left = min(max(self._deadline - trio.current_time(), 0.0), _LONGEST)
            first.seconds, first.nanoseconds = divmod(math.ceil(left * 1e9) + 1, 1_000_000_000)
        assert _LIBC is not None  # noqa: S101 -- it made the descriptor
        if _LIBC.timerfd_settime(self._descriptor, 0, ctypes.byref(self._setting), None):
            raise LocalError(f"a timer can't be set: {os.strerror(ctypes.get_errno())}")


Timer = TrioTimer | KernelTimer  # one deadline; at first there is none


def timerfd() -> KernelTimer | None:
    """A timer of the kernel; None where there are none, or no descriptor is left."""
    create = getattr(_LIBC, "timerfd_create", None)
    descriptor = -1 if create is None else create(_MONOTONIC, _FLAGS)
    return None if descriptor < 0 else KernelTimer(descriptor)
