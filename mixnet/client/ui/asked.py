"""What the page may ask of the daemon, and how that looks in it. Pure.

Promises: the page asks by the daemon's own commands, of which only those of the list are taken: none reads a file that
it names, ends the daemon, or erases. What others chose is harmless text (mixnet/shown.py) under `shown`; beside it
stands the name by which the daemon knows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from mixnet import shown
from mixnet.client.api import contacts, devices, groups, messages
from mixnet.client.api.command import Command
from mixnet.client.model import wording
from mixnet.client.model.group_views import GroupInfo
from mixnet.client.model.views import (
    UNDER_WAY,
    ContactInfo,
    Conversation,
    MessageInfo,
    MessageKind,
    MessageState,
    ReadReceiptChoice,
)
from mixnet.errors import LocalError

Plain = dict[str, Any]

_Allowed = (
    messages.Send
    | messages.Cancel
    | messages.Message
    | messages.History
    | messages.MarkRead
    | messages.Search
    | messages.Draft
    | messages.SetDraft
    | contacts.Invite
    | contacts.Accept
    | contacts.Verify
    | contacts.Rename
    | contacts.Note
    | contacts.SetReadReceipts
    | contacts.DefaultReadReceipts
    | contacts.Block
    | contacts.Unblock
    | groups.GroupSend
    | groups.GroupCreate
    | groups.GroupInvite
    | groups.GroupAccept
    | groups.GroupLeave
    | groups.GroupRemove
    | groups.GroupPromote
    | groups.GroupDemote
    | groups.GroupRename
    | groups.GroupReaders
    | devices.FetchFile
)
_ASKED = msgspec.json.Decoder(_Allowed)


class NotAsked(LocalError):
    """The page asked for something that it may not, or not so: reload it."""


def parse_untrusted(raw: bytes) -> Command[Any]:
    """The command that the page asks; NotAsked."""
    try:
        return _ASKED.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise NotAsked from None


def plain(answer: object) -> object:
    """An answer of the daemon's as the page has it."""
    if isinstance(answer, list):
        return [plain(one) for one in answer]
    if isinstance(answer, MessageInfo):
        return message(answer)
    if isinstance(answer, ContactInfo):
        return contact(answer)
    if isinstance(answer, GroupInfo):
        return group(answer)
    if isinstance(answer, tuple):  # names
        return [clean(str(one)) for one in answer]
    return answer


def overview(
    profile: str,
    figures: Mapping[str, Any],
    conversations: Sequence[Conversation],
    contacts_: Sequence[ContactInfo],
    groups_: Sequence[GroupInfo],
) -> Plain:
    """All that is always in view, the newest conversation first."""
    known = {one.name: one for one in contacts_}
    listed = sorted(conversations, key=lambda one: (-one.at, one.name))
    return {
        "profile": clean(profile),
        "trouble": clean(wording.trouble(figures)),
        "conversations": [
            asdict(one) | {"shown": clean(one.name), "standing": wording.standing(known.get(one.name))}
            for one in listed
        ],
        "contacts": [contact(one) for one in contacts_],
        "groups": [group(one) for one in groups_],
    }


def message(one: MessageInfo) -> Plain:
    """A message: who, when, what, what became of it, and what can be done with it."""
    file = one.kind is MessageKind.FILE and not one.withdrawn
    under_way = one.state in UNDER_WAY
    return {
        "id": one.id,
        "contact": one.contact,
        "in": clean(one.contact),
        "outgoing": one.outgoing,
        "file": file,
        "who": "you" if one.outgoing else clean(one.author or one.contact),
        "shown": clean(one.text) if file else lines(one.text),
        "withdrawn": wording.deleted(one),
        "size": wording.size(one.size) if file else "",
        "share": one.done / one.size if file and under_way and one.size else None,
        "at": one.received_at or one.created_at,
        "state": str(one.state),
        "became": wording.became(one, clean),
        "marks": wording.marks(one),
        "unread": one.unread,
        "saveable": file and not one.outgoing and bool(one.path),
        "fetchable": file and not one.outgoing and not one.path and one.state is MessageState.RECEIVED,
        "cancellable": one.outgoing and under_way,
        "members": one.members,
    }


def contact(one: ContactInfo) -> Plain:
    """A contact, and what it learns of us."""
    return asdict(one) | {
        "shown": clean(one.name),
        "note": lines(one.note),
        "standing": wording.standing(one),
        "follows_default": one.read_receipts is ReadReceiptChoice.DEFAULT,
    }


def group(one: GroupInfo) -> Plain:
    """A group and its members."""
    members = [asdict(member) | {"shown": clean(member.name)} for member in one.members]
    mine = next((member.admin for member in one.members if member.you), False)
    return asdict(one) | {"shown": clean(one.name), "title": clean(one.title), "members": members, "admin": mine}


def clean(text: str) -> str:
    """What somebody chose, on one line."""
    return shown.one_line(text)


def lines(text: str) -> str:
    """A text of somebody's, line by line."""
    return "\n".join(shown.lines(text))
