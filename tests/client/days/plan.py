"""What happens in a story of some days, as data: who there is, what they do and what goes wrong.

Promises: a plan follows from its seed and its numbers alone, so that a failing one can be played again; it has every
kind of deed and of fault. Times are seconds since the days began. Pure.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

HOUR, DAY = 3600.0, 86_400.0
HOME, PHONE = 0, 1  # the devices of a person
NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy")
GROUPS = {  # the first one makes it; each overlaps with both others
    "hikers": ("alice", "bob", "carol", "dave"),
    "choir": ("dave", "erin", "frank", "grace"),
    "allotment": ("grace", "heidi", "ivan", "judy", "bob"),
}
GOING = {("frank", "choir"), ("ivan", "allotment"), ("heidi", "allotment")}  # they are removed, or leave
FILE_SIZE = 3000  # bytes: two fragments


@dataclass(frozen=True)
class Deed:
    """Something that `who` does on one of the devices: at `at`, or as soon after as that is running."""

    at: float
    who: str
    device: int


@dataclass(frozen=True)
class Write(Deed):
    """Send a text that is unlike any other; given up after `expires` seconds, or cancelled `cancel` seconds later."""

    to: str  # a person, or a group
    text: str
    expires: float | None = None
    cancel: float | None = None


@dataclass(frozen=True)
class Hand(Deed):
    """Send a file of that name."""

    to: str
    text: str


@dataclass(frozen=True)
class Read(Deed):
    """Mark all that has come as read."""


@dataclass(frozen=True)
class CallContact(Deed):
    """Give a contact another name, here only: its own, and then this."""

    whom: str
    suffix: str


@dataclass(frozen=True)
class Retitle(Deed):
    """An admin gives a group another name."""

    group: str
    title: str


@dataclass(frozen=True)
class Remove(Deed):
    """An admin removes a member."""

    group: str
    whom: str


@dataclass(frozen=True)
class Leave(Deed):
    """A member leaves."""

    group: str


@dataclass(frozen=True)
class Kill:
    """kill -9, and a new start `away` seconds later; at once, or in the middle of so many writes to the store."""

    at: float
    who: str
    device: int
    writes: int
    away: float


@dataclass(frozen=True)
class Off:
    """A device is shut down and started again at `until`."""

    at: float
    who: str
    device: int
    until: float


@dataclass(frozen=True)
class Down:
    """A provider is killed and comes back at `until`, with the mailboxes as they were."""

    at: float
    provider: int
    until: float


@dataclass(frozen=True)
class Cut:
    """Some devices can't reach their providers until `until`; what is under way waits, as TCP has it."""

    at: float
    devices: tuple[tuple[str, int], ...]
    until: float


@dataclass(frozen=True)
class Split:
    """No packet gets from one half of the nodes to the other until `until`."""

    at: float
    until: float


Fault = Kill | Off | Down | Cut | Split


@dataclass(frozen=True)
class Plan:
    """A whole story. `skews` are seconds by which the clocks of (person, device) are fast."""

    seed: int
    days: float
    pairs: tuple[tuple[str, str], ...]
    groups: dict[str, tuple[str, ...]]
    loss: float
    duplication: float
    skews: dict[tuple[str, int], float]
    deeds: list[Deed] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def people(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for pair in self.pairs for name in pair))


@dataclass(frozen=True)
class Rates:
    """How much happens, a day. Of a person, but `kills` of a device and `splits` and `downs` of the network."""

    texts: float = 5.0
    posts: float = 1.5
    reads: float = 3.0
    kills: float = 1.5
    cuts: float = 4.0


def draw(seed: int, days: float, rates: Rates | None = None) -> Plan:
    """The plan of a seed."""
    return _Author(seed, days, rates or Rates()).plan()


