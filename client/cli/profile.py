"""`mixnet profile export|erase`: exports all of one's data, and erases a profile (spec/07-client.md 7.11)."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from client.cli import render
from client.cli.options import Flag, Folder, Json, Profile, Yes, command, confirm, profile_folder, talk

profile = App(
    name="profile",
    help="Take all of your data with you, or erase it from this machine.\n\n"
    "Example: `mixnet profile export alice my-data`",
)
_FORGETS = (
    "files are overwritten before they are removed, but flash memory, file systems that copy on write, snapshots and "
    "backups may keep older copies"
)


@profile.command
async def export(name: Profile, out: Path, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Write all of your data to a new folder, which is NOT encrypted: messages, contacts, choices, mailbox.

    Example: `mixnet profile export alice my-data`

    Parameters
    ----------
    out
        The folder to make: messages.jsonl (`mixnet import` reads it) and profile.json.
    """
    from client.api.export import export_profile  # noqa: PLC0415

    async with talk(folder, name) as me:
        with render.waiting("gathering your data"):
            done = await export_profile(me, profile_folder(folder, name), out)
    if as_json:
        render.json({"folder": str(out), "messages": done.messages, "contacts": done.contacts, "encrypted": False})
    else:
        render.line(f"{done.messages} messages and {done.contacts} contacts in {render.harmless(str(out))}")
    render.note(f"{out} is NOT encrypted; keys are not in it, and files that came stay where `inbox` says they are")
    if done.problem:
        render.note(f"what your provider keeps is not in it: {done.problem}")


@profile.command
def erase(
    name: Profile, /, *, keep_downloads: Flag = False, yes: Yes = False, folder: Folder = None, as_json: Json = False
) -> None:
    """Erase a profile from this machine, as far as its disk allows: keys, contacts, messages and files that came.

    Stop its daemon first, and before that erase its mailbox with `mixnet mailbox erase NAME --leave`: without the keys
    nobody can, and it would wait at the provider until it expires. Contacts keep what you sent them.

    Example: `mixnet profile erase alice --yes`

    Parameters
    ----------
    keep_downloads
        Leave the files that came where they are.
    """
    from client.model.paths import check_profile  # noqa: PLC0415
    from client.profile import shred  # noqa: PLC0415
    from client.profile.lock import AlreadyRunning  # noqa: PLC0415

    directory = profile_folder(folder, name)
    check_profile(directory)
    first = command(folder, "mailbox", "erase", name, "--leave")
    confirm(
        f"This erases keys, contacts and messages of {name} in {directory} for good. Its mailbox stays at the provider "
        f"until it expires, unless you ran `{first}` before.",
        yes=yes,
    )
    try:
        done = shred.erase(directory, keep_downloads=keep_downloads)
    except AlreadyRunning:
        stop = command(folder, "client", "stop", name)
        raise AlreadyRunning(f"nothing was erased: the daemon of {name} runs; stop it first with `{stop}`") from None
    if as_json:
        render.json({"files": done.files, "bytes": done.bytes, "left": [str(path) for path in done.left]})
    else:
        render.line(f"{done.files} files of {name} erased, {done.bytes:,} bytes overwritten")
    render.note(_FORGETS)
    if done.left:
        render.note(f"left in {directory}: {', '.join(str(path.relative_to(directory)) for path in done.left)}")
