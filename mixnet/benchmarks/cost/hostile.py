"""What hostile links cost the honest clients of a provider (spec/13-measurements.md 13.14).

Promises: all are real processes on loopback, the hostile ones at a low priority. Honest clients send at the
network's rate; in turns, they are alone and beside hostile links of one kind, so each figure is over that of the calm
just before it. What the hostile side got through is measured, and so is what it cost the provider's CPU. The control is
a provider without allowances, shares and a look at records, to which the same is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import quantiles
from typing import Any

import trio

from mixnet.benchmarks.base.figures import Bound, Control, Figure, Finding, Subject, at_least
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, middle, rate
from mixnet.benchmarks.processes.load.hostile import FLOOD
from mixnet.benchmarks.processes.load.meter import waiting_seconds
from mixnet.benchmarks.processes.load.testbed import Say, Testbed, TestbedSetup, perform, quiet
from mixnet.link import FRAME_SIZE
from mixnet.pki.parameters import Parameters

PROVIDER, TRUSTING = "provider-1", "provider-2"
ROUNDS = {Size.QUICK: 2, Size.STANDARD: 6, Size.FULL: 20}
SECONDS = {Size.QUICK: 1.5, Size.STANDARD: 3.0, Size.FULL: 6.0}
CLIENTS = 10
SLOWER = 1.3  # times calm, that a round trip may take beside hostile links
SETUP = TestbedSetup(
    {"layers": 1, "width": 2, "providers": 2, "authorities": 1},
    {"mix-1": "mixnet.benchmarks.processes.load.rated_clients", "mix-2": "mixnet.benchmarks.processes.load.hostile"},
    {TRUSTING: "trusting"},
    {"node_loop_rate": 0.0},
)
_HONEST, _HOSTILE = 0, 1  # load generators
_REST = 1.0  # seconds after hostile links
_WARM = 0.3  # seconds, whose times don't count
_SPARE = 1.4  # times as many packets as are sent on average
_CONTROL_ROUNDS, _CONTROL_SECONDS = 2, 2.5
_DEAR_FROM = 1e6  # bytes a second, of which a megabyte's cost can be told
_LOST = 0.01  # what must be lost at least without the defence


@dataclass(frozen=True, slots=True)
class Mode:
    """So many links that send so many bytes a second in all, whole frames or none; `slower` is what they may cost."""

    what: str
    links: int
    rate: float
    framed: bool = False
    slower: Bound | None = None


_DEFAULTS = Parameters()
_HONEST_RATE = CLIENTS * _DEFAULTS.send_rate  # packets a second
_FLOODED = 10 * _DEFAULTS.send_rate * 36 * FRAME_SIZE  # ten times what clients send, by 36 of them
MODES = {
    "frames": Mode("frames of cover", 4, 2e6, framed=True, slower=Bound(SLOWER)),
    "updates": Mode("TLS key updates before the hello", 4, 2e6, slower=Bound(SLOWER)),
    "tiny": Mode("TLS records of one byte", 4, 2e6, slower=Bound(SLOWER)),
    "dripped": Mode("a handshake byte by byte", 4, 4e3, slower=Bound(SLOWER)),
    "packets": Mode("ten times a client's packets", 36, _FLOODED, framed=True),
    "garbage": Mode("ten times as many packets that no key opens", 36, _FLOODED, framed=True),
}
_CONTROLS = ("updates", "packets")


@dataclass(frozen=True, slots=True)
class Phase:
    """What honest clients saw: quantiles of their round trips in seconds, packets sent and lost.

    Of the provider: CPU seconds, and seconds that it waited for a core, a second. Of the hostile side: bytes a second
    that got through, and links a second that began.
    """

    p50: float
    p90: float
    sent: int
    lost: int
    cpu: float
    waited: float
    hostile: float = 0.0
    came: float = 0.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A calm phase, and the one beside hostile links that followed."""

    calm: Phase
    beside: Phase


Pairs = Mapping[str, Sequence[Pair]]
Said = Mapping[str, Any]


