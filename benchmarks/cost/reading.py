"""The cost of verifying a document, in scalar multiplications timed in the same run.

Promises: what is timed is `mixnet.pki.document.verify_untrusted` as a client calls it, beside its first half, parsing:
decoding, checking each field and record, encoding again to see that the bytes were canonical. The rest is the
difference of the two within a round: digest, signatures, comparisons with what the reader trusts.
"""

from __future__ import annotations

import statistics
from typing import TypedDict

from benchmarks.base.timing import Interval, median, ratios, timed
from mixnet.crypto import SphinxSecret, x25519
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.document import parse_untrusted, verify_untrusted


class DocumentCost(TypedDict):
    """The cost of one document with so many signatures, in multiplications."""

    signatures: int
    whole_mults: float
    whole_mults_ci: Interval
    parsing_mults: float
    parsing_mults_ci: Interval
    rest_mults: float
    rest_mults_ci: Interval


class DocumentCosts(TypedDict):
    """One reading for each number of signatures."""

    floor_us: float  # one multiplication; it holds for this machine and this minute only
    rounds: int
    documents: list[DocumentCost]


def measure(raw: bytes, trust: Bootstrap, now: float, *, seconds: float = 3.0) -> DocumentCosts:
    """Verify `raw`, as it is and with no more signatures than `trust` demands, for about `seconds` of CPU.

    Raises what `verify_untrusted` does for a document that is not valid at `now` (seconds since the Unix epoch).
    """
    document, signatures = parse_untrusted(raw)
    least = document.encode(dict(sorted(signatures.items())[: trust.required]))
    scalar, point = SphinxSecret.generate().expose(), SphinxSecret.generate().public
    rounds = timed(
        {
            "floor": lambda: x25519(scalar, point),
            "whole least": lambda: verify_untrusted(least, trust, now),
            "parsing least": lambda: parse_untrusted(least),
            "whole all": lambda: verify_untrusted(raw, trust, now),
            "parsing all": lambda: parse_untrusted(raw),
        },
        seconds,
    )
    counts = {"least": trust.required, "all": len(signatures)}
    readings = [_reading(rounds, which, count) for which, count in counts.items()]
    return DocumentCosts(
        floor_us=statistics.median(rounds["floor"]) * 1e6, rounds=len(rounds["floor"]), documents=readings
    )


def _reading(rounds: dict[str, list[float]], which: str, signatures: int) -> DocumentCost:
    whole, parsing = (ratios(rounds[f"{part} {which}"], rounds["floor"]) for part in ("whole", "parsing"))
    whole_mults, whole_ci = median(whole)
    parsing_mults, parsing_ci = median(parsing)
    rest_mults, rest_ci = median([one - other for one, other in zip(whole, parsing, strict=True)])
    return DocumentCost(
        signatures=signatures,
        whole_mults=whole_mults,
        whole_mults_ci=whole_ci,
        parsing_mults=parsing_mults,
        parsing_mults_ci=parsing_ci,
        rest_mults=rest_mults,
        rest_mults_ci=rest_ci,
    )


def rows(readings: DocumentCosts) -> list[tuple[str, str, str, str]]:
    """What, figure, interval and what it must be, for a person."""
    shown = [("one X25519, in µs", f"{readings['floor_us']:.1f}", "", "")]
    for reading in readings["documents"]:
        with_signatures = f", {reading['signatures']} signatures"
        shown += [
            _row(f"whole{with_signatures}", reading["whole_mults"], reading["whole_mults_ci"]),
            _row("... parsing", reading["parsing_mults"], reading["parsing_mults_ci"]),
            _row("... all else", reading["rest_mults"], reading["rest_mults_ci"], "< 50"),
        ]
    return shown


def _row(what: str, value: float, interval: Interval, must: str = "") -> tuple[str, str, str, str]:
    return what, f"{value:.1f}", f"{interval[0]:.1f} - {interval[1]:.1f}", must
