"""How long a message takes to reach a group: the client's own schedule and time-outs against plain unicast.

Promises: the trees, time-outs and new plans are those of client/groups (its files rollercoaster and multicast), with
the timing that a client derives from the network's parameters; both ways run over the same model with the same members
away, in virtual time, from one seed. The model is: Poisson payload slots of each member, each carrying one packet of
what waits (acknowledgements first, then what was queued first), four exponential mixing delays, and an exponential wait
for a slot of the down-link. A first message finds nobody in doubt; a later one knows who did not answer to the first.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mixnet.client.core.outgoing import MessengerSettings
from mixnet.client.groups.multicast import SPARE_PLAN, Delivery, TreePlan, TreeTiming, spare_targets
from mixnet.client.groups.rollercoaster import split
from mixnet.errors import LocalError
from mixnet.pki.parameters import Parameters

SIZES = (8, 32, 128)
AWAY = (0.0, 0.2)
QUANTILES = (0.5, 0.9, 1.0)
SLOW = 1.0  # packets a second: the other network that is measured
_SOURCE = 0
_WAYS = ("unicast", "first", "later")


@dataclass(slots=True)
class _Member:
    """`replies` and `queue` wait for slots; a slot is drawn only while something waits (the process has no memory)."""

    replies: deque[tuple[int, Callable[[], None]]] = field(default_factory=deque)
    queue: deque[tuple[int, Callable[[], None]]] = field(default_factory=deque)
    busy: bool = False


class Model:
    """A group on a network, in virtual time. `away` members take nothing and send nothing."""

    def __init__(self, size: int, away: frozenset[int], settings: MessengerSettings, rng: random.Random) -> None:
        """Members are numbers; 0 writes."""
        self.settings, self.rng, self.away = settings, rng, away
        self.members = [_Member() for _ in range(size)]
        self.now = 0.0
        self.reached: dict[int, float] = {}
        self.packets = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Let something happen."""
        if math.isfinite(when):
            heapq.heappush(self._events, (when, next(self._order), what))

    def send(self, sender: int, receiver: int, arrive: Callable[[], None], *, reply: bool = False) -> None:
        """Queue a packet; whatever is no reply is answered by one after `ack_delay`."""
        member = self.members[sender]
        (member.replies if reply else member.queue).append((receiver, arrive))
        if not reply:
            self.packets += 1
        self._arm(sender)

    def run(self, done: Callable[[], bool]) -> None:
        """Until `done`, or nothing happens any more."""
        while self._events and not done():
            self.now, _, what = heapq.heappop(self._events)
            what()

    def _arm(self, sender: int) -> None:
        member = self.members[sender]
        if not member.busy and (member.replies or member.queue):
            member.busy = True
            self.at(self.now + self.rng.expovariate(self.settings.payload_rate), lambda: self._slot(sender))

    def _slot(self, sender: int) -> None:
        member = self.members[sender]
        member.busy = False
        reply = bool(member.replies)
        receiver, arrive = (member.replies if reply else member.queue).popleft()
        self._arm(sender)
        if receiver in self.away:
            return
        settings = self.settings
        delay = sum(self.rng.expovariate(1 / settings.mean_delay) for _ in range(4))
        delay += self.rng.expovariate(settings.downlink_rate)

        def taken() -> None:
            arrive()
            if not reply:
                self.at(self.now + settings.ack_delay, lambda: self.send(receiver, sender, _nothing, reply=True))

        self.at(self.now + delay, taken)


def _nothing() -> None:
    return None


def unicast(model: Model) -> None:
    """The source writes to everybody itself, in an order drawn at random."""
    others = list(range(1, len(model.members)))
    model.rng.shuffle(others)

    def arrived(member: int) -> Callable[[], None]:
        return lambda: model.reached.update({member: model.now})

    for member in others:
        model.send(_SOURCE, member, arrived(member))
    model.run(lambda: _all_reached(model))


