"""The commands about public addresses and anonymous conversations: `mixnet address`, `anonymous` and `reply`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from mixnet.client.cli import qr as drawing
from mixnet.client.cli import render
from mixnet.client.cli.options import Flag, Folder, Json, Profile, Qr, QrFile, checked, none_yet, seconds, talk

if TYPE_CHECKING:
    from mixnet.client.model.views import AddressInfo, CorrespondentInfo

AddressId = Annotated[str, Parameter(help="The address, as `mixnet address list` shows it.")]

_LARGE = "make its window larger or its letters smaller, or write a picture with --qr-file FILE"

address = App(name="address", help="Addresses that anybody may write to without a name, and that you can publish.")


@address.command
async def create(
    name: Profile,
    /,
    *,
    expires: str | None = None,
    qr: Qr = False,
    qr_file: QrFile = None,
    out: Path | None = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Make a public address: whoever has it can write to you anonymously.

    It shows your provider and your mailbox, so your contacts can tell that it is yours, and whoever has it can flood
    your mailbox. For an address that nobody can connect with you make a profile of its own.

    Example: `mixnet address create alice --expires 30d --out address.txt`

    Parameters
    ----------
    expires
        Take first messages for so long: a number and s, m, h or d. Without it, until the address is retired.
    out
        Write it to a new file instead of printing it.
    """
    from mixnet.client.profile.atomic_file import write_new  # noqa: PLC0415

    within = seconds(expires)
    async with talk(folder, name) as me:
        made = await me.anonymous.create_address(expires=within)
    if out is not None:
        _write(out, made.text)
        render.note(
            f"the address is in {out}: publish it; people write to it with `mixnet send NAME {out} --anonymous`"
        )
    if as_json:
        render.json(made)
    elif out is None:
        render.line(made.text)
    if qr and not as_json:
        drawing.draw(made.text, _LARGE)
    if qr_file is not None:
        write_new(qr_file, drawing.png(made.text))


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as file:
        file.write(text + "\n")


@address.command(name="list")
async def list_(name: Profile, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """List your addresses by their ids.

    Example: `mixnet address list alice`
    """
    async with talk(folder, name) as me:
        known = await me.anonymous.addresses()
    render.jsons(known) if as_json else _show_addresses(known, name, folder)


@address.command
async def show(
    name: Profile,
    id: AddressId,  # noqa: A002
    /,
    *,
    qr: Qr = False,
    qr_file: QrFile = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Show the whole text of an address.

    Example: `mixnet address show alice 1f2e3d4c --qr`
    """
    from mixnet.client.model.errors import UnknownAddress  # noqa: PLC0415
    from mixnet.client.profile.atomic_file import write_new  # noqa: PLC0415

    async with talk(folder, name) as me:
        found = next((one for one in await me.anonymous.addresses() if one.id == id), None)
    if found is None:
        raise UnknownAddress
    render.json(found) if as_json else render.line(found.text)
    if qr and not as_json:
        drawing.draw(found.text, _LARGE)
    if qr_file is not None:
        write_new(qr_file, drawing.png(found.text))


@address.command
async def retire(name: Profile, id: AddressId, /, *, folder: Folder = None, as_json: Json = False) -> None:  # noqa: A002
    """Take no more first messages at an address; what comes is refused in silence, and conversations go on.

    Example: `mixnet address retire alice 1f2e3d4c`
    """
    async with talk(folder, name) as me:
        retired = await me.anonymous.retire_address(id)
    render.json(retired) if as_json else _show_addresses([retired], name, folder)


async def anonymous(name: Profile, /, *, end: str | None = None, folder: Folder = None, as_json: Json = False) -> None:
    """List your anonymous conversations, and until when each can be answered.

    You can answer as long as you have reply blocks of the sender: each carries one packet, in one epoch, and those that
    you have last for three epochs at most (an hour at the default length). The sender's client sends new ones while it
    runs and answers are wanted.

    Example: `mixnet anonymous alice` or `mixnet anonymous alice --end anonymous-3f2a`

    Parameters
    ----------
    end
        End this conversation here: nothing more comes or goes, its messages stay, and the other side is not told.
    """
    async with talk(folder, name) as me:
        if end is not None:
            await me.anonymous.end(end)
        known = await me.anonymous.correspondents()
    render.jsons(known) if as_json else _show_correspondents(known, name, folder)


async def reply(
    name: Profile, number: int, text: str, /, *, wait: Flag = False, folder: Folder = None, as_json: Json = False
) -> None:
    """Answer a message with a text, also one from somebody anonymous.

    Example: `mixnet reply alice 7 "yes, at eight"`

    Parameters
    ----------
    number
        The message that you answer, as `mixnet inbox` shows it.
    text
        What to say; put -- before one that begins with a hyphen.
    wait
        Return only when it is delivered.
    """
    from mixnet.client.cli import watching  # noqa: PLC0415
    from mixnet.client.cli.files import until_settled  # noqa: PLC0415

    with watching.Watch(name, folder) as watch:
        async with talk(folder, name) as me:
            whom = (await me.message(checked(number))).contact
            sent = await me.send(whom, text)
            message = await until_settled(me, sent, watch) if wait else await me.message(sent)
    render.json(message) if as_json else render.message(message)


def _show_addresses(known: Sequence[AddressInfo], name: str, folder: Path | None) -> None:
    if not known:
        none_yet("no addresses yet: make one with `mixnet address create PROFILE`", name, folder)
        return
    rows = [(one.id, _address_state(one), render.moment(one.created_at)) for one in known]
    render.table(("id", "state", "made"), rows)


def _address_state(one: AddressInfo) -> str:
    if one.retired or 0 < one.expires_at <= time.time():
        return "retired"
    return f"open until {render.moment(one.expires_at)}" if one.expires_at else "open"


def _show_correspondents(known: Sequence[CorrespondentInfo], name: str, folder: Path | None) -> None:
    if not known:
        begin = "`mixnet send PROFILE ADDRESS TEXT --anonymous`"
        none_yet(f"no anonymous conversations yet: begin one with {begin}", name, folder)
        return
    rows = [(one.name, _side(one), one.address, _answers(one)) for one in known]
    render.table(("name", "who is anonymous", "address", "answers"), rows)


def _side(one: CorrespondentInfo) -> str:
    from mixnet.client.model.views import Role  # noqa: PLC0415

    return "you" if one.role is Role.WRITER else "they"


def _answers(one: CorrespondentInfo) -> str:
    from mixnet.client.model.views import Role  # noqa: PLC0415

    if not one.open:
        return "ended"
    if one.role is Role.READER:
        return render.answerable(one.answer_until)
    return f"taken until {render.moment(one.listens_until)}" if one.listens_until > time.time() else "no longer taken"
