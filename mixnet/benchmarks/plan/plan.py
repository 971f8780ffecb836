"""`mixnet plan`: finds parameters for a wanted latency, entropy and bandwidth, or says why there are none.

Promises: of all plans the one that costs clients least; latency and entropy from the model of spec/13-measurements.md
13.1, and the entropy verified by a simulation before it is promised. What is printed are parameters that an authority
accepts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import optimize
from scipy.stats import qmc

from mixnet.benchmarks.anonymity import model
from mixnet.benchmarks.anonymity.network import NetworkModel
from mixnet.benchmarks.anonymity.optimum import degree
from mixnet.benchmarks.base.statistics import Estimate, mean
from mixnet.client.arq.fragments import LARGE, SMALL
from mixnet.errors import LocalError
from mixnet.pki.parameters import MAX_DELAY, Parameters, parameters_from

FRAME = 3118  # bytes on the wire (spec/03-links.md 3.3)
PAYLOAD, LOOP, DROP = 0.8, 0.1, 0.1  # shares of a client's slots
HEADROOM = 1.25  # down-link slots for each packet that may come: a mailbox empties faster than it fills
HELD = 4096  # packets: half of what a node holds at most, from where on it refuses long delays
LINK = 0.05  # seconds allowed for each link
NODE_LOOPS = 0.5  # a second, of each node
BUSY = 0.5  # share of a core that a node may use
LEAST_WIDTH = 2  # mixes in a layer: the network outlives one of them
MOST = 1000.0  # frames a second that a client may send
_DRAWS = 2048
MARGIN = 0.03  # bits by which what a refusal advises is better than needed: a simulation must confirm it
_SECONDS_A_MONTH = 30 * 86_400.0
_VERIFIED = 4  # times that a plan is made dearer until the simulation confirms it


class Meant(StrEnum):
    """Which latency of a text is wished for."""

    P95 = "p95"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class PlanGoal:
    """What somebody wants: `latency` in seconds, `entropy` in bits, `bandwidth` in bytes a second, both ways together.

    `packet_cpu` is what a packet costs a node, in CPU seconds.
    """

    users: int
    latency: float
    entropy: float
    bandwidth: float
    meant: Meant = Meant.P95
    layers: int = 3
    packet_cpu: float = 300e-6

    def __post_init__(self) -> None:
        """Refuse what nobody can mean; raises LocalError."""
        if self.users < 2:
            raise LocalError("one user alone can't be anonymous: plan for 2 or more")
        if not (self.latency > 0 and self.bandwidth > 0 and self.entropy >= 0 and self.packet_cpu > 0):
            raise LocalError("latency and bandwidth are above 0, and entropy is not below")
        if not 1 <= self.layers <= 3:
            raise LocalError("there are 1 to 3 layers")


@dataclass(frozen=True, slots=True)
class ParameterPlan:
    """Parameters, and how many nodes; what follows from them."""

    wish: PlanGoal
    send_rate: float
    delay: float
    width: int
    providers: int
    verified: Estimate | None = None  # entropy of a packet, simulated
    sender: Estimate | None = None

    @property
    def settings(self) -> dict[str, float]:
        """What goes into the section [parameters]."""
        payload, loop = PAYLOAD * self.send_rate, LOOP * self.send_rate
        holds = self.wish.layers + 1
        spread = 2 * math.sqrt(2 * holds) * self.delay
        return {
            "layers": self.wish.layers,
            "mean_delay": _digits(self.delay),
            "payload_rate": _digits(payload),
            "loop_rate": _digits(loop),
            "drop_rate": _digits(DROP * self.send_rate),
            "downlink_rate": _digits(HEADROOM * (payload + loop)),
            "node_loop_rate": NODE_LOOPS,
            "link_latency": LINK,
            "ack_delay": _digits(min(10.0, max(0.25, 2 / payload))),
            "retransmit_timeout": _digits(max(2.0, spread)),
        }

    @property
    def parameters(self) -> Parameters:
        """As an authority takes them; raises BadParameters if they are out of range."""
        return parameters_from(self.settings)

    @property
    def network(self) -> NetworkModel:
        """The model's name for it."""
        return NetworkModel(self.wish.users, self.send_rate, self.delay, self.wish.layers, self.width, self.providers)

    @property
    def bytes_per_second(self) -> float:
        """What a client sends and gets."""
        return bandwidth_of(self.send_rate)

    @property
    def gigabytes_per_month(self) -> float:
        """The same in 30 days."""
        return self.bytes_per_second * _SECONDS_A_MONTH / 1e9

    @property
    def packets_per_day(self) -> float:
        """Frames that a client sends and gets in a day."""
        return self.bytes_per_second / FRAME * 86_400

    @property
    def mix_rate(self) -> float:
        """Packets a second through each mix, loops of nodes included: a loop passes each layer about once."""
        loops = NODE_LOOPS * (self.wish.layers * self.width + self.providers)
        return (self.wish.users * self.send_rate + loops) / self.width

    @property
    def provider_rate(self) -> float:
        """Packets a second that enter each provider, from clients and from the last layer."""
        loops = NODE_LOOPS * (self.wish.layers * self.width + self.providers)
        return (2 * self.wish.users * self.send_rate + loops) / self.providers

    @property
    def provider_frames(self) -> float:
        """Frames a second that each provider sends down to its clients."""
        return self.wish.users * HEADROOM * (PAYLOAD + LOOP) * self.send_rate / self.providers

    @property
    def mix_bytes(self) -> float:
        """Bytes a second of each mix, in and out."""
        return 2 * FRAME * self.mix_rate

    @property
    def provider_bytes(self) -> float:
        """Bytes a second of each provider: from and to its clients, from and to mixes."""
        inward = 2 * self.wish.users * self.send_rate / self.providers
        return FRAME * (self.provider_rate + inward / 2 + self.provider_frames)

    @property
    def text_latency(self) -> tuple[float, float]:
        """(mean, 95th percentile) in seconds from pressing enter to the screen of the other."""
        return mean_latency(self.send_rate, self.delay, self.wish.layers), _p95(
            self.send_rate, self.delay, self.wish.layers
        )

    @property
    def file_seconds(self) -> float:
        """Seconds until a file of 1 MB has arrived, if nothing else is sent."""
        slots = math.ceil(1_000_000 / ((7 * LARGE + SMALL) / 8))
        return slots / (PAYLOAD * self.send_rate) + self.text_latency[0]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no plan, and what each part of the wish would have to be, the others as they are.

    None: no change of that part alone will do.
    """

    why: str
    entropy: float | None
    latency: float | None
    bandwidth: float | None
    users: int | None


def bandwidth_of(send_rate: float) -> float:
    """Bytes a second of a client, both ways."""
    return FRAME * send_rate * (1 + HEADROOM * (PAYLOAD + LOOP))


def mean_latency(send_rate: float, delay: float, layers: int) -> float:
    """A slot of the payload schedule, the holds, the links, a slot of the down-link."""
    slots = 1 / (PAYLOAD * send_rate) + 1 / (HEADROOM * (PAYLOAD + LOOP) * send_rate)
    return slots + (layers + 1) * delay + _links(layers)


def expected(plan: ParameterPlan) -> float:
    """Bits that hide a packet: the optimum, less what pools of so few packets cost.

    The second part is a fit to simulations of 2 or 3 mixes a layer that hold 1 to 40 packets each; `verify` checks it.
    """
    network = plan.network
    pool = network.pool
    return network.optimum - 0.5 / pool - 0.65 / pool**2


def find(wish: PlanGoal, *, seed: int = 1) -> ParameterPlan | Refusal:
    """The cheapest plan that keeps to the wish, verified."""
    gap = 0.0
    for attempt in range(_VERIFIED):
        plan = _cheapest(wish, wish.entropy + gap)
        if plan is None:
            return _refuse(wish, gap)
        plan = verify(plan, seed=seed + attempt)
        if plan.verified is None or plan.verified.high >= wish.entropy:
            return plan
        gap += wish.entropy - plan.verified.value
    return _refuse(wish, gap)


def verify(plan: ParameterPlan, *, seed: int = 1, targets: int = 40) -> ParameterPlan:
    """The plan with its entropy as a short simulation finds it."""
    samples = model.sample(plan.network, targets, np.random.default_rng(seed))
    return replace(plan, verified=mean(samples.packet), sender=mean(samples.sender))


def degree_of(plan: ParameterPlan) -> float:
    """The degree of anonymity of a sender; nan before it is verified."""
    return math.nan if plan.sender is None else degree(plan.sender.value, plan.wish.users)


def _cheapest(wish: PlanGoal, bits: float) -> ParameterPlan | None:
    """The lowest rate at which latency leaves room for delays that give `bits`; None if bandwidth doesn't allow it."""
    most = min(MOST, wish.bandwidth / bandwidth_of(1.0))

    def reaches(rate: float) -> bool:
        delay = _longest_delay(wish, rate)
        return delay > 0 and expected(_with_nodes(wish, rate, delay)) >= bits

    if not reaches(most):
        return None
    rate = min(_digits(_lowest(reaches, most * 1e-6, most), up=True), most)
    return _with_nodes(wish, rate, _longest_delay(wish, rate))


