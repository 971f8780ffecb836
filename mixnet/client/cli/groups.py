"""The commands about groups: `mixnet group create`, `list`, `show`, `invite`, `accept`, `send` and so on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from mixnet.client.cli import render
from mixnet.client.cli.options import (
    After,
    Contact,
    Flag,
    Folder,
    Group,
    Json,
    JsonLines,
    Profile,
    Text,
    check_form,
    command,
    none_yet,
    say_numbered,
    seconds,
    talk,
)
from mixnet.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixnet.client.model.group_views import GroupInfo

_RENAME = "group rename PROFILE {} NEW-NAME --here"
Member = Annotated[str, Parameter(help="The member, as `mixnet group show` names it.")]

group = App(
    name="group",
    help="Talk in groups of up to 100, whose members pass messages on to each other."
    " On a satellite, what changes a group waits up to two minutes for the home device's answer."
    "\n\nExample: `mixnet group create alice book-club`",
)


@group.command
async def create(name: Profile, group: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Begin a group, with you as its admin.

    Example: `mixnet group create alice book-club`

    Parameters
    ----------
    group
        What the group shall be called.
    """
    async with talk(folder, name) as me:
        made = await me.groups.create(group)
    _show(made, as_json=as_json)
    say_numbered(name, made.name, _RENAME, folder)


