"""The commands of a person who talks over the mixnet: `mixnet client`, `invite`, `accept`, `contacts`, `send`, `inbox`.

The commands about one message are in message_cli.py.

Promises: a command is a short talk with a running daemon and never sends anything itself, since starting cover traffic
when one has something to say would give that away; what goes wrong is raised as a MixnetError, of which the `mixnet`
command makes one line. Never: an import of anything heavy before a command runs.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from client import address_cli, archive_cli
from client.daemon_cli import daemon
from client.message_cli import cancel, message
from client.options import Folder, Json, dir_option, talk
from mixnet.errors import LocalError

_LIMIT = 1 << 16  # bytes of a file that are read to find an invitation

app = App(name="messages", help="Commands of a person who talks over the mixnet.")
app.command(daemon)
app.command(message)
app.command(cancel)
app.command(address_cli.address)
app.command(address_cli.anonymous)
app.command(address_cli.reply)
app.command(archive_cli.search)
app.command(archive_cli.export)
app.command(archive_cli.import_, name="import")
app.command(archive_cli.retention)
app.command(archive_cli.delete)


@app.command
async def invite(
    name: str,
    /,
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

    async with talk(folder, name) as me:
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
    invitation: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
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
    async with talk(folder, name) as me:
        known = await me.accept(text, contact)
        if wait:
            with render.waiting(f"waiting for {render.harmless(known.name)} to answer"):
                known = await me.wait_established(known.name)
    if as_json:
        render.json(known)
        return
    render.contacts([known])
    mine, theirs = shlex.quote(name), shlex.quote(render.harmless(known.name))
    command = f"mixnet contacts {mine} --verify {theirs}{dir_option(folder)}"
    sys.stderr.write(f"compare the safety number with them; if it is the same: `{command}`\n")


def _invitation(given: str) -> str:
    if given.startswith("mixnet1:"):
        return given
    if not given:
        raise LocalError("the invitation is empty: give its text, a file that holds it, or - for standard input")
    raw = sys.stdin.buffer.read(_LIMIT) if given == "-" else _start_of(Path(given))
    return raw.decode(errors="replace").strip()  # what isn't text is no invitation either


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LIMIT)


@app.command
async def contacts(
    name: str,
    /,
    *,
    verify: str | None = None,
    rename: tuple[str, str] | None = None,
    block: str | None = None,
    unblock: str | None = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """List your contacts with their safety numbers, and decide about them. Nobody else learns what you decide.

    Example: `mixnet contacts alice --verify bob` or `mixnet contacts alice --rename bob robert`

    Parameters
    ----------
    name
        Your profile.
    verify
        Record that you compared this contact's safety number with them, and it matched.
    rename
        Call a contact by another name: give the old one and the new one.
    block
        Neither hear from this contact nor send to it; what it sends meanwhile is lost, and it can't tell.
    unblock
        Hear from this contact again, from now on.
    """
    from client import render  # noqa: PLC0415

    async with talk(folder, name) as me:
        if verify is not None:
            await me.verify(verify)
        if rename is not None:
            await me.rename(*rename)
        if block is not None:
            await me.block(block)
        if unblock is not None:
            await me.unblock(unblock)
        known = await me.contacts()
    render.jsons(known) if as_json else render.contacts(known)


@app.command
async def send(
    sender: str,
    to: str,
    text: str | None = None,
    /,
    *,
    file: Path | None = None,
    wait: Annotated[bool, Parameter(negative="")] = False,
    expires: str | None = None,
    anonymous: Annotated[bool, Parameter(negative="")] = False,
    answers: str | None = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Send a text, or a file of any kind, to a contact; without --wait the daemon goes on by itself.

    With --anonymous the text goes to a public address in a conversation of its own: the receiver learns nothing of you,
    and can answer while your daemon runs (and for up to three epochs after, an hour at the default length). Go on in
    that conversation by sending to its name, which is shown.

    Example: `mixnet send alice bob "see you at eight" --wait` or `mixnet send bob address.txt "who am I?" --anonymous`

    Parameters
    ----------
    sender
        Your profile.
    to
        The contact.
    text
        What to say; put -- before one that begins with a hyphen.
    file
        The file to send instead.
    wait
        Return only when it is delivered.
    expires
        Give it up if it isn't delivered by then: a number and s, m, h or d, like 10m, 2h or 3d.
    anonymous
        TO is a public address (`mixnet-address1:...`), a file that holds one, or - for standard input.
    answers
        Take answers to an anonymous text for so long; a day if not given.
    """
    from client import durations, render  # noqa: PLC0415

    if (text is None) == (file is None):
        raise LocalError('give either a text or --file: mixnet send FROM TO "text"')
    if to.startswith("mixnet-address1:") and not anonymous:
        raise LocalError("this is a public address, no contact: add --anonymous to write to it without a name")
    if anonymous and text is None:
        raise LocalError("files can't be sent anonymously: send a text")
    if answers is not None and not anonymous:
        raise LocalError("--answers is for an anonymous text: add --anonymous, or leave it out")
    within = None if expires is None else durations.seconds(expires)
    taken = None if answers is None else durations.seconds(answers)
    address = address_cli.address_text(to) if anonymous else ""
    async with talk(folder, sender) as me:
        if anonymous and text is not None:
            number = await me.anonymous.send(address, text, answers=taken, expires=within)
            to = (await me.message(number)).contact
        elif text is not None:
            number = await me.send(to, text, expires=within)
        else:
            number = await me.send_file(to, file or Path(), expires=within)
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
    /,
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

    async with talk(folder, name) as me:
        async for message in me.messages(contact, after=after, follow=follow):
            if message.outgoing and not sent:
                continue
            render.json(message) if as_json else render.message(message)
            if not message.outgoing:
                await me.mark_read(message.id)
