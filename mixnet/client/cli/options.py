"""What the commands share: where profiles are, how they are opened, and the connection to their daemons.

Never: an import of anything heavy before a command runs.
"""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mixnet import hints
from mixnet.client.cli import render
from mixnet.client.model.names import is_numbered, same
from mixnet.errors import LocalError, MixnetError

if TYPE_CHECKING:
    from mixnet.client.api.connection import Connection

_LIMIT = 1 << 16  # bytes of a file that are read to find an invitation or an address

Profile = Annotated[str, Parameter(name="PROFILE", help="Your profile.")]
Contact = Annotated[str, Parameter(name="CONTACT", help="The contact.")]
Group = Annotated[str, Parameter(help="The group.")]
Text = Annotated[str | None, Parameter(help="What to say; put -- before one that begins with a hyphen.")]
Flag = Annotated[bool, Parameter(negative="")]
Qr = Annotated[Flag, Parameter(help="Draw it as a QR code too.")]
After = Annotated[
    int, Parameter(help="Only what was complete after the message of this number: a file may be long on its way.")
]
ShortQr = Annotated[Flag, Parameter(help="Draw a short code for it as a QR code, which works for a day.")]
QrFile = Annotated[Path | None, Parameter(help="Write the QR code to a new PNG file that only you can read.")]
Image = Annotated[Path | None, Parameter(help="A picture of its QR code instead: screenshot or photo, PNG or JPEG.")]
PrivateFile = Annotated[
    Path | None, Parameter(help="Write it to a new file that only you can read, instead of printing it.")
]
Folder = Annotated[
    Path | None, Parameter(name="--dir", help="Folder of the network; $MIXNET_DIR or your data folder if not given.")
]
Json = Annotated[Flag, Parameter(name="--json", help="Print JSON for programs.")]
JsonLines = Annotated[
    Flag, Parameter(name="--jsonl", help="Print one JSON object a line as it comes, for programs, instead of a list.")
]
Yes = Annotated[Flag, Parameter(name="--yes", help="Don't ask; do it.")]
PassphraseFile = Annotated[
    Path | None,
    Parameter(
        name="--passphrase-file",
        allow_leading_hyphen=True,
        help="File with the passphrase (- for standard input), or $MIXNET_PASSPHRASE.",
    ),
]


def check_form(*, as_json: bool, as_lines: bool, follow: bool = False) -> None:
    """LocalError if both forms are asked for, or a list of what has no end."""
    if as_json and as_lines:
        raise LocalError("--json gives one list, and --jsonl a line for each: leave one of them out")
    if as_json and follow:
        raise LocalError("--json gives one list, and --follow has no end: use --jsonl, a line for each")


def network_folder(folder: Path | None) -> Path:
    """The network's folder: the one given, $MIXNET_DIR, or the user's folder for data."""
    named = os.environ.get("MIXNET_DIR")
    if folder is None and named:
        folder = Path(named)
    if folder is None:
        import platformdirs  # noqa: PLC0415  # only a command without --dir needs it

        folder = platformdirs.user_data_path("mixnet") / "local"
    return folder.absolute()


def profile_folder(folder: Path | None, name: str) -> Path:
    """The folder of the profile `name`, however that is spelt in Unicode; of a new one, in NFC."""
    hints.about(name)
    profiles, spelt = network_folder(folder) / "clients", same(name)
    if not spelt or "/" in spelt or "\0" in spelt or spelt.startswith((".", "-")):
        raise LocalError("a profile's name has no slash, and no dot or hyphen at its start: choose another name")
    if name.isascii() or (profiles / spelt).exists() or not profiles.is_dir():
        return profiles / spelt
    return next((one for one in profiles.iterdir() if same(one.name) == spelt), profiles / spelt)


def command(folder: Path | None, *words: object) -> str:
    """A command to suggest, as it is typed, for the same network."""
    named = hints.network(folder)
    network = ["--dir", named] if named else []
    return shlex.join(map(str, ["mixnet", *words, *network]))


def completed(text: str, name: str, folder: Path | None) -> str:
    """`text`, in which the commands for a PROFILE are as they are typed for this one, on the same network."""
    return hints.here(text, folder, name)


@contextmanager
def hints_for(name: str, folder: Path | None) -> Iterator[None]:
    """Let errors that tell of commands tell them so."""
    try:
        yield
    except MixnetError as error:
        error.args = (completed(str(error), name, folder),)
        raise


def none_yet(text: str, name: str, folder: Path | None) -> None:
    """Say beside the output that what was asked for is empty, and how to change that."""
    render.note(completed(text, name, folder))


def say_numbered(profile: str, called: str, rename: str, folder: Path | None) -> None:
    """Say why a name that was just given has a number, if it has one, and how to change it: `rename` it."""
    if is_numbered(called):
        why = f"{called!r} has a number, since its name is or was another's here, or looks like a word of this program"
        render.note(completed(f"{why}: `mixnet {rename.format(shlex.quote(called))}` changes it", profile, folder))


def compare_with(name: str, contact: str, folder: Path | None) -> None:
    """Say how to verify a new contact, and why it is called otherwise than it said."""
    say_numbered(name, contact, "contacts PROFILE --rename {} NEW-NAME", folder)
    verify = command(folder, "contacts", name, "--verify", render.harmless(contact))
    sys.stderr.write(f"compare the safety number with them; if it is the same: `{verify}`\n")


