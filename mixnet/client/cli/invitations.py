"""How an invitation goes from one person to the other: as a text, a file, a short code or its QR code.

A short code is for a QR code that a terminal holds and a phone reads: the invitation lies at providers, sealed, and is
fetched through the mixnet (spec/07-client.md 7.12).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mixnet.client.cli import qr as drawing
from mixnet.client.cli import render
from mixnet.client.cli.options import text_given

if TYPE_CHECKING:
    from mixnet.client.api.connection import Connection

SHORT = "MIXNET:"  # client/pairing/short_code.py, which tests compare


async def hand_over(
    me: Connection, invitation: str, out: Path | None, then: str, *, qr: bool, qr_file: Path | None, as_json: bool
) -> None:
    """Give an invitation to its user: in a new private file, with what to do with it `then`, or printed; or a code."""
    from mixnet.client.profile.atomic_file import write_new  # noqa: PLC0415

    code = None
    if qr or qr_file is not None:
        with render.waiting("leaving it at two providers"):
            code = await me.leave_invitation(invitation)
    if out is not None:
        write_new(out, f"{invitation}\n".encode())
        render.note(then)
    elif as_json:
        render.json({"invitation": invitation} if code is None else {"invitation": invitation, "code": code})
    elif code is None:
        render.line(invitation)
    if code is None:
        return
    if qr_file is not None:
        write_new(qr_file, drawing.png(code))
    if as_json:
        return
    # First, so that a code of 19 lines is all to be seen in a terminal of 24.
    render.note("this code works once, for a day, in the place of the invitation; a picture of it with --image")
    render.note("whoever sees it before they use it can take their place: compare the safety numbers")
    render.line(code)
    if qr:
        drawing.draw(code, "give them the code as it stands, or write a picture with --qr-file FILE")


async def taken(me: Connection, given: str | None, image: Path | None, *beginnings: str) -> str:
    """The invitation that somebody gave: its text, a file with it, its short code, or a picture of a QR code."""
    if image is not None:
        found = drawing.read(image, *beginnings, SHORT)
    elif is_short(given or ""):
        found = given or ""
    else:
        found = text_given(given or "", "invitation", *beginnings)
    if not is_short(found):
        return found
    with render.waiting("fetching the invitation"):
        return await me.fetch_invitation(found)


def is_short(text: str) -> bool:
    """Whether it is meant for a short code."""
    return text[: len(SHORT)].upper() == SHORT