class _Author:
    """Draws a plan, in one order."""

    def __init__(self, seed: int, days: float, rates: Rates) -> None:
        self.rng = random.Random(seed)
        self.seed, self.days, self.rates = seed, days, rates
        self.end = days * DAY
        self.devices = [(name, device) for name in NAMES for device in (HOME, PHONE)]
        makers = {(members[0], other) for members in GROUPS.values() for other in members[1:]}
        ring = {(NAMES[at - 1], NAMES[at]) for at in range(len(NAMES))}
        self.pairs = sorted({tuple(sorted(pair)) for pair in makers | ring})
        self.friends = {
            name: sorted({one for pair in self.pairs if name in pair for one in pair if one != name}) for name in NAMES
        }

    def plan(self) -> Plan:
        deeds = [*self._chat(), *self._crossing(), *self._posts(), *self._reads(), *self._seldom()]
        faults = [*self._kills(), *self._nights(), *self._outages(), *self._cuts()]
        return Plan(
            seed=self.seed,
            days=self.days,
            pairs=tuple((one, other) for one, other in self.pairs),
            groups=dict(GROUPS),
            loss=0.03,
            duplication=0.03,
            skews={device: self.rng.uniform(-40.0, 40.0) for device in self.devices},
            deeds=sorted(deeds, key=lambda deed: deed.at),
            faults=sorted(faults, key=lambda fault: fault.at),
        )

    def _times(self, rate: float) -> list[float]:
        """Poisson, in the days: `rate` a day."""
        times, now = [], 0.0
        while (now := now + self.rng.expovariate(rate / DAY)) < self.end:
            times.append(now)
        return times

    def _device(self) -> int:
        return self.rng.choice((HOME, HOME, PHONE))

    def _chat(self) -> list[Deed]:
        made: list[Deed] = []
        for who in NAMES:
            for number, at in enumerate(self._times(self.rates.texts)):
                to = self.rng.choice(self.friends[who])
                length = self.rng.choice((0, 0, 0, 40, 3000))
                made.append(Write(at, who, self._device(), to, f"{who} to {to} {number} " + "x" * length))
        return made

    def _crossing(self) -> list[Deed]:
        """Both at the same instant."""
        made: list[Deed] = []
        for number, at in enumerate(self._times(2.0)):
            one, other = self.rng.choice(self.pairs)
            made.append(Write(at, one, HOME, other, f"{one} at once {number}"))
            made.append(Write(at, other, HOME, one, f"{other} at once {number}"))
        return made

    def _posts(self) -> list[Deed]:
        """From a satellite only of those who stay: what it asks for may come to its home after that has left."""
        made: list[Deed] = []
        for group, members in GROUPS.items():
            for who in members:
                for number, at in enumerate(self._times(self.rates.posts)):
                    device = HOME if (who, group) in GOING else self._device()
                    expires = self.rng.choice((None, None, None, 1800.0))
                    made.append(Write(at, who, device, group, f"{who} in {group} {number}", expires=expires))
        return made

    def _reads(self) -> list[Deed]:
        return [Read(at, who, self._device()) for who in NAMES for at in self._times(self.rates.reads)]

    def _seldom(self) -> list[Deed]:
        """What happens a few times in all, somewhere in the middle of each two days."""
        made: list[Deed] = []
        for turn in range(max(1, round(self.days / 2))):
            middle = [self.end * (turn + part) / max(1, round(self.days / 2)) for part in (0.3, 0.4, 0.5, 0.6)]
            for number, at in enumerate(middle[:2]):
                who = self.rng.choice(NAMES)
                to = self.rng.choice(self.friends[who])
                made.append(Hand(at, who, self.rng.choice((HOME, PHONE)), to, f"{who}-{turn}-{number}.bin"))
            for device in (HOME, PHONE):
                who = self.rng.choice(NAMES)
                to = self.rng.choice(self.friends[who])
                made.append(Write(middle[1], who, device, to, f"{who} in time {turn} {device}", expires=1800.0))
                made.append(Write(middle[2], who, device, to, f"{who} never mind {turn} {device}", cancel=60.0))
            who = self.rng.choice(NAMES)
            made.append(CallContact(middle[3], who, self._device(), self.rng.choice(self.friends[who]), f"no {turn}"))
            made.append(Retitle(middle[2], "alice", HOME, "hikers", f"walkers {turn}"))
        made.append(Remove(self.end * 0.5, "dave", HOME, "choir", "frank"))
        for who in ("ivan", "heidi"):  # at once, so that neither hears of the other in the group
            at = self.end * 0.6 + self.rng.uniform(0.0, 600.0)
            made.append(Write(at - 30.0, who, HOME, "allotment", f"{who}'s last words"))
            made.append(Leave(at, who, HOME, "allotment"))
        return made

    def _kills(self) -> list[Fault]:
        made: list[Fault] = []
        for who, device in self.devices:
            for at in self._times(self.rates.kills):
                writes = self.rng.choice((0, self.rng.randrange(1, 60)))
                made.append(Kill(at, who, device, writes, self.rng.uniform(1.0, 900.0)))
        return made

    def _nights(self) -> list[Fault]:
        """Each person's own hours, in which a device is off; a home less often than a phone."""
        made: list[Fault] = []
        for who, device in self.devices:
            begin, length = self.rng.uniform(0, DAY), self.rng.uniform(2, 8) * HOUR
            for day in range(int(self.days)):
                at = day * DAY + begin
                if device == PHONE or self.rng.random() < 0.6:
                    made.append(Off(at, who, device, at + length))
        return made

    def _outages(self) -> list[Fault]:
        """Once in each two days, or in what there is of them: none begins after the end."""
        made: list[Fault] = []
        for turn in range(max(1, round(self.days / 2))):
            begin = turn * 2 * DAY
            span = min(2 * DAY, self.end - begin)
            at = begin + self.rng.uniform(0.1, 0.75) * span
            made.append(Down(at, turn % 2, at + HOUR))
            at = begin + self.rng.uniform(0.1, 0.75) * span
            made.append(Split(at, at + 3 * HOUR))
        return made

    def _cuts(self) -> list[Fault]:
        made: list[Fault] = []
        for at in self._times(self.rates.cuts):
            some = tuple(device for device in self.devices if self.rng.random() < 0.3)
            made.append(Cut(at, some, at + self.rng.uniform(0.2, 2.0) * HOUR))
        return made
