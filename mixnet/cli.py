"""The `mixnet` command: the sub-commands of every installed room under one name (spec/09-command.md).

Promises: a room adds its commands through the entry-point group `mixnet.commands`, each a cyclopts App, and this file
imports no room by name; a mistake of the user or a failure of the machine is one line on standard error that says what
is wrong and what to do (with --json one JSON object), and never a traceback; the exit status says of what kind.
Never: a heavy import. What a command needs it imports when it runs, so that `--help` and shell completion stay quick.
"""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any, NoReturn

from mixnet import hints, overview
from mixnet.explain import exit_status, wants_json
from mixnet.help import HelpLayout
from mixnet.memory_privacy import keep_memory_private
from mixnet.streams import prepare

if TYPE_CHECKING:
    from cyclopts import App

HEAD = (
    "A private messaging network: hides who talks with whom, when, how often, and whether at all.\n\n"
    "Try it with `mixnet demo`; run a network of your own with `mixnet up`."
)
_HELP: tuple[list[str], ...] = (["--help"], ["-h"], [])


def _default(value: object) -> str | None:
    """How `--help` shows what holds where an option isn't given; that a switch is off, nobody needs to read."""
    return None if value in (None, "", 0) or isinstance(value, bool) else str(value)


def build(only: str | None = None) -> App:
    """The whole command, made of the rooms that are installed, or of one of them."""
    from cyclopts import App, Parameter  # noqa: PLC0415  # inside the net that takes Ctrl-C without a traceback

    app = App(
        name="mixnet",
        help=HEAD,
        version=lambda: metadata.version("mixnet"),
        backend="trio",
        help_format="plaintext",  # Markdown would cost a sixth of the whole time to show a few words differently
        help_formatter=HelpLayout(terminal=sys.stdout.isatty()),
        default_parameter=Parameter(show_default=_default),
        result_action="return_int_as_exit_code_else_zero",
        print_error=False,
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
    )
    app.register_install_completion_command(help="Install shell completion for bash, zsh or fish.")
    for entry in overview.rooms():
        if only in (None, entry.name):
            app.command(entry.load(), name="*")
    return app


def _run() -> Any:
    """Build the command inside the net that explains failures, since a room may fail to load.

    What the list of commands answers needs no room, and a command that it knows needs only its own.
    """
    lines, asked = overview.read(), sys.argv[1:]
    hints.remember(asked)
    if {line.room for line in lines} != {entry.name for entry in overview.rooms()}:
        lines = []
    if lines and asked in _HELP:
        sys.stdout.write(overview.render(HEAD, lines, terminal=sys.stdout.isatty()))
        return 0
    keep_memory_private()
    from cyclopts import CycloptsError  # noqa: PLC0415

    from mixnet.mistakes import mistake, unknown  # noqa: PLC0415

    app = build(overview.room_of(asked[0], lines) if asked else None)
    if asked and not asked[0].startswith("-") and asked[0] not in app:
        raise unknown(asked, app)
    try:
        return app(asked)
    except CycloptsError as error:
        raise mistake(error) from None


def main() -> NoReturn:
    """The console script."""
    prepare()
    sys.exit(exit_status(_run, as_json=wants_json(sys.argv[1:])))
