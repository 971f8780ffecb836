"""How a message, a conversation and the state of the daemon look in a line or a few.

Pure, but that the length of a voice message is read from its file.

Promises: what others have chosen is made harmless as in all commands (mixnet/shown.py), and a text of several lines, or
a long one, stays to the right of the edge at which our own lines begin, so that none can pass for a line of ours.
"""

from __future__ import annotations

import time

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from mixnet import shown
from mixnet.client.media import kept
from mixnet.client.model import wording
from mixnet.client.model.durations import spoken
from mixnet.client.model.views import ContactInfo, Conversation, ConversationKind, MessageInfo, MessageKind

INDENT = 2


def message(one: MessageInfo) -> RenderableType:
    """A message: who, when and what became of it, and below that the text."""
    who = "you" if one.outgoing else clean(one.author or one.contact)
    marks = "".join(f" {mark}" for mark in wording.marks(one))
    head = Text(f"{moment(one.received_at or one.created_at)} ")
    head.append(who, style="bold")
    head.append(f"{marks}  {became(one)}".rstrip(), style="italic")
    return Group(head, Padding(Text(body(one)), (0, 0, 0, INDENT)))


def body(one: MessageInfo) -> str:
    """The text, line by line; of a file what it is called and where it is."""
    if one.withdrawn:
        return wording.deleted(one)
    if one.kind is MessageKind.TEXT:
        return lines(one.text)
    where = f"\n{clean(one.path)}" if one.path and not one.outgoing else ""
    length = kept.seconds(one.path)
    if length is not None:
        return f"voice message, {kept.duration(length)}"
    return f"file {clean(one.text)} ({wording.size(one.size)}){where}"


def became(one: MessageInfo) -> str:
    """What became of a message, in words."""
    return wording.became(one, clean)


def lines(text: str) -> str:
    """A text of somebody's, line by line."""
    return "\n".join(shown.lines(text))


def clean(text: str) -> str:
    """What somebody chose, in a line of ours."""
    return shown.isolated(shown.one_line(text))


def moment(when: float) -> str:
    """The time of today, or day and time."""
    then = time.localtime(when)
    today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", then)


def conversation(one: Conversation, contact: ContactInfo | None, *, opened: bool) -> str:
    """A line of the list: a mark if it is the open one, how much is unread, the name, and what there is to know."""
    unread = f"({one.unread}) " if one.unread else ""
    group = "# " if one.kind is ConversationKind.GROUP else "? " if one.kind is ConversationKind.ANONYMOUS else ""
    draft = " draft" if one.draft and not opened else ""
    return f"{'>' if opened else ' '}{unread}{group}{clean(one.name)}{_note(contact)}{draft}"


def _note(contact: ContactInfo | None) -> str:
    said = wording.standing(contact)
    return f" {said}" if said else ""


def heading(name: str, contact: ContactInfo | None, period: int = 0) -> str:
    """The line above a conversation, in which messages disappear after a period, or stay (0)."""
    said = [clean(name)]
    if contact is not None:
        said.append("blocked" if contact.blocked else "verified" if contact.verified else "not verified (^T)")
    if period:
        said.append(f"disappear after {spoken(period)}")
    return " · ".join(said)
