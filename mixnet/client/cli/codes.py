"""Spoken codes at the command line: `mixnet invite NAME --code`, `mixnet accept NAME --code CODE`, `mixnet codes`.

Promises: what happens to a code is said as it happens, since a mixnet takes its time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mixnet.client.cli import render
from mixnet.client.cli.options import Folder, Json, Profile, none_yet, talk

if TYPE_CHECKING:
    from mixnet.client.api.connection import Connection
    from mixnet.client.model.code_states import CodeInfo
    from mixnet.client.model.views import ContactInfo


async def codes(name: Profile, /, *, cancel: int | None = None, folder: Folder = None, as_json: Json = False) -> None:
    """List the codes under way, and the last ones that are over; a daemon that stops forgets them.

    Example: `mixnet codes alice --cancel 2`

    Parameters
    ----------
    cancel
        Give up the code of this number.
    """
    async with talk(folder, name) as me:
        if cancel is not None:
            await me.codes.cancel(_checked(cancel))
        known = await me.codes.all()
    if as_json:
        render.jsons(known)
        return
    if not known:
        none_yet("no codes yet: make one with `mixnet invite PROFILE --code`", name, folder)
        return
    rows = [(str(one.id), one.code or "theirs", one.state, one.contact or one.error) for one in known]
    render.table(("number", "code", "state", "contact, or what went wrong"), rows)


async def invite_by_code(
    folder: Path | None, name: str, *, wait: bool, as_json: bool, as_lines: bool
) -> list[ContactInfo] | None:
    """Show a code to say, and wait until it made a contact, which is returned; None if nobody shall wait."""
    from mixnet.client.cli import watching  # noqa: PLC0415

    show = render.json if as_json or as_lines else _say
    with watching.Watch(name, folder) as watch:
        watch.accepted("the daemon may go on with a code: `mixnet codes PROFILE` shows it")
        async with talk(folder, name) as me:
            with render.waiting("looking for a free number"):
                code = await me.codes.open()
            show(code)
            if not (as_json or as_lines):
                render.line(code.code)
                said = f"they type: mixnet accept THEIR-PROFILE --code {code.code}"
                render.note(f"say it to them, within half an hour, and keep both programs running; {said}")
            if not wait:
                return None
            watch.accepted(_GOES_ON.format(code.id))
            with render.waiting("waiting for them to type it"):
                code = await me.codes.wait(code.id, _after(code, show))
            return await _made(me, code)


async def accept_code(
    folder: Path | None, name: str, text: str, contact: str | None, *, wait: bool, as_json: bool, as_lines: bool
) -> list[ContactInfo]:
    """Use a code that somebody said, and wait for the contact."""
    from mixnet.client.cli import watching  # noqa: PLC0415
    from mixnet.client.model.code_states import CodeState  # noqa: PLC0415

    show = render.json if as_lines else _quiet if as_json else _say
    with watching.Watch(name, folder) as watch:
        async with talk(folder, name) as me:
            code = await me.codes.enter(text, contact)
            watch.accepted(_GOES_ON.format(code.id))
            with render.waiting("asking for the invitation"):
                code = await me.codes.wait(code.id, show, until=CodeState.DONE if wait else CodeState.ACCEPTED)
            return await _made(me, code)


async def _made(me: Connection, code: CodeInfo) -> list[ContactInfo]:
    return [one for one in await me.contacts() if one.name == code.contact]


_GOES_ON = "the code goes on: see `mixnet codes PROFILE`, give it up with `mixnet codes PROFILE --cancel {}`"
_SAID = {
    "joining": "looking for the one who said the code",
    "replied": "found; they check whether the code is right",
    "handed over": "the code was right; they have the invitation, waiting for their answer",
    "accepted": "the code was right; waiting for them to answer",
}


def _say(code: CodeInfo) -> None:
    if code.state in _SAID:
        render.note(_SAID[code.state])


def _quiet(code: CodeInfo) -> None:
    """One value is printed, at the end."""


def _after(seen: CodeInfo, show: Callable[[CodeInfo], None]) -> Callable[[CodeInfo], None]:
    """`show`, but for a state that was shown already."""
    return lambda code: None if code.state is seen.state else show(code)


def _checked(number: int) -> int:
    from mixnet.client.model.errors import UnknownCode  # noqa: PLC0415

    if not 0 <= number < 1 << 63:
        raise UnknownCode
    return number
