"""`mixnet profile backup|restore|import|export|erase` (spec/07-client.md 7.11 and 7.20)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from mixnet.client.cli import render
from mixnet.client.cli.options import (
    Flag,
    Folder,
    Json,
    PassphraseFile,
    Profile,
    Yes,
    command,
    confirm,
    profile_folder,
    talk,
    unlock,
)
from mixnet.errors import LocalError
from mixnet.exclusive import exclusive, option

if TYPE_CHECKING:
    from mixnet.client.profile.backup import Restored

_OF_BACKUP, _LOCK = exclusive(), exclusive()

profile = App(
    name="profile",
    help="Back up a profile, move it to another machine, export your data, or erase it.\n\n"
    "Example: `mixnet profile backup alice alice.backup`",
)
_FORGETS = (
    "files are overwritten before they are removed, but flash memory, file systems that copy on write, snapshots and "
    "backups may keep older copies"
)


@profile.command
async def backup(
    name: Profile,
    out: Annotated[Path, Parameter(name="FILE")],
    /,
    *,
    backup_passphrase: Annotated[Flag, option(_OF_BACKUP)] = False,
    backup_passphrase_file: Annotated[Path | None, option(_OF_BACKUP)] = None,
    downloads: Flag = False,
    force: Flag = False,
    passphrase_file: PassphraseFile = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Back up a profile into one encrypted file: keys, contacts, messages, groups and choices.

    It doesn't matter whether its daemon runs. Unless you give a passphrase, a recovery key is made and shown once:
    write it down, since nothing else opens the file.

    Example: `mixnet profile backup alice alice.backup`

    Parameters
    ----------
    out
        The file to make.
    backup_passphrase
        Ask for a passphrase that opens the backup, instead of making a recovery key.
    backup_passphrase_file
        File with that passphrase (- for standard input), or $MIXNET_BACKUP_PASSPHRASE.
    downloads
        Back up the files that came, too.
    force
        Replace a file of that name.
    """
    import trio  # noqa: PLC0415

    from mixnet.client.profile import backup as backups  # noqa: PLC0415
    from mixnet.client.profile import passphrase, sealed_file  # noqa: PLC0415
    from mixnet.client.profile.profile import load  # noqa: PLC0415

    directory = profile_folder(folder, name)
    words = unlock(directory, passphrase_file)
    chosen = passphrase.given(backup_passphrase_file, passphrase.OF_BACKUPS)
    if chosen is None and backup_passphrase:
        chosen = passphrase.asked(twice=True, what="Passphrase of the backup")
        if chosen is None:
            raise LocalError("there is no terminal to ask at: give --backup-passphrase-file")
    key = sealed_file.recovery_key() if chosen is None else None
    done = await trio.to_thread.run_sync(
        lambda: backups.back_up(
            load(directory),
            out,
            (key or "").encode() if chosen is None else chosen,
            passphrase=words,
            downloads=downloads,
            force=force,
            tell=render.note,
        )
    )
    if as_json:
        whole = {"file": str(out), "bytes": done.size, "made_at": done.made, "contacts": done.contents.contacts}
        whole |= {"messages": done.contents.messages, "downloads": done.downloads, "recovery_key": key}
        render.json(whole)
        return
    render.line(f"{render.harmless(str(out))}: {_held(done.contents.contacts, done.contents.messages)}, encrypted")
    if key is not None:
        render.line(f"recovery key: {key}")
        render.note(
            "write the recovery key down, apart from the file: it is shown this once, and nothing else opens it"
        )
    if not downloads:
        render.note("files that came are not in it: add --downloads to back them up, too")
    render.note(f"on another machine: `{command(None, 'profile', 'restore', out.name)}`")


