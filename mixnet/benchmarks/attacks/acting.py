"""What active attacks share: seeded keys and routes, and counts as figures.

Promises: everything follows from the seed. A count of what must never happen is a figure with its bound 0 and the
interval of its rate, so "none of 50" and "none of 50,000" read differently.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from scipy import stats

from mixnet.benchmarks.base.figures import Bound, Control, Figure, Finding, at_least
from mixnet.benchmarks.base.statistics import Estimate, rate
from mixnet.benchmarks.simulation.ground_truth import Journey
from mixnet.benchmarks.simulation.trace import Trace
from mixnet.crypto import SphinxSecret
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import Command, Deliver, Forward, Hop, Kind, Mailbox, SphinxEngine

ENGINE = SphinxEngine()
NEVER = Bound(0)


class ActsOnPackets(LocalError):
    """This attack acts on packets, which no trace holds: run `mixnet attack NAME` without files."""


def no_files(name: str) -> Callable[[Trace, Sequence[Journey]], Finding]:
    """The `score` of such an attack: there is nothing to see in files."""

    def score(_trace: Trace, _journeys: Sequence[Journey]) -> Finding:
        raise ActsOnPackets(f"{name} acts on packets, which no trace holds: run `mixnet attack {name}` without files")

    return score


def never(key: str, what: str, happened: int, tries: int) -> Figure:
    """The rate of what must not happen; `what` gains the numbers."""
    return Figure(key, f"{what}: {happened} of {tries:,}", rate(happened, tries), must=NEVER, aim=NEVER)


def share(happened: int, tries: int) -> Estimate:
    """A rate, and 0 of 0 is nothing known."""
    return rate(happened, tries) if tries else Estimate(float("nan"), 0.0, 1.0)


def always(what: str, happened: int, tries: int) -> Control:
    """The positive control of an attack that must succeed each time."""
    return Control.positive(what, share(happened, tries), at_least(1))


def per_hour(events: int, seconds: float) -> Estimate:
    """A rate of rare events, with the exact interval of a Poisson count (Garwood 1936)."""
    hours = seconds / 3600
    low = float(stats.chi2.ppf(0.025, 2 * events)) / 2 if events else 0.0
    high = float(stats.chi2.ppf(0.975, 2 * events + 2)) / 2
    return Estimate(events / hours, low / hours, high / hours)


def secrets_of(rng: random.Random, count: int) -> list[SphinxSecret]:
    """Keys of nodes."""
    return [SphinxSecret(rng.randbytes(32)) for _ in range(count)]


def route(secrets: Sequence[SphinxSecret], rng: random.Random, last: Kind = Kind.DELIVER) -> list[Hop]:
    """As clients' routes are: forwards, a mailbox before the recipient, and the recipient."""
    hops = [Hop(one.public, Command(Kind.FORWARD, rng.randbytes(32), rng.randrange(10**6))) for one in secrets[:-2]]
    hops += [Hop(one.public, Command(Kind.DELIVER_MAILBOX, rng.randbytes(32))) for one in secrets[-2:-1]]
    target = rng.randbytes(32) if last is Kind.REPLY else bytes(32)
    return [*hops, Hop(secrets[-1].public, Command(last, target))]


def passed_on(secret: SphinxSecret, packet: bytes) -> bytes:
    """The packet as it leaves a hop that is not the last."""
    peeled = ENGINE.peel_untrusted(secret, packet)
    if not isinstance(peeled, Forward | Mailbox):
        raise LocalError("the last hop of a route passes nothing on")
    return peeled.packet


def delivered(secrets: Sequence[SphinxSecret], packet: bytes) -> bytes | None:
    """The message that the last of these hops reads; None if one of them refused the packet."""
    for secret in secrets:
        try:
            peeled = ENGINE.peel_untrusted(secret, packet)
        except RemoteError:
            return None
        match peeled:
            case Forward(packet=inner) | Mailbox(packet=inner):
                packet = inner
            case Deliver(message):
                return message
            case _:
                return None
    return None
