"""How texts are shown that somebody else wrote (spec/09-command.md): escaped, in lines, beside ours, and in tables.

Promises: only what steers a terminal is escaped, and an escape of ours is told from one that somebody typed; a text
that runs from right to left reorders nothing beside it; every line that a text begins, or that is broken since the
terminal is narrow, is indented, so that none is taken for a line of ours; nothing is cut. Pure, but for what a terminal
is like.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from mixnet.letters import RIGHT_TO_LEFT, cells, graphemes, piled, steers

INDENT = 4  # columns
_ISOLATE, _END = "\u2068", "\u2069"  # first strong isolate, and its end
_ENDS = {"\u202a": "\u202c", "\u202b": "\u202c", "\u2066": _END, "\u2067": _END, _ISOLATE: _END}
_OVERRIDES = frozenset("\u202d\u202e")
_DIRECTIONS = frozenset(_ENDS) | frozenset(_ENDS.values()) | _OVERRIDES
_DEEPEST = 8  # embeddings in each other
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_BREAKS = re.compile("\r\n|[\n\u2028\u2029]")
_LIKE_OURS = re.compile(r"x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}")  # after a backslash
_RUN = re.compile(f"{RIGHT_TO_LEFT.pattern}+(?: +{RIGHT_TO_LEFT.pattern}+)*")
_PLAIN = re.compile("[ -~]*")
_TAB = 8
_NARROWEST = 20  # columns
_SHORT_COLUMN = 16  # cells; such a one is broken last
_FOLDED = 8  # cells at least of the widest one, in which words may be broken so that the others stay whole
_LONGEST = 32  # cells of a word that a table doesn't break
_JOINED = 8  # cells of what is shown as one letter; more of them are broken


def one_line(text: str) -> str:
    r"""`text` on one line: line breaks, tabs and what steers are escaped, and each backslash is doubled.

    No two texts give the same line; what was made so once is not given to this again.
    """
    found = _escapes(text) | {at for at, one in enumerate(text) if one in "\u2028\u2029"}
    return "".join(
        _SHORT.get(one) or _code(ord(one)) if at in found else "\\\\" if one == "\\" else one
        for at, one in enumerate(text)
    )


def lines(text: str) -> list[str]:
    """`text` as it was written, line by line, with spaces for tabs.

    Only those backslashes are doubled that stand before an escape or what looks like one: no two lines are alike.
    """
    return [_line(one.expandtabs(_TAB)) for one in _BREAKS.split(text)]


def _line(text: str) -> str:
    found = _escapes(text)
    if not found and "\\" not in text:
        return text
    shown, slashes = list[str](), 0
    for at, one in enumerate(text):
        if one == "\\":
            slashes += 1
            continue
        doubled = at in found or _LIKE_OURS.match(text, at) is not None
        shown += ["\\" * (2 * slashes if doubled else slashes), _code(ord(one)) if at in found else one]
        slashes = 0
    return "".join(shown) + "\\" * slashes


def _escapes(text: str) -> set[int]:
    """Where something stands that must not reach a terminal."""
    if _PLAIN.fullmatch(text):
        return set()
    found, opened = piled(text), list[int]()
    for at, one in enumerate(text):
        if steers(one) or one in _OVERRIDES:
            found.add(at)
        elif one in _ENDS:
            opened.append(at)
        elif one in _DIRECTIONS:
            if opened and _ENDS[text[opened[-1]]] == one and len(opened) <= _DEEPEST:
                opened.pop()
            else:
                found.add(at)
    return found | set(opened)


def _code(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def isolated(text: str) -> str:
    """A text of somebody's, which stands in a line of ours, so that it can't reorder that."""
    return f"{_ISOLATE}{text}{_END}" if RIGHT_TO_LEFT.search(text) else text


def isolated_names(line: str) -> str:
    """A line of ours in which names of others stand, which can't reorder it."""
    return _RUN.sub(lambda run: f"{_ISOLATE}{run[0]}{_END}", line)


