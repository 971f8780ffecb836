"""What is said and done about a contact, a group, a message, an invitation: by questions and choices."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from textual.screen import ModalScreen

from mixnet.client.api.connection import Connection
from mixnet.client.chat import shown
from mixnet.client.chat.dialogs import Choice, Question, Reading
from mixnet.client.chat.shown import clean
from mixnet.client.media import kept
from mixnet.client.model.durations import seconds, spoken
from mixnet.client.model.group_views import GroupInfo, GroupState
from mixnet.client.model.views import ContactInfo, MessageInfo, MessageKind, MessageState, ReadReceiptChoice
from mixnet.errors import LocalError

T = TypeVar("T")
_PERIOD = ("period", "Let new messages disappear, for both")
LIMIT = 1 << 16  # letters of a file with an invitation
_SHORT = "MIXNET:"  # client/pairing/short_code.py, which tests compare
_RECEIPTS = {
    ReadReceiptChoice.DEFAULT: "as for all contacts",
    ReadReceiptChoice.ON: "yes, at once",
    ReadReceiptChoice.DELAYED: "yes, after a random pause",
    ReadReceiptChoice.OFF: "no",
}


class Desk(Protocol):
    """What these need of the program that they are part of."""

    async def asked(self, what: Callable[[Connection], Awaitable[T]]) -> T | None:
        """What the daemon answers; None, and its user is told, if it can't."""

    async def answered(self, window: ModalScreen[T]) -> T | None:
        """What the user answers."""

    def copy_to_clipboard(self, text: str) -> None:
        """Give it to the terminal's clipboard."""

    def warn(self, text: str) -> None:
        """Tell that something did not work."""


async def send_file(me: Connection, contact: str, path: str) -> int:
    """Queue a file; `~` is the user's folder."""
    return await me.send_file(contact, _path(path))


async def about_contact(desk: Desk, contact: ContactInfo) -> None:
    """The safety number, what they learn of us, and what can be done about them."""
    name = contact.name
    choice = contact.read_receipts
    if choice is ReadReceiptChoice.DEFAULT:
        choice = await desk.asked(lambda me: me.default_read_receipts()) or choice
    learns = _RECEIPTS[choice]
    said = [f"{clean(name)}: {contact.state}{', blocked' if contact.blocked else ''}"]
    if contact.note:
        said.append(shown.lines(contact.note))
    said += ["", "Safety number: compare it with them, by voice or face to face.", contact.safety_number]
    said += ["", f"They learn that you have read what they wrote: {learns}."]
    choices = [] if contact.verified else [("verify", "The numbers are the same: mark as verified")]
    choices += [("receipts", "Choose whether they learn that you have read"), ("rename", "Call them otherwise here")]
    said.append(f"New messages {_stay(contact.period)}.")
    choices.append(_PERIOD)
    choices += [("unblock", "Hear them again")] if contact.blocked else [("block", "Block: hear nothing of them")]
    match await desk.answered(Choice("\n".join(said), [*choices, ("close", "Close")])):
        case "verify":
            await desk.asked(lambda me: me.verify(name))
        case "block":
            await desk.asked(lambda me: me.block(name))
        case "unblock":
            await desk.asked(lambda me: me.unblock(name))
        case "rename":
            new = await desk.answered(Question(f"{clean(name)} shall be called here:"))
            if new:
                await desk.asked(lambda me: me.rename(name, new))
        case "period":
            await _ask_period(desk, name)
        case "receipts":
            question = f"Shall {clean(name)} learn that you have read what they wrote?"
            chosen = await desk.answered(Choice(question, [(one.value, says) for one, says in _RECEIPTS.items()]))
            if chosen:
                await desk.asked(lambda me: me.read_receipts(name, ReadReceiptChoice(chosen)))


