"""The most anonymity that traffic and delay allow, in closed form (spec/13-measurements.md 13.1).

Pure. Promises: formulas and nothing else; entropies in bits, rates in packets a second, delays in seconds.
"""

from __future__ import annotations

import math

from scipy import special

LN2 = math.log(2)


def spread(holds: int, delay: float) -> float:
    """Differential entropy in bits of the whole delay of `holds` exponential holds of mean `delay` seconds each.

    That is h(Gamma(k, µ)) = [k - ln µ + ln Γ(k) + (1 - k) ψ(k)] / ln 2, and -inf without delay.
    """
    if delay <= 0:
        return -math.inf
    k = float(holds)
    return (k + math.log(delay) + math.lgamma(k) + (1 - k) * float(special.digamma(k))) / LN2


def optimum(rate: float, holds: int, delay: float) -> float:
    """H*: bits that hide one packet among `rate` packets a second when nothing but the whole delay is uncertain.

    Packets leave as a Poisson process of `rate`, and the target left f(t) after it came with a Gamma density f: each
    packet that left is the target with a probability in proportion to f at its time. No network does better; a thin
    one, whose pools are visibly small, does worse. It means little where it is below 1 bit, and is never below 0.
    """
    return max(0.0, math.log2(rate) + spread(holds, delay)) if rate > 0 else 0.0


def degree(entropy: float, population: int) -> float:
    """The degree of anonymity of Díaz et al. (2002): entropy over that of a uniform choice, or 0 without one."""
    return entropy / math.log2(population) if population > 1 else 0.0


def tail(holds: int, delay: float, beyond: float = 1e-7) -> float:
    """The time in seconds that `holds` exponential holds exceed with a probability of `beyond` only."""
    return delay * float(special.gammainccinv(holds, beyond))
