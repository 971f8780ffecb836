"""How what an extra of this program needs is installed, as the command to type (spec/09-command.md).

Promises: the command is exact, for the way in which this program was installed: in a clone's own `.venv` it is a target
of its Makefile, elsewhere pip of this very Python with the libraries that the extra names.
"""

from __future__ import annotations

import shlex
import sys
from importlib import metadata
from pathlib import Path

CLONE = Path(__file__).parents[1]


def installation(extra: str) -> str:
    """The command that installs the libraries of an extra."""
    if (CLONE / "Makefile").is_file() and Path(sys.prefix) == CLONE / ".venv":
        return shlex.join(["make", "-C", str(CLONE), "extras"])
    return shlex.join([sys.executable, "-m", "pip", "install", *libraries(extra)])


def libraries(extra: str) -> list[str]:
    """What an extra needs, as pip takes it."""
    lines = [line.replace("'", '"') for line in metadata.requires("mixnet") or []]
    return [line.partition(";")[0].strip() for line in lines if line.endswith(f'extra == "{extra}"')]


def lacking(extra: str) -> str:
    """What is wrong, and what to do, if a library of an extra is not installed."""
    return f"this needs libraries that aren't installed: `{installation(extra)}`, then try again"
