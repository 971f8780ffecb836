"""Findings: figures with intervals, their targets, and the controls that show that they can fail.

Pure. Promises: whether a target is met follows from the figure alone, never from a declaration; a finding with a
control that failed says so and meets nothing. `flat` gives the keys of docs/measuring.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from mixnet.benchmarks.base.statistics import Estimate

Curve = dict[str, list[float]]


class Verdict(StrEnum):
    """How a figure stands to its target."""

    AIM = "met"
    MUST = "met, short of the aim"
    MISSED = "not met"
    VOID = "void: a control failed"
    UNCLAIMED = "not claimed"


@dataclass(frozen=True, slots=True)
class Bound:
    """At most, or at least, a value."""

    limit: float
    at_least: bool = False

    def holds(self, value: float) -> bool:
        """Whether `value` keeps to it; nan never does."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:.4g}"


def at_least(limit: float) -> Bound:
    """The bound of what must not be less."""
    return Bound(limit, at_least=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity. `key` is its name in JSON, `unit` empty for a ratio or probability."""

    key: str
    what: str
    estimate: Estimate
    unit: str = ""
    must: Bound | None = None
    aim: Bound | None = None

    @property
    def verdict(self) -> Verdict:
        """How the value stands to its targets."""
        if self.must is None and self.aim is None:
            return Verdict.UNCLAIMED
        if self.aim is not None and self.aim.holds(self.estimate.value):
            return Verdict.AIM
        if self.must is not None and self.must.holds(self.estimate.value):
            return Verdict.MUST if self.aim is not None else Verdict.AIM
        return Verdict.MISSED


class Role(StrEnum):
    """What a control shows."""

    POSITIVE = "positive"  # the defence switched off: the attack must win
    NULL = "null"  # no signal by construction: the attack must be at chance


@dataclass(frozen=True, slots=True)
class Control:
    """One control. A positive one must reach `bound`; a null one's interval, widened to 99.9 %, must hold `chance`."""

    role: Role
    what: str
    estimate: Estimate
    bound: Bound | None = None
    chance: float = math.nan

    @classmethod
    def positive(cls, what: str, estimate: Estimate, bound: Bound) -> Control:
        """The attack where it must win."""
        return cls(Role.POSITIVE, what, estimate, bound)

    @classmethod
    def null(cls, what: str, estimate: Estimate, bound: Bound | None = None, *, chance: float = math.nan) -> Control:
        """The attack where there is nothing to find."""
        return cls(Role.NULL, what, estimate, bound, chance)

    @property
    def passed(self) -> bool:
        """Whether the measurement can be believed, as far as this control tells."""
        if self.bound is not None:
            return self.bound.holds(self.estimate.value)
        return self.estimate.nearly_covers(self.chance)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one attack or measurement found.

    `threats` are identifiers of requirements, `adversary` says where it stands (internal or external, local or global,
    passive or active), `defence` what answers it, `setting` on what it ran, `curves` what a plot may draw, by name.
    """

    name: str
    title: str
    threats: tuple[str, ...]
    adversary: str
    defence: str
    setting: str
    figures: tuple[Figure, ...]
    controls: tuple[Control, ...] = ()
    curves: dict[str, Curve] = field(default_factory=dict)
    note: str = ""

    @property
    def credible(self) -> bool:
        """Whether every control passed."""
        return all(control.passed for control in self.controls)

    def verdict(self, figure: Figure) -> Verdict:
        """How one of its figures stands, given the controls."""
        return figure.verdict if self.credible or figure.verdict is Verdict.UNCLAIMED else Verdict.VOID

    def as_map(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "threats": list(self.threats),
            "adversary": self.adversary,
            "defence": self.defence,
            "setting": self.setting,
            "figures": [self._figure(figure) for figure in self.figures],
            "controls": [_control(control) for control in self.controls],
            "curves": self.curves,
            "note": self.note,
        }

    def _figure(self, figure: Figure) -> dict[str, object]:
        return {
            "key": figure.key,
            "what": figure.what,
            "unit": figure.unit,
            "value": _number(figure.estimate.value),
            "ci": _interval(figure.estimate),
            "must": None if figure.must is None else str(figure.must),
            "aim": None if figure.aim is None else str(figure.aim),
            "verdict": str(self.verdict(figure)),
        }


class Subject(NamedTuple):
    """What every finding of one attack says of it; the fields are those of `Finding`.

    Of a cost there is a name and a title: nobody attacks, so nothing is threatened or defended.
    """

    name: str
    title: str
    threats: tuple[str, ...] = ()
    adversary: str = ""
    defence: str = ""
    note: str = ""

    def finding(
        self,
        setting: str,
        figures: Sequence[Figure],
        controls: tuple[Control, ...] = (),
        curves: dict[str, Curve] | None = None,
        note: str = "",
    ) -> Finding:
        """What was found this time; `note` in the place of the usual one."""
        return Finding(*self[:5], setting, tuple(figures), controls, curves or {}, note or self.note)


def line(x: Iterable[float], y: Iterable[float]) -> Curve:
    """A curve without a band, for a plot."""
    return {"x": [float(value) for value in x], "y": [float(value) for value in y]}


def curve(x: Iterable[float], values: Iterable[Estimate]) -> Curve:
    """A curve with its band, for a plot."""
    found = list(values)
    band = {"low": [one.low for one in found], "high": [one.high for one in found]}
    return line(x, [one.value for one in found]) | band


def flat(findings: Iterable[Finding]) -> dict[str, object]:
    """One object with a key for each figure, its interval under the key with `_ci`, and all controls."""
    return flat_maps(finding.as_map() for finding in findings)


def flat_maps(findings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """`flat` of what `as_map` gave. A key that an earlier finding has too is preceded by the finding's name."""
    merged: dict[str, Any] = {}
    controls: dict[str, Any] = {}
    for finding in findings:
        for figure in finding["figures"]:
            key = f"{finding['name']}_{figure['key']}" if figure["key"] in merged else figure["key"]
            merged[key] = figure["value"]
            merged[f"{key}_ci"] = figure["ci"]
        if finding["controls"]:
            controls[finding["name"]] = finding["controls"]
    return {**merged, "controls": controls}


def _control(control: Control) -> dict[str, object]:
    return {
        "role": str(control.role),
        "what": control.what,
        "value": _number(control.estimate.value),
        "ci": _interval(control.estimate),
        "expected": f"99.9 % interval holds {control.chance:g}" if control.bound is None else str(control.bound),
        "passed": control.passed,
    }


def _interval(estimate: Estimate) -> list[float | None]:
    return [_number(estimate.low), _number(estimate.high)]


def _number(value: float) -> float | None:
    """JSON has no infinity and no nan."""
    return value if math.isfinite(value) else None
