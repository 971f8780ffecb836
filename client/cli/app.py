"""The commands of a person who talks over the mixnet: `mixnet client`, `invite`, `accept`, `contacts`, `send`, `inbox`.

The commands about one message are in message_cli.py.

Promises: a command is a short talk with a running daemon and never sends anything itself, since starting cover traffic
when one has something to say would give that away; what goes wrong is raised as a MixnetError, of which the `mixnet`
command makes one line. Never: an import of anything heavy before a command runs.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from client.cli import anonymous as address_cli
from client.cli import archive, proofs
from client.cli.codes import accept_code, codes, invite_by_code
from client.cli.daemon import daemon
from client.cli.devices import device
from client.cli.files import files, until_settled
from client.cli.groups import group, say_asked
from client.cli.mailbox import mailbox
from client.cli.matching import match
from client.cli.messages import cancel, message
from client.cli.options import Folder, Json, compare_with, talk
from client.cli.privacy import privacy
from client.cli.profile import profile
from mixnet.errors import LocalError

if TYPE_CHECKING:
    from client.model.views import MessageInfo

_LIMIT = 1 << 16  # bytes of a file that are read to find an invitation

app = App(name="messages", help="Commands of a person who talks over the mixnet.")
app.command(daemon)
app.command(group)
app.command(message)
app.command(files)
app.command(cancel)
app.command(codes)
app.command(match)
app.command(device)
app.command(address_cli.address)
app.command(address_cli.anonymous)
app.command(address_cli.reply)
app.command(archive.search)
app.command(archive.export)
app.command(archive.import_, name="import")
app.command(archive.retention)
app.command(archive.delete)
app.command(proofs.proof)
app.command(proofs.forge)
app.command(privacy)
app.command(mailbox)
app.command(profile)


@app.command
async def invite(
    name: str,
    /,
    *,
    qr: Annotated[bool, Parameter(negative="")] = False,
    qr_file: Path | None = None,
    out: Path | None = None,
    code: Annotated[bool, Parameter(negative="")] = False,
    wait: bool = True,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Make an invitation, for one person, once; give it to them over a channel that both of you trust.

    Example: `mixnet invite alice --out for-bob.txt`, or `mixnet invite alice --code` and tell them the code by phone

    Parameters
    ----------
    name
        Your profile.
    qr
        Draw it as a QR code too.
    qr_file
        Write it as a QR code to a new PNG file that only you can read, too.
    out
        Write it to a new file that only you can read, instead of printing it.
    code
        Make a short code to say instead, which they give to `mixnet accept`; both programs run until you are done.
    wait
        With --code, wait until it is used; --no-wait returns once it can be said, and the daemon goes on.
    """
    from client.cli import render  # noqa: PLC0415

    if code:
        if qr or qr_file or out:
            raise LocalError("a code is said, not drawn or written: leave --qr, --qr-file and --out out")
        await invite_by_code(folder, name, wait=wait, as_json=as_json)
        return
    async with talk(folder, name) as me:
        text = await me.invite()
    if out is not None:
        _write_private(out, text)
        render.note(f"give {out} to them, in private: they use it with `mixnet accept THEIR-PROFILE {out.name}`")
    elif as_json:
        render.json({"invitation": text})
    else:
        render.line(text)
    if qr:
        render.qr(text)
    if qr_file is not None:
        _new_file(qr_file, render.qr_png(text))


def _write_private(path: Path, text: str) -> None:
    _new_file(path, f"{text}\n".encode())


def _new_file(path: Path, content: bytes) -> None:
    from client.profile.atomic_file import new_file  # noqa: PLC0415

    with new_file(path) as file:
        file.write(content)


