"""Shows directory documents to people, and as JSON to programs (spec/05-directory.md 5.11).

Promises: everything shown is public and was verified; output that isn't a terminal has no frames, colours or cut lines.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from mixnet import hints
from mixnet.directory.evidence import ProvenContradiction
from mixnet.directory.reports import EpochReport, absences, sentence_about
from mixnet.directory.successors_diff import changes
from mixnet.pki.bootstrap import Trusted
from mixnet.pki.canonical import plain
from mixnet.pki.document import Document, Node, parse_untrusted
from mixnet.pki.trust import Trust
from mixnet.shown import one_line, table, width

_SHORT = 16  # hexadecimal digits of an identity


def say(line: str) -> None:
    """One line of output."""
    sys.stdout.write(line + "\n")


def say_json(value: object) -> None:
    """One JSON value for a program."""
    say(msgspec.json.encode(value).decode())


def as_table(document: Document, raw: bytes, trust: Trust) -> dict[str, Any]:
    """The document as plain data; identities and keys as hexadecimal digits."""
    signatures = parse_untrusted(raw)[1]
    return {
        **plain(document),
        "digest": document.digest.hex(),
        "signed_by": [authority.hex() for authority in signatures],
        "nodes": len(list(document.nodes)),
        "bytes": len(raw),
        "changes_of_authorities": [change.table() for change in changes(trust)],
    }


def show_document(document: Document, raw: bytes, trust: Trust, *, json: bool) -> None:
    """Epoch and validity, nodes by layer, who signed, and how the authorities change; or one JSON object."""
    if json:
        say(msgspec.json.encode(as_table(document, raw, trust)).decode())
        return
    signers, authorities = parse_untrusted(raw)[1], trust.at(document.epoch)
    say(f"epoch {document.epoch}, valid from {_time(document.valid_from)} until {_time(document.valid_until)}")
    say(f"signed by {len(signers)} of {len(authorities.authorities)} authorities ({authorities.required} are required)")
    say(f"digest {document.digest.hex()}, {len(raw)} bytes")
    rows = [
        *(_row(f"layer {number}", node) for number, layer in enumerate(document.layers, 1) for node in layer),
        *(_row("provider", node) for node in document.providers),
    ]
    _tabulate("nodes", ("place", "identity", "address", "keys for epochs"), rows)
    known = [
        (one.identity.hex()[:_SHORT], one.address, "yes" if one.identity in signers else "no")
        for one in authorities.authorities
    ]
    _tabulate("authorities", ("identity", "address", "signed"), known)
    if len(signers) < len(authorities.authorities):
        say(hints.here("who is missing, since when: `mixnet directory history`"))
    for change in changes(trust):
        for line in change.lines(document.epoch):
            say(line)


def show_evidence(
    proofs: Sequence[tuple[ProvenContradiction, bytes]], answered: int, trust: Trust, *, json: bool
) -> None:
    """Who contradicted itself, when, about what; as JSON with the proof for others to verify."""
    if json:
        found = [{**plain(proof), "proof": raw.hex()} for proof, raw in proofs]
        say(msgspec.json.encode({"answered": answered, "evidence": found}).decode())
        return
    say(f"{answered} of {len(trust.newest.authorities)} authorities answered, {len(proofs)} contradictions are proven")
    if proofs:
        rows = [
            (str(proof.epoch), str(proof.attempt), str(proof.kind), proof.author.hex()[:_SHORT]) for proof, _ in proofs
        ]
        _tabulate("contradictions", ("epoch", "attempt", "statement", "authority"), rows)


def show_why(identity: bytes, sentence: str, words: Mapping[bytes, str], *, json: bool) -> None:
    """Where a node stands, or why it is absent, and what each authority says about it."""
    if json:
        said = {one.hex(): word for one, word in words.items()}
        say(msgspec.json.encode({"node": identity.hex(), "state": sentence, "authorities": said}).decode())
        return
    say(f"{identity.hex()[:_SHORT]}: {sentence}")
    for one, word in words.items():
        say(f"authority {one.hex()[:_SHORT]} {word}")


def show_history(reports: Sequence[EpochReport], trust: Trusted, *, json: bool) -> None:
    """One line an epoch: the document's round, who signed it, what changed, what failed."""
    if json:
        say(msgspec.json.encode([_history_table(report) for report in reports]).decode())
        return
    rows = [
        (
            str(report.epoch),
            _round_name(report),
            f"{len(report.signed)} of {len(trust.at(report.epoch).authorities)}",
            " ".join(one.hex()[:8] for one in report.missing) or "-",
            _changes(report),
            "; ".join(report.failures) or "-",
        )
        for report in reports
    ]
    _tabulate("history", ("epoch", "round", "signed", "missing", "changes", "failed rounds"), rows)
    for absence in absences(reports):
        at = {one.identity: one.address for one in trust.at(reports[-1].epoch).authorities}.get(absence.authority, "")
        say(f"authority {absence.authority.hex()[:_SHORT]} at {at} {sentence_about(absence)}")


def _history_table(report: EpochReport) -> dict[str, Any]:
    def texts(identities: Sequence[bytes]) -> list[str]:
        return [identity.hex() for identity in identities]

    return {
        "epoch": report.epoch,
        "digest": None if report.document is None else report.document.digest.hex(),
        "attempt": report.attempt,
        "signed_by": texts(report.signed),
        "missing": texts(report.missing),
        "silent": texts(report.silent),
        "joined": texts(report.joined),
        "left": texts(report.left),
        "moved": texts(report.moved),
        "parameters_changed": report.parameters_changed,
        "took_over": report.took_over,
        "introduces": report.introduces,
        "failures": list(report.failures),
    }


def _round_name(report: EpochReport) -> str:
    if report.document is None:
        return "no document"
    if report.attempt is None:
        return "unknown"
    return "regular" if report.attempt == 0 else f"late {report.attempt}"


def _changes(report: EpochReport) -> str:
    counted = (("joined", report.joined), ("left", report.left), ("moved", report.moved))
    said = [f"{len(nodes)} {verb}" for verb, nodes in counted if nodes]
    said += ["parameters"] * report.parameters_changed + ["new authorities took over"] * report.took_over
    said += [] if report.introduces is None else [f"other authorities from epoch {report.introduces}"]
    return ", ".join(said) or "-"


def _row(place: str, node: Node) -> tuple[str, ...]:
    last = node.epoch + len(node.keys) - 1
    return place, node.identity.hex()[:_SHORT], node.address, f"{node.epoch}-{last}"


def _time(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _tabulate(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    say(title)
    if sys.stdout.isatty():
        for line in table(columns, [[one_line(cell) for cell in row] for row in rows], width()):
            say(line)
        return
    widths = [max(len(row[number]) for row in [columns, *rows]) for number in range(len(columns))]
    for row in [columns, *rows]:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
