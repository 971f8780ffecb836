"""QR codes as a terminal shows them are read back; what no terminal holds is said; pictures are bounded."""

import io
import random
import re
import struct
import sys
import zlib
from contextlib import suppress

import pyte
import pytest
from PIL import Image, ImageFilter

from mixnet.client.cli import qr
from mixnet.client.media import child, pictures
from mixnet.client.media.pictures import NoPicture, codes_untrusted
from mixnet.errors import LocalError

SHORT = "MIXNET:AQEB-GCTR-6HM7-4KSL-3QXZ-VWYP-2DFN-J5UO"
NUMBER = "MIXNET-NUMBER:" + "0123456789" * 4
LONG = "mixnet1:" + "".join(random.Random(1).choices("abcdefghijklmnop-_0123456789ABCDEF", k=2062))
CELL = (6, 12)  # pixels
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
ASCII_PARTS = {" ": (0, 0), "\u2580": (1, 0), "\u2584": (0, 1), "\u2588": (1, 1), "#": (1, 1)}


class Terminal(io.TextIOWrapper):
    def __init__(self, encoding: str, *, terminal: bool = True) -> None:
        self.raw_bytes, self._terminal = io.BytesIO(), terminal
        super().__init__(self.raw_bytes, encoding, "replace")

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def drawn(monkeypatch, capsys):
    """What is drawn in a terminal of a size, and what is said beside it."""

    def draw(text: str, encoding: str, columns: int, lines: int, *, terminal: bool = True) -> tuple[str, str]:
        out = Terminal(encoding, terminal=terminal)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", str(lines))
        with monkeypatch.context() as inner:
            inner.setattr(sys, "stdout", out)
            qr.draw(text, "do this instead")
        out.flush()
        return out.raw_bytes.getvalue().decode(encoding), capsys.readouterr().err

    return draw


