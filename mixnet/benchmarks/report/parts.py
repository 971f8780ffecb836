"""The parts of a report: everything that is measured, by name (spec/13-measurements.md 13.9).

Promises: attacks are those of the table of attacks, so that a new one is in the report by being there. A part says
whether it needs the machine for itself: what takes real time does, what runs in virtual time doesn't.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mixnet.benchmarks.attacks import ATTACKS, load
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.errors import LocalError

if TYPE_CHECKING:
    from mixnet.benchmarks.base.figures import Finding

Say = Callable[[str], None]
SPHINX, PROCESSES, ANONYMITY = "sphinx", "processes", "anonymity"
GROWTH, REST = "growth", "rest"
_SPHINX_SECONDS = {Size.QUICK: 6.0, Size.STANDARD: 8.0, Size.FULL: 30.0}
_SLOW = (GROWTH, REST)  # minutes also where everything else takes three: a quick report has them if they are asked for
_CHARGED = (ANONYMITY, "correlation", "activity")  # the longest ones: begun first, so that none is left over


class UnknownPart(LocalError):
    """There is no part of that name in the report: `mixnet bench all --help` lists them."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `alone` is whether nothing else may run beside it."""

    name: str
    alone: bool

    def measure(self, size: Size, run: Run, seed: int, say: Say) -> list[Finding]:
        """What it finds; `run` shares the work out, where the part does so, and `say` hears what is being done."""
        if self.name == SPHINX:
            from mixnet.benchmarks.cost.sphinx import finding  # noqa: PLC0415

            return [finding(_SPHINX_SECONDS[size])]
        if self.name == PROCESSES:
            from mixnet.benchmarks.cost.real import measure as real  # noqa: PLC0415

            return real(size, seed=seed, say=say)
        if self.name == GROWTH:
            from mixnet.benchmarks.cost.scaling import node, provider  # noqa: PLC0415

            return [measured.measure(size, seed=seed, say=say) for measured in (provider, node)]
        if self.name == REST:
            from mixnet.benchmarks.cost import hostile, idle, start  # noqa: PLC0415

            return [measured.measure(size, seed=seed, say=say) for measured in (idle, start, hostile)]
        if self.name == ANONYMITY:
            from mixnet.benchmarks.anonymity.measure import measure as anonymity  # noqa: PLC0415

            return [anonymity(size, run, seed=seed)]
        return [load(self.name).measure(size, run, seed=seed)]


def parts(only: Iterable[str] = (), *, size: Size = Size.STANDARD) -> list[Part]:
    """The parts asked for, or all of a report of this `size`, in the order in which they are begun; UnknownPart."""
    attacks = sorted(ATTACKS, key=lambda name: (name not in _CHARGED, list(ATTACKS).index(name)))
    alone = (Part(name, True) for name in (SPHINX, PROCESSES, GROWTH, REST))
    known = [*alone, *(Part(name, False) for name in (ANONYMITY, *attacks))]
    wished = set(only)
    if unknown := wished - {part.name for part in known}:
        names = ", ".join(part.name for part in known)
        raise UnknownPart(f"there is no part `{min(unknown)}` in the report: choose among {names}")
    wished = wished or {part.name for part in known} - set(_SLOW if size is Size.QUICK else ())
    return [part for part in known if part.name in wished]


def absent(names: Iterable[str]) -> list[Finding]:
    """What there is of attacks that are none of `names`: whom they threaten, and no figure."""
    from mixnet.benchmarks.base.figures import Finding  # noqa: PLC0415

    attacks = ATTACKS.keys() - set(names)
    return [Finding(*load(name).SUBJECT[:5], "not measured", ()) for name in ATTACKS if name in attacks]


def as_maps(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """What goes from process to process, and into files."""
    return [one.as_map() for one in findings]
