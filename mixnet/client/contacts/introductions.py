"""Making a contact by an invitation: it is made, accepted once, and answered.

Promises: an invitation is used once; the same first message again (its acknowledgement was lost) only gets another
acknowledgement, a different one is refused. Two people who accept each other's invitations at the same time end as one
contact on each side: both sessions receive, and each side sends in the first one that it knows to work.
"""

from __future__ import annotations

from typing import Protocol

from mixnet import crypto
from mixnet.client.arq.fragments import Arrival, Fragment, Unverified
from mixnet.client.arq.sender import USER
from mixnet.client.contacts.renewal import Renewal
from mixnet.client.core.conversation import Conversation, NewSession, Parcel
from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import Confirm, Greeting, decode_untrusted, encode
from mixnet.client.e2e.invitation import Invitation
from mixnet.client.e2e.x3dh import Answered, Prekeys, Started, invitation_channel, start_untrusted
from mixnet.client.model.contact_states import ContactEvent
from mixnet.client.model.destination import Destination
from mixnet.client.model.errors import (
    AlreadyContact,
    BadName,
    ContactBlocked,
    ExpiredInvitation,
    MalformedInvitation,
    NameTaken,
    NoContactInvitation,
    OwnInvitation,
    WrongNetwork,
)
from mixnet.client.model.names import check_name, check_sent
from mixnet.client.model.views import ContactInfo, ContactState
from mixnet.client.storage import copies
from mixnet.client.storage.contacts import Contact
from mixnet.client.storage.database import Row
from mixnet.crypto import Label, SymmetricKey
from mixnet.errors import RemoteError


class DeviceInvitations(Protocol):
    """What makes a device of the user, not a contact, of whoever answers an invitation for one."""

    def expects(self, invitation: int) -> bool:
        """Whether an invitation, by its row, is for a device."""

    def check_untrusted(self, identity: bytes) -> None:
        """RemoteError unless the owner of an identity can become a device."""

    def greeted(self, invitation: int, identity: bytes, name: str, now: float) -> Contact:
        """The row of a new device, whose profile is called `name`."""

    def welcome(self, device: int) -> None:
        """The session with a new device stands: send it what it needs first."""