class _Group:
    """The members' side of a message: receipts go up the tree that the message came down, gathered on the way."""

    def __init__(self, model: Model, doubted: frozenset[int]) -> None:
        self.model, self.timing = model, TreeTiming.of(model.settings)
        targets = range(1, len(model.members))
        self.delivery = Delivery(targets, doubted, self.timing, model.rng)
        self._handled: set[tuple[int, int]] = set()
        self._parent: dict[int, dict[int, int]] = {member: {} for member in targets}  # of each plan, the first first
        self._gathered: dict[tuple[int, int], set[int]] = {}

    def carry_out(self, plans: Iterable[TreePlan[int]]) -> None:
        """Send what the source shall send, and look again when answers are due."""
        for plan in plans:
            for branch in plan.branches:
                self._pass_on(_SOURCE, branch.child, plan, branch.onward)
        self.model.at(self.delivery.next_due, self._look)

    def _look(self) -> None:
        if self.delivery.next_due <= self.model.now:
            self.carry_out(self.delivery.due(self.model.now))
        else:
            self.model.at(self.delivery.next_due, self._look)

    def _pass_on(self, sender: int, receiver: int, plan: TreePlan[int], onward: tuple[int, ...]) -> None:
        self.model.send(sender, receiver, lambda: self._take(sender, receiver, plan, onward))

    def _take(self, sender: int, receiver: int, plan: TreePlan[int], onward: tuple[int, ...]) -> None:
        """As client/groups/dispatch.py: a spare copy counts only if it is the first, and a receipt goes back once."""
        had = receiver in self.model.reached
        self.model.reached.setdefault(receiver, self.model.now)
        if (receiver, plan.number) in self._handled or (had and plan.number == SPARE_PLAN):
            return
        self._handled.add((receiver, plan.number))
        self._parent[receiver][plan.number] = sender
        if not had or plan.number:
            self._gather(receiver, plan.number, {receiver})
        for branch in split(onward, self.timing.latency):
            self._pass_on(receiver, branch.child, plan, branch.onward)
        if not had:
            others = frozenset(self._parent) - {receiver, sender, *onward}
            for other in spare_targets(sorted(others), plan.spares, self.model.rng):
                self._pass_on(receiver, other, TreePlan(SPARE_PLAN, [], plan.spares), ())

    def _receipts(self, member: int, plan: int, whom: set[int]) -> None:
        """Receipts come in: the source notes them, others hand them on after a while."""
        if member != _SOURCE:
            self._gather(member, plan if plan in self._parent[member] else next(iter(self._parent[member])), whom)
            return
        for one in whom:
            self.delivery.acknowledged(one)

    def _gather(self, member: int, plan: int, whom: set[int]) -> None:
        waiting = self._gathered.setdefault((member, plan), set())
        if not waiting:
            self.model.at(self.model.now + self.timing.gather, lambda: self._hand_on(member, plan))
        waiting |= whom

    def _hand_on(self, member: int, plan: int) -> None:
        whom, parent = self._gathered.pop((member, plan)), self._parent[member][plan]
        self.model.send(member, parent, lambda: self._receipts(parent, plan, whom))


def rollercoaster(model: Model, doubted: frozenset[int] | None = None) -> frozenset[int]:
    """The client's schedule; gives who was in doubt when all that are there had answered.

    `doubted` is what it gave for the message before; None for a first message, when nobody was heard of yet.
    """
    unheard = frozenset(range(1, len(model.members))) if doubted is None else frozenset[int]()
    group = _Group(model, doubted or frozenset())
    group.carry_out([group.delivery.start(0.0, unheard)])
    model.run(lambda: _all_reached(model) and group.delivery.missing <= model.away)
    return model.away & frozenset(group.delivery.doubted) | frozenset(group.delivery.missing)


def _all_reached(model: Model) -> bool:
    return len(model.reached) == len(model.members) - 1 - len(model.away)


def settings_of(parameters: Parameters) -> MessengerSettings:
    """What a client makes of a network's parameters, as far as it matters here."""
    return MessengerSettings(
        mean_delay=parameters.mean_delay,
        payload_rate=parameters.payload_rate,
        downlink_rate=parameters.downlink_rate,
        link_latency=parameters.link_latency,
        ack_delay=parameters.ack_delay,
    )


