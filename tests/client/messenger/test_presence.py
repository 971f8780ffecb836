"""How well a contact that writes every minute tells when the daemon runs: by acknowledgements, prompt or delayed.

`python -m tests.client.messenger.test_presence` prints the figures of docs/attacks.md.
"""

import random
import statistics
import sys
import tempfile
from bisect import bisect
from pathlib import Path

import pytest

from client.model.views import AckChoice
from tests.client.worlds import channel as world
from tests.client.worlds.channel import Channel

SLOTS = 2.0  # a second: few, so that a day is short to play
MINUTE = 60.0
PERIOD = 1800.0  # seconds on or off, on average


class Watching(Channel):
    """Alice notes when anything comes from bob; what comes to somebody who is off waits in the mailbox."""

    def __init__(self, tmp, seed):
        super().__init__(tmp, seed, names=("alice",))
        self.join("bob", pause=180.0)
        self.answers: list[float] = []
        self._mailbox: list[tuple] = []
        self.introduce()
        self.run(120)

    def _arrive(self, what, name, *rest) -> None:
        if not self[name].online:
            self._mailbox.append((what, name, *rest))
            return
        if name == "alice":
            self.answers.append(self.now)
        super()._arrive(what, name, *rest)

    def turn(self, *, on: bool) -> None:
        self["bob"].online = on
        waiting, self._mailbox = self._mailbox, self._mailbox[: 0 if on else None]
        if on:
            self["bob"].crash()  # the daemon starts again
            for packet in waiting:
                self._later(self.rng.random() * 5, "arrive", *packet)


def watch(tmp, seed: int, choice: AckChoice, hours: float) -> tuple[float, list[float]]:
    """(area under the ROC curve of "on in this minute", seconds from each coming on to the first answer)."""
    channel, rng = Watching(tmp, seed), random.Random(seed)
    channel["bob"].messenger.people.acknowledgements("alice", choice)
    end, on, change, scores, began, late = channel.now + hours * 3600, True, 0.0, ([], []), [], []
    change = channel.now + rng.expovariate(1 / PERIOD)
    while channel.now < end:
        channel["alice"].messenger.send_text("bob", "?", channel.now, MINUTE)
        channel.run(MINUTE)
        scores[on].append(channel.answers[-1] - channel.now if channel.answers else -1e9)
        if channel.now > change:
            on, change = not on, channel.now + rng.expovariate(1 / PERIOD)
            channel.turn(on=on)
            if on:
                began.append((channel.now, change))
    for came, went in began:
        at = bisect(channel.answers, came)
        if at < len(channel.answers) and channel.answers[at] < went:
            late.append(channel.answers[at] - came)
    off, there = scores
    won = sum((a > b) + (a == b) / 2 for a in there for b in off)
    return won / (len(there) * len(off)), late


@pytest.fixture(autouse=True)
def few_slots(monkeypatch):
    monkeypatch.setattr(world, "RATE", SLOTS)


def test_delayed_answers_tell_less_of_presence_and_nothing_of_the_moment_of_coming(tmp_path):
    prompt, at_once = watch(tmp_path / "prompt", 1, AckChoice.PROMPT, 4)
    delayed, later = watch(tmp_path / "delayed", 1, AckChoice.DELAYED, 4)
    assert prompt > 0.95 and delayed < prompt
    assert statistics.median(at_once) < 20 and statistics.median(later) > 60


if __name__ == "__main__":
    world.RATE = SLOTS
    for choice in reversed(AckChoice):
        areas, times = [], []
        for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 6):
            with tempfile.TemporaryDirectory() as folder:
                area, late = watch(Path(folder), seed, choice, 12)
            areas.append(area)
            times += late
        error = 1.96 * statistics.stdev(areas) / len(areas) ** 0.5
        tenths = statistics.quantiles(times, n=10)
        sys.stdout.write(
            f"{choice}: area {statistics.fmean(areas):.3f} ± {error:.3f}, came on: median {tenths[4]:.0f} s,"
            f" 10 % {tenths[0]:.0f} s, 90 % {tenths[8]:.0f} s, of {len(times)}\n"
        )
