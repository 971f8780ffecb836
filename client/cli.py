"""The commands of a person who talks over the mixnet: `mixnet client`, `invite`, `accept`, `contacts`, `send`, `inbox`.

Promises: a command is a short talk with a running daemon and never sends anything itself, since starting cover traffic
when one has something to say would give that away; what goes wrong is raised as a MixnetError, of which the `mixnet`
command makes one line. Never: an import of anything heavy before a command runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from mixnet.errors import LocalError

if TYPE_CHECKING:
    from client.connection import Connection

app = App(name="messages", help="Commands of a person who talks over the mixnet.")
daemon = App(name="client", help="Make a profile; start, stop and look at its daemon.")
app.command(daemon)

Folder = Annotated[
    Path | None, Parameter(name="--dir", help="Folder of the network; $MIXNET_DIR or your data folder if not given.")
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")]
PassphraseFile = Annotated[
    Path | None,
    Parameter(name="--passphrase-file", help="File with the passphrase (- for standard input), or $MIXNET_PASSPHRASE."),
]


def _network(folder: Path | None) -> Path:
    named = os.environ.get("MIXNET_DIR")
    if folder is None and named:
        folder = Path(named)
    if folder is None:
        import platformdirs  # noqa: PLC0415  # only a command without --dir needs it

        folder = platformdirs.user_data_path("mixnet") / "local"
    return folder.absolute()


def _profile(folder: Path | None, name: str) -> Path:
    if "/" in name or name.startswith("."):
        raise LocalError("a profile is named without slashes and leading dots: `mixnet client init NAME` makes one")
    return _network(folder) / "clients" / name


def _option(folder: Path | None) -> str:
    """What a suggested command needs so that it finds the same network."""
    return f" --dir {folder}" if folder else ""


@daemon.command
async def init(
    name: str,
    *,
    folder: Folder = None,
    passphrase: Annotated[bool, Parameter(negative="")] = False,
    passphrase_file: PassphraseFile = None,
    provider: str | None = None,
    source: str | None = None,
    bootstrap: Path | None = None,
) -> None:
    """Make a profile: your keys, contacts and messages, in an encrypted store.

    Example: `mixnet client init alice`

    Parameters
    ----------
    name
        Your name, as invitations show it.
    passphrase
        Ask for a passphrase that locks the store; without one a key file in the profile's folder opens it.
    provider
        Identity (64 hexadecimal digits) of the provider to register with; a random one if not given.
    source
        Local IP address to dial from.
    bootstrap
        The network's bootstrap file; `bootstrap.json` in the network's folder if not given.
    """
    import trio  # noqa: PLC0415

    from client import passphrase as secrets  # noqa: PLC0415
    from client.profile import PassphraseNeeded, create  # noqa: PLC0415

    words = secrets.given(passphrase_file)
    if words is None and passphrase:
        words = secrets.asked(twice=True)
        if words is None:
            raise PassphraseNeeded
    directory = _profile(folder, name)
    await trio.to_thread.run_sync(
        lambda: create(
            directory,
            name=name,
            bootstrap=bootstrap or _network(folder) / "bootstrap.json",
            passphrase=words,
            source=source,
            provider=_identity(provider),
        )
    )
    sys.stdout.write(f"made {directory}: start its daemon with `mixnet client start {name}{_option(folder)}`\n")


def _identity(text: str | None) -> bytes | None:
    try:
        identity = bytes.fromhex(text) if text is not None else None
    except ValueError:
        identity = b""
    if identity is not None and len(identity) != 32:
        raise LocalError("a provider's identity has 64 hexadecimal digits: `mixnet directory show` lists them")
    return identity


@daemon.command
async def start(
    name: str,
    *,
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    foreground: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Start the daemon of a profile: cover traffic runs from now on.

    Example: `mixnet client start alice`

    Parameters
    ----------
    foreground
        Become the daemon instead of starting one in the background.
    """
    from client import process  # noqa: PLC0415

    directory = _profile(folder, name)
    words = _unlock(directory, passphrase_file)
    if foreground:
        await process.serve_profile(directory, words)
        return
    from client.render import waiting  # noqa: PLC0415

    with waiting("waiting for the network's directory"):
        await process.start(directory, words)
    sys.stdout.write(f"the daemon of {name} runs: stop it with `mixnet client stop {name}{_option(folder)}`\n")


def _unlock(directory: Path, passphrase_file: Path | None) -> bytes | None:
    """The passphrase of the profile in `directory`, if it has one."""
    from client import passphrase as secrets  # noqa: PLC0415
    from client.profile import Lock, PassphraseNeeded, load  # noqa: PLC0415

    if load(directory).lock is Lock.KEY_FILE:
        return None
    words = secrets.given(passphrase_file) or secrets.asked()
    if words is None:
        raise PassphraseNeeded
    return words


@daemon.command
async def stop(name: str, *, folder: Folder = None) -> None:
    """Stop the daemon of a profile, and its cover traffic with it.

    Example: `mixnet client stop alice`
    """
    from client import process  # noqa: PLC0415

    await process.stop(_profile(folder, name))


@daemon.command
async def status(name: str, *, folder: Folder = None, as_json: Json = False) -> None:
    """Show whether a daemon is connected, what it has sent, and whether its loops return.

    Example: `mixnet client status alice --json`
    """
    from client import render  # noqa: PLC0415

    async with _talk(folder, name) as me:
        figures = await me.status()
    render.json(figures) if as_json else render.status(name, figures)


