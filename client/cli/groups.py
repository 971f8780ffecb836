"""The commands about groups: `mixnet group create`, `list`, `show`, `invite`, `accept`, `send` and so on.

Promises: as client/cli/app.py. Never: an import of anything heavy before a command runs.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from client.cli.options import Folder, Json, dir_option, talk
from mixnet.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from client.api.groups import GroupAccess
    from client.model.group_views import GroupInfo

group = App(
    name="group",
    help="Talk in groups of up to 100, whose members pass messages on to each other."
    " On a satellite, what changes a group waits up to two minutes for the home device's answer."
    "\n\nExample: `mixnet group create alice book-club`",
)


@group.command
async def create(name: str, group: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Begin a group, with you as its admin.

    Example: `mixnet group create alice book-club`

    Parameters
    ----------
    name
        Your profile.
    group
        What the group shall be called.
    """
    await _tell(name, folder, as_json, lambda groups: groups.create(group))


@group.command(name="list")
async def list_(name: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """List your groups, and those that you are invited to.

    Example: `mixnet group list alice`

    Parameters
    ----------
    name
        Your profile.
    """
    from client.cli import render  # noqa: PLC0415

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
        render.note("no groups yet: begin one with `mixnet group create PROFILE GROUP`")


@group.command
async def show(name: str, group: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Show who is in a group. Whom you can't reach directly yet gets your messages through others.

    Example: `mixnet group show alice book-club`

    Parameters
    ----------
    name
        Your profile.
    group
        The group.
    """
    await _tell(name, folder, as_json, lambda groups: groups.show(group))


@group.command
async def invite(name: str, group: str, contact: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Ask a contact to join; they become a member when they accept.

    Example: `mixnet group invite alice book-club bob`

    Parameters
    ----------
    name
        Your profile.
    group
        The group, of which you are an admin.
    contact
        The contact.
    """
    await _tell(
        name,
        folder,
        as_json,
        lambda groups: groups.invite(group, contact),
        then=f"{contact} is asked, and becomes a member by `mixnet group accept`",
    )


@group.command
async def accept(name: str, group: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Join a group that you are invited to. Its members learn your profile's name, and can reach you in the group.

    Example: `mixnet group accept bob book-club`

    Parameters
    ----------
    name
        Your profile.
    group
        The group, as `mixnet group list` shows it.
    """
    show_it = f"mixnet group show {shlex.quote(name)} {shlex.quote(group)}{dir_option(folder)}"
    await _tell(
        name,
        folder,
        as_json,
        lambda groups: groups.accept(group),
        then=f"you are in when the client of who asked you has answered: see `{show_it}`",
    )


@group.command
async def leave(name: str, group: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Leave a group, or turn an invitation down; what was said stays in your archive.

    Example: `mixnet group leave bob book-club`

    Parameters
    ----------
    name
        Your profile.
    group
        The group.
    """
    await _tell(name, folder, as_json, lambda groups: groups.leave(group))


@group.command
async def remove(name: str, group: str, member: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Put a member out, who reads nothing new from then on. For admins.

    Example: `mixnet group remove alice book-club bob`

    Parameters
    ----------
    name
        Your profile.
    group
        The group.
    member
        The member, as `mixnet group show` names it.
    """
    await _tell(name, folder, as_json, lambda groups: groups.remove(group, member))


@group.command
async def promote(name: str, group: str, member: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Make a member an admin too. For admins; you can't take it from one who became an admin before you.

    Example: `mixnet group promote alice book-club bob`

    Parameters
    ----------
    name
        Your profile.
    group
        The group.
    member
        The member, as `mixnet group show` names it.
    """
    await _tell(name, folder, as_json, lambda groups: groups.promote(group, member))


@group.command
async def demote(name: str, group: str, member: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Make an admin who came after you a plain member. For admins.

    Example: `mixnet group demote alice book-club bob`

    Parameters
    ----------
    name
        Your profile.
    group
        The group.
    member
        The admin, as `mixnet group show` names it.
    """
    await _tell(name, folder, as_json, lambda groups: groups.demote(group, member))


@group.command
async def rename(name: str, group: str, new: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Call a group by another name, for all members. For admins.

    Example: `mixnet group rename alice book-club readers`

    Parameters
    ----------
    name
        Your profile.
    group
        The group.
    new
        Its new name.
    """
    await _tell(name, folder, as_json, lambda groups: groups.rename(group, new))


@group.command
async def send(
    name: str,
    group: str,
    text: str | None = None,
    /,
    *,
    file: Path | None = None,
    wait: Annotated[bool, Parameter(negative="")] = False,
    expires: str | None = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Send a text to all members of a group.

    Example: `mixnet group send alice book-club "see you at eight" --expires 2h`

    Parameters
    ----------
    name
        Your profile.
    group
        The group.
    text
        What to say; put -- before one that begins with a hyphen.
    file
        Refused: files go to contacts, with `mixnet send`.
    wait
        Return only when all members have it.
    expires
        Who doesn't have it by then doesn't get it: a number and s, m, h, d or w, like 10m, 2h or 3d.
    """
    from client.cli import render  # noqa: PLC0415
    from client.model import durations  # noqa: PLC0415

    if file is not None:
        raise LocalError(
            "files can't go to a group: send it to each member who is a contact, with"
            " `mixnet send PROFILE CONTACT --file FILE`"
        )
    if text is None:
        raise LocalError('say what to send: mixnet group send PROFILE GROUP "text"')
    within = None if expires is None else durations.seconds(expires)
    async with talk(folder, name) as me:
        number = await me.groups.send(group, text, expires=within)
        if wait:
            with render.waiting(f"sending to {render.harmless(group)}"):
                await me.wait_delivered(number)
        message = await me.message(number)
    render.json(message) if as_json else render.message(message)


@group.command
async def messages(name: str, group: str, /, *, after: int = 0, folder: Folder = None, as_json: Json = False) -> None:
    """Show what was said in a group, and of yours how many have it. `mixnet inbox` shows new ones as they come.

    Example: `mixnet group messages alice book-club`

    Parameters
    ----------
    name
        Your profile.
    group
        The group.
    after
        Only messages with higher numbers than this.
    as_json
        Print one JSON object a line, for programs.
    """
    from client.cli import render  # noqa: PLC0415

    async with talk(folder, name) as me:
        await me.groups.show(group)  # so that a contact's name is no group's
        async for message in me.messages(group, after=after):
            render.json(message) if as_json else render.message(message)


@group.command
async def readers(name: str, number: int, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Show which members have read a text of yours, as far as they let you know.

    Example: `mixnet group readers alice 12`

    Parameters
    ----------
    name
        Your profile.
    number
        The message, by the number that `mixnet group messages` shows.
    """
    from client.cli import render  # noqa: PLC0415

    async with talk(folder, name) as me:
        message = await me.message(number)
        names = await me.groups.readers(number)
    if as_json:
        render.json({"number": number, "readers": names, "reached": message.reached, "members": message.members})
        return
    render.line(f"{len(names)} of {message.members} have read message {number}, {message.reached} have it")
    for reader in names:
        render.line(f"  {render.harmless(reader)}")


async def _tell(
    name: str,
    folder: Path | None,
    as_json: bool,
    verb: Callable[[GroupAccess], Awaitable[GroupInfo]],
    then: str = "",
) -> None:
    """Have the daemon do a verb, and show the group after it, and what is to come `then`."""
    from client.cli import render  # noqa: PLC0415

    async with talk(folder, name) as me:
        one = await verb(me.groups)
    if as_json:
        render.json(one)
        return
    render.line(f"{render.harmless(one.name)}  [{one.state}]  {render.counted(len(one.members), 'member')}")
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
    from client.cli import render  # noqa: PLC0415

    for one in groups:
        if one.state.value == "invited":
            come_in = f"mixnet group accept {shlex.quote(name)} {shlex.quote(one.name)}{dir_option(folder)}"
            render.note(f"you are asked into the group {one.name!r}: come in with `{come_in}`")


def _reached(connected: bool) -> str:
    return "directly" if connected else "through others"
