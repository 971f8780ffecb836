"""Activity: is somebody writing or reading, or idle (spec/13-measurements.md 13.4; docs/measuring.md).

Promises: under one seed the same network runs busy and idle, and every differing write is counted; classifiers that
learn from some clients judge others. The positive controls are networks without cover, and with work that delays the
slots of messages; the null control are idle clients under made-up labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mixnet.benchmarks.attacks.learned import advantage
from mixnet.benchmarks.attacks.observed import Observed, observe, unpacked
from mixnet.benchmarks.attacks.scenarios import control, converse, described, sizes
from mixnet.benchmarks.attacks.windows import (
    FEW,
    METHODS,
    Verdicts,
    Windows,
    differing,
    gathered,
    model_windows,
    tellable,
    told_apart,
    windows_of,
)
from mixnet.benchmarks.base.figures import Bound, Control, Curve, Figure, Finding, Subject, at_least, curve
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import exact
from mixnet.benchmarks.simulation.ground_truth import Journey
from mixnet.benchmarks.simulation.trace import Trace

SUBJECT = Subject(
    "activity",
    "Activity: whether a client's link shows that its user does something",
    ("P3",),
    "external, global, passive",
    "sends and receives follow schedules that don't depend on what the user does",
    "The model has no users: its figure says how wide chance is for as many windows. That it is the real actors' too "
    "rests on the comparison under one seed, which must find no difference.",
)
LENGTHS = (10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0)
SHORT = (1.0, 3.0)  # for traces of networks with many frames a second
MAIN = 1000.0  # seconds, the least window of the target
ENOUGH = 400  # windows of a class for a claim: the standard error is then about 0.02
MOST = 40_000  # windows: shorter ones, of which there are more, tell less and are left out
MUST, AIM = Bound(0.55), Bound(0.52)
CHUNK = 425


class WindowPlan(NamedTuple):
    """The model's windows: how many of a class, and how long."""

    windows: int
    seconds: float


PLANS = {
    Size.QUICK: WindowPlan(850, 1000.0),
    Size.STANDARD: WindowPlan(1700, 3600.0),
    Size.FULL: WindowPlan(1700, 3600.0),
}


