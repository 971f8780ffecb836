"""A directory document for human eyes and for programs (SPEC.md section 5.11).

Promises: everything shown is public and was verified; output that isn't a terminal has no frames, colours or cut lines.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from directory.evidence import Contradiction
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.canonical import plain
from mixnet.pki.document import Document, Node, parse_untrusted

_SHORT = 16  # hexadecimal digits of an identity


def say(line: str) -> None:
    """One line of output."""
    sys.stdout.write(line + "\n")


def as_table(document: Document, raw: bytes) -> dict[str, Any]:
    """The document as plain data; identities and keys as hexadecimal digits."""
    signatures = parse_untrusted(raw)[1]
    return {
        **plain(document),
        "digest": document.digest.hex(),
        "signed_by": [authority.hex() for authority in signatures],
        "nodes": len(list(document.nodes)),
        "bytes": len(raw),
    }


def show_json(document: Document, raw: bytes) -> None:
    """One JSON object."""
    say(msgspec.json.encode(as_table(document, raw)).decode())


def show(document: Document, raw: bytes, trust: Bootstrap) -> None:
    """Epoch and validity, nodes by layer, who signed."""
    signers = parse_untrusted(raw)[1]
    say(f"epoch {document.epoch}, valid from {_time(document.valid_from)} until {_time(document.valid_until)}")
    say(f"signed by {len(signers)} of {len(trust.authorities)} authorities ({trust.required} are required)")
    say(f"digest {document.digest.hex()}, {len(raw)} bytes")
    rows = [
        *(_row(f"layer {number}", node) for number, layer in enumerate(document.layers, 1) for node in layer),
        *(_row("provider", node) for node in document.providers),
    ]
    _tabulate("nodes", ("place", "identity", "address", "keys for epochs"), rows)
    known = [
        (one.identity.hex()[:_SHORT], one.address, "yes" if one.identity in signers else "no")
        for one in trust.authorities
    ]
    _tabulate("authorities", ("identity", "address", "signed"), known)


def show_evidence(
    proofs: Sequence[tuple[Contradiction, bytes]], answered: int, trust: Bootstrap, *, json: bool
) -> None:
    """Who contradicted itself, when, about what; as JSON with the proof for others to verify."""
    if json:
        found = [{**plain(proof), "proof": raw.hex()} for proof, raw in proofs]
        say(msgspec.json.encode({"answered": answered, "evidence": found}).decode())
        return
    say(f"{answered} of {len(trust.authorities)} authorities answered, {len(proofs)} contradictions are proven")
    if proofs:
        rows = [
            (str(proof.epoch), str(proof.attempt), str(proof.kind), proof.author.hex()[:_SHORT]) for proof, _ in proofs
        ]
        _tabulate("contradictions", ("epoch", "attempt", "statement", "authority"), rows)


def _row(place: str, node: Node) -> tuple[str, ...]:
    last = node.epoch + len(node.keys) - 1
    return place, node.identity.hex()[:_SHORT], node.address, f"{node.epoch}-{last}"


def _time(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _tabulate(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if sys.stdout.isatty():
        table = Table(*columns, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    say(title)
    widths = [max(len(row[number]) for row in [columns, *rows]) for number in range(len(columns))]
    for row in [columns, *rows]:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
