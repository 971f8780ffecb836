"""Flow correlation: does what one client sends come out at another (docs/measuring.md; spec/13-measurements.md 13.2).

Promises: of several methods the one that does best on pairs of its own is judged on others; runs of the real actors and
the vectorised model are scored alike. The positive control is a receiving side that isn't shaped, the null control are
pairs that have nothing to do with each other, in that same unprotected network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mixnet.benchmarks.attacks.learned import boosted
from mixnet.benchmarks.attacks.observed import Arrays, Observed, observe, unpacked
from mixnet.benchmarks.attacks.pairs import LAW, VIEWS, PairTable, Scored, joined, matched, model_pairs, peak
from mixnet.benchmarks.attacks.scenarios import control, converse, described, sizes
from mixnet.benchmarks.attacks.schedules import dispersion, exponential
from mixnet.benchmarks.base.figures import Bound, Control, Curve, Figure, Finding, Subject, at_least, curve, line
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, auc, exact, roc, true_positives
from mixnet.benchmarks.simulation.ground_truth import Journey
from mixnet.benchmarks.simulation.trace import Trace

SUBJECT = Subject(
    "correlation",
    "Flow correlation: which sender's packets reach which receiver",
    ("P2",),
    "external, global, passive; corrupt providers beside it, each reported by itself",
    "shaped client links: up and down frames on Poisson schedules that no message moves",
    "The window is what counts: short ones never show anything. Providers see more than links do, and are reported "
    "under keys of their own, without a claim.",
)
WINDOWS = (10.0, 30.0, 100.0, 300.0, 1000.0)
LONGEST = 3600.0
MAIN = 1000.0  # seconds, the window of the target
ENOUGH = 1000  # windows of pairs, of a class, for a claim; with so many of the real actors theirs is the main figure
CHUNK = 250  # pairs a job
WON = {30.0: 0.65, 100.0: 0.85, 300.0: 0.95, MAIN: 0.99}  # what the attack reaches without shaping, by window
MUST, AIM = Bound(0.03), Bound(0.015)  # of true positives at 1 % false ones
AIM_AUC = Bound(0.52)
METHODS = ("likelihood ratio", "highest cross-correlation", "matched filter", "gradient boosting")
INSIDE = tuple(view for view in VIEWS if view != "external")


class PairCounts(NamedTuple):
    """How many pairs of a class the model makes: judged, learned from, and for each internal view and control."""

    judged: int
    learned: int
    inside: int


PLANS = {
    Size.QUICK: PairCounts(2000, 300, 400),
    Size.STANDARD: PairCounts(2000, 1000, 1000),
    Size.FULL: PairCounts(10000, 2000, 2000),
}


# From files, or from what jobs of actors returned.


def score(trace: Trace, journeys: Sequence[Journey]) -> Finding:
    """Attack any trace; the truth says which pairs wrote to each other. Raises LocalError if it tells of no client."""
    observed = observe(trace, journeys)
    window = longest_window(observed)
    scored = PairTable(observed, window).scores("external")
    figures = [*_figures(scored, "correlation", window, "the trace")] if _both(scored) else []
    for view in INSIDE:
        inside = PairTable(observed, window).scores(view)
        if _both(inside):
            figures.append(_inside(view, inside, window, "the trace"))
    setting = f"a trace of {len(observed.clients)} clients, {observed.seconds:,.0f} s"
    note = "" if figures else "no pair of clients that wrote to each other, or none that didn't: nothing to tell apart"
    return SUBJECT.finding(setting, figures, (), {"auc_window_actors": _curve([observed])}, note)


def longest_window(observed: Observed) -> float:
    """The longest of the windows that fits into a run, 1,000 s at most; the whole run if none does."""
    fitting = [window for window in WINDOWS if window <= observed.seconds + 1.0]
    return fitting[-1] if fitting else observed.seconds


def _curve(runs: Sequence[Observed]) -> Curve:
    """The area under the curve against the window."""
    areas = {}
    for window in (*WINDOWS, LONGEST):
        parts = [PairTable(run, window).scores("external") for run in runs if run.seconds + 1.0 >= window]
        if parts and _both(whole := joined(parts)):
            areas[window] = auc(*whole)
    return curve(areas, areas.values())


# Everything: model, actors and controls.


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Attack the model and the real actors, with both controls. The same under the same seed."""
    worlds = sizes(size, seed)
    runs = [unpacked(arrays) for arrays in run(converse, [*worlds, control(worlds, "downlink")])]
    actors, bare = runs[:-1], runs[-1:]
    model = _Model(PLANS[size], run, seed, LONGEST if size is Size.FULL else MAIN)
    window = longest_window(actors[0])
    from_actors = joined([PairTable(one, window).scores("external") for one in actors])
    strongest, from_model = model.strongest()
    enough = _enough(from_actors, window)
    kinds = [(from_actors, "the real actors", "_actors"), (from_model, f"the model, by {strongest}", "_model")]
    main, _, _ = kinds[0 if enough else 1]
    figures = [*_figures(main, "correlation", window if enough else MAIN, kinds[0 if enough else 1][1])]
    other, what, suffix = kinds[1 if enough else 0]
    figures += _figures(other, f"correlation{suffix}", MAIN if enough else window, what)
    peaks = joined([PairTable(one, window).correlation_peaks() for one in actors])
    figures.append(_area("correlation_actors_peak_auc", "highest cross-correlation", peaks, window, "the real actors"))
    figures += [_inside(view, model.at(view, MAIN), MAIN, "the model") for view in INSIDE]
    for view in INSIDE:
        scored = joined([PairTable(one, window).scores(view) for one in actors])
        figures.append(_inside(view, scored, window, "the real actors", "_actors"))
    figures += agreement(actors)
    curves = {
        "auc_window": model.curve("external"),
        "auc_window_control": model.curve("exit"),
        "auc_window_actors": _curve(actors),
        "auc_window_actors_control": _curve(bare),
        "roc": _roc(main),
        "roc_control": _roc(model.at("exit", MAIN)),
    }
    return SUBJECT.finding(_setting(worlds, PLANS[size], seed), figures, _controls(model, bare, seed), curves)


