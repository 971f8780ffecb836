"""Attacks on the network, one a module, scored by the truth (docs/measuring.md).

Promises: the table knows every attack, and imports none before it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from mixnet.errors import LocalError

if TYPE_CHECKING:
    from mixnet.benchmarks.base.figures import Finding, Subject
    from mixnet.benchmarks.base.jobs import Run
    from mixnet.benchmarks.base.size import Size
    from mixnet.benchmarks.simulation.ground_truth import Journey
    from mixnet.benchmarks.simulation.trace import Trace


class Attack(Protocol):
    """What each module offers."""

    SUBJECT: Subject

    def score(self, trace: Trace, journeys: Sequence[Journey]) -> Finding:
        """Attack a trace; the journeys tell which guesses are right."""

    def measure(self, size: Size, run: Run, *, seed: int = 1) -> Finding:
        """Attack the real actors and the model, with controls."""


ATTACKS = {  # by the name of its module: what it finds out
    "correlation": "whose packets come out at whom, by their times",
    "disclosure": "who somebody's contacts are, from many rounds of counts",
    "activity": "whether somebody is writing or idle, by classifiers",
    "isolation": "one client's packets, by holding back everybody else's (n-1)",
    "flooding": "whether packets of his own in a mix take anonymity from others",
    "dropping": "how long corrupt mixes may swallow packets before anybody warns",
    "replay": "whether a recorded packet is accepted a second time",
    "tagging": "whether a packet that was changed on its way is delivered",
    "presence": "when a contact's daemon runs, by what it answers",
    "position": "how far a packet has come and how far it goes, from its header",
    "split_view": "whether readers believe false directory documents",
    "compromise": "what a share of corrupt mixes sees beside all links",
}


class UnknownAttack(LocalError):
    """There is no attack of that name: `mixnet attack` lists them."""


def load(name: str) -> Attack:
    """The module of an attack; UnknownAttack if there is none."""
    if name not in ATTACKS:
        raise UnknownAttack(f"there is no attack `{name}`: choose one of {', '.join(sorted(ATTACKS))}")
    return cast("Attack", import_module(f"{__name__}.{name}"))
