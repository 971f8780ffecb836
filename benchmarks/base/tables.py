"""Findings as tables: figures with their targets, and controls.

Promises: every command that measures or attacks shows a finding as a report does.
"""

from __future__ import annotations

from benchmarks.base import summary
from benchmarks.base.figures import Finding
from deploy.display import say, tabulate


def render(finding: Finding) -> None:
    """Tables for a person: figures with their targets, then the controls."""
    told = finding.as_map()
    tabulate(finding.title, summary.HEAD[:-1], summary.shown(told))
    tabulate("Controls", summary.CONTROLS_HEAD, summary.control_rows(told))
    say(finding.setting)
    if finding.note:
        say(finding.note)
