"""Tables of a measured network and of a sweep.

Promises: every entropy with its interval, and everything that it was measured on beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mixnet.benchmarks.anonymity.actors import ObservedEntropy
from mixnet.benchmarks.anonymity.network import NetworkModel
from mixnet.benchmarks.anonymity.optimum import degree
from mixnet.deploy.display import say, tabulate


def show_point(network: NetworkModel, row: Mapping[str, Any]) -> None:
    """The table of one network."""
    lines = [
        ("mixes", f"{network.layers} layers of {network.width}"),
        ("packets a second", f"{network.total:,.6g} of {network.users:,} users"),
        ("mean hold", f"{network.delay:g} s"),
        *_entropies(row),
    ]
    if network.corrupt:
        lines.append(("seen through", f"{row['exposed']:.1%} of packets, {network.corrupt:.0%} of mixes corrupt"))
    tabulate("Anonymity of a modelled network", ("", ""), lines)
    held = "at entry providers and mixes" if network.providers else "at mixes"
    say(f"Packets are held {held}. Packets followed: {row['targets']}; 95 % intervals.")


def recorded(seen: ObservedEntropy) -> dict[str, Any]:
    """The figures of a recorded network, for JSON."""
    sender = seen.over_time(seen.sender)
    return {
        "network": asdict(seen.network),
        "targets": len(seen.packet),
        "unmatched": seen.unmatched,
        "pool": seen.network.pool,
        "optimum": seen.network.optimum,
        "entropy": list(seen.over_time(seen.packet)),
        "sender_entropy": list(sender),
        "degree": [degree(bits, seen.network.users) for bits in sender],
        "surprise": list(seen.over_time(seen.surprise)),
    }


def show_recorded(seen: ObservedEntropy) -> None:
    """The table of a recorded network."""
    row, network = recorded(seen), seen.network
    lines = [
        ("clients", f"{network.users:,}, {network.rate:.3g} packets/s each"),
        ("nodes", f"{network.providers} providers, {network.layers} layers of {network.width}"),
        ("mean hold", f"{network.delay:.3g} s"),
        *_entropies(row),
        ("surprise at the right packet", _bits(row["surprise"])),
    ]
    tabulate("Anonymity in a recorded network", ("", ""), lines)
    say(f"Packets followed: {row['targets']}. Packets with a frame missing on their way: {row['unmatched']}.")


def show_sweep(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """The table of a sweep over one property."""
    columns = (name, "pool", "H*", "H", "±", "H* - H", "sender", "d", "exposed")
    lines = [
        (
            f"{row[name]:,.6g}",
            f"{row['pool']:,.1f}",
            f"{row['optimum']:.3f}",
            f"{row['entropy'][0]:.3f}",
            f"{(row['entropy'][2] - row['entropy'][1]) / 2:.3f}",
            f"{row['optimum'] - row['entropy'][0]:.3f}",
            f"{row['sender_entropy'][0]:.3f}",
            f"{row['degree'][0]:.3f}",
            f"{row['exposed']:.1%}",
        )
        for row in rows
    ]
    tabulate(f"Entropy in bits against {name}", columns, lines)


def _entropies(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("packets in a mix", f"{row['pool']:,.1f}"),
        ("H*, the optimum", f"{row['optimum']:.3f} bits"),
        ("H, hides a packet", _bits(row["entropy"])),
        ("H* - H", f"{row['optimum'] - row['entropy'][0]:.3f} bits"),
        ("hides its sender", _bits(row["sender_entropy"])),
        ("degree of anonymity", f"{row['degree'][0]:.3f}"),
    ]


def _bits(estimate: Sequence[float]) -> str:
    value, low, high = estimate
    return f"{value:.3f} ± {(high - low) / 2:.3f} bits"