def _with_nodes(wish: PlanGoal, rate: float, delay: float) -> ParameterPlan:
    """As few nodes as carry it: by CPU, by the packets that one may hold, and two of each kind at least."""
    total = wish.users * rate
    loops = NODE_LOOPS * (wish.layers + 2)
    width = max(
        LEAST_WIDTH,
        math.ceil(total * delay / HELD),
        math.ceil(total * wish.packet_cpu / max(BUSY - loops * wish.packet_cpu, 0.1)),
    )
    down = 1 + HEADROOM * (PAYLOAD + LOOP)
    providers = max(
        LEAST_WIDTH, math.ceil(total * delay / HELD), math.ceil(total * (1 + down) * wish.packet_cpu / BUSY)
    )
    return ParameterPlan(wish, rate, delay, width, providers)


def _refuse(wish: PlanGoal, gap: float) -> Refusal:
    """Say what would do, one part of the wish at a time."""
    most = min(MOST, wish.bandwidth / bandwidth_of(1.0))
    delay = _longest_delay(wish, most)
    if delay <= 0:
        fastest = _latency(wish, most, 0.0)
        why = f"texts take {fastest:.3g} s even if no node holds them: a client has only {most:.3g} frames/s"
        best = None
    else:
        best = max(0.0, expected(_with_nodes(wish, most, delay)) - gap - MARGIN)
        why = f"{most:.3g} frames/s and holds of {delay:.3g} s are all that fits, and give a packet {best:.2f} bits"

    def works(other: PlanGoal) -> bool:
        return _cheapest(other, other.entropy + gap + MARGIN) is not None

    def least(change: Callable[[float], PlanGoal], start: float, most: float) -> float | None:
        if not works(change(most)):
            return None
        return _digits(_lowest(lambda value: works(change(value)), start, most), up=True)

    users = least(lambda n: replace(wish, users=round(n)), wish.users, 1e9)
    return Refusal(
        why,
        best,
        least(lambda s: replace(wish, latency=s), wish.latency, 1000 * wish.latency + 1000),
        least(lambda b: replace(wish, bandwidth=b), wish.bandwidth, bandwidth_of(MOST)),
        None if users is None else round(users),
    )


