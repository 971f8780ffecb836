"""QR codes in pictures: a screenshot, a photo. It blocks.

Promises: a picture is decoded in a process of its own (bounded.py), as PNG or JPEG and nothing else, within limits of
bytes, pixels, time and memory.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mixnet.client.media.bounded import Unreadable, work_untrusted
from mixnet.errors import LocalError
from mixnet.extras import lacking

_LIMIT = 20_000_000  # bytes
_TEXTS_LIMIT = 100_000  # bytes of all codes in it: one holds less than 3,000


class PicturesMissing(LocalError):
    """Reading codes from pictures needs libraries that aren't installed."""

    exit_status = 1


class NoPicture(LocalError):
    """This is no picture that can be read: give a PNG or JPEG of at most 40 million pixels and 20 MB."""


def codes_untrusted(path: Path) -> list[str]:
    """The texts of the QR codes in a picture; NoPicture, PicturesMissing, OSError."""
    if any(find_spec(one) is None for one in ("zxingcpp", "PIL")):
        raise PicturesMissing(lacking("pictures"))
    with path.open("rb") as file:
        raw = file.read(_LIMIT + 1)
    if len(raw) > _LIMIT:
        raise NoPicture
    try:
        return work_untrusted("qr", raw, _TEXTS_LIMIT).decode(errors="replace").splitlines()
    except Unreadable:
        raise NoPicture from None
