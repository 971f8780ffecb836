"""Talking to one's own daemon from a program, under asyncio or Trio: what users' programs import (docs/python.md).

    from mixnet import client

    async with client.connect(profile_directory) as me:
        await me.send("bob", "hi")

Promises: what is named here stays; the rest of the rooms is nobody's but theirs. Never: a name that two things have.
"""

from __future__ import annotations

from mixnet.client.api.codes import CodeFailed
from mixnet.client.api.connection import Connection, connect
from mixnet.client.api.files import NotComplete
from mixnet.client.api.framing import WrongArguments
from mixnet.client.api.messages import Messages, NotDelivered
from mixnet.client.api.sockets import ConnectionLost, DaemonEnded, DaemonReplaced, NotReached, NotRunning
from mixnet.client.media.codec import decode_untrusted as decode_voice
from mixnet.client.media.codec import encode as encode_voice
from mixnet.client.media.codec import from_file as read_sound
from mixnet.client.media.kept import seconds as voice_seconds
from mixnet.client.model.address_entries import Entry
from mixnet.client.model.code_states import CodeInfo, CodeState
from mixnet.client.model.group_views import GroupInfo, GroupMember, GroupState
from mixnet.client.model.match_states import MatchInfo, MatchState, MatchStatus
from mixnet.client.model.paths import NoProfile
from mixnet.client.model.views import (
    AckChoice,
    AddressInfo,
    ContactInfo,
    ContactState,
    Conversation,
    ConversationKind,
    CorrespondentInfo,
    DeviceInfo,
    DeviceRole,
    DeviceState,
    Leg,
    MessageInfo,
    MessageKind,
    MessageState,
    ReadReceiptChoice,
    ReceiptState,
    Role,
    Transfer,
)
from mixnet.client.profile.holdings import Holding
from mixnet.client.storage.receipts import Rule
from mixnet.client.storage.search import Filter
from mixnet.client.traffic.provider_mailbox import MailboxInfo
from mixnet.errors import LocalError, MixnetError, RemoteError, Unavailable

__all__ = [
    "AckChoice",
    "AddressInfo",
    "CodeFailed",
    "CodeInfo",
    "CodeState",
    "Connection",
    "ConnectionLost",
    "ContactInfo",
    "ContactState",
    "Conversation",
    "ConversationKind",
    "CorrespondentInfo",
    "DaemonEnded",
    "DaemonReplaced",
    "DeviceInfo",
    "DeviceRole",
    "DeviceState",
    "Entry",
    "Filter",
    "GroupInfo",
    "GroupMember",
    "GroupState",
    "Holding",
    "Leg",
    "LocalError",
    "MailboxInfo",
    "MatchInfo",
    "MatchState",
    "MatchStatus",
    "MessageInfo",
    "MessageKind",
    "MessageState",
    "Messages",
    "MixnetError",
    "NoProfile",
    "NotComplete",
    "NotDelivered",
    "NotReached",
    "NotRunning",
    "ReadReceiptChoice",
    "ReceiptState",
    "RemoteError",
    "Role",
    "Rule",
    "Transfer",
    "Unavailable",
    "WrongArguments",
    "connect",
    "decode_voice",
    "encode_voice",
    "read_sound",
    "voice_seconds",
]
