"""What the API shows of contacts and messages, and the events about their changes.

Promises: plain values, with no secret, no key and no address in them. Times are seconds since the Unix epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mixnet.client.model.code_states import CodeChanged
from mixnet.client.model.group_views import GroupChanged


class ContactState(StrEnum):
    """How far a contact has come; client/model/contact_states.py has the transitions."""

    PENDING = "pending"
    ESTABLISHED = "established"
    VERIFIED = "verified"
    EXPIRED = "expired"


class MessageState(StrEnum):
    """What became of a message; client/e2e/bodies.py has the transitions. Incoming: RECEIVING, RECEIVED."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    RECEIVING = "receiving"
    RECEIVED = "received"


UNDER_WAY = (MessageState.QUEUED, MessageState.SENT, MessageState.RECEIVING)


class MessageKind(StrEnum):
    """What a message carries."""

    TEXT = "text"
    FILE = "file"


class ReceiptState(StrEnum):
    """What there is of receipts for a signed message; client/storage/receipts.py has the transitions.

    Of a message of ours: AWAITED until its receiver has decided; DECLINED; REFUSED, since our signature does not
    verify there; INVALID, since theirs does not verify here; DELIVERED and READ, once there is such a receipt. Of one
    that came: ASKED until our user has decided; WITHHELD; GIVEN.
    """

    AWAITED = "awaited"
    DECLINED = "declined"
    REFUSED = "refused"
    INVALID = "invalid"
    DELIVERED = "delivered"
    READ = "read"
    ASKED = "asked"
    WITHHELD = "withheld"
    GIVEN = "given"


class ReadReceiptChoice(StrEnum):
    """Whether a contact learns that the user has read what it wrote: DELAYED after a random pause."""

    DEFAULT = "default"  # as for all contacts
    ON = "on"
    OFF = "off"
    DELAYED = "delayed"


class AckChoice(StrEnum):
    """When acknowledgements, and all else that leaves by itself, go to a contact: DELAYED after random pauses."""

    PROMPT = "prompt"
    DELAYED = "delayed"


@dataclass(frozen=True, slots=True)
class ContactInfo:
    """A contact: `safety_number` is what both people compare, `verified` whether this user said it matches.

    Nothing is heard from a `blocked` one and nothing is sent to it, as if its user were away. While `renewing`, another
    session with the contact has begun, and is not yet the one that messages go out in.
    """

    name: str
    state: ContactState
    safety_number: str
    verified: bool
    added_at: float
    blocked: bool = False
    renewing: bool = False
    note: str = ""  # what the user wrote down about it
    read_receipts: ReadReceiptChoice = ReadReceiptChoice.DEFAULT
    acknowledgements: AckChoice = AckChoice.PROMPT
    period: int = 0  # seconds after which new messages disappear on both sides; 0: they stay


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """A message of the archive. For a file `text` is its name, `path` where it is, `done` the bytes across so far.

    `sent_at` is the slot in which the first fragment left and `drawn_delay` the seconds of mixing drawn for it (both
    0.0 before that, and for incoming messages); `received_at` is when an incoming message was complete (else 0.0).
    `signed`: by its sender, and if it came, the signature verified; `receipt` says then what there is. In a group
    `contact` is the group, `author` who wrote it, if not we; of ours `reached` of `members` others have it,
    and `readers` have read it.
    `edited`: its author gave it another text later; `withdrawn`: its author deleted it for everybody, and nothing else
    is left of it. If `period` is not 0 it is deleted so many seconds after it left, or was read: at `disappears`, which
    is None until then.
    `may_arrive`: it is ours and was given up, and what of it has left may still arrive, or has arrived.
    `answer_until`, of a message from somebody anonymous: until when it can be answered, 0.0 if it can't; else None.
    `unread`: it came, or what came has failed, and it isn't marked as read.
    `place` grows in the order in which messages were complete, and is 0 of a file that is still coming.
    """

    id: int
    contact: str
    outgoing: bool
    kind: MessageKind
    state: MessageState
    text: str
    path: str
    size: int
    done: int
    error: str
    created_at: float
    sent_at: float
    drawn_delay: float
    received_at: float
    signed: bool = False
    receipt: ReceiptState | None = None
    author: str = ""
    members: int = 0
    reached: int = 0
    answer_until: float | None = None
    readers: int = 0
    unread: bool = False
    place: int = 0
    edited: bool = False
    withdrawn: bool = False
    period: int = 0
    disappears: float | None = None
    may_arrive: bool = False


