"""The commands about contacts: `mixnet invite`, `mixnet accept` and `mixnet contacts`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from mixnet.client.cli import qr as drawing
from mixnet.client.cli import render
from mixnet.client.cli.codes import accept_code, invite_by_code
from mixnet.client.cli.invitations import hand_over, is_short, taken
from mixnet.client.cli.options import (
    Flag,
    Folder,
    Image,
    Json,
    JsonLines,
    PrivateFile,
    Profile,
    QrFile,
    ShortQr,
    Yes,
    check_form,
    command,
    compare_with,
    confirm,
    none_yet,
    talk,
)
from mixnet.client.model.names import is_numbered, look_alikes, same
from mixnet.errors import LocalError
from mixnet.exclusive import argument, exclusive, option

if TYPE_CHECKING:
    from mixnet.client.api.connection import Connection
    from mixnet.client.model.views import ContactInfo

# In a docstring a parameter of this name would be taken for the heading of a section.
ReadChoice = Literal["on", "off", "delayed", "default"]
_QR, _QR_FILE, _OUT = exclusive(), exclusive(), exclusive()  # a code is said, not drawn or written
_INVITED = exclusive(required=True)
_DECISION = exclusive()  # so that nothing is half done if the second one can't be
Decided = Annotated[str | None, option(_DECISION)]
DecidedTwo = Annotated[tuple[str, str] | None, option(_DECISION), Parameter(negative="")]
_NUMBER = "MIXNET-NUMBER:"
_IMAGE = "With --verify: a picture of what their `mixnet contacts --number` shows, which is compared then."
_GOES_ON = (
    "the contact is pending, and the daemon goes on waiting: see `mixnet contacts PROFILE`; {delete} takes it back"
)
_RENEWS = "the daemon goes on waiting for the answer, and the contact is as it was: see `mixnet contacts PROFILE`"
_NO_NEW_SESSION = "no answer yet: their daemon must run; an invitation that was used before is never answered"
_NO_ANSWER = (
    f"{_NO_NEW_SESSION}, and the contact stays pending: then take it back with {{delete}}, and ask for a new one"
)
_NOTE = 'Write down a note about a contact, for yourself: give its name and the note; "" removes it.'


async def invite(
    name: Profile,
    /,
    *,
    qr: Annotated[ShortQr, option(_QR)] = False,
    qr_file: Annotated[QrFile, option(_QR_FILE)] = None,
    out: Annotated[PrivateFile, option(_OUT)] = None,
    code: Annotated[Flag, option(_QR, _QR_FILE, _OUT)] = False,
    wait: bool = True,
    folder: Folder = None,
    as_json: Json = False,
    as_lines: JsonLines = False,
) -> None:
    """Make an invitation, for one person, once; give it to them over a channel that both of you trust.

    Example: `mixnet invite alice --out for-bob.txt`, `mixnet invite alice --qr` if they sit beside you, or
    `mixnet invite alice --code` and tell them the code by phone

    Parameters
    ----------
    code
        Make a short code to say instead, which they give to `mixnet accept`; both programs run until you are done.
    wait
        With --code, wait until it is used; --no-wait returns once it can be said, and the daemon goes on.
    """
    check_form(as_json=as_json, as_lines=as_lines)
    if code:
        if as_json and wait:
            raise LocalError("--json gives one value, and a code is said before it is used: use --jsonl, or --no-wait")
        made = await invite_by_code(folder, name, wait=wait, as_json=as_json, as_lines=as_lines)
        _show_new(folder, name, made, as_json=as_json or as_lines)
        return
    async with talk(folder, name) as me:
        text = await me.invite()
        file = "" if out is None else out.name
        then = f"give {out} to them, in private: they use it with `mixnet accept THEIR-PROFILE {shlex.quote(file)}`"
        await hand_over(me, text, out, then, qr=qr, qr_file=qr_file, as_json=as_json or as_lines)


async def accept(
    name: Profile,
    invitation: Annotated[str | None, argument(_INVITED), Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    code: Annotated[str | None, option(_INVITED)] = None,
    image: Annotated[Image, option(_INVITED)] = None,
    contact: Annotated[str | None, Parameter(name="--as")] = None,
    wait: bool = True,
    folder: Folder = None,
    as_json: Json = False,
    as_lines: JsonLines = False,
) -> None:
    """Accept somebody's invitation, and wait until both of you can write.

    Example: `mixnet accept bob for-bob.txt --as alice`, `mixnet accept bob --image screenshot.png`, or
    `mixnet accept bob --code 7-candle-orbit-violin`

    Parameters
    ----------
    invitation
        Its text (`mixnet1:...`), its short code (`MIXNET:...`), a file that holds one, or - for standard input.
    code
        The code that they told you, instead; the first letters of each word are enough.
    contact
        What to call them; the name in the invitation if not given.
    wait
        Wait until the inviter's daemon has answered; --no-wait returns at once.
    """
    check_form(as_json=as_json, as_lines=as_lines)
    if code is not None and not is_short(code):
        made = await accept_code(folder, name, code, contact, wait=wait, as_json=as_json, as_lines=as_lines)
        _show_new(folder, name, made, as_json=as_json or as_lines)
        return
    from mixnet.client.cli import watching  # noqa: PLC0415

    with watching.Watch(name, folder) as watch:
        async with talk(folder, name) as me:
            before = {one.name: one for one in await me.contacts()}
            known = await me.accept(await taken(me, invitation or code, image, "mixnet1:"), contact)
            again = before.get(known.name)
            if again is not None:
                watch.say(_again(again, contact))
            delete = f"`mixnet contacts PROFILE --delete {shlex.quote(known.name)}`"
            watch.accepted(_GOES_ON.format(delete=delete) if again is None else _RENEWS)
            if wait:
                with render.waiting(f"waiting for the daemon of {render.harmless(known.name)} to answer"):
                    async with watch.long(_NO_ANSWER.format(delete=delete) if again is None else _NO_NEW_SESSION):
                        known = await me.wait_established(known.name)
    if as_json or as_lines:
        render.json(known)
        return
    _show([known])
    compare_with(name, known.name, folder)


async def contacts(
    name: Profile,
    /,
    *,
    verify: Decided = None,
    image: Annotated[Path | None, Parameter(help=_IMAGE)] = None,
    number: Decided = None,
    rename: DecidedTwo = None,
    note: Annotated[DecidedTwo, Parameter(help=_NOTE)] = None,
    block: Decided = None,
    unblock: Decided = None,
    relink: DecidedTwo = None,
    read_receipts: Annotated[tuple[str, ReadChoice] | None, option(_DECISION), Parameter(negative="")] = None,
    default_read_receipts: Annotated[Literal["on", "off", "delayed"] | None, option(_DECISION)] = None,
    acknowledgements: Annotated[
        tuple[str, Literal["prompt", "delayed"]] | None, option(_DECISION), Parameter(negative="")
    ] = None,
    delete: Decided = None,
    yes: Yes = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """List your contacts with their safety numbers, or decide about one. Nobody else learns what you decide.

    One decision at a time.

    Example: `mixnet contacts alice --verify bob` or `mixnet contacts alice --rename bob robert`

    Parameters
    ----------
    verify
        Record that you compared this contact's safety number with them, and it matched.
    number
        Show this contact's safety number, as digits and as a QR code: the two of you have the same one.
    rename
        Call a contact by another name: give the old one and the new one.
    block
        Neither hear from this contact nor send to it, in groups either: it sees what it would see if you were away.
    unblock
        Hear from this contact again. What it sent meanwhile arrives if you unblock it while its client still tries to
        deliver it: for a week, unless the network or the contact says otherwise.
    relink
        A contact has a new profile: give its old name, and the name under which it came back. Name and messages of the
        old one stay; compare the safety number, which is a new one. Nothing but you vouches that it is the same person,
        so you are asked; this can't be undone.
    read_receipts
        Whether this contact learns that you have read a message: on, off, delayed (after a random time, some minutes),
        or default (as for all).
    default_read_receipts
        The same for all contacts of whom you said nothing else: delayed in a new profile.
    acknowledgements
        Prompt or delayed. They show when your daemon runs, and can't be off, since without them nothing is delivered;
        delayed, they and all else that leaves by itself go to this contact after random times, some minutes on
        average. Messages arrive as fast as before; their sender learns it later, and files take much longer.
    delete
        Forget this contact: its keys, the conversation with it, your choices about it, a block too. It isn't told,
        and what it sends is dropped. Files that came stay in the folder of downloads. In groups that you share it
        stays a member, whose posts you get. You can become contacts again by a new invitation. `mixnet export`
        saves the messages before.
    """
    from mixnet.client.model.views import AckChoice, ReadReceiptChoice  # noqa: PLC0415

    async with talk(folder, name) as me:
        await _verify(me, verify, image)
        if rename is not None:
            await me.rename(*rename)
        if note is not None:
            await me.note(*note)
        if read_receipts is not None:
            await me.read_receipts(read_receipts[0], ReadReceiptChoice(read_receipts[1]))
        if default_read_receipts is not None:
            await me.default_read_receipts(ReadReceiptChoice(default_read_receipts))
        if acknowledgements is not None:
            await me.acknowledgements(acknowledgements[0], AckChoice(acknowledgements[1]))
        if block is not None:
            await me.block(block)
        if unblock is not None:
            await me.unblock(unblock)
        if relink is not None:
            old, new = relink
            lost = f"{old!r} will be who came as {new!r}, with that safety number. This can't be undone."
            confirm(lost, yes=yes, done="changed")
            await me.relink(old, new)
        if delete is not None:
            if same(delete) in {same(one.name) for one in await me.contacts()}:  # else it is told of the name
                confirm(f"{delete!r} and the conversation with it will be gone, from your other devices too.", yes=yes)
            await me.delete_contact(delete)
        known = await me.contacts()
        default = await _default(me)
        groups = await me.groups.list() if relink is not None else []
    if number is not None:
        _show_number(_named(known, number), name, folder, as_json=as_json)
        return
    _list(known, default, name, folder, as_json=as_json)
    if relink is not None and groups:
        render.note(f"in groups that you share, {relink[0]} is still who it was: an admin removes and invites it again")


def _named(known: list[ContactInfo], contact: str) -> ContactInfo:
    """The contact of this name; UnknownContact."""
    from mixnet.client.model.errors import UnknownContact  # noqa: PLC0415

    found = next((one for one in known if same(one.name) == same(contact)), None)
    if found is None:
        raise UnknownContact(f"there is no contact named {contact!r}: `mixnet contacts PROFILE` lists them")
    return found


async def _verify(me: Connection, contact: str | None, image: Path | None) -> None:
    """Record that the user compared the number; with a picture, if it shows the same one."""
    if image is not None and contact is None:
        raise LocalError("--image is for --verify: name the contact whose safety number is in the picture")
    if image is not None and contact is not None:
        known = _named(await me.contacts(), contact)
        if drawing.read(image, _NUMBER) != _NUMBER + "".join(known.safety_number.split()):
            raise LocalError(
                f"the safety number in {image} is not that of {known.name!r}, which was not verified: if their program"
                " showed it for you, somebody else may be between the two of you"
            )
    if contact is not None:
        await me.verify(contact)


def _show_number(contact: ContactInfo, name: str, folder: Path | None, *, as_json: bool) -> None:
    """A safety number, four groups a line, and drawn."""
    if as_json:
        render.json({"contact": contact.name, "safety_number": contact.safety_number})
        return
    verify = command(folder, "contacts", "THEIR-PROFILE", "--verify", name, "--image", "FILE")
    render.note(f"compare it with what they see of you, or read a picture of it there: `{verify}`")
    groups = contact.safety_number.split()
    for at in range(0, len(groups), 4):
        render.line(" ".join(groups[at : at + 4]))
    drawing.draw(_NUMBER + "".join(groups), "compare the digits")


def _again(known: ContactInfo, called: str | None) -> str:
    """That an invitation came from somebody who is a contact already."""
    name = render.harmless(known.name)
    if known.state == "expired":
        return f"{name} is in your list already, and did not answer the invitation before this one: this is another try"
    kept = "" if called is None or same(called) == same(known.name) else f" It keeps its name, not {called!r}."
    return f"{name} is a contact of yours already, and stays one: this only begins a new session with it.{kept}"


async def _default(me: Connection) -> str | None:
    """What holds for read receipts; None on a satellite, which doesn't know it: its home sends them."""
    with suppress(LocalError):
        return await me.default_read_receipts()
    return None