def unlock(directory: Path, passphrase_file: Path | None) -> bytes | None:
    """The passphrase of the profile in `directory`, if it has one."""
    from mixnet.client.profile import passphrase  # noqa: PLC0415
    from mixnet.client.profile.profile import Lock, PassphraseNeeded, load  # noqa: PLC0415

    if load(directory).lock is Lock.KEY_FILE:
        return None
    words = passphrase.given(passphrase_file) or passphrase.asked()
    if words is None:
        raise PassphraseNeeded
    return words


@asynccontextmanager
async def talk(folder: Path | None, name: str) -> AsyncIterator[Connection]:
    """A connection to the daemon of a profile. At a terminal, one that doesn't run can be started at once.

    If a command takes long, its user learns what keeps the daemon from getting on.
    """
    import trio  # noqa: PLC0415

    from mixnet.client.api.connection import connect  # noqa: PLC0415
    from mixnet.client.api.sockets import NotRunning  # noqa: PLC0415
    from mixnet.client.cli import watching  # noqa: PLC0415
    from mixnet.client.model.paths import LOCK, check_profile  # noqa: PLC0415
    from mixnet.client.profile import lock  # noqa: PLC0415

    with hints_for(name, folder):
        directory = profile_folder(folder, name)
        missing: LocalError | None = None
        try:
            check_profile(directory)
        except LocalError as error:
            missing = error
        if missing is not None:
            await _ask_profile(missing, folder, name)
            raise missing
        if lock.holder(directory / LOCK) is None:
            if not agrees(f"No daemon runs for {name}. Start it now? Its cover traffic stays on."):
                raise NotRunning(
                    f"no daemon runs for {name}: start it with `{command(folder, 'client', 'start', name)}`"
                )
            from mixnet.client.daemon import background  # noqa: PLC0415

            await background.start(directory, unlock(directory, None))
        failure: Exception | None = None
        async with connect(directory) as me, trio.open_nursery() as nursery:
            nursery.start_soon(watching.tell_trouble, directory, name, folder)
            try:
                yield me
            except Exception as error:  # kept out of the nursery, which would wrap it in a group
                if isinstance(error, LocalError):
                    await _ask_order(error, me, folder, name)
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure


async def _ask_profile(error: LocalError, folder: Path | None, name: str) -> None:
    """Where there is no such profile: ask whether two words of the line are meant the other way round."""
    for word in hints.behind(name):
        if await _knows(folder, word, name):
            error.args = (f"there is no profile named {name!r}{hints.swapped(name, word)}",)
            return


async def _ask_order(error: LocalError, me: Connection, folder: Path | None, name: str) -> None:
    """Where there is no such contact or group: the same, if the other order would name one."""
    unknown = next((word for word in hints.behind(name) if f" named {word!r}" in str(error)), None)
    if unknown is None:
        return
    with suppress(MixnetError):
        known = await _names(me)
        for word in hints.behind(unknown):
            if same(word) in known:
                error.args = (f"there is nobody named {unknown!r} here{hints.swapped(unknown, word)}",)
                return
        if same(name) not in known and await _knows(folder, unknown, name):
            error.args = (f"{name} has no contact named {unknown!r}{hints.swapped(name, unknown)}",)


async def _knows(folder: Path | None, name: str, other: str) -> bool:
    """Whether there is a profile of this name whose daemon runs, with a contact or group of the `other` one."""
    from mixnet.client.api.connection import connect  # noqa: PLC0415

    with suppress(MixnetError, OSError):
        async with connect(network_folder(folder) / "clients" / same(name)) as them:
            return same(other) in await _names(them)
    return False


async def _names(me: Connection) -> set[str]:
    contacts, groups = await me.contacts(), await me.groups.list()
    return {same(one.name) for one in contacts} | {same(one.name) for one in groups}


def confirm(lost: str, *, yes: bool, done: str = "erased") -> None:
    """Return if the user wants what will be `lost` to be lost; LocalError if not, or if nobody is there to say so."""
    if yes or agrees(f"{lost} Go on?"):
        return
    if _somebody_there():  # who has read it, and said no
        raise LocalError(f"nothing was {done}")
    raise LocalError(f"nothing was {done}. {lost} Add --yes if that is what you want")


def checked(number: int) -> int:
    """`number`, if it can be that of a message; UnknownMessage."""
    from mixnet.client.model.errors import UnknownMessage  # noqa: PLC0415

    if not 0 <= number < 1 << 63:
        raise UnknownMessage
    return number


def seconds(period: str | None) -> float | None:
    """How long a period like 10m, 2h or 3d is; None if none was given."""
    from mixnet.client.model import durations  # noqa: PLC0415

    return None if period is None else durations.seconds(period)


def identity(digits: str, advice: str) -> bytes:
    """The 32 bytes of an identity as it is written; LocalError, which says the `advice`, if it is none."""
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise LocalError(advice)
    return key


def text_given(given: str, what: str, *beginnings: str) -> str:
    """The text that is given as such, with one of these beginnings, or in a file, or as - for standard input."""
    if given.startswith(beginnings):
        return given
    if not given:
        raise LocalError(f"the {what} is empty: give its text, a file that holds it, or - for standard input")
    if given == "-":
        raw = sys.stdin.buffer.read(_LIMIT)
    else:
        try:
            with Path(given).open("rb") as file:
                raw = file.read(_LIMIT)
        except (OSError, ValueError) as error:  # a NUL, which no file has in its name
            if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                raise
            raise LocalError(
                f"{given[:80]!r} is no {what}, which begins with `{beginnings[0]}`, and no file of this name is here"
            ) from None
    return raw.decode(errors="replace").strip()  # what isn't text is refused by the daemon


def agrees(question: str) -> bool:
    """Whether the person at the terminal says yes; nobody there is a no."""
    if not _somebody_there():
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _somebody_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
