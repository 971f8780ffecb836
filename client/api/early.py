"""What a daemon tells of itself before it has a directory document (spec/07-client.md 7.8).

Pure. Promises: the same names as `Figures.snapshot`, so that nobody who reads a status has to know two kinds.
"""

from __future__ import annotations

from typing import Any

PATIENCE = 30.0  # seconds after which whoever starts a daemon is told that it still waits for a document


def starting_figures(name: str, problem: str) -> dict[str, Any]:
    """The figures of a daemon that has sent and received nothing; there is no epoch and no provider yet."""
    counts = ("connections", "packets_in", "packets_out", "loops_sent", "loops_returned", "loops_late", "loops_lost")
    return {
        "role": "client",
        "name": name,
        "identity": "",
        "layer": None,
        "epoch": None,
        "ready": False,
        "connected": False,
        "problem": problem,
        "alarm": "calm",
        "warnings": [],
        "dropped": {"link": 0, "refused": 0},
        "frames": {},
        "received": {},
        **dict.fromkeys(counts, 0),
    }
