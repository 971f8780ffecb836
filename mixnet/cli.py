"""The `mixnet` command: the sub-commands of every installed room under one name (SPEC.md section 9).

Promises: a room adds its commands through the entry-point group `mixnet.commands`, each a cyclopts App, and this file
imports no room by name; a mistake of the user or a failure of the machine is one line on standard error that says what
is wrong and what to do, with exit status 2, and never a traceback; an interrupted command ends with status 130.
Never: a heavy import. What a command needs it imports when it runs, so that `--help` and shell completion stay quick.
"""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any, NoReturn

from cyclopts import App, CycloptsError

from mixnet.errors import LocalError
from mixnet.explain import exit_status

GROUP = "mixnet.commands"


class WrongCommandLine(LocalError):
    """The command line can't be understood: see `mixnet --help`."""


def build() -> App:
    """The whole command, made of the rooms that are installed."""
    app = App(
        name="mixnet",
        help="A private messaging network: hides who talks with whom, when, how often, and whether at all.\n\n"
        "Try it with `mixnet demo`; run a network of your own with `mixnet up`.",
        version=lambda: metadata.version("mixnet"),
        backend="trio",
        help_format="plaintext",  # Markdown would cost a sixth of the whole time to show a few words differently
        result_action="return_int_as_exit_code_else_zero",
        print_error=False,
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
    )
    app.register_install_completion_command(help="Install shell completion for bash, zsh or fish.")
    for entry in sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
        app.command(entry.load(), name="*")
    return app


def _run() -> Any:
    """Build the command inside the net that explains failures, since a room may fail to load."""
    try:
        return build()()
    except CycloptsError as error:
        help_ = " ".join(["mixnet", *(error.command_chain or ()), "--help"])
        problem = str(error).rstrip(".")
        raise WrongCommandLine(f"{problem} (see `{help_}`)") from None


def main() -> NoReturn:
    """The console script."""
    sys.exit(exit_status(_run))
