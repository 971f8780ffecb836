"""Makes, opens and removes keys on the disk while packets go on (spec/04-mixing.md 4.2).

Promises: nothing here holds up the event loop: what waits for the disk runs in a thread. One turn at a time, so no key
is made twice; calls about one epoch's files never overlap, so none is opened while it is being removed; different
epochs don't wait for one another. A caller who is cancelled waits for the end of what has begun. A key is in the ring
only when it is on the disk. In the simulated world all is called in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple
from weakref import WeakValueDictionary

import trio

from mixnode.keys import EpochKey, KeyRing

T = TypeVar("T")
Given = TypeVarTuple("Given")


class KeyRotation:
    """Makes and deletes the keys in the key ring of one node, on the disk and in memory."""

    def __init__(self, keys: KeyRing, *, on_thread: bool) -> None:
        """`keys` as it was opened; `on_thread`: whether it lies on a disk that may be slow."""
        self.keys = keys
        self._on_thread = on_thread
        self._turning = trio.Lock()
        self._epochs: WeakValueDictionary[int, trio.Lock] = WeakValueDictionary()

    async def turn(self, now: float, past: float | None = None) -> None:
        """Do what `KeyRing.turn` does, beside the packets. Raises LocalError if the disk refuses a new key."""
        async with self._turning:
            for epoch in self.keys.forget(now if past is None else past):
                await self._call(epoch, self.keys.store.delete, epoch)
            for epoch in self.keys.missing(now):
                self.keys.add(await self._call(epoch, self.keys.store.create, epoch))

    async def begin(self, key: EpochKey) -> None:
        """Have `key` ready for its first tags; Unavailable if the disk refuses, or the key is gone by now."""
        await self._call(key.epoch, key.replay.begin)

    async def _call(self, epoch: int, function: Callable[[*Given], T], *args: *Given) -> T:
        """What `function` returns or raises, after all earlier calls about the files of `epoch`."""
        lock = self._epochs.setdefault(epoch, trio.Lock())
        async with lock:
            if self._on_thread:
                return await trio.to_thread.run_sync(function, *args)
            return function(*args)
