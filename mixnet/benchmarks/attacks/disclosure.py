"""Disclosure: who somebody's contacts are, from counts of many rounds (spec/13-measurements.md 13.3).

Promises: found contacts are compared with what a blind guess finds. The positive control is a network without cover
and without shaping of the receiving side, the null control are contacts that nobody wrote to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mixnet.benchmarks.attacks.observed import Arrays, Observed, observe, unpacked
from mixnet.benchmarks.attacks.rounds import Guess, estimated, guessed, model_rounds, series
from mixnet.benchmarks.attacks.scenarios import control, converse, described, sizes
from mixnet.benchmarks.base.figures import Bound, Control, Curve, Figure, Finding, Subject, at_least, curve, line
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, over, rate
from mixnet.benchmarks.simulation.ground_truth import Journey
from mixnet.benchmarks.simulation.trace import Trace

SUBJECT = Subject(
    "disclosure",
    "Disclosure: whom each user writes to, by least squares over many rounds",
    ("P2",),
    "external, global, passive; a corrupt exit provider beside it, reported by itself",
    "shaped client links: the numbers of up and down frames don't depend on messages",
    "At the mailboxes nothing is shaped: whoever runs the receivers' providers finds the contacts of users who always "
    "have something to send. That figure is reported and not claimed.",
)
ROUNDS = (200, 1000, 5000)
REPEATS = {Size.QUICK: 8, Size.STANDARD: 20, Size.FULL: 100}
SPANS = 5.0  # a round of a trace is so many times as long as a packet is on its way, so that few arrive in the next
ENOUGH = 500  # contacts for a claim: fewer leave an interval too wide to say anything
MUST = 2.0  # times chance


def score(trace: Trace, journeys: Sequence[Journey]) -> Finding:
    """Attack any trace; the truth says who wrote to whom. Raises LocalError if it tells of no client."""
    observed = observe(trace, journeys)
    outside, inside = (found([observed], inside=seen) for seen in (False, True))
    setting = f"a trace of {len(observed.clients)} clients, {observed.seconds:,.0f} s"
    if not outside.contacts or outside.blind >= outside.contacts:
        return SUBJECT.finding(setting, (), note="nobody wrote to anybody, or all to all: no contacts to find")
    figures = (
        _ratio("disclosure_ratio", "contacts found, times chance, the trace", outside, claimed=True),
        _ratio("disclosure_exit_ratio", "the same, seen at the mailboxes", inside),
    )
    return SUBJECT.finding(setting, figures)


def round_length(observed: Observed) -> float:
    """Seconds of a round; shorter in a trace that has few of them for its clients."""
    wished = SPANS * (observed.stages * observed.mean_delay + observed.latency * (observed.stages + 1))
    return max(1.0, min(wished, observed.seconds / (4 * len(observed.clients))))


def found(runs: Iterable[Observed], *, inside: bool) -> Guess:
    """What least squares finds in runs of actors, all together."""
    return _sum(
        guessed(estimated(*series(run, round_length(run), inside=inside)), run.written(run.start, run.end) > 0)
        for run in runs
    )


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Attack the model over 5,000 rounds and the real actors over as many as they give, with both controls."""
    worlds = sizes(size, seed)
    runs = [unpacked(arrays) for arrays in run(converse, [*worlds, control(worlds, "cover", "downlink")])]
    actors, bare = runs[:-1], runs[-1:]
    repeats = REPEATS[size]
    model = run(model_rounds, [{"rounds": list(ROUNDS), "seed": [seed, number]} for number in range(repeats)])
    outside = _told(model, "external", -1)
    figures = (
        _ratio("disclosure_ratio", "contacts found after 5,000 rounds, times chance, the model", outside, claimed=True),
        _ratio("disclosure_exit_ratio", "the same, seen at the mailboxes, by their provider", _told(model, "exit", -1)),
        _ratio("disclosure_actors_ratio", f"real actors, {_length(actors)}", found(actors, inside=False)),
        _ratio("disclosure_actors_exit_ratio", "the same, at the mailboxes", found(actors, inside=True)),
    )
    curves = {
        "found_rounds": _curve(model, "external"),
        "found_rounds_exit": _curve(model, "exit"),
        "found_rounds_control": _curve(model, "bare"),
        "chance": line(ROUNDS, [outside.blind / outside.contacts] * len(ROUNDS)),
    }
    return SUBJECT.finding(_setting(worlds, repeats, seed), figures, _controls(model, bare), curves)


def _controls(model: Sequence[Arrays], bare: Sequence[Observed]) -> tuple[Control, ...]:
    unprotected = found(bare, inside=False)
    chance = unprotected.blind / unprotected.contacts
    strangers = _told(model, "strangers", 0)
    return (
        Control.positive("model without cover, 200 rounds", _share(_told(model, "bare", 0)), at_least(0.70)),
        Control.positive("model without cover, 5,000 rounds", _share(_told(model, "bare", -1)), at_least(0.95)),
        Control.positive(
            f"real actors without cover and shaping, {_length(bare)}, chance {chance:.2f}",
            _share(unprotected),
            at_least(MUST * chance),
        ),
        Control.null(
            "model without cover, other people's contacts",
            _share(strangers),
            chance=strangers.blind / strangers.contacts,
        ),
    )


# Counting.


def _sum(guesses: Iterable[Guess]) -> Guess:
    parts = list(guesses)
    return Guess(sum(one.found for one in parts), sum(one.contacts for one in parts), sum(one.blind for one in parts))


def _told(model: Sequence[Arrays], view: str, row: int) -> Guess:
    """What all runs of the model found together."""
    whole = np.sum([one[view][row] for one in model], axis=0)
    return Guess(int(whole[0]), int(whole[1]), float(whole[2]))


def _share(guess: Guess) -> Estimate:
    return rate(guess.found, guess.contacts)


def _ratio(key: str, what: str, guess: Guess, *, claimed: bool = False) -> Figure:
    """Found over chance; the aim is that the interval reaches chance."""
    chance = guess.blind / guess.contacts
    estimate = over(_share(guess), chance)
    sure = claimed and guess.contacts >= ENOUGH
    must, aim = (Bound(MUST), Bound(1.0 + estimate.value - estimate.low)) if sure else (None, None)
    return Figure(key, what, estimate, must=must, aim=aim)


def _curve(model: Sequence[Arrays], view: str) -> Curve:
    return curve(ROUNDS, [_share(_told(model, view, row)) for row in range(len(ROUNDS))])


# What is told.


def _length(runs: Sequence[Observed]) -> str:
    one = runs[0]
    return f"{len(runs)} x {int(one.seconds / round_length(one))} rounds"


def _setting(worlds: Sequence[dict[str, Any]], repeats: int, seed: int) -> str:
    return (
        f"model: {repeats} x 50 users with 3 contacts each, up to 5,000 rounds of 60 s; real actors: "
        f"{described(worlds)}; seed {seed}"
    )