def _trial(size: int, share: float, settings: MessengerSettings, seed: str) -> dict[str, tuple[Model, list[float]]]:
    """One message in each way, with the same members away: the model after it, and the times, ascending."""
    away = frozenset(random.Random(f"{seed} away").sample(range(1, size), round(share * size)))
    models = {way: Model(size, away, settings, random.Random(f"{seed} {way}")) for way in _WAYS}
    unicast(models["unicast"])
    doubted = rollercoaster(models["first"])
    rollercoaster(models["later"], doubted)
    for way, model in models.items():
        if not _all_reached(model):
            raise LocalError(f"members of a group were not reached ({way}): this is a bug of its schedule")
    return {way: (model, sorted(model.reached.values())) for way, model in models.items()}


def at_quantile(times: list[float], quantile: float) -> float:
    """When this share of the members that are there had it."""
    return times[math.ceil(quantile * len(times)) - 1]


def compare(size: int, share: float, settings: MessengerSettings, *, trials: int, seed: int) -> dict[str, Any]:
    """One row of the table: times to each quantile with 95 % intervals, packets, and how much faster it was."""
    from mixnet.benchmarks.base.statistics import mean  # noqa: PLC0415  # scipy, which a test of the model alone needs not load

    runs = [_trial(size, share, settings, f"{seed} {size} {share} {number}") for number in range(trials)]
    row: dict[str, Any] = {"members": size, "away": share, "trials": trials, "seconds": {}, "packets": {}, "faster": {}}
    for way in _WAYS:
        found = {str(q): mean([at_quantile(run[way][1], q) for run in runs]) for q in QUANTILES}
        row["seconds"][way] = {q: list(estimate) for q, estimate in found.items()}
        row["packets"][way] = sum(run[way][0].packets for run in runs) / trials
    for way in _WAYS[1:]:
        ratios = {str(q): mean([_ratio(run, way, q) for run in runs]) for q in QUANTILES}
        row["faster"][way] = {q: list(estimate) for q, estimate in ratios.items()}
    return row


def _ratio(run: Mapping[str, tuple[Model, list[float]]], way: str, quantile: float) -> float:
    return at_quantile(run["unicast"][1], quantile) / at_quantile(run[way][1], quantile)


def measure(*, trials: int = 40, seed: int = 1, sizes: Iterable[int] = SIZES) -> dict[str, Any]:
    """All sizes and shares, on a network of the default parameters and on one with a slot a second."""
    networks = {"default": Parameters(), "slow": Parameters(payload_rate=SLOW, downlink_rate=2 * SLOW)}
    tables = []
    for name, parameters in networks.items():
        settings = settings_of(parameters)
        rows = [compare(size, share, settings, trials=trials, seed=seed) for size in sizes for share in AWAY]
        tables.append({"network": name, "payload_rate": settings.payload_rate, "rows": rows})
    return {"seed": seed, "mean_delay": Parameters().mean_delay, "tables": tables}


def render(figures: Mapping[str, Any]) -> None:
    """The tables for a person."""
    from mixnet.deploy.display import say, tabulate  # noqa: PLC0415

    columns = ("members", "away", "way", "50 %", "90 %", "100 %", "faster at 90 %", "packets")
    for table in figures["tables"]:
        rows: list[tuple[object, ...]] = []
        for row in table["rows"]:
            for way in _WAYS:
                times = [_interval(row["seconds"][way][str(q)], 2) for q in QUANTILES]
                faster = _interval(row["faster"][way]["0.9"], 1) if way in row["faster"] else ""
                rows.append((row["members"], f"{row['away']:.0%}", way, *times, faster, f"{row['packets'][way]:.0f}"))
        tabulate(f"seconds until members have it, {table['payload_rate']:g} slots a second", columns, rows)
    say(
        "unicast: the author writes to everybody. first: nobody is known to be away. later: who didn't answer is known."
    )
    say("Virtual time; the means over trials and their 95 % intervals; members who are away are not counted.")


def _interval(estimate: list[float], digits: int) -> str:
    value, low, high = (f"{one:.{digits}f}" for one in estimate)
    return f"{value} ({low}-{high})"
