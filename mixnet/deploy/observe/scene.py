"""From samples to what the page is told: pure (spec/11-demonstration.md).

Promises: the same samples give the same messages, so a recording that is replayed shows what was seen; memory is
bounded however long it runs. Links are counts of frames, never frames: which packet goes where is nowhere in here.
"""

from __future__ import annotations

import math
import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping

import msgspec

from mixnet.clock import Epochs
from mixnet.deploy.observe.entropy import Pools, estimate, optimum
from mixnet.deploy.observe.messages import (
    Alike,
    Anonymity,
    Band,
    ClientLine,
    ClientRow,
    Figures,
    Latency,
    Layout,
    Message,
    NodeRow,
    NodeShape,
    Tick,
)
from mixnet.deploy.observe.samples import (
    MOST_CLIENTS,
    MOST_LINKS,
    ClientSample,
    Heading,
    NodeSample,
    Rules,
    Sample,
)
from mixnet.deploy.observe.window import Window

MINUTE, MOMENT, LONG = 60.0, 10.0, 300.0  # seconds over which figures are taken
ESTIMATES = 5.0  # seconds between two estimates of the entropy
MOST_ENDS = 512  # clients that are shown, beside some of ours
PAST = 40.0  # seconds of ticks that a page is given when it opens
AUTHORITY, MIX, PROVIDER = "authority", "mix", "provider"
BANDS = {"message": "messages", "acknowledgement": "answers", "question": "asked", "request": "asked", "loop": "loops"}
WORDS = {
    "loops_late": "too many loops come back late",
    "loops_missing": "too many loops are lost",
    "alarm: warned": "more loops are lost than chance explains",
    "alarm: paused": "next to no loop comes back, so it sends cover only",
}
COVER = "cover"  # what other frames are: drop cover and padding

Link = tuple[str, str]


def band(before: Mapping[str, int], now: Mapping[str, int]) -> Band:
    """What a daemon counted since, in the groups of the page; a daemon that was started anew begins at 0."""
    found: Counter[str] = Counter()
    for kind, count in now.items():
        found[BANDS.get(kind, COVER)] += max(0, count - before.get(kind, 0))
    return dict(+found)


