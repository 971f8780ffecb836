"""The time by which things are kept and given up: the machine's, as long as the directory agrees.

See spec/05-directory.md 5.10.

Promises: a clock that is set, forward or back, moves no deadline: from then on time is what the directory agreed with
last, and what has passed since by a clock that nobody sets, until a document agrees with the new time. Before any has,
nothing is over. A machine that no directory answers for a day believes its own clock again, so that what is to be
deleted is deleted some time. Never: documents are chosen by it; for them the machine's own clock counts.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import trio

from mixnet.clock import Clock
from mixnet.pki.document import LASTING_EPOCHS
from mixnet.timer import Timer

ALONE = 86_400.0  # seconds for which a clock has to run evenly, and nobody to contradict it, if nobody confirms it


class AgreedClock:
    """A clock for all that keeps or destroys; a DocumentKeeper tells it what the directory says."""

    def __init__(self, wall: Clock, tolerance: float) -> None:
        """`wall` is the machine's; in `tolerance` seconds it may differ from what has passed."""
        self.wall = wall
        self._tolerance = tolerance
        self._ahead: float | None = None  # of Trio's clock: what was agreed on last
        self._documented = False  # whether by a document
        self._present = (inf, -inf)  # the epoch of the document that agreed
        self._earliest = -inf  # no time before this can be
        self._alone = (0.0, -inf)  # how far `wall` is ahead of Trio's clock while nobody confirms it, and since when
        self._tell: Callable[[], None] = _nobody

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        wall, passed = self.wall.now(), trio.current_time()
        if self._ahead is not None and abs(wall - passed - self._ahead) <= self._tolerance:
            return wall
        if not self._believed(wall, passed):
            return max(wall, self._earliest) if self._ahead is None else self._ahead + passed
        self._documented = False
        self._settle(wall - passed)
        return wall

    def past(self) -> float:
        """What was over before this may be destroyed: now, or nothing before the first agreement."""
        now = self.now()
        return -inf if self._ahead is None else now

    def timer(self) -> Timer:
        """One of the machine's clock."""
        return self.wall.timer()

    def _believed(self, wall: float, passed: float) -> bool:
        """Whether a time that nothing confirms may be true: no document tells times of one epoch from each other."""
        begin, end = self._present
        if self._ahead is not None and begin <= wall < end and begin <= self._ahead + passed < end:
            return True
        ahead, since = self._alone
        if abs(wall - passed - ahead) > self._tolerance or since == -inf:
            self._alone = (wall - passed, passed)
            return False
        return passed - since >= ALONE and wall >= self._earliest

    def agree(self, begin: float, end: float) -> None:
        """A document that is valid by the machine's clock says so; its own epoch is from `begin` to `end`.

        One that is given to a clock that is behind proves nothing: old documents are kept. If a document agreed before,
        which it may have done two epochs too early, and time since then has brought us farther, that counts.
        """
        ahead = self.wall.now() - trio.current_time()
        if self._ahead is not None and self._ahead - ahead > LASTING_EPOCHS * (end - begin) and self._documented:
            return
        self._present, self._documented = (begin, end), True
        self.not_before(begin)
        self._settle(ahead)

    def contradict(self) -> None:
        """The directory says that the machine's clock is wrong."""
        self._alone = (0.0, -inf)

    def not_before(self, when: float) -> None:
        """A document of that time was in use already."""
        self._earliest = max(self._earliest, when)

    def when_settled(self, tell: Callable[[], None]) -> None:
        """Call `tell` whenever the time is another one than was thought, or certain for the first time."""
        self._tell = tell

    def _settle(self, ahead: float) -> None:
        before, self._ahead = self._ahead, ahead
        self._alone = (0.0, -inf)
        if before is None or abs(ahead - before) > self._tolerance:
            self._tell()


def _nobody() -> None:
    """Nobody waits for a certain time."""