def _longest_delay(wish: PlanGoal, rate: float) -> float:
    """The longest mean hold with which texts arrive in time; 0 if there is none."""
    longest = MAX_DELAY / 100
    if _latency(wish, rate, 0.0) >= wish.latency:
        return 0.0
    if _latency(wish, rate, longest) <= wish.latency:
        return longest
    found = optimize.brentq(lambda delay: _latency(wish, rate, delay) - wish.latency, 0.0, longest, rtol=1e-5)
    return _digits(float(found), down=True)  # a longer hold would be late


def _latency(wish: PlanGoal, rate: float, delay: float) -> float:
    if wish.meant is Meant.MEAN:
        return mean_latency(rate, delay, wish.layers)
    return _p95(rate, delay, wish.layers)


def _p95(rate: float, delay: float, layers: int) -> float:
    """The 95th percentile, over draws that are evenly spread and the same at each call: smooth in all its arguments."""
    slots = _UNIT[0] / (PAYLOAD * rate) + _UNIT[1] / (HEADROOM * (PAYLOAD + LOOP) * rate)
    holds = delay * _UNIT[2 : layers + 3].sum(axis=0)
    return float(np.quantile(slots + holds, 0.95)) + _links(layers)


def _links(layers: int) -> float:
    """Client, provider, each layer, provider, client."""
    return (layers + 3) * LINK


def _lowest(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The lowest value between two at which something begins to hold; it holds at `high`."""
    if holds(low):
        return low
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
        if high / low < 1.001:
            break
    return high


def _digits(value: float, *, up: bool = False, down: bool = False) -> float:
    """Three significant digits, as a person would write them into a file."""
    if value <= 0:
        return 0.0
    scale = 10.0 ** (2 - math.floor(math.log10(value)))
    turned = (
        math.ceil(value * scale - 1e-9) if up else math.floor(value * scale + 1e-9) if down else round(value * scale)
    )
    return turned / scale


_UNIT = -np.log(qmc.Sobol(6, seed=0).random(_DRAWS).T.clip(1e-12))  # of each of 6 exponential variables
