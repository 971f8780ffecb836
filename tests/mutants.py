"""Change the code of a room in one small way after another, and see whether its nearest tests notice: `make mutants`.

What mutmut does for one set of tests this does for several: each room has its own, so that a mutant costs seconds. All
rooms share the folder mutants/, which is made anew for each of them. docs/mutants.md says what was found.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOTICED = frozenset({"killed", "timeout", "segfault", "suspicious"})


@dataclass(frozen=True)
class Room:
    """Files to change, and the tests that are to notice."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    left_out: tuple[str, ...] = ()


ROOMS = {
    # The reference implementation is what the engine is compared with, and not everywhere to be had.
    "mixnet/sphinx": Room(("mixnet/sphinx/*",), ("tests/mixnet/sphinx",), ("mixnet/sphinx/reference.py",)),
    "client/e2e": Room(
        ("client/e2e/*",),
        (
            "tests/client/e2e",
            "tests/client/signing",
            "tests/client/traffic/test_timestamping.py",
            "tests/client/groups/test_roster.py",
        ),
    ),
    "client/arq": Room(("client/arq/*",), ("tests/client/arq",)),
    "client/core": Room(("client/core/*",), ("tests/client/core",)),
    "directory/voting": Room(("directory/voting.py",), ("tests/directory/test_voting.py",)),
    "client/groups/roster": Room(("client/groups/roster.py",), ("tests/client/groups/test_roster.py",)),
}


def run(name: str, only: list[str], sample: int, workers: int) -> None:
    """Try a room's mutants of these names (or all), or `sample` of them (0: all); print the score and what survived."""
    os.chdir(ROOT)
    shutil.rmtree("mutants", ignore_errors=True)
    from mutmut import __main__ as mutmut  # noqa: PLC0415  # it reads pyproject.toml as soon as it is imported
    from mutmut.configuration import config  # noqa: PLC0415

    room = ROOMS[name]
    config().only_mutate, config().do_not_mutate = list(room.files), list(room.left_out)
    config().pytest_add_cli_args_test_selection = list(room.tests)
    collect, made = mutmut.collect_source_file_mutation_data, []

    def chosen(*, mutant_names):
        mutants, files = collect(mutant_names=mutant_names)
        made.extend(mutants)
        rng = random.Random(1)
        return rng.sample(mutants, sample) if 0 < sample < len(mutants) else mutants, files

    mutmut.collect_source_file_mutation_data = chosen
    mutmut._run(only, workers)
    mutmut.collect_source_file_mutation_data = collect
    results, _ = collect(mutant_names=[])
    report(name, len(made), {key: mutmut.status_by_exit_code[code] for _, key, code in results if code is not None})


def report(name: str, made: int, status: dict[str, str]) -> None:
    """Print each mutant that was not noticed as a difference, and the score."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # noqa: PLC0415  # as above

    for key, how in sorted(status.items()):
        if how not in NOTICED:
            shown = get_diff_for_mutant(key)
            lines = [line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("---", "+++")]
            print(f"\n{how}: {key}", *lines, sep="\n")
    count = Counter(status.values())
    noticed = sum(count[how] for how in NOTICED)
    print(f"\n{name}: {made} mutants, {len(status)} tried, {noticed} noticed: {noticed / max(1, len(status)):.1%}")
    print(", ".join(f"{how} {number}" for how, number in sorted(count.items())), flush=True)


def main() -> None:
    """One room in this process, several in one process each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(ROOMS)}; all by default")
    parser.add_argument(
        "--sample", type=int, default=0, metavar="N", help="try N mutants of each room, drawn by chance"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="names of mutants, with * for any part")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    given = parser.parse_args()
    if unknown := set(given.rooms) - set(ROOMS):
        parser.error(f"no such room: {', '.join(sorted(unknown))}; there are {', '.join(ROOMS)}")
    if len(given.rooms) == 1:
        run(given.rooms[0], given.only, given.sample, given.workers)
        return
    for name in given.rooms or ROOMS:
        options = [f"--sample={given.sample}", f"--workers={given.workers}"]
        subprocess.run([sys.executable, "-m", "tests.mutants", name, *options], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
