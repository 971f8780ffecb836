"""How the help of a command is laid out, at a terminal and elsewhere (spec/09-command.md).

Promises: where the source breaks a sentence shows nowhere. At a terminal of 40 columns or more no line is wider than it
is; a command in backquotes stands on one line, or if none has room for it on several that can be copied as they are; no
word stands alone on a last line that another one could join. Elsewhere no line is broken at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

LEAST_WIDTH = 40
# What follows an option, in the help of every command: an option has one meaning wherever it is.
_VALUES = {
    "--acknowledgements": "CONTACT HOW",
    "--address-book": "FILE",
    "--add": "IDENTITY@HOST:PORT",
    "--answers": "PERIOD",
    "--as": "NAME",
    "--at": "SECONDS",
    "--bandwidth": "RATE",
    "--block": "CONTACT",
    "--code": "CODE",
    "--contact": "CONTACT",
    "--default-read-receipts": "on|off|delayed",
    "--delay": "SECONDS",
    "--delete": "CONTACT",
    "--device": "DEVICE",
    "--dir": "FOLDER",
    "--end": "NAME",
    "--engine": "NAME",
    "--epoch": "SECONDS",
    "--expires": "PERIOD",
    "--identity": "IDENTITY",
    "--introduction": "FILE",
    "--latency": "SECONDS",
    "--me": "ADDRESS",
    "--node": "FILE",
    "--note": "CONTACT TEXT",
    "--number": "CONTACT",
    "--only": "PARTS",
    "--packet-cpu": "MICROSECONDS",
    "--plots": "FOLDER",
    "--provider": "IDENTITY",
    "--read-receipts": "CONTACT HOW",
    "--receiver": "IDENTITY",
    "--relink": "OLD-NAME NEW-NAME",
    "--remove": "IDENTITY",
    "--rename": "OLD-NAME NEW-NAME",
    "--scheduler": "ADDRESS",
    "--seconds": "SECONDS",
    "--skip": "SECONDS",
    "--source": "ADDRESS",
    "--sweep": "PROPERTIES",
    "--unblock": "CONTACT",
    "--verify": "CONTACT",
    "--why": "NODE",
}
_KINDS = {"INT": "NUMBER", "FLOAT": "NUMBER", "PATH": "FILE", "DATETIME": "TIME"}
_NEEDED = re.compile("(--[a-z-]+) ((?:STR|INT|FLOAT|PATH)(?: [A-Z]+)*)")  # options in a usage
_UNBROKEN = 10_000  # columns
_INDENT = 2
_QUOTED = re.compile(r"`[^`]*`")
_KEPT = "\N{NO-BREAK SPACE}"  # in the place of a space where no line may be broken
_GOES_ON = f"{_KEPT}\\"  # what a shell wants at the end of a line that isn't the last of a command


def wrapped(text: str, width: int) -> list[str]:
    """One paragraph in lines."""
    from textwrap import wrap  # noqa: PLC0415 -- it costs 10 ms that nobody else pays

    def held(found: re.Match[str]) -> str:
        parts = re.split(" (?=--)", found[0]) if len(found[0]) > width else [found[0]]
        if max(map(len, parts)) > width - 2:  # at any space that is not in quotes
            parts = re.split(r' (?=(?:[^"]*"[^"]*")*[^"]*$)', found[0])
        return f"{_GOES_ON} ".join(part.replace(" ", _KEPT) for part in parts)

    lines = wrap(_QUOTED.sub(held, text), width, break_long_words=False, break_on_hyphens=False)
    if len(lines) > 1 and " " not in lines[-1]:
        rest, _, word = lines[-2].rpartition(" ")
        joined = f"{word} {lines[-1]}"
        if " " in rest and len(joined) <= width:
            lines[-2:] = [rest, joined]
    return [line.replace(f"{_GOES_ON} ", " ").replace(_KEPT, " ") for line in lines] or [""]


def columns(rows: list[tuple[str, str]], width: int) -> Iterator[str]:
    """Names with what they mean beside them; beneath those that are too long, or where a command would be broken."""
    margin = min(max(len(name) for name, _ in rows) + 2 * _INDENT, width // 3)
    for name, meaning in rows:
        beside = wrapped(meaning, width - margin)
        broken = any(line.endswith("\\") for line in beside)
        if broken or len(name) + 2 * _INDENT > margin or max(map(len, beside)) > width - margin:
            yield " " * _INDENT + name
            yield from (" " * 3 * _INDENT + line for line in wrapped(meaning, width - 3 * _INDENT) if line)
        else:
            yield f"{' ' * _INDENT}{name:<{margin - _INDENT}}{beside[0]}".rstrip()
            yield from (" " * margin + line for line in beside[1:])


class HelpLayout:
    """What cyclopts asks to show help: without frames and colours, like the list of all commands."""

    def __init__(self, *, terminal: bool) -> None:
        """Break lines for a `terminal`, or not at all."""
        self._terminal = terminal

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a list of commands or parameters."""
        rows = [(_called(entry, panel), _meaning(entry, console)) for entry in panel.entries]
        if rows:
            lines = columns(rows, _width(console)) if self._terminal else (f"  {name}: {what}" for name, what in rows)
            _print(console, [f"{panel.title}:", *lines, ""])

    def render_usage(self, console: Console, options: ConsoleOptions, usage: object) -> None:
        """Print how the command is called."""
        said = _NEEDED.sub(lambda found: f"{found[1]} {values(found[1], found[2])}", _plain(usage, console))
        self.render_description(console, options, f"Usage: {said}")

    def render_description(self, console: Console, options: ConsoleOptions, description: object) -> None:
        """Print what the command does."""
        for paragraph in filter(None, map(_joined, _plain(description, console).split("\n\n"))):
            _print(console, [*(wrapped(paragraph, _width(console)) if self._terminal else [paragraph]), ""])


def _called(entry: HelpEntry, panel: HelpPanel) -> str:
    if panel.format != "parameter" or not entry.metavar or not entry.positive_names:
        return ", ".join(entry.display_labels)
    return ", ".join(
        entry.copy(metavar=values(entry.positive_names[0], entry.metavar, entry.choices)).display_labels_with_metavar
    )


def values(option: str, kinds: str, choices: Iterable[str] | None = None) -> str:
    """What stands behind an option in words, where the library would have the `kinds` of its values in Python."""
    if choices and kinds == "CHOICE":
        return "|".join(choices)
    return _VALUES.get(option) or " ".join(_KINDS.get(kind, kind) for kind in kinds.split())


def _meaning(entry: HelpEntry, console: Console) -> str:
    """The help of a parameter or command, with what holds if nothing is given, and whether it must be."""
    default = [] if entry.default is None else [f"[{entry.default} if not given]"]
    required = ["[needed]"] if entry.required else []
    return " ".join([_joined(_plain(entry.description, console)), *default, *required])


def _plain(what: object, console: Console) -> str:
    """The text of something that rich can show."""
    whole = console.options.update(width=_UNBROKEN)
    return "".join(one.text for one in console.render(what, whole)) if what else ""  # type: ignore[arg-type]


def _joined(text: str) -> str:
    return " ".join(text.split())


def _width(console: Console) -> int:
    return max(LEAST_WIDTH, console.width)


def _print(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)