async def about_group(desk: Desk, group: GroupInfo) -> None:
    """Who is in it, and what can be done."""
    name = group.name
    said = [f"{clean(name)}: {group.state}", ""]
    said += [f"{clean(one.name)}{' (you)' if one.you else ''}{', admin' if one.admin else ''}" for one in group.members]
    said.append(f"New messages {_stay(group.period)}.")
    choices = {
        GroupState.INVITED: [("accept", "Join"), ("leave", "Turn it down")],
        GroupState.MEMBER: [
            ("invite", "Invite a contact"),
            _PERIOD,
            ("call", "Call it otherwise here"),
            ("leave", "Leave it"),
        ],
    }.get(group.state, [])
    if group.state is GroupState.MEMBER and any(one.you and one.admin for one in group.members):
        choices += [("title", "Give it another title for all"), ("member", "Remove a member, or make one an admin")]
    match await desk.answered(Choice("\n".join(said), [*choices, ("close", "Close")])):
        case "accept":
            await desk.asked(lambda me: me.groups.accept(name))
        case "leave":
            await desk.asked(lambda me: me.groups.leave(name))
        case "period":
            await _ask_period(desk, name)
        case "invite":
            known = await desk.asked(lambda me: me.contacts()) or []
            names = [(one.name, clean(one.name)) for one in known]
            chosen = await desk.answered(Choice("Whom?", names or [("", "no contacts yet")]))
            if chosen:
                await desk.asked(lambda me: me.groups.invite(name, chosen))
        case "call" | "title" as verb:
            new = await desk.answered(Question(f"{clean(name)} shall be called:"))
            if new:
                await desk.asked(lambda me: me.groups.rename(name, new, here=verb == "call"))
        case "member":
            await _about_member(desk, group)


async def _about_member(desk: Desk, group: GroupInfo) -> None:
    """What an admin can do about one of the others."""
    others = {one.name: one for one in group.members if not one.you}
    names = [(one, f"{clean(one)}{', admin' if others[one].admin else ''}") for one in others]
    chosen = await desk.answered(Choice("Whom?", names or [("", "nobody else is in it")]))
    if not chosen:
        return
    rank = ("demote", "Let them be an admin no more") if others[chosen].admin else ("promote", "Make them an admin")
    match await desk.answered(Choice(clean(chosen), [rank, ("remove", "Remove them from the group"), ("", "Close")])):
        case "promote":
            await desk.asked(lambda me: me.groups.promote(group.name, chosen))
        case "demote":
            await desk.asked(lambda me: me.groups.demote(group.name, chosen))
        case "remove":
            await desk.asked(lambda me: me.groups.remove(group.name, chosen))


def _stay(period: int) -> str:
    return f"disappear on both sides {spoken(period)} after they were read" if period else "stay"


async def _ask_period(desk: Desk, name: str) -> None:
    """After how long new messages disappear for all."""
    written = await desk.answered(Question("They disappear so long after they were read (1h, 7d, or off):"))
    if not written:
        return
    try:
        period = 0 if written == "off" else seconds(written)
    except LocalError as error:
        desk.warn(str(error))
        return
    await desk.asked(lambda me: me.let_disappear(name, period))


async def about_message(desk: Desk, one: MessageInfo, play: Callable[[MessageInfo], Awaitable[None]]) -> None:
    """All there is to know about a message, and its text to copy; `play` lets a voice message be heard."""
    said = [f"message {one.id}: {'not confirmed' if one.may_arrive else one.state}"]
    said += [f"written {shown.moment(one.created_at)}"] if one.outgoing else [f"came {shown.moment(one.received_at)}"]
    said += [shown.became(one)] if one.outgoing else []
    if one.outgoing and one.members:
        readers = await desk.asked(lambda me: me.groups.readers(one.id)) or ()
        said.append(f"read by: {', '.join(map(clean, readers)) or 'nobody yet'}")
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "play": lambda: play(one),
        "read": lambda: desk.answered(Reading(said[0], shown.body(one))),
        "edit": lambda: _edit(desk, one),
        "withdraw": lambda: _withdraw(desk, one),
        "cancel": lambda: desk.asked(lambda me: me.cancel(one.id)),
        "fetch": lambda: desk.asked(lambda me: me.devices.fetch(one.id)),
    }
    chosen = await desk.answered(Choice("\n".join(said), [*_offered(one), ("close", "Close")]))
    if chosen in acts:
        await acts[chosen]()


