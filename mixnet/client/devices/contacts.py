"""What the devices of a user share about a contact: what a home tells of it, and what a satellite's user decides.

Promises: a decision holds on the satellite at once, and is stored together with the request that the home does the
same, or not at all; what changes nothing asks for nothing. Whatever column a record has is told, stored and shown on
all devices, and asked for where a user changes it: one left out would hold on one device only, and a test says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Final

import msgspec

from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import Digest, Period
from mixnet.client.messenger.contact_verbs import NOTE_LIMIT, ContactVerbs
from mixnet.client.model.contact_states import Standing
from mixnet.client.model.names import NAME_LIMIT
from mixnet.client.model.views import AckChoice, ContactInfo, ContactState, ReadReceiptChoice
from mixnet.client.storage.contacts import Contact

_ANY_LIFE = 1e11  # seconds

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LIMIT)]
Time = Annotated[float, msgspec.Meta(ge=0, lt=_ANY_LIFE)]
Seconds = Annotated[float, msgspec.Meta(gt=0, lt=_ANY_LIFE)]
Note = Annotated[str, msgspec.Meta(max_length=NOTE_LIMIT)]


class Tagged(msgspec.Struct, frozen=True, array_like=True):
    """A msgpack array, the tag first; what a newer version adds at its end is passed over."""


class ContactRecord(Tagged, frozen=True, tag=0):
    """A contact; `retention`: for how many seconds messages with it are kept, None for ever.

    `former`: identities that it had before its user began anew (client/contacts/relinking.py).
    """

    identity: Digest
    name: Name
    state: ContactState
    standing: Standing
    added_at: Time
    retention: Seconds | None
    former: Annotated[tuple[Digest, ...], msgspec.Meta(max_length=16)] = ()
    note: Note = ""
    read_receipts: ReadReceiptChoice = ReadReceiptChoice.DEFAULT
    acknowledgements: AckChoice = AckChoice.PROMPT
    period: Period = 0


class GoneContactRecord(Tagged, frozen=True, tag=5):
    """The home has deleted a contact and all messages with it."""

    identity: Digest


# What a record has of the contact's own row: changelog.py reads these columns and replica.py writes them. The triggers
# of client/storage/schema_devices.py and later scripts must name them, too: a test compares.
CONTACT_COLUMNS: Final = tuple(
    name for name in ContactRecord.__struct_fields__ if name not in ("identity", "retention", "former")
)


class ContactRequest(Tagged, frozen=True):
    """The user of a satellite has decided something about the contact of this identity."""

    identity: Digest

    def follow(self, people: ContactVerbs, name: str, now: float) -> None:
        """At home: decide the same about the contact that is called `name` there; errors as the verb."""
        raise NotImplementedError


class Rename(ContactRequest, frozen=True, tag=2):
    """Call a contact by another name."""

    name: Name

    def follow(self, people: ContactVerbs, name: str, now: float) -> None:  # noqa: D102
        people.rename(name, self.name)


class Verify(ContactRequest, frozen=True, tag=3):
    """The safety numbers match."""

    def follow(self, people: ContactVerbs, name: str, now: float) -> None:  # noqa: D102
        people.verify(name)


class Block(ContactRequest, frozen=True, tag=4):
    """Block a contact, or unblock it."""

    blocked: bool

    def follow(self, people: ContactVerbs, name: str, now: float) -> None:  # noqa: D102
        people.block(name, now) if self.blocked else people.unblock(name)


class Annotate(ContactRequest, frozen=True, tag=15):
    """Write down a note about a contact."""

    note: Note

    def follow(self, people: ContactVerbs, name: str, now: float) -> None:  # noqa: D102
        people.note(name, self.note)


class TellReading(ContactRequest, frozen=True, tag=16):
    """Say whether a contact learns that what it wrote was read."""

    choice: ReadReceiptChoice

    def follow(self, people: ContactVerbs, name: str, now: float) -> None:  # noqa: D102
        people.read_receipts(name, self.choice)


class Acknowledge(ContactRequest, frozen=True, tag=17):
    """Say when a contact gets acknowledgements."""

    choice: AckChoice

    def follow(self, people: ContactVerbs, name: str, now: float) -> None:  # noqa: D102
        people.acknowledgements(name, self.choice)


AnyContactRequest = Rename | Verify | Block | Annotate | TellReading | Acknowledge


class _NothingUnderWay:
    """A satellite has no session with contacts."""

    def stop(self, contact: int, now: float) -> None:
        """Nothing comes or goes."""

    def sweep(self) -> None:
        """Nothing was given up."""


# Column of a contact's row → what the home is asked for when the user has changed it here.
ASKED: Final[Mapping[str, Callable[[Contact], AnyContactRequest]]] = {
    "name": lambda now: Rename(now.identity, now.name),
    "state": lambda now: Verify(now.identity),
    "standing": lambda now: Block(now.identity, now.blocked),
    "note": lambda now: Annotate(now.identity, now.note),
    "read_receipts": lambda now: TellReading(now.identity, now.read_receipts),
    "acknowledgements": lambda now: Acknowledge(now.identity, now.acknowledgements),
}


class SatelliteContacts(ContactVerbs):
    """The same verbs. Each raises DeviceRevoked, too."""

    def __init__(self, core: Core, ask: Callable[[AnyContactRequest], None]) -> None:
        """`ask` stores a request for the home, inside of a change."""
        super().__init__(core, _NothingUnderWay())
        self._ask = ask

    def _decide(self, contact: Contact, change: Callable[[], bool]) -> ContactInfo:
        """As at home, and ask the home for the same, if that changed the contact's row here."""
        with self._core.change():
            info = super()._decide(contact, change)
            after = self._core.contacts.get(contact.id)
            for column, request in ASKED.items():
                if getattr(after, column) != getattr(contact, column):
                    self._ask(request(after))
        return info
