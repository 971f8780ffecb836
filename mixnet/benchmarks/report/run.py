"""`mixnet bench all`: measure everything and write the report (spec/13-measurements.md 13.9).

Promises: what needs the machine for itself runs alone, first; the rest shares the cores. A part that fails is in the
report by name, and the others are there all the same. Beyond the quick size every piece of work is kept as it is done,
and not done again by the same code for the same seed: whoever starts again goes on.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from mixnet.benchmarks.base.figures import flat_maps
from mixnet.benchmarks.base.jobs import Kept, code
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.report import machine, pages
from mixnet.benchmarks.report.children import News, PartOutcome, ReportOptions, Tell, outcome, together
from mixnet.benchmarks.report.parts import Part
from mixnet.files import replace_file

KEPT = "kept"
_PATH = re.compile(r"(?<![\w.])/[\w.@+-]+(?:/[\w.@+-]*)+")


@dataclass(frozen=True, slots=True)
class ReportJob:
    """A whole report: of which parts, how, and where to."""

    parts: Sequence[Part]
    wish: ReportOptions
    out: Path


def make(job: ReportJob, tell: Tell) -> dict[str, Any]:
    """Measure, write `report.json`, `report.md` and `report.html`, and return what is in the first of them."""
    job.out.mkdir(parents=True, exist_ok=True)
    begun, now = time.monotonic(), datetime.now(UTC)
    outcomes = measure(job, tell)
    report = assemble(job, outcomes, begun=now, seconds=time.monotonic() - begun)
    write(report, job.out)
    return report


def measure(job: ReportJob, tell: Tell) -> list[PartOutcome]:
    """Every part's outcome, in their order; what is kept from an earlier run isn't measured again."""
    with TemporaryDirectory(prefix="mixnet-bench-") as scratch:
        folder = Path(scratch) if job.wish.size is Size.QUICK else job.out / KEPT
        wish = replace(job.wish, kept=folder, code=code())
        kept = Kept(folder, wish.code)
        done = {part.name: found for part in job.parts if (found := _find(kept, part, wish))}

        def note(said: News | PartOutcome) -> None:
            if isinstance(said, PartOutcome) and not said.error:
                kept.put(measure, _key(said.part, wish), {"findings": said.findings, "seconds": said.seconds})
            tell(said)

        for one in done.values():
            tell(one)
        rest = [part for part in job.parts if part.name not in done]
        for part in (part for part in rest if part.alone):
            done[part.name] = _alone(part, wish, note)
        for one in together([part for part in rest if not part.alone], *_shared(wish), note):
            done[one.part] = one
    return [done[part.name] for part in job.parts]


def assemble(job: ReportJob, outcomes: Sequence[PartOutcome], *, begun: datetime, seconds: float) -> dict[str, Any]:
    """The report as one map: a key for each figure, all controls, and everything else below keys of its own."""
    findings = [finding for one in outcomes for finding in one.findings]
    return {
        **flat_maps(findings),
        "report": {
            "size": str(job.wish.size),
            "seed": job.wish.seed,
            "begun": begun.isoformat(timespec="seconds"),
            "seconds": round(seconds, 1),
            "parts": {one.part: round(one.seconds, 1) for one in outcomes},
            "failed": {one.part: without_paths(one.error) for one in outcomes if one.error},
        },
        "machine": machine.describe(),
        "findings": findings,
    }


def write(report: dict[str, Any], out: Path) -> None:
    """The three files; each appears whole or not at all."""
    replace_file(out / "report.json", (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode(), mode=0o666)
    replace_file(out / "report.md", pages.markdown(report).encode(), mode=0o666)
    replace_file(out / "report.html", pages.html(report).encode(), mode=0o666)


def sound(report: dict[str, Any]) -> bool:
    """Whether every part was measured and every control passed."""
    controls = [control for listed in report["controls"].values() for control in listed]
    return not report["report"]["failed"] and all(control["passed"] for control in controls)


def without_paths(text: str) -> str:
    """The text without folders of this machine."""
    return _PATH.sub("...", text)


def _alone(part: Part, wish: ReportOptions, tell: Tell) -> PartOutcome:
    """In this process, which does nothing else."""
    tell(News(part.name, "begun"))
    found = outcome(part, wish, lambda words: tell(News(part.name, words)))
    tell(found)
    return found


def _shared(wish: ReportOptions) -> tuple[ReportOptions, int]:
    """How parts share the cores: if quick, a process for each part; else all processes do the pieces of one part."""
    if wish.size is Size.QUICK and not wish.scheduler:
        return replace(wish, workers=1), wish.workers
    return wish, 1


def _find(kept: Kept, part: Part, wish: ReportOptions) -> PartOutcome | None:
    for found in kept.find(measure, _key(part.name, wish)):
        return PartOutcome(part.name, cast("list[dict[str, Any]]", found["findings"]), found["seconds"])
    return None


def _key(part: str, wish: ReportOptions) -> dict[str, Any]:
    return {"part": part, "size": str(wish.size), "seed": wish.seed}