class Introductions:
    """Invitations made and accepted. `for_devices` is set by the user's devices, which are made after this."""

    def __init__(self, core: Core, renewal: Renewal) -> None:
        self._core, self._renewal = core, renewal
        self.for_devices: DeviceInvitations | None = None

    def create(self, name: str, now: float, *, device: bool = False, hidden: bool = False) -> Invitation:
        """A new invitation that shows `name` as ours, for a contact or for a `device` of our own; BadName.

        Who uses a `hidden` one is no contact of the user.
        """
        core = self._core
        prekeys = Prekeys.generate(core.identity)
        made = Invitation(
            name=check_sent(name),
            network_id=core.home.network_id,
            destination=core.home.destination,
            keys=prekeys.public,
            secret=SymmetricKey.generate(),
            expires=float(round(now + core.settings.invitation_lifetime)),
            device=device,
        )
        with core.change():
            query = (
                "INSERT INTO invitations (channel, secret, transcript, prekeys, expires, hidden)"
                " VALUES (?, ?, ?, ?, ?, ?)"
            )
            values = (made.channel, made.secret.expose(), made.transcript, prekeys.serialize(), made.expires, hidden)
            number = core.store.insert(query, *values)
            newest = "INSERT OR REPLACE INTO invited_after SELECT ?, coalesce(max(id), 0) FROM sessions"
            core.store.run(newest, number)
            core.expires(made.expires)
        return made

    def made_by(self, channel: bytes) -> ContactInfo | None:
        """The contact that used our invitation of this channel (16 bytes), if anybody did."""
        core = self._core
        session = core.store.value(int, "SELECT session FROM invitations WHERE channel = ?", channel)
        # The session itself may be given up already, for another one that its contact has begun since.
        contact = core.store.value(int, "SELECT contact FROM sessions WHERE id = ?", session)
        return None if contact is None else core.contacts.info(contact)

    def accept(self, text: str, name: str | None, now: float, *, hidden: bool = False) -> ContactInfo:
        """Begin a session with the inviter, whom `name` (None: the invitation's) stands for, unless `hidden`."""
        core = self._core
        name = None if name is None else check_name(name, core.home.name)
        invitation, known = self.readable(text, name, now)
        started = self.begin(invitation)
        with core.change():
            core.contacts.cede(invitation.keys.identity)
            if known is None:
                wanted = hidden_name(invitation.keys.identity) if hidden else name
                wanted = core.free_name(invitation.name) if wanted is None else wanted
                contact = core.contacts.add(wanted, invitation.keys.identity, ContactState.PENDING, now)
                if hidden:
                    core.contacts.set_role(contact.id, "member")
            elif known.role == "member" and not hidden:
                contact = known
                core.contacts.show(contact.id, core.free_name(invitation.name, contact.id) if name is None else name)
            else:
                contact = known
                if known.state is ContactState.EXPIRED:
                    core.contacts.step(contact, ContactEvent.ACCEPT)
            self.greet(contact.id, invitation, started, now)
            if not hidden:
                core.contact_changed(contact.id)
        return core.contacts.info(contact.id)

    def begin(self, invitation: Invitation) -> Started:
        """Our side of a session with the inviter, which nobody has heard of yet; MalformedInvitation."""
        core = self._core
        where = core.home.destination
        greeting = Greeting(core.home.name, where.provider, where.mailbox, where.sphinx_public)
        try:
            return start_untrusted(core.identity, invitation.keys, invitation.transcript, encode(greeting))
        except RemoteError:
            raise MalformedInvitation from None

    def greet(
        self, contact: int, invitation: Invitation, started: Started, now: float, *, account: int = USER
    ) -> Conversation:
        """Keep a session that `begin` gave, and let its first message leave. In the caller's change."""
        core = self._core
        entry, where = invitation_channel(invitation.secret), invitation.destination
        conversation = core.open_conversation(
            NewSession(contact, started.channels, entry, where, started.session, expected=0)
        )
        expires = min(invitation.expires, now + core.settings.invitation_lifetime)  # whatever a stranger promises
        conversation.post_sealed(started.hello, Parcel(0, b"", None, False, 0, expires, account))
        core.expires(expires)
        return conversation

    def readable(self, text: str, name: str | None, now: float) -> tuple[Invitation, Contact | None]:
        """An invitation that can be accepted, and the contact that its maker is already; errors as `accept`."""
        core, invitation = self._core, Invitation.parse_untrusted(text)
        if name is not None:
            check_name(name, core.home.name)
        if invitation.device:
            raise NoContactInvitation
        check_usable(core, invitation, now)
        known = core.contacts.known(invitation.keys.identity)
        if known is not None and known.role == "group":  # a false one, see `ContactTable.cede`
            known = None
        if known is not None and core.store.has("SELECT 1 FROM sessions WHERE entry = ?", invitation.channel):
            raise AlreadyContact(f"you accepted this invitation already: the contact is named {known.name!r}")
        if known is not None and known.state is ContactState.PENDING and known.role == "contact":
            raise AlreadyContact(f"you already have this contact, named {known.name!r}: it has not answered yet")
        if known is not None and known.blocked:
            raise ContactBlocked(core.unblock_first(known))
        if (
            (known is None or known.role == "member")
            and name is not None
            and core.contacts.find_named(name) is not None
        ):
            raise NameTaken
        return invitation, known

    def greeted_untrusted(self, unverified: Unverified, now: float) -> None:
        """Take a plaintext for a channel of no session: the first message to an invitation, or RemoteError."""
        store = self._core.store
        columns = "id, secret, transcript, prekeys, expires, used, session, hidden"
        query = f"SELECT {columns} FROM invitations WHERE channel = ?"  # noqa: S608  # our own names
        row = store.one(query, unverified.channel)
        if row is None or row[4] <= now:
            raise RemoteError("a fragment for an unknown channel")
        arrival = unverified.verify_untrusted(invitation_channel(SymmetricKey(bytes(row[1]))))
        fragment = arrival.content
        if not isinstance(fragment, Fragment) or len(fragment.part) != fragment.length:
            raise RemoteError("a first message that is not whole")
        digest = crypto.digest(Label.INVITATION, b"used", fragment.part)
        if row[5] is None:
            self._answer_untrusted(row, arrival, fragment.part, digest, now)
        elif crypto.equal(digest, bytes(row[5])) and row[6] in self._core.conversations:
            conversation = self._core.conversations[row[6]]
            if conversation.contact not in self._core.blocked and not conversation.copied:
                self._core.solicited(conversation, arrival, now, new=False)
        else:
            raise RemoteError("an invitation that was used before")

    def _answer_untrusted(self, row: Row, arrival: Arrival, hello: bytes, digest: bytes, now: float) -> None:
        """Make a contact or a device of whoever sent `hello`; RemoteError."""
        # All that can be refused comes before the change: a failed change makes every conversation again.
        core = self._core
        answered = Prekeys.restore(bytes(row[3])).answer_untrusted(hello, bytes(row[2]))
        greeting = _read_greeting_untrusted(answered)
        where = Destination(greeting.provider, greeting.mailbox, greeting.sphinx_public).check_untrusted()
        if answered.identity == core.identity_public:
            raise RemoteError("an invitation that its owner uses")
        # The invitation stays unused: after an unblock the same first message, sent again, is taken.
        met = core.contacts.once(answered.identity)
        if met is not None and met.blocked:
            raise RemoteError("a first message of somebody whom the user has blocked")
        asked = core.store.value(int, "SELECT contact FROM copied WHERE invitation = ?", row[0])
        if asked is not None and core.contacts.get(asked).identity != answered.identity:
            raise RemoteError("an invitation that is for another contact")
        devices = self.for_devices
        if devices is not None and not devices.expects(row[0]):
            devices = None
        if devices is not None:
            devices.check_untrusted(answered.identity)
        with core.change():
            core.contacts.cede(answered.identity)
            contact = core.contacts.known(answered.identity)
            if devices is not None:
                contact = devices.greeted(row[0], answered.identity, greeting.name, now)
            elif contact is None:
                name = hidden_name(answered.identity) if row[7] else core.free_name(greeting.name)
                contact = core.contacts.add(name, answered.identity, ContactState.ESTABLISHED, now)
                if row[7]:
                    core.contacts.set_role(contact.id, "member")
                else:
                    core.contact_changed(contact.id)
            elif contact.role == "member" and not row[7]:
                core.contacts.show(contact.id, core.free_name(greeting.name, contact.id))
                core.contact_changed(contact.id)
            conversation = core.open_conversation(
                NewSession(contact.id, answered.channels, None, where, answered.session, expected=1)
            )
            core.establish(conversation)
            expires = now + core.settings.message_lifetime
            conversation.post(Parcel(0, encode(Confirm()), None, False, 0, expires))
            core.expires(expires)
            # Only sessions from before the invitation: one that the contact has begun since is newer than this one.
            before = core.store.value(int, "SELECT session FROM invited_after WHERE invitation = ?", row[0])
            self._renewal.replace(conversation, before or 0, now)
            copy = copies.copy_of(core.store)
            if asked is not None and copy is not None:
                core.store.run("INSERT INTO restorations VALUES (?, ?, 1)", conversation.id, copy.made)
            query = "UPDATE invitations SET prekeys = NULL, used = ?, session = ? WHERE id = ?"
            core.store.run(query, digest, conversation.id, row[0])
            if devices is not None:
                devices.welcome(contact.id)
            core.hush(conversation)
        core.solicited(conversation, arrival, now, new=True)


def check_usable(core: Core, invitation: Invitation, now: float) -> None:
    """WrongNetwork, OwnInvitation or ExpiredInvitation, if it is that."""
    if invitation.network_id != core.home.network_id:
        raise WrongNetwork
    if invitation.keys.identity == core.identity_public:
        raise OwnInvitation
    if invitation.expires <= now:
        raise ExpiredInvitation


def hidden_name(identity: bytes) -> str:
    """What no user can call a contact, since it begins with a space."""
    return " " + identity.hex()[:62]


def _read_greeting_untrusted(answered: Answered) -> Greeting:
    body = decode_untrusted(answered.plaintext)
    if not isinstance(body, Greeting):
        raise RemoteError("a first message that is no greeting")
    try:
        check_sent(body.name)
    except BadName:
        raise RemoteError("a greeting with an impossible name") from None
    return body