class Scene:
    """What is known of a network, and what the page is told about it."""

    def __init__(self, heading: Heading, *, replay: bool = False) -> None:
        """Nothing is known yet but which nodes there are."""
        self._heading, self._replay = heading, replay
        self._epochs = Epochs(heading.genesis, heading.epoch_length)
        self._nodes: dict[str, NodeSample] = dict.fromkeys(heading.nodes, NodeSample())
        self._own: dict[str, ClientSample] = {}
        self._times: dict[str, ClientSample] = {}  # the newest samples that tell how long loops took
        self._rules: Rules | None = None
        self._links: list[Link] = []  # in the order in which they were first seen, as clients are
        self._clients: list[str] = []
        self._shape: Layout | None = None
        self._ticks: deque[Tick] = deque(maxlen=max(1, round(PAST / heading.tick)))
        self._moment: Window[Link] = Window(MOMENT)
        self._minute: Window[Link] = Window(MINUTE)
        self._told: Window[tuple[str, str]] = Window(MINUTE)  # (client, group of frames)
        self._counters: Window[tuple[str, str]] = Window(MOMENT)  # (node, what is counted)
        self._loops: Window[tuple[str, int]] = Window(LONG)  # ("drawn" | "took", number of the bin)
        self._estimates: deque[tuple[float, float, int]] = deque(maxlen=round(LONG / ESTIMATES))
        self._estimated = -math.inf
        self._figures: Figures | None = None

    def take(self, sample: Sample) -> Iterator[Message]:
        """Add a sample, and say what is new."""
        self._rules = sample.rules or self._rules
        lines = self._look_at_clients(sample)
        self._look_at_nodes(sample)
        flows = self._shown(sample)
        self._moment.add(sample.at, flows)
        self._minute.add(sample.at, flows)
        shape = self._layout()
        if shape != self._shape:
            self._shape = shape
            yield self.opening()
        number = {link: place for place, link in enumerate(self._links)}
        tick = Tick(
            sample.at,
            sorted((number[link], count) for link, count in flows.items()),
            [self._line(name, flows, lines.get(name)) for name in shape.clients],
        )
        self._ticks.append(tick)
        yield tick
        if sample.nodes:
            self._estimate(sample.at)
            self._figures = self._summary(sample.at)
            yield self._figures

    def _shown(self, sample: Sample) -> Counter[Link]:
        """The frames of links, in as far as there is room for these and for who is at their ends."""
        links, clients = set(self._links), set(self._clients)
        flows = Counter[Link]()
        for name in sorted(self._own.keys() - clients):
            self._clients.append(name)
        clients.update(self._own)
        for source, target, count in sorted(sample.flows):
            strangers = {source, target} - self._nodes.keys() - clients
            if (source, target) not in links:
                if len(links) >= MOST_LINKS or len(clients) + len(strangers) > MOST_ENDS:
                    continue
                links.add((source, target))
                self._links.append((source, target))
                self._clients += sorted(strangers)
                clients |= strangers
            flows[source, target] = count
        return flows

    def opening(self) -> Layout:
        """What a page that opens now has to know."""
        return msgspec.structs.replace(self._shape or self._layout(), past=list(self._ticks))

    @property
    def figures(self) -> Figures | None:
        """The newest."""
        return self._figures

    def _look_at_clients(self, sample: Sample) -> dict[str, Band]:
        """What each client of ours sent since, as its daemon tells."""
        told: dict[str, Band] = {}
        loops: Counter[tuple[str, int]] = Counter()
        for name, now in sample.clients.items():
            before = self._own.get(name)
            if before is None and len(self._own) >= MOST_CLIENTS:
                continue
            if now.up and before is not None and before.up:
                told[name] = band(before.frames, now.frames)
            if now.took:
                old = self._times.get(name)
                if old is not None:
                    loops += _more("drawn", old.drawn, now.drawn) + _more("took", old.took, now.took)
                self._times[name] = now
            self._own[name] = now
        if sample.clients:
            pairs = {(name, group): count for name, groups in told.items() for group, count in groups.items()}
            self._told.add(sample.at, pairs)
            self._loops.add(sample.at, +loops)
        return told

    def _look_at_nodes(self, sample: Sample) -> None:
        counted: Counter[tuple[str, str]] = Counter()
        for name, now in sample.nodes.items():
            before = self._nodes.get(name)
            if name not in self._nodes or before is None:
                continue
            if before.up and now.up:
                counted[name, "in"] = max(0, now.packets_in - before.packets_in)
                counted[name, "out"] = max(0, now.packets_out - before.packets_out)
                counted[name, "cpu"] = max(0, round(1e6 * (now.cpu_seconds - before.cpu_seconds)))
            self._nodes[name] = now
        if sample.nodes:
            self._counters.add(sample.at, counted)

    def _layout(self) -> Layout:
        """The picture's parts, without the past."""
        heading = self._heading
        shapes = [NodeShape(name, kind, self._nodes[name].layer or 0) for name, kind in heading.nodes.items()]
        return Layout(
            heading.title,
            self._replay,
            heading.links_seen,
            heading.tick,
            heading.bin_width,
            shapes,
            list(self._clients),
            list(self._links),
            [],
        )

    def _line(self, name: str, flows: Mapping[Link, int], told: Band | None) -> ClientLine:
        up = sum(count for (source, _), count in flows.items() if source == name)
        down = sum(count for (_, target), count in flows.items() if target == name)
        return ClientLine(up, down, told)

    def _estimate(self, at: float) -> None:
        """How well a packet is hidden at the rates of the last minute."""
        if at - self._estimated < ESTIMATES:
            return
        pools = self._pools()
        found = None if pools is None else estimate(pools, random.Random(round(1000 * at)))
        if pools is not None and found is not None:
            self._estimated = at
            best = optimum(pools.rate, pools.holds, pools.mean_delay)
            self._estimates.append((found[0], best, found[1]))

    def _pools(self) -> Pools | None:
        """The network as the links show it; None while nothing enters, or not all layers are there."""
        entering: Counter[str] = Counter()
        for (source, target), count in self._minute.total().items():
            if source not in self._nodes and self._heading.nodes.get(target) == PROVIDER:
                entering[target] += count
        layers: dict[int, list[str]] = {}
        for name, node in self._nodes.items():
            if node.up and node.layer is not None and self._heading.nodes[name] == MIX:
                layers.setdefault(node.layer, []).append(name)
        if (
            self._rules is None
            or not entering
            or self._minute.span <= 0
            or sorted(layers) != list(range(1, len(layers) + 1))
            or not layers
        ):
            return None
        rates = {name: count / self._minute.span for name, count in sorted(entering.items())}
        return Pools(rates, tuple(tuple(layers[layer]) for layer in sorted(layers)), self._rules.mean_delay)

    def _summary(self, at: float) -> Figures:
        clock = self._heading.began + at
        epoch = self._epochs.at(clock)
        left = self._epochs.end(epoch) - clock
        return Figures(
            at,
            clock,
            epoch,
            1 - left / self._epochs.length,
            left,
            [self._node_row(name) for name in self._heading.nodes],
            [self._client_row(name) for name in self._clients],
            [self._moment.rate(link) for link in self._links],
            self._alarms(),
            self._alike(),
            self._anonymity(),
            self._latency(),
        )

    def _node_row(self, name: str) -> NodeRow:
        node = self._nodes[name]
        return NodeRow(
            name,
            "ready" if node.ready else "starting" if node.up else "no answer",
            self._counters.rate((name, "in")),
            self._counters.rate((name, "out")),
            node.held,
            sum(node.dropped.values()),
            node.loops_sent,
            node.loops_returned,
            node.loops_lost,
            node.signatures,
            node.memory_bytes,
            self._counters.rate((name, "cpu")) / 1e6,
            node.restarts,
            node.warnings,
        )

    def _client_row(self, name: str) -> ClientRow:
        up = [link for link in self._links if link[0] == name]
        down = [link for link in self._links if link[1] == name]
        spread = max((self._minute.spread(link) for link in up), default=0.0)
        told = {group: count for (whose, group), count in self._told.total().items() if whose == name}
        return ClientRow(
            name,
            name in self._own,
            sum(map(self._minute.rate, up)),
            sum(map(self._minute.rate, down)),
            spread,
            told,
        )

    def _alarms(self) -> list[str]:
        """What is wrong, in words."""
        found = []
        for name, node in self._nodes.items():
            if not node.up:
                found.append(f"{name} doesn't answer")
            elif not node.ready:
                found.append(f"{name} isn't ready")
            found += [f"{name}: {WORDS.get(warning, warning)}" for warning in node.warnings]
        for name, client in self._own.items():
            if client.up and not client.connected:
                found.append(f"{name} isn't connected")
            found += [f"{name}: {WORDS.get(warning, warning)}" for warning in client.warnings]
        return found

    def _alike(self) -> Alike | None:
        """What an observer would have to tell apart."""
        sent = {name: self._told[name, "messages"] for name, client in self._own.items() if client.connected}
        if len(sent) < 2:
            return None
        busy, idle = (choose(sent, key=lambda name: (sent[name], name)) for choose in (max, min))
        one, other = (sum(self._minute[link] for link in self._links if link[0] == name) for name in (busy, idle))
        return Alike(busy, idle, one, other, sent[busy], (one - other) / math.sqrt(one + other) if one + other else 0.0)

    def _anonymity(self) -> Anonymity | None:
        pools = self._pools()
        if not self._estimates or pools is None:
            return None
        lately = list(self._estimates)[-round(MINUTE / ESTIMATES) :]
        return Anonymity(
            sum(one for one, _, _ in lately) / len(lately),
            sum(best for _, best, _ in lately) / len(lately),
            pools.rate,
            pools.mean_delay,
            pools.holds,
            len(self._clients),
            sum(targets for _, _, targets in lately),
            [(one, best) for one, best, _ in self._estimates],
        )

    def _latency(self) -> Latency | None:
        counts = self._loops.total()
        if not counts:
            return None
        bins = 1 + max(number for _, number in counts)
        drawn, took = ([counts.get((which, number), 0) for number in range(bins)] for which in ("drawn", "took"))
        width = self._heading.bin_width
        return Latency(drawn, took, median(drawn, width), median(took, width))


def _more(which: str, before: list[int], now: list[int]) -> Counter[tuple[str, int]]:
    """What each bin has more than before."""
    padded = before + [0] * (len(now) - len(before))
    return Counter(
        {(which, number): max(0, one - old) for number, (one, old) in enumerate(zip(now, padded, strict=False))}
    )


def median(bins: list[int], width: float) -> float | None:
    """The value that half of them are below, as if they were spread evenly in their bins; None of none."""
    half, below = sum(bins) / 2, 0
    for number, count in enumerate(bins):
        if count and below + count >= half:
            return width * (number + (half - below) / count)
        below += count
    return None