class _Model:
    """The model's pairs, drawn by jobs: those to judge, and those to learn from."""

    def __init__(self, plan: PairCounts, run: Run, seed: int, longest: float) -> None:
        self.windows = [*WINDOWS, longest] if longest > WINDOWS[-1] else list(WINDOWS)
        self._run, self._seed = run, seed
        self._outside = self._draw(plan.judged, ["external"], 1)
        self._lessons = self._draw(plan.learned, ["external"], 2)
        self._inside = self._draw(plan.inside, list(INSIDE), 3)

    def at(self, view: str, window: float) -> Scored:
        """The evidence in windows of this length."""
        column = self.windows.index(window)
        true, false = self._outside if view == "external" else self._inside
        return Scored(true[view][:, column], false[view][:, column])

    def strongest(self) -> tuple[str, Scored]:
        """The method that does best on half of the pairs to learn from, having learned from the other half; judged."""
        trials = self._methods(*_halves(self._lessons), "external")
        best = max(trials, key=lambda method: auc(*trials[method]).value)
        return best, self._methods(self._lessons, self._outside, "external")[best]

    def unshaped(self) -> dict[str, Scored]:
        """All methods where the receiving side isn't shaped, half of the pairs for learning."""
        return self._methods(*_halves(self._inside), "exit")

    def curve(self, view: str) -> Curve:
        """The area under the curve against the window."""
        return curve(self.windows, [auc(*self.at(view, window)) for window in self.windows])

    def _methods(self, lessons: Sequence[Arrays], judged: Sequence[Arrays], view: str) -> dict[str, Scored]:
        key = f"{view} features"
        column = self.windows.index(MAIN)
        true, false = judged
        table = np.concatenate([lessons[0][key], lessons[1][key]])
        labels = np.arange(len(table)) < len(lessons[0][key])
        learned = boosted(table, labels, np.concatenate([true[key], false[key]]), seed=self._seed)
        found = (
            Scored(true[view][:, column], false[view][:, column]),
            Scored(peak(true[key]), peak(false[key])),
            Scored(matched(true[key], LAW), matched(false[key], LAW)),
            Scored(learned[: len(true[key])], learned[len(true[key]) :]),
        )
        return dict(zip(METHODS, found, strict=True))

    def _draw(self, count: int, views: list[str], part: int) -> list[Arrays]:
        """(true pairs, false pairs)."""
        chunks = [(related, number) for related in (True, False) for number in range(-(-count // CHUNK))]
        jobs: list[dict[str, Any]] = [
            {
                "pairs": min(CHUNK, count - number * CHUNK),
                "windows": self.windows,
                "long": MAIN,
                "views": views,
                "seed": [self._seed, part, number],
                "related": related,
            }
            for related, number in chunks
        ]
        done = list(zip(chunks, self._run(model_pairs, jobs), strict=True))
        sides = [[arrays for (related, _), arrays in done if related is wanted] for wanted in (True, False)]
        return [{key: np.concatenate([one[key] for one in side]) for key in side[0]} for side in sides]


def _halves(sides: Sequence[Arrays]) -> tuple[list[Arrays], list[Arrays]]:
    """The first half of the pairs of both classes, and the second."""
    half = len(next(iter(sides[0].values()))) // 2
    first, second = (
        [{key: rows[part] for key, rows in side.items()} for side in sides] for part in (slice(half), slice(half, None))
    )
    return first, second


def agreement(actors: Sequence[Observed]) -> list[Figure]:
    """How far the real actors' frames are from the model's: their rates, their gaps, their dispersion."""
    found = []
    for name in ("up", "down"):
        links = [times[times >= run.start] for run in actors for times in getattr(run, name)]
        frames, seconds = sum(map(len, links)), sum(run.seconds * len(run.clients) for run in actors)
        rate = frames / seconds
        half = 1.96 * frames**0.5 / seconds
        spread = [dispersion(getattr(run, name), run.start, run.end, 10.0) for run in actors]
        found += [
            Figure(f"schedule_{name}_rate", f"frames {name} a second", Estimate(rate, rate - half, rate + half), "1/s"),
            Figure(f"schedule_{name}_ks", f"gaps {name} against exponential ones", exact(exponential(links, rate))),
            Figure(f"schedule_{name}_dispersion", f"variance over mean of 10 s {name}", spread[0]),
        ]
    return found


def _controls(model: _Model, bare: Sequence[Observed], seed: int) -> tuple[Control, ...]:
    """The attack without the defence, on the model and on the actors, and without a signal."""
    window = longest_window(bare[0])
    actors = joined([PairTable(one, window).scores("external") for one in bare])
    must = at_least(WON.get(window, 0.5))
    unrelated = np.random.default_rng([seed, 4]).permutation(model.at("exit", MAIN).false)
    half = len(unrelated) // 2
    least = dict.fromkeys(METHODS, 0.95) | {METHODS[0]: 0.99}
    return (
        *(
            Control.positive(f"model, unshaped, 1,000 s, {method}", auc(*scored), at_least(least[method]))
            for method, scored in model.unshaped().items()
        ),
        Control.positive(f"real actors, receiving side unshaped, {window:,.0f} s", auc(*actors), must),
        Control.null("model, unshaped, unrelated pairs", auc(unrelated[:half], unrelated[half:]), chance=0.5),
    )


# What is told.


def _figures(scored: Scored, key: str, window: float, ran: str) -> list[Figure]:
    """The three that have targets, if there are pairs enough to tell."""
    where = f"{window:,.0f} s, {ran}"
    enough = _enough(scored, window)
    must, aim, aim_auc = (MUST, AIM, AIM_AUC) if enough else (None, None, None)
    return [
        Figure(f"{key}_auc", f"area under the ROC curve, {where}", auc(*scored), aim=aim_auc),
        Figure(f"{key}_tpr_1pct", f"found at 1 % false, {where}", true_positives(*scored, 0.01), must=must, aim=aim),
        Figure(f"{key}_tpr_01pct", f"found at 0.1 % false, {where}", true_positives(*scored, 0.001)),
    ]


def _area(key: str, method: str, scored: Scored, window: float, ran: str) -> Figure:
    return Figure(key, f"{method}, {window:,.0f} s, {ran}", auc(*scored))


def _inside(view: str, scored: Scored, window: float, ran: str, suffix: str = "") -> Figure:
    """Not claimed at chance: it isn't."""
    return _area(f"correlation_{view}{suffix}_auc", f"an adversary that {VIEWS[view]}", scored, window, ran)


def _enough(scored: Scored, window: float) -> bool:
    return window >= MAIN and min(map(len, scored)) >= ENOUGH


def _both(scored: Scored) -> bool:
    return min(len(scored.true), len(scored.false)) > 0


def _roc(scored: Scored) -> Curve:
    """At most 200 points, dense where few are false."""
    false, true = roc(*scored)
    grid = np.unique(np.concatenate([np.geomspace(1e-4, 1, 150), np.linspace(0, 1, 50)]))
    heights = true[np.searchsorted(false, grid, side="right") - 1]
    return line(grid, heights)


def _setting(worlds: Sequence[dict[str, Any]], plan: PairCounts, seed: int) -> str:
    return (
        f"real actors: {described(worlds)}, one packet a second each way; model: {plan.judged:,} pairs a class, "
        f"{plan.learned:,} to learn from; seed {seed}"
    )
