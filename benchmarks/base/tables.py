"""Findings as tables: figures with their targets, controls, and the machine.

Promises: every command that measures or attacks shows a finding alike.
"""

from __future__ import annotations

from benchmarks.base.figures import Finding
from deploy.display import say, tabulate


def render(finding: Finding) -> None:
    """Tables for a person: figures with their targets, then the controls."""
    rows = [
        (
            figure.what,
            f"{figure.estimate.value:.4g} {figure.unit}".rstrip(),
            f"{figure.estimate.low:.4g} - {figure.estimate.high:.4g}",
            str(figure.must or ""),
            str(figure.aim or ""),
            str(finding.verdict(figure)),
        )
        for figure in finding.figures
    ]
    tabulate(finding.title, ("what", "figure", "95 % interval", "must", "aim", "verdict"), rows)
    controls = [
        (f"{control.role}: {control.what}", f"{control.estimate.value:.4g}", str(control.bound or ""),
         "passed" if control.passed else "FAILED")
        for control in finding.controls
    ]  # fmt: skip
    tabulate("Controls", ("what", "figure", "expected", ""), controls)
    say(finding.setting)
    if finding.note:
        say(finding.note)
