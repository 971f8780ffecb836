"""The list of commands that `mixnet --help` prints without loading a room (spec/09-command.md).

    python -m mixnet.overview      writes the list anew, after a command or the first line of its help changed

Promises: the list says of each command at the top level which room has it and what it does; a test compares it with the
rooms themselves, and the rooms that it was made of with those that are installed; where they differ it is not used, so
that a room which is added later is there, only more slowly.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from mixnet.help import LEAST_WIDTH, columns, wrapped

GROUP = "mixnet.commands"
GROUPS = {  # as in the README's table
    "trying it": "demo up status observe down",
    "a profile and its daemon": "client",
    "people": "invite accept contacts codes match",
    "messages": "chat ui send inbox notify message files voice play edit cancel disappear",
    "groups, and messages without a name": "group address anonymous reply",
    "several devices, and proofs": "device proof forge",
    "the archive": "search export import retention delete",
    "one's own data": "privacy mailbox profile",
    "the directory": "directory authority",
    "measuring": "threats attack plan bench",
}
LIST = Path(__file__).parent / "overview.txt"


class ListedCommand(NamedTuple):
    """One command: the entry point of its room, its name, and what it does."""

    room: str
    name: str
    help: str


def read() -> list[ListedCommand]:
    """The list as it is kept; empty if it can't be read."""
    try:
        text = LIST.read_text(encoding="utf-8")
    except OSError:
        return []
    rows = [row.split("\t") for row in text.splitlines()]
    return [ListedCommand(*row) for row in rows if len(row) == 3]


def room_of(command: str, lines: Iterable[ListedCommand]) -> str | None:
    """Which room has the command, if the list knows it."""
    return next((line.room for line in lines if line.name == command), None)


def render(head: str, lines: Iterable[ListedCommand], *, terminal: bool) -> str:
    """The page: lines as wide as a terminal there, unbroken elsewhere."""
    options = [
        ListedCommand("", "--help, -h", "Display this message and exit."),
        ListedCommand("", "--install-completion", "Install shell completion for bash, zsh or fish."),
        ListedCommand("", "--version", "Display application version."),
    ]
    page = ["Usage: mixnet COMMAND", *(["", *head.split("\n")] if not terminal else [])]
    width = max(LEAST_WIDTH, shutil.get_terminal_size().columns)
    if terminal:
        page += [line for paragraph in head.split("\n\n") for line in ("", *wrapped(paragraph, width))]
    for title, rows in (*grouped(lines), ("options", options)):
        page += ["", f"{title[0].upper()}{title[1:]}:"]
        shown = [(row.name, row.help) for row in rows]
        page += columns(shown, width) if terminal else [f"  {name}: {help_}" for name, help_ in shown]
    return "\n".join(page) + "\n"


def grouped(lines: Iterable[ListedCommand]) -> Iterator[tuple[str, list[ListedCommand]]]:
    """The commands by what one wants to do; those that no group has come last."""
    left = {line.name: line for line in lines}
    for title, names in GROUPS.items():
        if rows := [left.pop(name) for name in names.split() if name in left]:
            yield title, rows
    if left:
        yield "more", [left[name] for name in sorted(left)]


def rooms() -> list[metadata.EntryPoint]:
    """The rooms that are installed, by name."""
    return sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name)


def gather() -> list[ListedCommand]:
    """The list as the installed rooms would have it; this loads them all."""
    return [
        ListedCommand(entry.name, name, _first_line(app[name].help))
        for entry in rooms()
        for app in [entry.load()]
        for name in app
        if not name.startswith("-")
    ]


def main() -> None:
    """Write the list anew."""
    LIST.write_text("".join("\t".join(line) + "\n" for line in sorted(gather())), encoding="utf-8")


def _first_line(help_: str) -> str:
    """A command's help up to its first empty line, in one line."""
    return " ".join(help_.split("\n\n", 1)[0].split())


if __name__ == "__main__":
    main()
