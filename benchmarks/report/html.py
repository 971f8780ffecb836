"""`report.html`: one file with everything in it, plots too (SPEC.md section 13.9)."""

from __future__ import annotations

from html import escape
from typing import Any

from benchmarks.report import markdown


def render(report: dict[str, Any]) -> str:
    """The page."""
    return f"<!doctype html><meta charset=utf-8><pre>{escape(markdown.render(report))}</pre>"