def score(trace: Trace, journeys: Sequence[Journey], *, seed: int = 1) -> Finding:
    """Attack any trace; the truth says who was busy when. Raises LocalError if it tells of no client."""
    observed = observe(trace, journeys)
    setting = f"a trace of {len(observed.clients)} clients, {observed.seconds:,.0f} s; seed {seed}"
    tables = _tables([observed], shorter=SHORT)
    if not tables:
        return SUBJECT.finding(
            setting, (), note=f"fewer than {FEW} busy or idle windows, or of one client: nothing to compare"
        )
    found = {length: told_apart(windows, seed=seed) for length, windows in tables.items()}
    longest = max(found)
    figures = _figures(found[longest], "undetectability", longest, tables[longest].rarer, "the trace")
    return SUBJECT.finding(setting, figures, curves={"auc_window_actors": _curve(found)})


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Attack the real actors and the model, count what differs under one seed, and run all controls."""
    worlds = sizes(size, seed)
    quiet_one, slow_one = {**worlds[0], "quiet": True}, {**worlds[0], "off": ["busy-slot"]}
    others = [quiet_one, control(worlds, "cover", "downlink"), slow_one]
    runs = [unpacked(arrays) for arrays in run(converse, [*worlds, *others])]
    actors, (quiet, bare, slow) = runs[: len(worlds)], runs[len(worlds) :]
    busy: int = worlds[0]["busy"]
    tables = _tables(actors, busy)
    found = {length: told_apart(windows, seed=seed) for length, windows in tables.items()}
    sure = [length for length in found if length >= MAIN and tables[length].rarer >= ENOUGH]
    plan = PLANS[size]
    model = told_apart(_model(plan, run, seed, actors[0].frame), seed=seed)
    shown = max(sure) if sure else max(found)
    keys = ("undetectability", "undetectability_model") if sure else ("undetectability_actors", "undetectability")
    figures = (
        Figure(
            "undetectability_differences",
            "writes that differ between an idle and a busy network under one seed",
            exact(differing(actors[0], quiet)),
            must=Bound(0),
        ),
        *_figures(found[shown], keys[0], shown, tables[shown].rarer, "the real actors"),
        *_figures(model, keys[1], plan.seconds, plan.windows, "the model"),
    )
    controls = (*_positive(bare, slow, quiet, busy, seed), _null(quiet, shown, seed))
    setting = _setting(worlds, plan, seed)
    return SUBJECT.finding(setting, figures, controls, {"auc_window_actors": _curve(found)})


def _model(plan: WindowPlan, run: Run, seed: int, frame: int) -> Windows:
    """As many idle as busy windows, a client each, twice: to learn from and to judge. In it users move nothing."""
    whole = 4 * plan.windows
    chunks = [min(CHUNK, whole - start) for start in range(0, whole, CHUNK)]
    jobs: list[dict[str, Any]] = [
        {"windows": count, "seconds": plan.seconds, "size": frame, "seed": [seed, 5, number]}
        for number, count in enumerate(chunks)
    ]
    parts = run(model_windows, jobs)
    clients = np.arange(whole)
    table, gaps = (np.concatenate([one[key] for one in parts]) for key in ("table", "gaps"))
    return Windows(clients, clients % 2 == 0, table, gaps)


def _positive(bare: Observed, slow: Observed, quiet: Observed, busy: int, seed: int) -> tuple[Control, ...]:
    """Without cover, and with work at the slots of messages: what classifiers and the comparison must notice."""
    areas = []
    for name, run in (("without cover", bare), ("20 s of work at the slot of a message", slow)):
        tables = _tables([run], busy)
        length = max(tables)
        verdicts = told_apart(tables[length], seed=seed)
        areas.append(Control.positive(f"real actors, {name}, {length:,.0f} s", verdicts.strongest, _win(length)))
    changed = exact(differing(slow, quiet))
    return *areas, Control.positive("writes that work at the slot moves", changed, at_least(1))


def _win(length: float) -> Bound:
    """What an attack must reach without the defence; half a minute has too few frames for more than this."""
    return at_least(0.99 if length >= 100 else 0.95)


def _null(quiet: Observed, length: float, seed: int) -> Control:
    """Clients who all did nothing, of whom chance calls half busy."""
    windows = windows_of(quiet, length)
    chosen = np.random.default_rng([seed, 6]).permutation(np.unique(windows.client))
    windows = windows.labelled(np.isin(windows.client, chosen[::2]))
    verdicts = told_apart(windows, seed=seed)
    return Control.null("real actors, all idle, half of them called busy", verdicts.strongest, chance=0.5)


def _tables(runs: Sequence[Observed], busy: int | None = None, shorter: Sequence[float] = ()) -> dict[float, Windows]:
    """The windows of all lengths of which the runs have enough.

    Busy are the first `busy` clients, as `converse` has it, or else whoever sent or got a message in the window.
    """
    tables = {}
    for length in (*shorter, *LENGTHS):
        if runs[0].seconds + 1 < length or sum(run.seconds / length * len(run.clients) for run in runs) > MOST:
            continue
        parts = [windows_of(run, length) for run in runs]
        if busy is not None:
            parts = [windows.labelled(windows.client < busy) for windows in parts]
        windows = gathered(parts)
        if tellable(windows):
            tables[length] = windows
    return tables


# What is told.


def _figures(found: Verdicts, key: str, length: float, windows: int, ran: str) -> tuple[Figure, ...]:
    """The strongest classifier's figure, claimed if there are windows enough; each classifier's; Bayes security."""
    where = f"{length:,.0f} s windows, {windows:,} or more a class, {ran}"
    must, aim = (MUST, AIM) if windows >= ENOUGH and length >= MAIN else (None, None)
    return (
        Figure(f"{key}_auc", f"idle or busy, strongest, {where}", advantage(found.strongest), must=must, aim=aim),
        *(Figure(f"{key}_{method.split()[-1]}_auc", f"{method}, {where}", found.areas[method]) for method in METHODS),
        Figure(f"{key}_bayes_security", f"error over a blind guess's, {where}", exact(found.error / 0.5)),
    )


def _curve(found: dict[float, Verdicts]) -> Curve:
    return curve(found, [one.strongest for one in found.values()])


def _setting(worlds: Sequence[dict[str, Any]], plan: WindowPlan, seed: int) -> str:
    return (
        f"real actors: {described(worlds)}, one packet a second each way; model: {plan.windows:,} windows a class of "
        f"{plan.seconds:,.0f} s; seed {seed}"
    )