def measure(size: Size, *, seed: int = 1, say: Say = quiet) -> Finding:
    """Start a network, attack its providers, and end it."""
    return perform(partial(on_testbed, size=size, seed=seed, say=say), say, SETUP)


async def on_testbed(testbed: Testbed, size: Size, *, seed: int = 1, say: Say = quiet) -> Finding:
    """Measure on a network that runs already."""
    defended = await _Course(testbed, PROVIDER, SECONDS[size], seed, say).run(MODES, ROUNDS[size])
    say("control: a provider without the defence")
    trusting = await _Course(testbed, TRUSTING, _CONTROL_SECONDS, seed, say).run(_CONTROLS, _CONTROL_ROUNDS)
    return finding(size, defended, trusting)


@dataclass(frozen=True, slots=True)
class _Course:
    """One provider, and how long its phases are."""

    testbed: Testbed
    target: str
    seconds: float
    seed: int
    say: Say

    async def run(self, modes: Iterable[str], rounds: int) -> Pairs:
        """Each mode in each round, with a calm phase before it."""
        await self.testbed.order(_HONEST, "join", target=self.target, count=CLIENTS)
        seen: dict[str, list[Pair]] = {mode: [] for mode in modes}
        await self._phase("")  # what is loaded once
        for number in range(rounds):
            for name, pairs in seen.items():
                self.say(f"round {number + 1} of {rounds}: {MODES[name].what}")
                calm = await self._phase("")
                pairs.append(Pair(calm, await self._phase(name)))
                await trio.sleep(_REST)
        return seen

    async def _phase(self, name: str) -> Phase:
        """Honest clients for a while, beside hostile links of the mode `name` if there is one."""
        testbed, said = self.testbed, dict[str, Said]()
        await self._make(name)
        process, before = testbed.process(self.target), await testbed.figures(self.target)
        when, waited = trio.current_time(), waiting_seconds(process)
        around = {"target": self.target, "seconds": self.seconds}

        async def drive() -> None:
            said["honest"] = await testbed.order(
                _HONEST, "drive", stock=name, rate=_HONEST_RATE, warm=_WARM, seed=self.seed, **around
            )

        async def attack(mode: Mode) -> None:
            said["hostile"] = await testbed.order(
                _HOSTILE, "attack", mode=name, count=mode.links, rate=mode.rate / mode.links, **around
            )

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drive)
            if name:
                nursery.start_soon(attack, MODES[name])
            await trio.sleep(self.seconds)
            after, spent = await testbed.figures(self.target), trio.current_time() - when
            waited = waiting_seconds(process) - waited
        cpu = (after["cpu_seconds"] - before["cpu_seconds"]) / spent
        frames = (_frames(after) - _frames(before) - said["honest"]["sent"]) / spent
        return phase(said["honest"], cpu, waited / spent, said.get("hostile"), frames if _framed(name) else None)

    async def _make(self, name: str) -> None:
        """What is sent in a phase."""
        order, route = self.testbed.order, [self.target]
        count = int(_SPARE * _HONEST_RATE * self.seconds)
        await order(_HONEST, "make", stock=name, route=route, count=count, seed=self.seed)
        if name == "packets":  # as many as the door lets through at most
            allowed = _DEFAULTS.client_burst + 2 * _DEFAULTS.send_rate * self.seconds
            count = int(MODES[name].links * allowed)
            await order(_HOSTILE, "make", stock=FLOOD, route=route, count=count, seed=self.seed)


def phase(honest: Said, cpu: float, waited: float, hostile: Said | None = None, frames: float | None = None) -> Phase:
    """What both sides said, and what the provider counted: `frames` a second of hostile links, where it counts them."""
    tenths = quantiles(honest["overheads"], n=10)
    sent, came = (0.0, 0.0) if hostile is None else (hostile[key] / hostile["seconds"] for key in ("bytes", "came"))
    through = sent if frames is None else FRAME_SIZE * max(0.0, frames)
    return Phase(tenths[4], tenths[8], honest["sent"], honest["sent"] - honest["returned"], cpu, waited, through, came)