def _list(known: list[ContactInfo], default: str | None, name: str, folder: Path | None, *, as_json: bool) -> None:
    """All contacts, and what holds for those of whom nothing was said."""
    if as_json:
        render.json([{**asdict(one), "default_read_receipts": default} for one in known])
        return
    if known:
        _show(known)
        if any(one.state == "pending" for one in known):
            render.note(f"pending: {_NO_NEW_SESSION}")
    else:
        none_yet("no contacts yet: make an invitation with `mixnet invite PROFILE`", name, folder)
    if known and default is not None:
        holds = f"read receipts {default}, acknowledgements prompt"
        render.note(f"{holds}, unless a state says otherwise: `mixnet contacts --help` says how to change it")


def _show_new(folder: Path | None, name: str, made: list[ContactInfo] | None, *, as_json: bool) -> None:
    """Whom a code made a contact, if anybody."""
    if made is None:
        return
    if as_json:
        for one in made:
            render.json(one)
        return
    _show(made)
    for one in made:
        compare_with(name, one.name, folder)


def _show(known: list[ContactInfo]) -> None:
    """Contacts and their safety numbers."""
    like = look_alikes([one.name for one in known])
    if any(one.note for one in known):
        noted = [(one.name, _state(one, like), one.safety_number, one.note) for one in known]
        render.table(("name", "state", "safety number", "note"), noted)
        return
    rows = [(one.name, _state(one, like), one.safety_number) for one in known]
    render.table(("name", "state", "safety number"), rows)


def _state(one: ContactInfo, like: Mapping[str, str]) -> str:
    marks = {
        "blocked": one.blocked,
        "renewing": one.renewing,
        f"read receipts {one.read_receipts}": one.read_receipts != "default",
        "delayed acknowledgements": one.acknowledgements == "delayed",
        f"looks like {like.get(one.name)}": one.name in like,
        "numbered: its name is or was another's": is_numbered(one.name),
    }
    return ", ".join([str(one.state), *(mark for mark, holds in marks.items() if holds)])
