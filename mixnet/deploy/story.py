"""The summary of a demonstration for a person."""

from __future__ import annotations

from mixnet.deploy.display import say, tabulate
from mixnet.deploy.figures import DemoOutcome


def _pair(values: dict[str, float | None]) -> str:
    """Median and 95th percentile."""
    p50, p95 = values["p50"], values["p95"]
    return "-" if p50 is None or p95 is None else f"{p50:.0f} ms (95 %: {p95:.0f} ms)"


def show_outcome(outcome: DemoOutcome) -> None:
    """What happened and what it cost."""
    dropped = ", ".join(f"{reason} {count}" for reason, count in outcome.dropped.items()) or "none"
    share = "-" if outcome.cover_share is None else f"{outcome.cover_share:.0%}"
    say()
    tabulate(
        "What was delivered",
        ("", ""),
        [
            ("sent", outcome.sent),
            ("delivered", outcome.delivered),
            ("not delivered in time" if outcome.timed_out else "lost", outcome.lost),
            ("duplicated", outcome.duplicated),
            ("file", f"{outcome.file_bytes:,} bytes, {'identical' if outcome.file_ok else 'NOT identical'}"),
            ("safety numbers", "equal" if outcome.safety_numbers_equal else "NOT equal"),
        ],
    )
    say()
    tabulate(
        "What it cost",
        ("", ""),
        [
            ("network ready after", f"{outcome.ready_seconds:.1f} s"),
            ("nodes ready at the end", outcome.nodes),
            ("authorities that signed", outcome.signatures),
            ("latency of a text", _pair(outcome.latency_ms)),
            ("... beyond the mixing delays", _pair(outcome.overhead_ms)),
            ("file transfer", f"{outcome.file_seconds:.1f} s"),
            ("cover among the clients' frames", share),
            ("largest node process", f"{outcome.node_memory_mb:.0f} MB"),
            ("largest client process", f"{outcome.client_memory_mb:.0f} MB"),
            ("idle network, of one core", f"{outcome.idle_cpu_percent:.1f} %"),
            ("killed on purpose", outcome.killed or "nothing"),
            ("packets dropped by nodes", dropped),
        ],
    )
    say()
    if outcome.timed_out:
        say(
            f"TIMED OUT: {', '.join(outcome.timed_out)}. Nothing is known to be lost: this machine was too slow, or too"
            " busy, and what is missing was still under way. Try again when it has less to do."
        )
    else:
        say("everything was delivered, once and unchanged" if outcome.success else "NOT everything was delivered")
