"""`mixnet attack`: every attack that is known, against this network or against anybody's trace (docs/measuring.md).

Promises: `--json` prints one object for programs and nothing else; without files an attack comes with its controls, and
one that failed makes the exit status 1. Never: an import of anything heavy until an attack runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mixnet.benchmarks.attacks import ATTACKS, load
from mixnet.benchmarks.base.extra import needed
from mixnet.benchmarks.cli.options import Json, Seed, SizeSwitch, Workers, print_json, show, size_of
from mixnet.errors import LocalError

if TYPE_CHECKING:
    from mixnet.benchmarks.attacks import Attack
    from mixnet.benchmarks.base.figures import Finding


_WHICH = f"Which attack, by what it finds out. {'; '.join(f'{name}: {what}' for name, what in ATTACKS.items())}."


class HalfTheFiles(LocalError):
    """An attack on files needs both of them: give `--trace` and `--truth`."""


def attack(
    name: Annotated[str | None, Parameter(name="ATTACK", help=_WHICH)] = None,
    /,
    *,
    trace: Path | None = None,
    truth: Path | None = None,
    quick: SizeSwitch = False,
    full: SizeSwitch = False,
    workers: Workers = 1,
    seed: Seed = 1,
    as_json: Json = False,
) -> int:
    """Attack the network, with the defence and without; or a recorded trace. Without a name: list all attacks.

    Without files the real actors run in virtual time, which takes a few minutes. Exit status 1 if a control failed.

    Example: `mixnet attack correlation --quick`

    Args:
        trace: CSV of what an observer saw, columns t_ns, src, dst, bytes.
        truth: NDJSON of what really happened; it only keeps the score.
        quick: A glance: a minute or two of one core that is idle, longer on a busy machine.
        full: At full size, hours.
    """
    if name is None:
        _list(as_json=as_json)
        return 0
    if (trace is None) != (truth is None):
        raise HalfTheFiles("give both --trace and --truth: the second tells which guesses are right")
    with needed():
        chosen = load(name)
        if trace is not None and truth is not None:
            finding = _from_files(chosen, trace, truth)
        else:
            from mixnet.benchmarks.base.jobs import shared  # noqa: PLC0415

            with shared(workers) as run:
                finding = chosen.measure(size_of(quick, full), run, seed=seed)
        return show(finding, as_json=as_json)


def _from_files(chosen: Attack, trace: Path, truth: Path) -> Finding:
    from mixnet.benchmarks.simulation.ground_truth import read as read_truth  # noqa: PLC0415
    from mixnet.benchmarks.simulation.trace import read as read_trace  # noqa: PLC0415

    return chosen.score(read_trace(trace), read_truth(truth))


def _list(*, as_json: bool) -> None:
    from mixnet.deploy.display import tabulate  # noqa: PLC0415

    if as_json:
        print_json([{"attack": name, "finds_out": what} for name, what in ATTACKS.items()])
    else:
        tabulate("Attacks: mixnet attack NAME", ("name", "finds out"), list(ATTACKS.items()))