@group.command(name="list")
async def list_(name: Profile, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """List your groups, and those that you are invited to.

    Example: `mixnet group list alice`
    """
    async with talk(folder, name) as me:
        known = await me.groups.list()
    if as_json:
        render.jsons(known)
    elif known:
        render.table(
            ("group", "state", "members"), [(one.name, str(one.state), str(len(one.members))) for one in known]
        )
        say_asked(known, name, folder)
    else:
        none_yet("no groups yet: begin one with `mixnet group create PROFILE GROUP`", name, folder)


@group.command
async def show(name: Profile, group: Group, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Show who is in a group. Whom you can't reach directly yet gets your messages through others.

    Example: `mixnet group show alice book-club`
    """
    async with talk(folder, name) as me:
        _show(await me.groups.show(group), as_json=as_json)


@group.command
async def invite(
    name: Profile, group: str, contact: Contact, /, *, folder: Folder = None, as_json: Json = False
) -> None:
    """Ask a contact to join; they become a member when they accept.

    Example: `mixnet group invite alice book-club bob`

    Parameters
    ----------
    group
        The group, of which you are an admin.
    """
    async with talk(folder, name) as me:
        asked = await me.groups.invite(group, contact)
    _show(asked, as_json=as_json, then=f"{contact} is asked, and becomes a member by `mixnet group accept`")


@group.command
async def accept(name: Profile, group: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Join a group that you are invited to. Its members learn your profile's name, and can reach you in the group.

    Example: `mixnet group accept bob book-club`

    Parameters
    ----------
    group
        The group, as `mixnet group list` shows it.
    """
    async with talk(folder, name) as me:
        joined = await me.groups.accept(group)
    see = command(folder, "group", "show", name, group)
    say_numbered(name, joined.name, _RENAME, folder)
    _show(joined, as_json=as_json, then=f"you are in when the client of who asked you has answered: see `{see}`")


@group.command
async def leave(name: Profile, group: Group, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Leave a group, or turn an invitation down; what was said stays in your archive.

    Example: `mixnet group leave bob book-club`
    """
    async with talk(folder, name) as me:
        _show(await me.groups.leave(group), as_json=as_json)


@group.command
async def remove(
    name: Profile, group: Group, member: Member, /, *, folder: Folder = None, as_json: Json = False
) -> None:
    """Put a member out, who reads nothing new from then on. For admins.

    Example: `mixnet group remove alice book-club bob`
    """
    async with talk(folder, name) as me:
        _show(await me.groups.remove(group, member), as_json=as_json)


@group.command
async def promote(
    name: Profile, group: Group, member: Member, /, *, folder: Folder = None, as_json: Json = False
) -> None:
    """Make a member an admin too. For admins; you can't take it from one who became an admin before you.

    Example: `mixnet group promote alice book-club bob`
    """
    async with talk(folder, name) as me:
        _show(await me.groups.promote(group, member), as_json=as_json)


@group.command
async def demote(name: Profile, group: Group, member: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Make an admin who came after you a plain member. For admins.

    Example: `mixnet group demote alice book-club bob`

    Parameters
    ----------
    member
        The admin, as `mixnet group show` names it.
    """
    async with talk(folder, name) as me:
        _show(await me.groups.demote(group, member), as_json=as_json)


@group.command
async def rename(
    name: Profile,
    group: Group,
    new: Annotated[str, Parameter(name="NEW-NAME")],
    /,
    *,
    here: Flag = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Give a group another title, for admins; or call it otherwise on your own devices. Nobody else changes your name.

    Example: `mixnet group rename alice book-club readers --here`

    Parameters
    ----------
    new
        Its new name.
    here
        Only on your own devices: members are not told.
    """
    async with talk(folder, name) as me:
        made = await me.groups.rename(group, new, here=here)
    _show(made, as_json=as_json)
    say_numbered(name, made.name, _RENAME, folder)


@group.command
async def send(
    name: Profile,
    group: Group,
    text: Text = None,
    /,
    *,
    file: Path | None = None,
    wait: Flag = False,
    expires: str | None = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Send a text to all members of a group.

    Example: `mixnet group send alice book-club "see you at eight" --expires 2h`

    Parameters
    ----------
    file
        Refused: files go to contacts, with `mixnet send`.
    wait
        Return only when all members have it.
    expires
        Who doesn't have it by then doesn't get it: a number and s, m, h, d or w, like 10m, 2h or 3d.
    """
    if file is not None:
        raise LocalError(
            "files can't go to a group: send it to each member who is a contact, with"
            " `mixnet send PROFILE CONTACT --file FILE`"
        )
    if text is None:
        raise LocalError('say what to send: mixnet group send PROFILE GROUP "text"')
    within = seconds(expires)
    from mixnet.client.cli import watching  # noqa: PLC0415
    from mixnet.client.cli.files import until_settled  # noqa: PLC0415

    with watching.Watch(name, folder) as watch:
        async with talk(folder, name) as me:
            number = await me.groups.send(group, text, expires=within)
            message = await until_settled(me, number, watch) if wait else await me.message(number)
    render.json(message) if as_json else render.message(message)


@group.command
async def messages(
    name: Profile,
    group: Group,
    /,
    *,
    after: After = 0,
    folder: Folder = None,
    as_json: Json = False,
    as_lines: JsonLines = False,
) -> None:
    """Show what was said in a group, and of yours how many have it; marks nothing as read, as `mixnet inbox` does.

    Example: `mixnet group messages alice book-club`
    """
    check_form(as_json=as_json, as_lines=as_lines)
    async with talk(folder, name) as me:
        await me.groups.show(group)  # so that a contact's name is no group's
        found = me.messages(group, after=after)
        if as_json:
            render.jsons([message async for message in found])
            return
        async for message in found:
            render.json(message) if as_lines else render.message(message)


@group.command
async def readers(name: Profile, number: int, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Show which members have read a text of yours, as far as they let you know.

    Example: `mixnet group readers alice 12`

    Parameters
    ----------
    number
        The message, by the number that `mixnet group messages` shows.
    """
    async with talk(folder, name) as me:
        message = await me.message(number)
        names = await me.groups.readers(number)
    if as_json:
        render.json({"number": number, "readers": names, "reached": message.reached, "members": message.members})
        return
    render.line(f"{len(names)} of {message.members} have read message {number}, {message.reached} have it")
    for reader in names:
        render.line(f"  {render.harmless(reader)}")


def _show(one: GroupInfo, *, as_json: bool, then: str = "") -> None:
    """Show a group, and say what is to come `then`."""
    if as_json:
        render.json(one)
        return
    titled = "" if one.title == one.name else f"  called {render.harmless(one.title)} by its admins"
    render.line(f"{render.harmless(one.name)}  [{one.state}]  {render.counted(len(one.members), 'member')}{titled}")
    rows = [
        (
            member.name + (" (you)" if member.you else ""),
            "admin" if member.admin else "member",
            _reached(member.connected),
        )
        for member in one.members
    ]
    if rows:
        render.table(("member", "role", "reached"), rows)
    if then:
        render.note(then)


def say_asked(groups: Sequence[GroupInfo], name: str, folder: Path | None) -> None:
    """Say how to come into those groups to which somebody has asked us."""
    for one in groups:
        if one.state.value == "invited":
            say_numbered(name, one.name, _RENAME, folder)
            come_in = command(folder, "group", "accept", name, one.name)
            render.note(f"you are asked into the group {one.name!r}: come in with `{come_in}`")


def _reached(connected: bool) -> str:
    return "directly" if connected else "through others"