@app.command
async def invite(
    name: str,
    *,
    qr: Annotated[bool, Parameter(negative="")] = False,
    out: Path | None = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Make an invitation, for one person, once; give it to them over a channel that both of you trust.

    Example: `mixnet invite alice --out for-bob.txt`

    Parameters
    ----------
    name
        Your profile.
    qr
        Draw it as a QR code too.
    out
        Write it to a new file that only you can read, instead of printing it.
    """
    from client import render  # noqa: PLC0415

    async with _talk(folder, name) as me:
        text = await me.invite()
    if out is not None:
        _write_private(out, text)
    elif as_json:
        render.json({"invitation": text})
    else:
        render.line(text)
    if qr:
        render.qr(text)


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")


@app.command
async def accept(
    name: str,
    invitation: str,
    *,
    contact: Annotated[str | None, Parameter(name="--as")] = None,
    wait: bool = True,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Accept somebody's invitation, and wait until both of you can write.

    Example: `mixnet accept bob for-bob.txt --as alice`

    Parameters
    ----------
    name
        Your profile.
    invitation
        Its text (`mixnet1:...`), a file that holds it, or - for standard input.
    contact
        What to call them; the name in the invitation if not given.
    wait
        Wait until the inviter's daemon has answered; --no-wait returns at once.
    """
    from client import render  # noqa: PLC0415

    text = _invitation(invitation)
    async with _talk(folder, name) as me:
        known = await me.accept(text, contact)
        if wait:
            with render.waiting(f"waiting for {render.harmless(known.name)} to answer"):
                known = await me.wait_established(known.name)
    if as_json:
        render.json(known)
        return
    render.contacts([known])
    sys.stderr.write("compare the safety number with them; if it matches: `mixnet contacts NAME --verify CONTACT`\n")


def _invitation(given: str) -> str:
    if given.startswith("mixnet1:"):
        return given
    with sys.stdin if given == "-" else Path(given).open() as file:
        return file.read(1 << 16).strip()


@app.command
async def contacts(name: str, *, verify: str | None = None, folder: Folder = None, as_json: Json = False) -> None:
    """List your contacts with their safety numbers.

    Example: `mixnet contacts alice --verify bob`

    Parameters
    ----------
    name
        Your profile.
    verify
        Record that you compared this contact's safety number with them, and it matched.
    """
    from client import render  # noqa: PLC0415

    async with _talk(folder, name) as me:
        if verify is not None:
            await me.verify(verify)
        known = await me.contacts()
    render.jsons(known) if as_json else render.contacts(known)


@app.command
async def send(
    sender: Annotated[str, Parameter(name="FROM")],
    to: Annotated[str, Parameter(name="TO")],
    text: str | None = None,
    *,
    file: Path | None = None,
    wait: Annotated[bool, Parameter(negative="")] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Send a text, or a file of any kind, to a contact.

    Example: `mixnet send alice bob "see you at eight" --wait`

    Parameters
    ----------
    sender
        Your profile.
    to
        The contact.
    text
        What to say.
    file
        The file to send instead.
    wait
        Return only when it is delivered.
    """
    from client import render  # noqa: PLC0415

    if (text is None) == (file is None):
        raise LocalError('give either a text or --file: mixnet send FROM TO "text"')
    async with _talk(folder, sender) as me:
        number = await (me.send(to, text) if text is not None else me.send_file(to, file or Path()))
        if wait:
            with render.waiting(f"sending to {render.harmless(to)}") as show:
                await me.wait_delivered(number, show)
        message = await me.message(number)
    if as_json:
        render.json(message)
    else:
        render.message(message)


@app.command
async def inbox(
    name: str,
    *,
    follow: Annotated[bool, Parameter(negative="")] = False,
    sent: Annotated[bool, Parameter(negative="")] = False,
    contact: Annotated[str | None, Parameter(name="--from")] = None,
    after: int = 0,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Show the messages that came; their senders learn that you read them.

    Example: `mixnet inbox bob --follow`

    Parameters
    ----------
    name
        Your profile.
    follow
        Go on showing messages as they come, until Ctrl-C.
    sent
        Show those that you sent, too.
    contact
        Only the conversation with this contact.
    after
        Only messages with higher numbers than this.
    as_json
        Print one JSON object a line, for programs.
    """
    from client import render  # noqa: PLC0415

    async with _talk(folder, name) as me:
        async for message in me.messages(contact, after=after, follow=follow):
            if message.outgoing and not sent:
                continue
            render.json(message) if as_json else render.message(message)
            if not message.outgoing:
                await me.mark_read(message.id)


@asynccontextmanager
async def _talk(folder: Path | None, name: str) -> AsyncIterator[Connection]:
    """A connection to the daemon of a profile. At a terminal, one that doesn't run can be started at once."""
    from client import lock, process  # noqa: PLC0415
    from client.connection import connect  # noqa: PLC0415
    from client.profile import load  # noqa: PLC0415
    from client.sockets import NotRunning  # noqa: PLC0415

    directory = _profile(folder, name)
    load(directory)
    if lock.holder(directory / process.LOCK) is None:
        if not _agrees(f"No daemon runs for {name}. Start it now? Its cover traffic stays on."):
            raise NotRunning(f"no daemon runs for {name}: start it with `mixnet client start {name}{_option(folder)}`")
        await process.start(directory, _unlock(directory, None))
    async with connect(directory) as me:
        yield me


def _agrees(question: str) -> bool:
    """Whether the person at the terminal says yes; nobody there is a no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
