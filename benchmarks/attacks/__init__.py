"""Attacks on the network, each a module that needs a trace and the truth (docs/measuring.md).

Promises: the table knows every attack, and imports none before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from mixnet.errors import LocalError


class Entry(NamedTuple):
    """An attack's module, and what it tries in one line."""

    module: str
    summary: str


ATTACKS: dict[str, Entry] = {
    "correlation": Entry("benchmarks.attacks.correlation", "whose packets come out at whom, by their times"),
    "disclosure": Entry("benchmarks.attacks.disclosure", "who somebody's contacts are, from many rounds of counts"),
    "activity": Entry("benchmarks.attacks.activity", "whether somebody is writing or idle, by classifiers"),
}


class UnknownAttack(LocalError):
    """There is no attack of that name: `mixnet attack` lists them."""


def load(name: str) -> object:
    """The module of an attack; UnknownAttack if there is none."""
    if name not in ATTACKS:
        raise UnknownAttack(f"there is no attack `{name}`: choose one of {', '.join(sorted(ATTACKS))}")
    return import_module(ATTACKS[name].module)