@profile.command
async def restore(
    file: Path,
    name: Annotated[str | None, Parameter(name="PROFILE")] = None,
    /,
    *,
    backup_passphrase_file: Path | None = None,
    passphrase: Annotated[Flag, option(_LOCK)] = False,
    passphrase_file: Annotated[PassphraseFile, option(_LOCK)] = None,
    no_passphrase: Annotated[Flag, option(_LOCK)] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Make the profile of a backup, on this machine or another one.

    Stop the daemon on the old machine first, for good. The restored profile begins new sessions with all contacts by
    itself, since the old machine may have gone on with those in the backup; safety numbers stay the same.

    Example: `mixnet profile restore alice.backup`

    Parameters
    ----------
    file
        The backup.
    name
        The profile to make; the name that it had if not given.
    backup_passphrase_file
        File with the passphrase or recovery key of the backup (- for standard input), or $MIXNET_BACKUP_PASSPHRASE;
        asked for if not given.
    passphrase
        Ask for a passphrase that locks the restored profile.
    no_passphrase
        Lock it by a key file, although it was locked by a passphrase.
    """
    import trio  # noqa: PLC0415

    from mixnet.client.profile import backup as backups  # noqa: PLC0415
    from mixnet.client.profile import passphrase as secrets  # noqa: PLC0415

    opening = secrets.given(backup_passphrase_file, secrets.OF_BACKUPS)
    opening = secrets.asked(what="Passphrase or recovery key of the backup") if opening is None else opening
    if opening is None:
        raise LocalError("give the passphrase or recovery key of the backup: --backup-passphrase-file")
    words = None if no_passphrase else secrets.given(passphrase_file)
    if words is None and passphrase:
        words = secrets.asked(twice=True, what="Passphrase of the restored profile")
    done = await trio.to_thread.run_sync(
        lambda: backups.restore(
            file,
            lambda known: profile_folder(folder, known if name is None else name),
            opening,
            passphrase=words,
            unlocked=no_passphrase,
            tell=render.note,
        )
    )
    _say_restored(done, folder, as_json=as_json)


@profile.command(name="import")
async def take_over(
    copied: Path,
    name: str | None = None,
    /,
    *,
    passphrase_file: PassphraseFile = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Make a profile of a plain copy of another profile's folder, as a backup of whole disks has it.

    The copy stays as it is. What `mixnet profile restore` says of sessions holds here, too. For messages alone, from an
    archive file, there is `mixnet import`.

    Example: `mixnet profile import /media/disk/clients/alice`

    Parameters
    ----------
    copied
        The copy of the folder.
    name
        The profile to make; the name that it had if not given.
    """
    import trio  # noqa: PLC0415

    from mixnet.client.model.paths import check_profile  # noqa: PLC0415
    from mixnet.client.profile import backup as backups  # noqa: PLC0415

    check_profile(copied)
    words = unlock(copied, passphrase_file)
    done = await trio.to_thread.run_sync(
        lambda: backups.take_over(
            copied.absolute(),
            lambda known: profile_folder(folder, known if name is None else name),
            passphrase=words,
            tell=render.note,
        )
    )
    _say_restored(done, folder, as_json=as_json)


@profile.command
async def export(
    name: Profile, out: Annotated[Path, Parameter(name="FOLDER")], /, *, folder: Folder = None, as_json: Json = False
) -> None:
    """Write all of your data to a new folder, which is NOT encrypted: messages, contacts, choices, mailbox.

    Example: `mixnet profile export alice my-data`

    Parameters
    ----------
    out
        The folder to make: messages.jsonl (`mixnet import` reads it) and profile.json.
    """
    from mixnet.client.api.export import export_profile  # noqa: PLC0415

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
    from mixnet.client.model.paths import check_profile  # noqa: PLC0415
    from mixnet.client.profile import shred  # noqa: PLC0415
    from mixnet.client.profile.lock import AlreadyRunning  # noqa: PLC0415

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


def _held(contacts: int, messages: int) -> str:
    return f"{render.counted(contacts, 'contact')} and {render.counted(messages, 'message')}"


def _say_restored(done: Restored, folder: Path | None, *, as_json: bool) -> None:
    where = done.profile.file("")
    held = done.contents
    if as_json:
        whole = {"folder": str(where), "made_at": done.made, "contacts": held.contacts, "messages": held.messages}
        render.json(whole | {"downloads": done.downloads, "void_invitations": held.invitations})
        return
    made = render.moment(done.made)
    render.line(f"made {render.harmless(str(where))} of {made}: {_held(held.contacts, held.messages)}")
    start = command(folder, "client", "start", where.name)
    render.note(f"start it with `{start}`: it begins new sessions with all contacts by itself, and tells you of each")
    render.note(f"contacts and messages that are newer than {made} are not in it; on the old machine, stop the daemon")
    if held.invitations:
        what = render.counted(held.invitations, "invitation")
        render.note(f"{what} of before that nobody had used can't be used any more: give new ones")
