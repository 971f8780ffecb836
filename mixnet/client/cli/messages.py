"""The commands about messages: `mixnet send`, `mixnet message` and `mixnet cancel`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from mixnet.client.cli import render
from mixnet.client.cli.files import until_settled
from mixnet.client.cli.options import (
    Contact,
    Flag,
    Folder,
    Json,
    Profile,
    Text,
    checked,
    seconds,
    talk,
    text_given,
)
from mixnet.errors import LocalError
from mixnet.exclusive import argument, exclusive, option

if TYPE_CHECKING:
    pass

_SENT = exclusive(required=True)
_NO_FILE, _NO_NAME = exclusive(), exclusive()  # files can't be sent anonymously, and a signature would name its writer


async def send(
    sender: Profile,
    to: Contact,
    text: Annotated[Text, argument(_SENT)] = None,
    /,
    *,
    file: Annotated[Path | None, option(_SENT, _NO_FILE)] = None,
    wait: Flag = False,
    expires: str | None = None,
    signed: Annotated[Flag, option(_NO_NAME)] = False,
    anonymous: Annotated[Flag, option(_NO_FILE, _NO_NAME)] = False,
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
    file
        The file to send instead.
    wait
        Return only when it is delivered, and show how far it is (`mixnet files` shows it too).
    expires
        Give it up if it isn't delivered by then: a number and s, m, h, d or w, like 10m, 2h or 3d.
    signed
        Sign it: anybody can be shown that you sent it (`mixnet proof`), and the contact is asked for signed receipts.
    anonymous
        CONTACT is a public address (`mixnet-address1:...`), a file that holds one, or - for standard input.
    answers
        Take answers to an anonymous text for so long; a day if not given.
    """
    from mixnet.client.cli import watching  # noqa: PLC0415
    from mixnet.client.model import durations  # noqa: PLC0415

    if to.startswith("mixnet-address1:") and not anonymous:
        raise LocalError("this is a public address, no contact: add --anonymous to write to it without a name")
    if answers is not None and not anonymous:
        raise LocalError("--answers is for an anonymous text: add --anonymous, or leave it out")
    within, taken = seconds(expires), seconds(answers)
    address = text_given(to, "address", "mixnet-address1:") if anonymous else ""
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
                await until_settled(me, number, watch)
            message = await me.message(number)
    if as_json:
        render.json({**asdict(message), "estimate": left} if file is not None else message)
    else:
        render.message(message)


async def message(
    name: Profile, number: int, /, *, wait: Flag = False, folder: Folder = None, as_json: Json = False
) -> None:
    """Show one message and what became of it; it isn't marked as read, and nobody learns of it.

    Example: `mixnet message alice 7`, or `mixnet message alice 7 --wait` while a file is coming in

    Parameters
    ----------
    number
        The message's number, as `mixnet inbox`, `mixnet files` and `mixnet send` show it.
    wait
        Return only when it is delivered or, if it is a file that is coming in, complete; show how far it is.
    """
    from mixnet.client.cli import watching  # noqa: PLC0415

    with watching.Watch(name, folder) as watch:
        async with talk(folder, name) as me:
            found = await until_settled(me, checked(number), watch) if wait else await me.message(checked(number))
    render.json(found) if as_json else render.message(found)


async def edit(
    name: Profile, number: int, text: Text = None, /, *, folder: Folder = None, as_json: Json = False
) -> None:
    """Give a text that you sent another content, for all who have it; it is shown as edited.

    Earlier texts are kept neither here nor by the other side's client, if it is one of this program; whoever read or
    copied one before, or changed their program, keeps it. What has not left yet is only written anew. A signed text is
    signed again, and a proof of the earlier one that somebody exported stays good.

    Example: `mixnet edit alice 7 "see you at nine"`

    Parameters
    ----------
    number
        The message's number, as `mixnet send` and `mixnet inbox --sent` show it.
    text
        What it shall say from now on; read from standard input if not given.
    """
    import sys  # noqa: PLC0415

    if text is None:
        if sys.stdin.isatty():
            render.note("write the new text, then press Ctrl-D in a line of its own")
        text = sys.stdin.read().rstrip("\n")
    async with talk(folder, name) as me:
        edited = await me.edit(checked(number), text)
    render.json(edited) if as_json else render.message(edited)


async def disappear(
    name: Profile, conversation: Contact, period: str | None = None, /, *, folder: Folder = None, as_json: Json = False
) -> None:
    """Let new messages of a contact or group disappear on both sides some time after they were read; show the period.

    Both sides see it, and either may change it (in a group its admins); of two who do so at once the shorter period
    holds. It counts from reading for whoever gets a message, and from leaving for its sender; what isn't read or is
    still on its way waits. Saved files stay, and so does what the other side copied, photographed or exported.

    `mixnet retention` is another thing: it deletes old messages here only, and nobody learns of it.

    Example: `mixnet disappear alice bob 7d`

    Parameters
    ----------
    conversation
        The contact or the group.
    period
        A number and m, h, d or w (minutes, hours, days, weeks), or off.
    """
    from mixnet.client.storage.retention import period as parsed  # noqa: PLC0415
    from mixnet.client.storage.retention import shown  # noqa: PLC0415

    seconds = None if period is None else int(parsed(period) or 0)
    async with talk(folder, name) as me:
        if seconds is not None:
            await me.let_disappear(conversation, seconds)
        now = await me.period(conversation)
    if as_json:
        render.json({"conversation": conversation, "seconds": now})
        return
    render.line(f"{render.harmless(conversation)}: {shown(float(now) or None)}")
    if seconds:
        render.note("new messages disappear for all of you; what somebody copies before stays with them")


async def cancel(name: Profile, number: int, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Give up a text or file that you sent and that isn't delivered yet; what of it has left may still arrive.

    Example: `mixnet cancel alice 7`

    Parameters
    ----------
    number
        The message's number, as `mixnet send` and `mixnet inbox --sent` show it.
    """
    async with talk(folder, name) as me:
        given_up = await me.cancel(checked(number))
    render.json(given_up) if as_json else render.message(given_up)
