"""`mixnet mailbox show|export|erase`: what your provider keeps of you (spec/06-providers.md 6.4)."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from mixnet.client.cli import render
from mixnet.client.cli.options import Flag, Folder, Json, Profile, Yes, command, confirm, talk

mailbox = App(
    name="mailbox",
    help="See, export and erase what your provider keeps of you.\n\nExample: `mixnet mailbox show alice`",
)
_STAYS = "copies that the provider's operator made, such as backups, can't be erased from here"


@mailbox.command
async def show(name: Profile, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Ask your provider what it keeps of you. Nobody on your link can tell that you asked; the provider can.

    Example: `mixnet mailbox show alice`
    """
    async with talk(folder, name) as me:
        with render.waiting("waiting for your provider's answer"):
            kept = await me.mailbox.show()
    if as_json:
        render.json(kept)
        return
    lines = [
        ("mailbox", kept.mailbox),
        ("provider", kept.provider),
        ("registered", "yes" if kept.registered else "no"),
        ("packets waiting", f"{kept.packets:,} ({kept.bytes:,} bytes, encrypted)"),
    ]
    if kept.expires is not None:
        lines.append(("deleted if unused", render.moment(kept.expires)))
    if kept.next_expiry is not None:
        lines.append(("oldest packet until", render.moment(kept.next_expiry)))
    render.table(("", ""), lines)


@mailbox.command
async def export(name: Profile, file: Path, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Write all that your provider says it keeps of you to a new file, as JSON.

    The packets themselves come to your daemon anyway, as messages: `mixnet export` writes those.

    Example: `mixnet mailbox export alice at-my-provider.json`

    Parameters
    ----------
    file
        The file to make; nobody but you can read it.
    """
    from mixnet.client.api.export import write_mailbox  # noqa: PLC0415

    async with talk(folder, name) as me:
        with render.waiting("waiting for your provider's answer"):
            kept = await me.mailbox.show()
    write_mailbox(file, kept)
    if as_json:
        render.json({"file": str(file), "encrypted": False})
        return
    render.line(f"what your provider keeps of you is in {render.harmless(str(file))}")


@mailbox.command
async def erase(
    name: Profile, /, *, leave: Flag = False, yes: Yes = False, folder: Folder = None, as_json: Json = False
) -> None:
    """Have your provider delete your mailbox and all that waits in it.

    What you have not fetched is lost until the daemons of its senders send it again: they do so for some days, as long
    as nobody acknowledged it. The mailbox is registered anew in the same moment, so contacts still reach you. With
    --leave it is not: your daemon stops, contacts can't reach you, and its next start registers the mailbox again.

    Example: `mixnet mailbox erase alice --yes`

    Parameters
    ----------
    leave
        Don't register it again, and stop the daemon with its cover traffic.
    """
    after = "and contacts can't reach you until you start its daemon again" if leave else "and it goes on, empty"
    confirm(
        f"This deletes the mailbox of {name} with all that waits in it, {after}; {_STAYS}.",
        yes=yes,
    )
    async with talk(folder, name) as me:
        with render.waiting("waiting for your provider's answer"):
            await me.mailbox.erase(leave=leave)
    if as_json:
        render.json({"erased": True, "registered": not leave, "daemon": "stopped" if leave else "running"})
    elif leave:
        start = command(folder, "client", "start", name)
        render.line(f"the mailbox of {name} is erased and its daemon stopped: `{start}` would register it again")
    else:
        render.line(f"the mailbox of {name} was erased, and is registered anew, empty")
    render.note(_STAYS)
