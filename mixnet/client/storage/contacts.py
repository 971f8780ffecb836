"""The table of contacts.

Promises: one contact an identity, one identity a contact, no two of a name; a state or a standing changes by the tables
of contacts.py only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mixnet import crypto
from mixnet.client.e2e.bodies import PERIOD_LIMIT
from mixnet.client.e2e.safety_number import safety_number
from mixnet.client.model.contact_states import STANDINGS, ContactEvent, ContactVerdict, Standing, after
from mixnet.client.model.errors import NameTaken, UnknownContact
from mixnet.client.model.names import looks, same
from mixnet.client.model.views import AckChoice, ContactInfo, ContactState, ReadReceiptChoice
from mixnet.client.storage.database import Row, Store
from mixnet.crypto import Label, SymmetricKey
from mixnet.near import near

HIDDEN = (" ", "\0")  # begin what stands in the place of a name that nobody is shown
_SELECT = (
    "SELECT id, name, identity, state, added_at, session, standing, role, note, read_receipts, acknowledgements,"
    " period, period_version FROM contacts "
)
_READING = "read receipts"
# Read, and not when: a contact that sees the moment of each reading knows more of a day than what was written.
DEFAULT_READING = ReadReceiptChoice.DELAYED
_RENEWING = """
SELECT 1 FROM stranded WHERE contact = ? UNION ALL SELECT 1 FROM copied WHERE contact = ? UNION ALL
SELECT 1 FROM sessions s JOIN outbound o ON o.session = s.id AND o.lane = 0 AND o.number = 0
WHERE s.contact = ? AND s.entry IS NOT NULL AND s.id IS NOT ?
"""
_LOOKS_KEY = "looks key"  # a setting
_SHOWN = "id NOT IN (SELECT contact FROM devices)"  # the user's own devices are no contacts (devices.py)


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact's row; `session` is where messages to it go out, None before one is established."""

    id: int
    name: str
    identity: bytes
    state: ContactState
    added_at: float
    session: int | None
    standing: Standing
    role: str = "contact"  # see `ContactTable.set_role`
    note: str = ""
    read_receipts: ReadReceiptChoice = ReadReceiptChoice.DEFAULT
    acknowledgements: AckChoice = AckChoice.PROMPT
    period: int = 0
    period_version: int = 0

    @property
    def blocked(self) -> bool:
        """Whether nothing of it is heard and nothing is written to it."""
        return self.standing is Standing.BLOCKED