def photographed(shown: str, columns: int, lines: int, ink: tuple, paper: tuple) -> Image.Image:
    """The terminal as a camera sees it, whose own colours are `ink` on `paper`."""
    screen = pyte.Screen(columns, lines)
    pyte.Stream(screen).feed("code:\r\n" + shown.replace("\n", "\r\n"))
    picture = Image.new("RGB", (columns * CELL[0], lines * CELL[1]), paper)
    for y in range(lines):
        for x in range(columns):
            cell = screen.buffer[y][x]
            front, back = (
                plain if colour == "default" else tuple(bytes.fromhex(colour))
                for colour, plain in ((cell.fg, ink), (cell.bg, paper))
            )
            for half, filled in enumerate(ASCII_PARTS.get(cell.data, (0, 0))):
                colour = front if filled else back
                left, top = x * CELL[0], y * CELL[1] + half * CELL[1] // 2
                picture.paste(colour, (left, top, left + CELL[0], top + CELL[1] // 2))
    return picture


def read(picture: Image.Image, path, **how) -> list[str]:
    """What the reader reads, here and not in its process."""
    picture.save(path, **how)
    return child.WORKS["qr"](path.read_bytes()).decode().splitlines()


@pytest.mark.parametrize(("ink", "paper"), [(WHITE, BLACK), (BLACK, WHITE), ((131, 148, 150), (0, 43, 54))])
@pytest.mark.parametrize("text", [SHORT, NUMBER])
def test_a_terminal_of_80_by_24_shows_what_a_reader_reads_on_any_background(drawn, tmp_path, text, ink, paper):
    shown, said = drawn(text, "utf-8", 80, 24)
    assert not said and shown.count("\n") <= 22
    assert read(photographed(shown, 80, 24, ink, paper), tmp_path / "screen.png") == [text]


def test_so_does_one_of_40_columns_and_one_without_half_blocks(drawn, tmp_path):
    shown, _ = drawn(SHORT, "utf-8", 40, 24)
    assert read(photographed(shown, 40, 24, WHITE, BLACK), tmp_path / "narrow.png") == [SHORT]
    shown, _ = drawn(SHORT, "ascii", 80, 40)
    assert "?" not in shown
    assert read(photographed(shown, 80, 40, WHITE, BLACK), tmp_path / "ascii.jpg", quality=60) == [SHORT]


@pytest.mark.parametrize(
    ("text", "encoding", "columns", "lines"),
    [(SHORT, "utf-8", 36, 24), (SHORT, "utf-8", 80, 19), (SHORT, "ascii", 80, 24), (LONG, "utf-8", 80, 24)],
)
def test_what_a_terminal_can_t_hold_is_not_drawn_and_says_what_to_do(drawn, text, encoding, columns, lines):
    shown, said = drawn(text, encoding, columns, lines)
    assert shown == "" and "do this instead" in said and re.search(r"\d+ columns and \d+ lines", said)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_in_a_file_it_is_drawn_in_plain_letters(drawn, tmp_path, encoding):
    shown, said = drawn(SHORT, encoding, 20, 10, terminal=False)
    assert "\x1b" not in shown and not said and set(shown) <= set("\n \u2580\u2584\u2588#")
    for ink, paper in ((BLACK, WHITE), (WHITE, BLACK)):  # the second one is inverted, which good readers read
        assert read(photographed(shown, 80, 40, ink, paper), tmp_path / "file.png") == [SHORT]


def test_pictures_of_codes_are_read_also_turned_blurred_and_as_jpeg(tmp_path):
    for text in (SHORT, LONG):
        picture = Image.open(io.BytesIO(qr.png(text))).convert("L")
        assert read(picture, tmp_path / "as-made.png") == [text]
        photo = picture.rotate(12, expand=True, fillcolor=200).filter(ImageFilter.GaussianBlur(1.5))
        noise = Image.effect_noise(photo.size, 40)
        assert read(Image.blend(photo, noise, 0.2), tmp_path / "photo.jpg", quality=70) == [text]


def test_one_code_that_begins_so_is_taken_and_no_other_number(tmp_path, monkeypatch):
    both = Image.new("L", (900, 400), 255)
    for at, text in enumerate((SHORT, NUMBER)):
        both.paste(Image.open(io.BytesIO(qr.png(text))), (450 * at, 0))
    path = tmp_path / "both.png"
    assert set(read(both, path)) == {SHORT, NUMBER}
    monkeypatch.setattr(pictures, "work_untrusted", lambda work, raw, most: child.WORKS[work](raw))
    assert qr.read(path, "MIXNET:") == SHORT and qr.read(path, "MIXNET-NUMBER:") == NUMBER
    for beginnings in (("MIXNET:", "MIXNET-NUMBER:"), ("mixnet1:",)):
        with pytest.raises(LocalError, match=r"both\.png"):
            qr.read(path, *beginnings)


def png_of(width: int, height: int, data: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def as_gif() -> bytes:
    made = io.BytesIO()
    Image.open(io.BytesIO(qr.png(SHORT))).save(made, "GIF")
    return made.getvalue()


HOSTILE = {
    "a bomb of pixels": png_of(60_000, 60_000, zlib.compress(bytes(1 << 20))),
    "a bomb of bytes": png_of(4_000, 4_000, zlib.compress(bytes(200_000_000), 1)),
    "cut": qr.png(SHORT)[:200],
    "another format": as_gif(),
    "nothing": b"",
    "a shell script": b"#!/bin/sh\nexit\n",
    "an image magick": b"\xff\xd8\xff\xe0" + random.Random(2).randbytes(5000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pictures_are_refused_or_hold_nothing(name, tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(HOSTILE[name])
    with suppress(NoPicture):
        assert codes_untrusted(path) == []


def test_a_file_that_is_too_large_is_not_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "work_untrusted", None)
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(20_000_001)
    with pytest.raises(NoPicture):
        codes_untrusted(path)
