"""Frames on each link, from bytes that the kernel counted: pure (spec/11-demonstration.md).

Promises: what an observer of the links could count, and nothing else: who, to whom, how many frames of the one size in
a span of time. A connection counts from when it was first seen; a partial frame counts when the rest has come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from mixnet.deploy.observe.kernel import Connection
from mixnet.link.frames import FRAME_SIZE
from mixnet.link.records import RECORD_OVERHEAD

Link = tuple[str, str]


class FrameCounts:
    """Turns one reading after another into frames since the one before."""

    def __init__(self, name_of: Callable[[Connection], str | None], nodes: Callable[[str], str | None]) -> None:
        """`name_of` says whose a near end is, None if it is to be left out; `nodes` which node has an address."""
        self._name_of, self._nodes = name_of, nodes
        self._before: dict[tuple[str, int, str, int], tuple[int, int]] = {}  # bytes that were counted as frames

    def since(self, connections: Iterable[Connection]) -> Counter[Link]:
        """Frames of each link since the last call; links between which nothing went are left out."""
        found: Counter[Link] = Counter()
        now = {}
        for one in connections:
            peer = self._nodes(one.peer)
            if peer is None:
                continue
            key = one[:4]
            sent, received = self._before.get(key, (one.sent, one.received))
            node = self._nodes(one.host)
            me = node or self._name_of(one)
            if me is None:
                continue
            frames, sent = _frames(sent, one.sent)
            found[me, peer] += frames
            if node is None:  # both ends of other links are seen, and each tells what it sent
                frames, received = _frames(received, one.received)
                found[peer, me] += frames
            now[key] = sent, received
        self._before = now
        return +found


def _frames(before: int, now: int) -> tuple[int, int]:
    """(frames that have come since, bytes up to which all is counted)."""
    frames, rest = divmod(max(0, now - before), FRAME_SIZE)
    # Records have one frame or a few: what is left over is their overhead, or else the begin of the next frame.
    return frames, now if rest <= frames * RECORD_OVERHEAD else now - rest