class ConversationKind(StrEnum):
    """With whom a conversation is."""

    CONTACT = "contact"
    GROUP = "group"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Conversation:
    """All messages with somebody: `unread` of them came and are not marked as read. The `newest` was filed at `at`.

    0 and 0.0 if there is none. `draft`: something was begun there, on this device.
    """

    name: str
    kind: ConversationKind
    unread: int
    newest: int
    at: float
    draft: bool = False


class Leg(StrEnum):
    """Which part of a file's way is told of: a satellite of the user doesn't see what its home has of a contact."""

    CONTACT = "contact"  # between this profile and the contact
    HOME = "home"  # between this satellite and the home device
    ELSEWHERE = "elsewhere"  # between the home device and the contact


@dataclass(frozen=True, slots=True)
class Transfer:
    """A file on its way, in or out: `done` of `message.size` bytes have gone this `leg`, at `rate` bytes a second.

    `rate` is measured over the last minutes, 0.0 as long as there is nothing to tell it by. `left`: seconds that it
    still takes, at that rate or by the network's, None if nothing is known. `heard_at`: when the last part came or was
    acknowledged, 0.0 if none was since the daemon started.
    """

    message: MessageInfo
    leg: Leg
    done: int
    rate: float
    left: float | None
    heard_at: float


class Role(StrEnum):
    """Which side of an anonymous conversation this profile is."""

    WRITER = "writer"  # anonymous: wrote to an address
    READER = "reader"  # wrote that address down for others, and reads what comes


@dataclass(frozen=True, slots=True)
class AddressInfo:
    """A public address: `text` is what to publish, `expires_at` 0.0 for never. A retired one takes nothing more."""

    id: str
    text: str
    created_at: float
    expires_at: float
    retired: bool


@dataclass(frozen=True, slots=True)
class CorrespondentInfo:
    """An anonymous conversation, with the name that it has here and the id of the address that it is about.

    A reader can answer until `answer_until` (0.0: not now), a writer takes answers until `listens_until` (0.0: else).
    """

    name: str
    role: Role
    address: str
    open: bool
    answer_until: float
    listens_until: float


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message is complete, in its place in the order of its sender's messages."""

    message: MessageInfo


@dataclass(frozen=True, slots=True)
class MessageStateChanged:
    """A message of ours was sent, delivered, read or has failed; or an incoming file or message has failed."""

    message: MessageInfo


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """A contact appeared, changed its state or its name, or was blocked or unblocked."""

    contact: ContactInfo


@dataclass(frozen=True, slots=True)
class FileProgress:
    """`message.done` of `message.size` bytes of a file are across."""

    message: MessageInfo


class DeviceRole(StrEnum):
    """What another device of the user is: the one with the contacts' sessions, or one that follows it."""

    HOME = "home"
    SATELLITE = "satellite"


class DeviceState(StrEnum):
    """How far the link to another device has come."""

    LINKING = "linking"
    LINKED = "linked"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Another device of the user. `last_seen` is the start of a day (UTC), 0.0 for never.

    `waiting`: changes that a satellite was not sent yet; on a satellite, its requests that the home has not answered.
    `history`: older messages that are still to come. `problem`: what is wrong, or was refused last.
    """

    name: str
    role: DeviceRole
    state: DeviceState
    linked_at: float
    last_seen: float
    waiting: int
    history: int
    problem: str


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """Another device was linked, renamed or revoked, or something of it came across."""

    device: DeviceInfo


Event = (
    MessageReceived | MessageStateChanged | ContactChanged | FileProgress | CodeChanged | DeviceChanged | GroupChanged
)