def width() -> int:
    """The columns of the terminal."""
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def wrapped(text: str, room: int, indent: int = INDENT) -> list[str]:
    """One line in lines of `room` columns, all but the first indented: broken at spaces, or where it must be."""
    made, line, used, space = list[list[str]](), list[str](), 0, 0
    for one in _pieces(text):
        took = cells(one)
        if used + took > room and line:
            if one == " ":
                space = len(line)
                continue  # of the spaces at which a line is broken none is needed
            goes_on = indent + cells("".join(line[space:])) + took
            cut = space if space and goes_on <= room else len(line)
            made.append(line[:cut])
            line, space = line[cut:], 0
            used = indent + cells("".join(line))
        line.append(one)
        used += took
        if one == " " or (took > 1 and len(line) > 1):
            space = len(line)
    first, *others = _balanced(["".join(one).rstrip(" ") for one in (*made, line)])
    return [first, *(" " * indent + one for one in others)]


def _pieces(text: str) -> Iterator[str]:
    for one in text if text.isascii() else graphemes(text):
        if cells(one) > _JOINED:
            yield from one
        else:
            yield one


def _balanced(made: list[str]) -> list[str]:
    """Lines that end what they begin, and go on with what was begun before: a terminal orders each by itself."""
    opened, shown = list[str](), list[str]()
    for line in made:
        before = "".join(opened)
        for one in line:
            if one in _ENDS:
                opened.append(one)
            elif one in _DIRECTIONS and opened:
                opened.pop()
        shown.append(before + line + "".join(_ENDS[one] for one in reversed(opened)))
    return shown


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int, *, right: bool = False) -> Iterator[str]:
    """Rows under the names of columns, in lines of a terminal; one thing a line where it is too narrow for that.

    `right`: all columns but the first are figures. The cells have nothing in them that acts on a terminal.
    """
    everything = [columns, *rows]
    wanted = [max(map(cells, column)) for column in zip(*everything, strict=True)]
    words = [min(_LONGEST, max(map(_longest, column))) for column in zip(*everything, strict=True)]
    short = [wide if wide <= _SHORT_COLUMN else least for wide, least in zip(wanted, words, strict=True)]
    folded = list(short)
    folded[wanted.index(max(wanted))] = _FOLDED
    fits = ((gap, least) for least in (wanted, short, folded, words) for gap in (2, 1) if _sum(least, gap) <= room)
    gap, widths = next(fits, (0, []))
    if not gap:
        yield from _listed(columns, rows, room)
        return
    widths = list(widths)
    while _sum(widths, gap) < room and widths != wanted:
        most = max(range(len(widths)), key=lambda at: wanted[at] - widths[at])
        widths[most] += 1
    for number, row in enumerate(everything):
        if number or any(columns):
            for line in zip_longest(*(wrapped(cell, wide, 0) for cell, wide in zip(row, widths, strict=True))):
                beside = enumerate(zip(line, widths, strict=True))
                parts = [_padded(one or "", wide, right=right and at > 0) for at, (one, wide) in beside]
                yield _bold((" " * gap).join(parts).rstrip(" "), number == 0)


def _sum(widths: Sequence[int], gap: int) -> int:
    return sum(widths) + gap * (len(widths) - 1)


def _listed(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> Iterator[str]:
    if len(columns) == 2 and columns[0]:
        yield _bold(columns[0], True)
    for first, *others in rows:
        yield from wrapped(first if len(columns) == 2 or not columns[0] else f"{columns[0]}: {first}", room)
        for name, cell in zip(columns[1:], others, strict=True):
            if cell:
                said = f"{name}: {cell}" if name else cell
                yield from ("  " + line for line in wrapped(said, room - 2))


def _longest(cell: str) -> int:
    return max(map(cells, cell.split(" ")))


def _padded(cell: str, wide: int, *, right: bool) -> str:
    blank = " " * (wide - cells(cell))
    return blank + cell if right else cell + blank


def _bold(line: str, head: bool) -> str:
    return f"\x1b[1m{line}\x1b[0m" if head and line and os.environ.get("TERM", "dumb") != "dumb" else line
