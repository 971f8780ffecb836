"""Plans as tables and as JSON.

Promises: the parameters are lines that go into an authority's configuration as they are.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

from mixnet.benchmarks.base import timing
from mixnet.benchmarks.plan.plan import ParameterPlan, Refusal, degree_of
from mixnet.deploy.display import say, tabulate

_INSTEAD = ("entropy", "latency", "bandwidth", "users")
_TIMED = 0.2  # CPU seconds


def floor() -> float:
    """CPU seconds of two X25519 scalar multiplications, timed now."""
    return statistics.median(timing.timed({"floor": timing.floor()}, _TIMED)["floor"])


def as_map(answer: ParameterPlan | Refusal) -> dict[str, Any]:
    """For JSON."""
    if isinstance(answer, Refusal):
        return {"possible": False, "why": answer.why, "instead": {name: getattr(answer, name) for name in _INSTEAD}}
    cpu = answer.wish.packet_cpu
    mean, p95 = answer.text_latency
    return {
        "possible": True,
        "parameters": answer.settings,
        "layers": answer.wish.layers,
        "width": answer.width,
        "mixes": answer.wish.layers * answer.width,
        "providers": answer.providers,
        "entropy": None if answer.verified is None else list(answer.verified),
        "optimum": answer.network.optimum,
        "sender_entropy": None if answer.sender is None else list(answer.sender),
        "degree": degree_of(answer),
        "mix_pool": answer.network.pool,
        "provider_pool": answer.network.total * answer.delay / answer.providers,
        "latency_mean_s": mean,
        "latency_p95_s": p95,
        "file_1mb_s": answer.file_seconds,
        "client_bytes_per_s": answer.bytes_per_second,
        "client_packets_per_day": answer.packets_per_day,
        "client_gb_per_month": answer.gigabytes_per_month,
        "packet_cpu_us": cpu * 1e6,
        "mix_packets_per_s": answer.mix_rate,
        "mix_cpu": answer.mix_rate * cpu,
        "mix_bytes_per_s": answer.mix_bytes,
        "provider_packets_per_s": answer.provider_rate,
        "provider_down_frames_per_s": answer.provider_frames,
        "provider_cpu": (answer.provider_rate + answer.provider_frames) * cpu,
        "provider_bytes_per_s": answer.provider_bytes,
    }


def show(answer: ParameterPlan | Refusal, *, asked: int | None) -> None:
    """For a person."""
    if isinstance(answer, Refusal):
        _show_refusal(answer)
        return
    what = as_map(answer)
    wish = answer.wish
    low, high = what["entropy"][1:]
    gap = answer.network.optimum - what["entropy"][0]
    tabulate(
        f"A network for {wish.users:,} users",
        ("", ""),
        [
            ("mixes", f"{what['mixes']:,}: {wish.layers} layers of {answer.width:,}"),
            ("providers", f"{answer.providers:,}, {wish.users / answer.providers:,.0f} users each"),
            ("hides a packet", f"{what['entropy'][0]:.2f} bits, {low:.2f} to {high:.2f} (simulated)"),
            ("below the optimum", f"H* - H = {gap:.3f} bits"),
            ("hides its sender", f"{what['sender_entropy'][0]:.2f} of {math.log2(wish.users):.2f} bits"),
            ("packets in a pool", f"{what['mix_pool']:,.0f} in a mix, {what['provider_pool']:,.0f} in a provider"),
            (
                "a text takes",
                f"{what['latency_mean_s']:.2f} s on average, 95 % less than {what['latency_p95_s']:.2f} s",
            ),
            ("1 MB takes", _duration(what["file_1mb_s"])),
        ],
    )
    tabulate("What it costs each", ("", "client", "mix", "provider"), _costs(what))
    say(
        f"At {what['packet_cpu_us']:.0f} µs of CPU a packet. These are the fewest nodes of which each needs half a core"
    )
    say("at most, and holds 4,096 packets at most.")
    if asked is None and wish.layers < 3:
        say(f"Only {wish.layers} of 3 layers: the wish can't be had with more. Whoever owns the share f of all mixes")
        say(f"follows f^{wish.layers} of all packets.")
    say()
    say("[parameters]")
    for name, value in what["parameters"].items():
        say(f"{name} = {value:g}" if name == "layers" else f"{name} = {float(value)!r}")


def _costs(what: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    day = 86_400
    return [
        (
            "kB/s, both ways",
            f"{what['client_bytes_per_s'] / 1e3:,.1f}",
            f"{what['mix_bytes_per_s'] / 1e3:,.1f}",
            f"{what['provider_bytes_per_s'] / 1e3:,.1f}",
        ),
        (
            "packets a day",
            f"{what['client_packets_per_day']:,.0f}",
            f"{what['mix_packets_per_s'] * day:,.0f}",
            f"{(what['provider_packets_per_s'] + what['provider_down_frames_per_s']) * day:,.0f}",
        ),
        (
            "packets/s",
            f"{what['client_packets_per_day'] / day:,.2f}",
            f"{what['mix_packets_per_s']:,.1f}",
            f"{what['provider_packets_per_s'] + what['provider_down_frames_per_s']:,.1f}",
        ),
        (
            "GB in 30 days",
            f"{what['client_gb_per_month']:,.1f}",
            f"{what['mix_bytes_per_s'] * 30 * day / 1e9:,.1f}",
            f"{what['provider_bytes_per_s'] * 30 * day / 1e9:,.1f}",
        ),
        ("share of a core", "", f"{what['mix_cpu']:.1%}", f"{what['provider_cpu']:.1%}"),
    ]


def _show_refusal(refusal: Refusal) -> None:
    say(f"This can't be had: {refusal.why}.")
    lines = []
    if refusal.entropy is not None:
        lines.append(f"an entropy of at most {math.floor(refusal.entropy * 100) / 100:.2f} bits")
    if refusal.latency is not None:
        lines.append(f"a latency of {refusal.latency:g} s")
    if refusal.bandwidth is not None:
        lines.append(f"a bandwidth of {refusal.bandwidth / 1e3:g} kB/s")
    if refusal.users is not None:
        lines.append(f"{refusal.users:,} users")
    if not lines:
        say("No change of one wish alone is enough: relax two of them.")
        return
    say("Any one of these would do, the other wishes as they are:")
    for line in lines:
        say(f"  {line}")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