@app.command
async def accept(
    name: str,
    invitation: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    code: str | None = None,
    contact: Annotated[str | None, Parameter(name="--as")] = None,
    wait: bool = True,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Accept somebody's invitation, and wait until both of you can write.

    Example: `mixnet accept bob for-bob.txt --as alice`, or `mixnet accept bob --code 7-candle-otter-violin`

    Parameters
    ----------
    name
        Your profile.
    invitation
        Its text (`mixnet1:...`), a file that holds it, or - for standard input.
    code
        The code that they told you, instead; the first letters of each word are enough.
    contact
        What to call them; the name in the invitation if not given.
    wait
        Wait until the inviter's daemon has answered; --no-wait returns at once.
    """
    from client.cli import render  # noqa: PLC0415

    if (invitation is None) == (code is None):
        raise LocalError("give either an invitation or --code: mixnet accept NAME INVITATION")
    if code is not None:
        await accept_code(folder, name, code, contact, wait=wait, as_json=as_json)
        return
    text = _invitation(invitation or "")
    async with talk(folder, name) as me:
        known = await me.accept(text, contact)
        if wait:
            with render.waiting(f"waiting for {render.harmless(known.name)} to answer"):
                known = await me.wait_established(known.name)
    if as_json:
        render.json(known)
        return
    render.contacts([known])
    compare_with(name, known.name, folder)


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
    relink: tuple[str, str] | None = None,
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
        Neither hear from this contact nor send to it, in groups either; what it sends meanwhile is lost, and it can't
        tell.
    unblock
        Hear from this contact again, from now on.
    relink
        A contact has a new profile: give its old name, and the name under which it came back. Name and messages of the
        old one stay; compare the safety number, which is a new one. Nothing but you vouches that it is the same person.
    """
    from client.cli import render  # noqa: PLC0415

    async with talk(folder, name) as me:
        if verify is not None:
            await me.verify(verify)
        if rename is not None:
            await me.rename(*rename)
        if block is not None:
            await me.block(block)
        if unblock is not None:
            await me.unblock(unblock)
        if relink is not None:
            await me.relink(*relink)
        known = await me.contacts()
        groups = await me.groups.list() if relink is not None else []
    render.jsons(known) if as_json else render.contacts(known)
    if relink is not None and groups:
        render.note(f"in groups that you share, {relink[0]} is still who it was: an admin removes and invites it again")


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
    signed: Annotated[bool, Parameter(negative="")] = False,
    anonymous: Annotated[bool, Parameter(negative="")] = False,
    answers: str | None = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Send a text, or a file of any kind, to a contact; without --wait the daemon goes on by itself.

    It is told how long a file takes (JSON: `estimate`, in seconds). Ctrl-C ends only the waiting.

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
        Return only when it is delivered, and show how far it is (`mixnet files` shows it too).
    expires
        Give it up if it isn't delivered by then: a number and s, m, h, d or w, like 10m, 2h or 3d.
    signed
        Sign it: anybody can be shown that you sent it (`mixnet proof`), and the contact is asked for signed receipts.
    anonymous
        TO is a public address (`mixnet-address1:...`), a file that holds one, or - for standard input.
    answers
        Take answers to an anonymous text for so long; a day if not given.
    """
    from client.cli import render, watching  # noqa: PLC0415
    from client.model import durations  # noqa: PLC0415

    if (text is None) == (file is None):
        raise LocalError('give either a text or --file: mixnet send FROM TO "text"')
    if to.startswith("mixnet-address1:") and not anonymous:
        raise LocalError("this is a public address, no contact: add --anonymous to write to it without a name")
    if anonymous and text is None:
        raise LocalError("files can't be sent anonymously: send a text")
    if anonymous and signed:
        raise LocalError("a signature would name you: leave out --signed or --anonymous")
    if answers is not None and not anonymous:
        raise LocalError("--answers is for an anonymous text: add --anonymous, or leave it out")
    within = None if expires is None else durations.seconds(expires)
    taken = None if answers is None else durations.seconds(answers)
    address = address_cli.address_text(to) if anonymous else ""
    with watching.Watch(sender, folder) as watch:
        async with talk(folder, sender) as me:
            if anonymous and text is not None:
                number = await me.anonymous.send(address, text, answers=taken, expires=within)
                to = (await me.message(number)).contact
            elif text is not None:
                number = await me.send(to, text, expires=within, signed=signed)
            else:
                number = await me.send_file(to, file or Path(), expires=within, signed=signed)
            left = await me.estimate(number)
            if left is not None and not as_json:
                render.note(f"message {number}: about {durations.about(left)} at this network's rate, if {to} is there")
            if wait:
                watch.number = number
                await until_settled(me, number)
            message = await me.message(number)
    if as_json:
        render.json({**asdict(message), "estimate": left} if file is not None else message)
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

    A file is shown when it is complete, with the place where it is; until then `mixnet files` shows how far it is.

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
    from client.cli import render  # noqa: PLC0415

    def coming(file: MessageInfo) -> None:
        render.note(f"a file is coming in, {file.text!r} from {file.contact}: see how far with `mixnet files {name}`")

    async with talk(folder, name) as me:
        say_asked(await me.groups.list(), name, folder)
        async for message in me.messages(contact, after=after, follow=follow, coming=coming):
            if message.outgoing and not sent:
                continue
            render.json(message) if as_json else render.message(message)
            if not message.outgoing:
                await me.mark_read(message.id)