def _offered(one: MessageInfo) -> list[tuple[str, str]]:
    """What can be done with a message."""
    whole, ours = not one.withdrawn, one.outgoing and not one.withdrawn
    editable = ours and one.kind is MessageKind.TEXT and one.state is not MessageState.FAILED
    there = one.kind is MessageKind.FILE and not one.path and not one.outgoing and one.state is MessageState.RECEIVED
    offers = [
        ("play", "Play it", whole and kept.seconds(one.path) is not None),
        ("read", "Read or copy it", whole),
        ("edit", "Edit it, for all who have it", editable),
        ("withdraw", "Delete it, for all who have it", ours),
        ("cancel", "Give it up", one.outgoing and one.state in (MessageState.QUEUED, MessageState.SENT)),
        ("fetch", "Fetch the file from the home device", there),
    ]
    return [(name, label) for name, label, offered in offers if offered]


async def _edit(desk: Desk, one: MessageInfo) -> None:
    text = await desk.answered(Question(f"Message {one.id} shall say:", one.text))
    if text:
        await desk.asked(lambda me: me.edit(one.id, text))


async def _withdraw(desk: Desk, one: MessageInfo) -> None:
    question = "Their clients are asked to delete it, too. Saved files and what somebody copied stay with them."
    if await desk.answered(Choice(question, [("keep", "Keep it"), ("delete", "Delete it")])) == "delete":
        await desk.asked(lambda me: me.withdraw(one.id))


async def new(desk: Desk) -> None:
    """Make a contact or a group."""
    choices = [("invite", "Invite somebody"), ("accept", "Accept an invitation"), ("group", "Begin a group")]
    match await desk.answered(Choice("New", choices)):
        case "invite":
            await _invite(desk)
        case "accept":
            given = await desk.answered(Question("Paste the invitation or its code, or name the file that it is in:"))
            if given:
                await desk.asked(lambda me: _accept(me, given))
        case "group":
            name = await desk.answered(Question("The group shall be called:"))
            if name:
                await desk.asked(lambda me: me.groups.create(name))


async def _invite(desk: Desk) -> None:
    text = await desk.asked(lambda me: me.invite())
    if text is None:
        return
    question = "An invitation for one person, once. Give it to them over a channel that both of you trust."
    choices = [("code", "Show a short code for it, which works for a day")]
    choices += [("file", "Write it to a file"), ("copy", "Copy it"), ("show", "Show it")]
    match await desk.answered(Choice(question, choices)):
        case "code":
            code = await desk.asked(lambda me: me.leave_invitation(text))
            if code is not None:
                await desk.answered(Reading("They give it in the place of the invitation. It works once.", code))
        case "file":
            path = await desk.answered(Question("The new file:", "~/invitation.txt"))
            if path:
                try:
                    _write_private(_path(path), text)
                except OSError as error:
                    desk.warn(f"{path}: {error.strerror}: choose another file with ^N")
        case "copy":
            desk.copy_to_clipboard(text)
        case "show":
            await desk.answered(Reading("Select and copy all of it", text))


async def _accept(me: Connection, given: str) -> ContactInfo:
    """With the name that the inviter gave; ^T changes it."""
    if given[: len(_SHORT)].upper() == _SHORT:
        given = await me.fetch_invitation(given)
    if not given.startswith("mixnet1:"):
        try:
            with _path(given).open(encoding="utf-8", errors="replace") as file:  # small, and on this machine
                given = file.read(LIMIT).strip()
        except OSError:
            raise LocalError("this is neither an invitation (mixnet1:…) nor a file that can be read") from None
    return await me.accept(given)


def _path(given: str) -> Path:
    return Path(given).expanduser()


def _write_private(path: Path, text: str) -> None:
    """A new file that only its user can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
