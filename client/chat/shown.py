"""How a message, a conversation and the state of the daemon look in a line or a few. Pure.

Promises: what others have chosen is made harmless as in all commands (mixnet/shown.py), and a text of several lines, or
a long one, stays to the right of the edge at which our own lines begin, so that none can pass for a line of ours.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from client.model.views import (
    UNDER_WAY,
    ContactInfo,
    ContactState,
    Conversation,
    ConversationKind,
    MessageInfo,
    MessageKind,
    MessageState,
)
from mixnet import shown

INDENT = 2
_ALARMS = {"warned": "messages are being lost on the way", "paused": "messages wait: hardly anything gets through"}
_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def message(one: MessageInfo) -> RenderableType:
    """A message: who, when and what became of it, and below that the text."""
    who = "you" if one.outgoing else clean(one.author or one.contact)
    signed = " signed" if one.signed else ""
    head = Text(f"{moment(one.received_at or one.created_at)} ")
    head.append(who, style="bold")
    head.append(f"{signed}  {became(one)}".rstrip(), style="italic")
    return Group(head, Padding(Text(body(one)), (0, 0, 0, INDENT)))


def body(one: MessageInfo) -> str:
    """The text, line by line; of a file what it is called and where it is."""
    if one.kind is MessageKind.TEXT:
        return lines(one.text)
    where = f"\n{clean(one.path)}" if one.path and not one.outgoing else ""
    return f"file {clean(one.text)} ({size(one.size)}){where}"


def became(one: MessageInfo) -> str:
    """What became of a message, in words."""
    if one.kind is MessageKind.FILE and one.state in UNDER_WAY and one.size:
        return f"{one.state}, {100 * one.done // one.size} %"
    if one.error:
        return f"{one.state}: {clean(one.error)}"
    if not one.outgoing:
        return "" if one.state in (MessageState.RECEIVED, MessageState.READ) else str(one.state)
    if one.members:
        return f"{one.state}: {one.reached} of {one.members} have it, {one.readers} have read it"
    return str(one.state)


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


def size(count: int) -> str:
    """Bytes for a person."""
    return next((f"{count / unit:.1f} {name}" for unit, name in _SIZES if count >= unit), f"{count} bytes")


def conversation(one: Conversation, contact: ContactInfo | None, *, opened: bool) -> str:
    """A line of the list: a mark if it is the open one, how much is unread, the name, and what there is to know."""
    unread = f"({one.unread}) " if one.unread else ""
    group = "# " if one.kind is ConversationKind.GROUP else "? " if one.kind is ConversationKind.ANONYMOUS else ""
    draft = " draft" if one.draft and not opened else ""
    return f"{'>' if opened else ' '}{unread}{group}{clean(one.name)}{_note(contact)}{draft}"


def _note(contact: ContactInfo | None) -> str:
    if contact is None:
        return ""
    if contact.blocked:
        return " blocked"
    return {ContactState.PENDING: " invited", ContactState.EXPIRED: " expired"}.get(contact.state, "")


def heading(name: str, contact: ContactInfo | None) -> str:
    """The line above a conversation."""
    if contact is None:
        return clean(name)
    verified = "verified" if contact.verified else "not verified (^T)"
    return f"{clean(name)} · {'blocked' if contact.blocked else verified}"


def trouble(status: Mapping[str, Any]) -> str:
    """What a user should know of the network; empty if all is well."""
    if not status.get("connected"):
        return f"not connected: {status.get('problem') or 'the provider has not answered yet'}"
    late = "loops come back late: put off what must not be linked to you" if status.get("warnings") else ""
    return _ALARMS.get(str(status.get("alarm")), late)