def _framed(name: str) -> bool:
    return bool(name) and MODES[name].framed


def _frames(figures: Mapping[str, Any]) -> int:
    """That came from clients, those included that came too fast."""
    return int(figures["packets_in"] + figures["dummies_in"] + figures["dropped"].get("rate_limit", 0))


def finding(size: Size, defended: Pairs, trusting: Pairs) -> Finding:
    """What was seen of both providers."""
    every = [pair for pairs in defended.values() for pair in pairs]
    calm, beside = [pair.calm for pair in every], [pair.beside for pair in every]
    following = [late.calm.p50 / early.calm.p50 for pairs in defended.values() for early, late in pairwise(pairs)]
    waited, more = middle([one.waited for one in calm]).value, middle([one.waited for one in beside]).value
    return Subject("hostile", "What hostile links cost honest clients").finding(
        setting=_setting(size, defended, calm),
        figures=[figure for name, pairs in defended.items() for figure in _figures(name, MODES[name], pairs)],
        controls=(
            Control.positive("round trip beside key updates, over calm, where OpenSSL takes them",
                middle(_ratios(trusting["updates"], "p50")), at_least(SLOWER)),
            Control.positive("share lost beside 36 links where all have one queue and no allowance",
                _lost(pair.beside for pair in trusting["packets"]), at_least(_LOST)),
            Control.null("calm round trip over that of the round before", middle(following), Bound(SLOWER)),
            Control.null("share lost in calm", _lost(calm), Bound(0)),
        ),
        note=(
            f"the provider waited for a core for {waited:.1%} of the time in calm and for {more:.1%} beside hostile "
            "links (median): where there are few cores, round trips hold the other processes' work too, and CPU a "
            "megabyte is the firmer figure"
        ),
    )  # fmt: skip


def _setting(size: Size, defended: Pairs, calm: Sequence[Phase]) -> str:
    came = ", ".join(
        f"{middle([one.beside.came for one in pairs]).value:.0f} ({name})" for name, pairs in defended.items()
    )
    median, share = 1e3 * middle([one.p50 for one in calm]).value, middle([one.cpu for one in calm]).value
    return (
        f"{size}: {CLIENTS} clients, each sending {_DEFAULTS.send_rate:g} packets a second through one provider; "
        f"{ROUNDS[size]} rounds of {SECONDS[size]:g} s calm and as long beside links of each kind; in calm the "
        f"median is {median:.2f} ms, at {share:.0%} of a core; hostile connections begun a second: {came}"
    )


def _figures(name: str, mode: Mode, pairs: Sequence[Pair]) -> Iterator[Figure]:
    key, beside = f"hostile_{name}", [pair.beside for pair in pairs]
    through, share = [1e-6 * one.hostile for one in beside], [100 * one.cpu for one in beside]
    yield Figure(f"{key}_p50_ratio", f"{mode.links} links, {mode.what}: median round trip, over calm",
        middle(_ratios(pairs, "p50")), "", mode.slower)  # fmt: skip
    yield Figure(f"{key}_p90_ratio", "the same, nine of ten", middle(_ratios(pairs, "p90")))
    yield Figure(f"{key}_lost", "share of honest packets lost", _lost(beside), "", Bound(0))
    yield Figure(f"{key}_mb_s", "what they got through", middle(through), "MB/s")
    yield Figure(f"{key}_cpu", "the provider's share of a core", middle(share), "%")
    if mode.rate >= _DEAR_FROM and all(through):
        cost = [1e9 * (pair.beside.cpu - pair.calm.cpu) / pair.beside.hostile for pair in pairs]
        yield Figure(f"{key}_ms_mb", "its CPU a hostile megabyte, beyond calm", middle(cost), "ms/MB")


def _ratios(pairs: Sequence[Pair], quantile: str) -> list[float]:
    return [getattr(pair.beside, quantile) / getattr(pair.calm, quantile) for pair in pairs]


def _lost(phases: Iterable[Phase]) -> Estimate:
    seen = list(phases)
    return rate(sum(one.lost for one in seen), sum(one.sent for one in seen))
