"""The catalogue: each requirement, each adversary, what was tried, and how it stands (spec/13-measurements.md 13.9).

Pure. Promises: a row is met because a figure with a target is, with its controls; where nothing was tried the row says
so and claims nothing. A figure that is measured without a target is told and not claimed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from mixnet.benchmarks.base import summary
from mixnet.benchmarks.base.figures import Verdict

REQUIREMENTS = {
    "T1": "entity authentication (spoofing)",
    "T2": "confidentiality of content",
    "T3": "data authentication (tampering)",
    "T4": "accountability: proof of origin, submission, delivery, receipt",
    "T5": "authorisation, least privilege",
    "P1": "anonymity within a set",
    "P2": "unlinkability",
    "P3": "undetectability, unobservability",
    "P4": "confidentiality of metadata",
    "P5": "plausible deniability",
    "P6": "data protection",
    "F1": "text, also to somebody who is offline",
    "F2": "attachments",
    "F3": "groups",
    "F4": "voice",
    "F5": "archive and search",
    "F6": "contacts: synchronisation and matching",
    "F7": "several devices of one user",
}
UNCLAIMED = {
    "T4": "signed messages, receipts and witnesses are tested (tests/threats/test_t4.py), and not measured",
    "F3": "groups are tested (tests/client/groups), and not measured here: `mixnet bench groups` has their speed",
    "F4": "there is no voice yet",
    "F6": "spoken codes and matching are tested (tests/client), and not attacked here",
    "F7": "devices are tested (tests/client/devices/test_devices.py), and not attacked here",
}
_ALSO = {  # what is not there beside what was tried
    "T5": "group roles are tested (tests/client/groups/test_roster.py), and not attacked here",
    "P5": "before a judge who takes part while people talk, or who has a provider's records: nothing was tried",
    "P6": "backups of an operator, and what file systems and flash memory keep of what was overwritten: not tried",
    "F5": "contents of attachments are not searched",
}
_FEW = 4
_NOTHING = "nothing was tried"
_DIMENSIONS = (("external", "internal"), ("local", "global"), ("passive", "active"))
CLASSES = tuple(product(*_DIMENSIONS))
Stands = tuple[str, ...]
MET, NOT_MET, NOT_CLAIMED = "met", "not met", "not claimed"


class ThreatRow(NamedTuple):
    """One figure for one requirement, or what is not claimed and why. `finding` says where it comes from."""

    requirement: str
    adversary: str
    tried: str
    figure: str
    interval: str
    target: str
    verdict: str
    controls: str
    finding: str
    key: str


class Square(NamedTuple):
    """How a requirement stands against one class of adversaries: the worst of what was tried."""

    requirement: str
    adversary: str
    verdict: str
    tried: int


def rows(findings: Iterable[dict[str, Any]]) -> list[ThreatRow]:
    """Every row, by requirement."""
    listed = list(findings)
    return [row for requirement in REQUIREMENTS for row in _of(requirement, listed)]


def squares(findings: Iterable[dict[str, Any]]) -> list[Square]:
    """Each requirement that is a threat's, against each class."""
    listed, found = list(findings), []
    for requirement in REQUIREMENTS:
        if requirement.startswith("F"):
            continue
        for stands in CLASSES:
            verdicts = [row.verdict for row in _of(requirement, listed) if stands in classes(row.adversary)]
            found.append(Square(requirement, ", ".join(stands), _worst(verdicts), len(verdicts)))
    return found


def classes(adversary: str) -> set[Stands]:
    """The classes that a description names before its first colon or semicolon; of a dimension left open, both."""
    words = set(re.findall("[a-z]+", re.split("[:;]", adversary)[0]))
    if not words:
        return set()
    named = [[word for word in pair if word in words] or list(pair) for pair in _DIMENSIONS]
    return set(product(*named))


def as_map(findings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For JSON."""
    return {
        "requirements": REQUIREMENTS,
        "rows": [row._asdict() for row in rows(findings)],
        "classes": [square._asdict() for square in squares(findings)],
    }


def _of(requirement: str, findings: Sequence[dict[str, Any]]) -> Iterator[ThreatRow]:
    """The rows of one requirement."""
    answering = [finding for finding in findings if requirement in finding["threats"]]
    found = [row for finding in answering for row in _told(requirement, finding) or [_missing(requirement, finding)]]
    yield from found
    if not found:
        yield _empty(requirement, UNCLAIMED.get(requirement, _NOTHING))
    elif requirement in _ALSO:
        yield _empty(requirement, _ALSO[requirement])


def _missing(requirement: str, finding: dict[str, Any]) -> ThreatRow:
    """An attack without a figure: what else was tried doesn't answer for it."""
    row = _empty(requirement, f"{finding['title']}: not measured in this report")
    return row._replace(adversary=finding["adversary"], finding=finding["name"])


def _told(requirement: str, finding: dict[str, Any]) -> list[ThreatRow]:
    """The figures with a target, and what corrupt providers learn; of a finding that has neither, the first few."""
    pairs = list(zip(finding["figures"], summary.of(finding), strict=True))
    told = [(figure, words) for figure, words in pairs if words.target or _inside(figure)]
    return [_row(requirement, finding, figure, words) for figure, words in told or pairs[:_FEW]]


def _row(requirement: str, finding: dict[str, Any], figure: dict[str, Any], words: summary.FigureRow) -> ThreatRow:
    inside = _inside(figure)
    adversary = "internal, global, passive" if inside else finding["adversary"]
    tried = f"{finding['title']}: {words.what}"
    return ThreatRow(
        requirement, adversary, tried, words.value, words.interval, words.target, _verdict(figure["verdict"]),
        words.controls, finding["name"], words.key,
    )  # fmt: skip


def _empty(requirement: str, reason: str) -> ThreatRow:
    return ThreatRow(requirement, "", reason, "", "", "", NOT_CLAIMED, "", "", "")


def _inside(figure: dict[str, Any]) -> bool:
    """Whether it is what corrupt providers learn, which has no target: it is told."""
    return figure["key"].split("_")[1:2] in (["exit"], ["entry"], ["both"])


def _verdict(verdict: str) -> str:
    match verdict:
        case Verdict.AIM | Verdict.MUST:
            return MET
        case Verdict.UNCLAIMED:
            return NOT_CLAIMED
    return NOT_MET


def _worst(verdicts: Sequence[str]) -> str:
    if NOT_MET in verdicts:
        return NOT_MET
    return MET if verdicts and NOT_CLAIMED not in verdicts else NOT_CLAIMED
