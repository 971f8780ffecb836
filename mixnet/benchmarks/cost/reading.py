"""The cost of verifying a document, in scalar multiplications timed in the same run.

Promises: what is timed is `mixnet.pki.document.verify_untrusted` as a client calls it, beside its first half, parsing:
decoding, checking each field and record, encoding again to see that the bytes were canonical. The rest is the
difference of the two within a round: digest, signatures, comparisons with what the reader trusts.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from mixnet.benchmarks.base.timing import median, ratios, timed
from mixnet.crypto import SphinxSecret, x25519
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.document import parse_untrusted, verify_untrusted

_ROWS = (("whole{}", "whole_mults", ""), ("... parsing", "parsing_mults", ""), ("... all else", "rest_mults", "< 50"))


def measure(raw: bytes, trust: Bootstrap, now: float, *, seconds: float = 3.0) -> dict[str, Any]:
    """Verify `raw`, as it is and with no more signatures than `trust` demands, for about `seconds` of CPU.

    One reading for each number of signatures; `floor_us` holds for this machine and this minute only.
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
    return {"floor_us": statistics.median(rounds["floor"]) * 1e6, "rounds": len(rounds["floor"]), "documents": readings}


def _reading(rounds: dict[str, list[float]], which: str, signatures: int) -> dict[str, Any]:
    """The cost of one document with so many signatures, in multiplications, each with its interval."""
    whole, parsing = (ratios(rounds[f"{part} {which}"], rounds["floor"]) for part in ("whole", "parsing"))
    rest = [one - other for one, other in zip(whole, parsing, strict=True)]
    reading: dict[str, Any] = {"signatures": signatures}
    for part, values in (("whole", whole), ("parsing", parsing), ("rest", rest)):
        reading[f"{part}_mults"], reading[f"{part}_mults_ci"] = median(values)
    return reading


def rows(readings: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """What, figure, interval and what it must be, for a person."""
    shown = [("one X25519, in µs", f"{readings['floor_us']:.1f}", "", "")]
    for reading in readings["documents"]:
        for what, key, must in _ROWS:
            low, high = reading[f"{key}_ci"]
            label = what.format(f", {reading['signatures']} signatures")
            shown.append((label, f"{reading[key]:.1f}", f"{low:.1f} - {high:.1f}", must))
    return shown
