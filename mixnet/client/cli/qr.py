"""QR codes at a terminal and in pictures, and what is read from them.

Promises: what is drawn at a terminal is black on white whatever its colours are, with the white edge that readers need;
it is drawn only if the terminal holds it, else it is said what to do. Two rows of it share a line where the output has
half blocks; elsewhere two characters are one square.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mixnet.client.cli import render
from mixnet.errors import LocalError

if TYPE_CHECKING:
    import segno

_LONG = 200  # characters, of which a code needs every square
_EDGE = 4  # squares of white around a code
_HALVES = {(False, False): " ", (True, False): "\u2580", (False, True): "\u2584", (True, True): "\u2588"}
_BLACK_ON_WHITE = "\x1b[38;5;16;48;5;231m"
_WHITE, _BLACK, _PLAIN = "\x1b[48;5;231m", "\x1b[48;5;16m", "\x1b[0m"


def draw(text: str, instead: str) -> None:
    """Draw a code. At a terminal that can't hold it, say so and what to do `instead`."""
    terminal, halves = sys.stdout.isatty(), render.has("".join(_HALVES.values()))
    squares = _squares(text)
    lines = _halves(squares, terminal=terminal) if halves else _wide(squares, terminal=terminal)
    width, room = len(squares) * (1 if halves else 2), shutil.get_terminal_size()
    if terminal and (width > room.columns or len(lines) >= room.lines):
        needs = f"a QR code of {width} columns and {len(lines)} lines"
        render.note(f"this terminal has no room for {needs}: {instead}")
        return
    for line in lines:
        render.line(line)


def png(text: str) -> bytes:
    """A picture of a code; LocalError if the text is too long for one."""
    made = io.BytesIO()
    _code(text).save(made, kind="png", scale=8, border=_EDGE)
    return made.getvalue()


def read(path: Path, *beginnings: str) -> str:
    """The text of the one code in a picture that begins so; LocalError, OSError."""
    from mixnet.client.media.pictures import codes_untrusted  # noqa: PLC0415

    found = {one for one in codes_untrusted(path) if one.startswith(beginnings)}
    if len(found) != 1:
        what = "no such code is" if not found else "more than one code is"
        raise LocalError(f"{what} in {path}: take a sharp picture of the one code, with its white edge")
    return found.pop()


def _code(text: str) -> segno.QRCode:
    import segno  # noqa: PLC0415  # only this needs it

    try:
        return segno.make_qr(text, error="m" if len(text) < _LONG else "l")
    except segno.DataOverflowError:
        raise LocalError("this is too long for a QR code: use --out and send the file") from None


def _squares(text: str) -> list[list[bool]]:
    """Rows of squares, true for black, with the white edge."""
    return [[bool(one) for one in row] for row in _code(text).matrix_iter(border=_EDGE)]


def _halves(squares: list[list[bool]], *, terminal: bool) -> list[str]:
    """Two rows a line."""
    rows = [*squares, [False] * len(squares[0])] if len(squares) % 2 else squares
    lines = [
        "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]
    return [f"{_BLACK_ON_WHITE}{line}{_PLAIN}" for line in lines] if terminal else lines


def _wide(squares: list[list[bool]], *, terminal: bool) -> list[str]:
    """A row a line, of ASCII."""
    if not terminal:
        return ["".join("##" if one else "  " for one in row) for row in squares]
    return ["".join(f"{_BLACK if one else _WHITE}  " for one in row) + _PLAIN for row in squares]