class ContactTable:
    """All contacts of a profile."""

    def __init__(self, store: Store, identity: bytes) -> None:
        """Use the store's tables; `identity` is our own public key, for safety numbers."""
        self._store, self._identity = store, identity
        self._key = store.setting(_LOOKS_KEY) or self._begin()
        self.role_changes = 0  # rises with each: whoever remembers what somebody is looks anew

    def _begin(self) -> bytes:
        """From here on each name is remembered; those from before as far as they are in use."""
        made = SymmetricKey.generate().expose()
        with self._store.transaction():
            self._store.set_setting(_LOOKS_KEY, made)
            self._key = made
            for name in self.shown_names():
                self._remember(name)
        return made

    def speak_for(self, identity: bytes) -> None:
        """On a satellite: contacts know us by the identity of its home."""
        self._identity = identity

    def add(self, name: str, identity: bytes, state: ContactState, now: float) -> Contact:
        """A new contact; NameTaken."""
        if self._is_taken(name):
            raise NameTaken
        self._remember(name)
        query = "INSERT INTO contacts (name, identity, state, added_at) VALUES (?, ?, ?, ?)"
        number = self._store.insert(query, name, identity, state.value, now)
        return self.get(number)

    def get(self, number: int) -> Contact:
        """The contact of a row; UnknownContact."""
        contact = self.find(number)
        if contact is None:
            raise UnknownContact
        return contact

    def find(self, number: int) -> Contact | None:
        """The contact of a row, if there is one."""
        return self._store.row(_contact, _SELECT + "WHERE id = ?", number)

    def named(self, name: str) -> Contact:
        """The contact of a name; UnknownContact."""
        contact = self.find_named(name)
        if contact is None:
            meant = near(name, self.shown_names())
            raise UnknownContact(f"there is no contact named {name!r}{meant}: `mixnet contacts PROFILE` lists them")
        return contact

    def find_named(self, name: str) -> Contact | None:
        """The contact of a name, if there is one."""
        query = _SELECT + f"WHERE name = ? AND role <> 'member' AND {_SHOWN}"
        # In NFC since names are checked; those from before may be spelt otherwise.
        found = self._store.row(_contact, query, name) or self._store.row(_contact, query, same(name))
        if found is None and not name.isascii():
            spelt = next((one for one in self.shown_names() if same(one) == same(name)), None)
            found = None if spelt is None else self._store.row(_contact, query, spelt)
        return found

    def person(self, name: str) -> Contact:
        """The contact of a name, which is no group; UnknownContact."""
        contact = self.named(name)
        if contact.role == "group":
            raise UnknownContact(f"{name!r} is a group, not a contact: `mixnet group --help` shows what can be done")
        return contact

    def former(self, contact: int) -> tuple[bytes, ...]:
        """Identities that a contact had before and nobody has now, at most 16."""
        query = (
            "SELECT identity FROM former_identities WHERE contact = ?"
            " AND identity NOT IN (SELECT identity FROM contacts) ORDER BY identity LIMIT 16"
        )
        return tuple(bytes(row[0]) for row in self._store.all(query, contact))

    def once(self, identity: bytes) -> Contact | None:
        """The contact of an identity, or the one that had it before."""
        query = "SELECT contact FROM former_identities WHERE identity = ?"
        return self.known(identity) or self._store.value(self.get, query, identity)

    def known(self, identity: bytes) -> Contact | None:
        """The contact of an identity, if there is one."""
        return self._store.row(_contact, _SELECT + "WHERE identity = ?", identity)

    def cede(self, identity: bytes) -> None:
        """Whoever proves to have this identity has it: a group that was said to have it for its identifier has not."""
        query = "UPDATE contacts SET identity = randomblob(32) WHERE identity = ? AND role = 'group'"
        self._store.run(query, identity)

    def all(self) -> list[Contact]:
        """All of them, oldest first."""
        return [_contact(row) for row in self._store.all(_SELECT + f"WHERE {_SHOWN} ORDER BY id")]

    def names(self) -> set[str]:
        """All names in use, and what stands in the place of one where nothing has a name."""
        return {row[0] for row in self._store.all("SELECT name FROM contacts")}

    def shown_names(self) -> list[str]:
        """The names of contacts, groups and conversations."""
        return [one.name for one in self.all() if one.role != "member"]

    def was_used(self, look: str) -> bool:
        """Whether something that looked so was ever a name here."""
        return self._store.has("SELECT 1 FROM used_names WHERE look = ?", self._digest(look))

    def _remember(self, name: str) -> None:
        """A digest is kept, not the name: whoever deletes a contact leaves no name behind."""
        if name[:1] not in HIDDEN:
            for look in looks(name):
                self._store.run("INSERT OR IGNORE INTO used_names VALUES (?)", self._digest(look))

    def _digest(self, look: str) -> bytes:
        return crypto.digest(Label.NAME, self._key, look.encode())[:16]

    def _is_taken(self, name: str) -> bool:
        return same(name) in {same(one) for one in self.names()}

    def step(self, contact: Contact, event: ContactEvent) -> bool:
        """Let `event` happen to a contact; whether that changes its state. Raises WrongStep."""
        state = after(contact.state, event)
        self._store.run("UPDATE contacts SET state = ? WHERE id = ?", state.value, contact.id)
        return state is not contact.state

    def rename(self, contact: Contact, name: str) -> bool:
        """Call a contact by another name; whether that changes anything. NameTaken."""
        if name == contact.name:
            return False
        if same(name) != same(contact.name) and self._is_taken(name):
            raise NameTaken(f"there already is a contact or group named {name!r}: choose another name")
        self._remember(name)
        self._store.run("UPDATE contacts SET name = ? WHERE id = ?", name, contact.id)
        return True

    def annotate(self, contact: Contact, note: str) -> bool:
        """Write down a note about a contact in place of the one of before; whether that changes anything."""
        self._store.run("UPDATE contacts SET note = ? WHERE id = ?", note, contact.id)
        return note != contact.note

    def tell_reading(self, contact: Contact, choice: ReadReceiptChoice) -> bool:
        """Say whether a contact learns what is read; whether that changes anything."""
        self._store.run("UPDATE contacts SET read_receipts = ? WHERE id = ?", choice.value, contact.id)
        return choice is not contact.read_receipts

    def acknowledge(self, contact: Contact, choice: AckChoice) -> bool:
        """Say when a contact gets acknowledgements; whether that changes anything."""
        self._store.run("UPDATE contacts SET acknowledgements = ? WHERE id = ?", choice.value, contact.id)
        return choice is not contact.acknowledgements

    def let_disappear(self, contact: Contact, version: int, period: int) -> bool:
        """New messages disappear after `period`, if that was said last; whether that changes anything.

        Of two who say so at once the shorter period holds, on both sides.
        """
        if (version, -(period or PERIOD_LIMIT)) <= (contact.period_version, -(contact.period or PERIOD_LIMIT)):
            return False
        query = "UPDATE contacts SET period = ?, period_version = ? WHERE id = ?"
        self._store.run(query, period, version, contact.id)
        return True

    def default_reading(self) -> ReadReceiptChoice:
        """Whether contacts learn what is read of whom nothing else was said."""
        raw = self._store.setting(_READING)
        return DEFAULT_READING if raw is None else ReadReceiptChoice(raw.decode())

    def set_default_reading(self, choice: ReadReceiptChoice) -> None:
        """Say so; DEFAULT: as it is in a new profile."""
        chosen = DEFAULT_READING if choice is ReadReceiptChoice.DEFAULT else choice
        self._store.set_setting(_READING, chosen.value.encode())

    def reading(self, contact: int) -> ReadReceiptChoice:
        """What holds for a contact: never DEFAULT."""
        choice = self.get(contact).read_receipts
        return self.default_reading() if choice is ReadReceiptChoice.DEFAULT else choice

    def judge(self, contact: Contact, verdict: ContactVerdict) -> bool:
        """Block or unblock a contact; whether that changes anything."""
        standing = STANDINGS[contact.standing, verdict]
        self._store.run("UPDATE contacts SET standing = ? WHERE id = ?", standing.value, contact.id)
        return standing is not contact.standing

    def overwrite(self, contact: int, columns: Mapping[str, object]) -> None:
        """On a satellite: columns of a contact's row are as its home has them."""
        if isinstance(columns.get("name"), str):
            self._remember(str(columns["name"]))
        assigned = ", ".join(f"{name} = ?" for name in columns)
        self._store.run(f"UPDATE contacts SET {assigned} WHERE id = ?", *columns.values(), contact)  # noqa: S608

    def set_role(self, contact: int, role: str) -> None:
        """No contact of the user, but known by a group only ("member"), a "group", or "anonymous"."""
        self.role_changes += 1
        self._store.run("UPDATE contacts SET role = ? WHERE id = ?", role, contact)

    def show(self, contact: int, name: str) -> None:
        """From now on a contact of the user, called `name`."""
        self._remember(name)
        self.role_changes += 1
        self._store.run("UPDATE contacts SET role = 'contact', name = ? WHERE id = ?", name, contact)

    def hide(self, contact: int, name: str) -> None:
        """From now on known by a group only, called `name`; not blocked any more, since nobody could unblock it."""
        self.role_changes += 1
        query = (
            "UPDATE contacts SET role = 'member', name = ?, note = '', state = ?, standing = 'open', period = 0,"
            " period_version = 0 WHERE id = ?"
        )
        self._store.run(query, name, ContactState.ESTABLISHED.value, contact)

    def use(self, contact: int, session: int | None) -> None:
        """Send to the contact in this session from now on; None: in none yet."""
        self._store.run("UPDATE contacts SET session = ? WHERE id = ?", session, contact)

    def become(self, old: Contact, new: Contact) -> None:
        """Give the old contact the identity, state and session of the new one, and its note if it has none of its own.

        The new one is gone then.
        """
        self._store.run("DELETE FROM retention WHERE contact = ?", new.id)
        self._store.run("DELETE FROM contacts WHERE id = ?", new.id)
        values = (new.identity, new.state.value, new.session, old.note or new.note, old.id)
        self._store.run("UPDATE contacts SET identity = ?, state = ?, session = ?, note = ? WHERE id = ?", *values)

    def info(self, number: int) -> ContactInfo:
        """What a user sees of a contact."""
        contact = self.get(number)
        return ContactInfo(
            name=contact.name,
            state=contact.state,
            safety_number=safety_number(self._identity, contact.identity),
            verified=contact.state is ContactState.VERIFIED,
            added_at=contact.added_at,
            blocked=contact.blocked,
            renewing=self._renewing(contact),
            note=contact.note,
            read_receipts=contact.read_receipts,
            acknowledgements=contact.acknowledgements,
            period=contact.period,
        )

    def _renewing(self, contact: Contact) -> bool:
        """Whether a session that we began with a known contact is unanswered, or one that was given up unsettled."""
        if contact.state not in (ContactState.ESTABLISHED, ContactState.VERIFIED):
            return False
        return self._store.has(_RENEWING, contact.id, contact.id, contact.id, contact.session)


def _contact(row: Row) -> Contact:
    number, name, identity, state, added_at, session, standing, role, note, *choices = row
    reading, acknowledgements, period, version = choices
    return Contact(
        *(number, name, bytes(identity), ContactState(state), added_at, session, Standing(standing), role, note),
        read_receipts=ReadReceiptChoice(reading),
        acknowledgements=AckChoice(acknowledgements),
        period=period,
        period_version=version,
    )
