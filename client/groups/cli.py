"""The commands about groups: `mixnet group create`, `list`, `show`, `invite`, `accept`, `send` and so on.

Promises: as client/cli.py. Never: an import of anything heavy before a command runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from client.options import Folder, Json, talk

if TYPE_CHECKING:
    from client.groups.views import GroupInfo

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
    async with talk(folder, name) as me:
        made = await me.groups.create(group)
    _show(made, as_json=as_json)


@group.command(name="list")
async def list_(name: str, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """List your groups, and those that you are invited to.

    Example: `mixnet group list alice`

    Parameters
    ----------
    name
        Your profile.
    """
    from client import render  # noqa: PLC0415

    async with talk(folder, name) as me:
        known = await me.groups.list()
    if as_json:
        render.jsons(known)
    elif known:
        render.table(
            ("group", "state", "members"), [(one.name, str(one.state), str(len(one.members))) for one in known]
        )
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
    async with talk(folder, name) as me:
        found = await me.groups.show(group)
    _show(found, as_json=as_json)


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
    async with talk(folder, name) as me:
        done = await me.groups.invite(group, contact)
    _show(done, as_json=as_json)


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
    async with talk(folder, name) as me:
        done = await me.groups.accept(group)
    _show(done, as_json=as_json)


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
    async with talk(folder, name) as me:
        done = await me.groups.leave(group)
    _show(done, as_json=as_json)


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
    async with talk(folder, name) as me:
        done = await me.groups.remove(group, member)
    _show(done, as_json=as_json)


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
    async with talk(folder, name) as me:
        done = await me.groups.promote(group, member)
    _show(done, as_json=as_json)


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
    async with talk(folder, name) as me:
        done = await me.groups.demote(group, member)
    _show(done, as_json=as_json)


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
    async with talk(folder, name) as me:
        done = await me.groups.rename(group, new)
    _show(done, as_json=as_json)


@group.command
async def send(
    name: str,
    group: str,
    text: str,
    /,
    *,
    wait: Annotated[bool, Parameter(negative="")] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Send a text to all members of a group.

    Example: `mixnet group send alice book-club "see you at eight"`

    Parameters
    ----------
    name
        Your profile.
    group
        The group.
    text
        What to say; put -- before one that begins with a hyphen.
    wait
        Return only when all members have it.
    """
    from client import render  # noqa: PLC0415

    async with talk(folder, name) as me:
        number = await me.groups.send(group, text)
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
    from client import render  # noqa: PLC0415

    async with talk(folder, name) as me:
        await me.groups.show(group)  # so that a contact's name is no group's
        async for message in me.messages(group, after=after):
            render.json(message) if as_json else render.message(message)


def _show(one: GroupInfo, *, as_json: bool) -> None:
    from client import render  # noqa: PLC0415

    if as_json:
        render.json(one)
        return
    render.line(f"{render.harmless(one.name)}  [{one.state}]  {len(one.members)} members")
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


def _reached(connected: bool) -> str:
    return "directly" if connected else "through others"
