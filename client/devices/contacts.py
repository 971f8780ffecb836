"""What the devices of a user share about a contact: what a home tells of it, and what a satellite's user decides.

Promises: a decision holds on the satellite at once, and is stored together with the request that the home does the
same, or not at all; what changes nothing asks for nothing. Every verb of `ContactVerbs` stands here: one left out would
hold on one device only, and a test says so. Whatever column a record has is told, stored and shown on all devices.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Final

import msgspec

from client.core.state import Core
from client.e2e.bodies import Digest
from client.messenger.contact_verbs import NOTE_LIMIT, ContactVerbs
from client.model.contact_states import Standing
from client.model.names import NAME_LIMIT
from client.model.views import AckChoice, ContactInfo, ContactState, ReadReceiptChoice

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


class SatelliteContacts(ContactVerbs):
    """The same verbs. Each raises DeviceRevoked, too."""

    def __init__(self, core: Core, ask: Callable[[AnyContactRequest], None]) -> None:
        """`ask` stores a request for the home, inside of a change."""
        super().__init__(core, _NothingUnderWay())
        self._ask = ask

    def verify(self, name: str) -> ContactInfo:
        """As at home."""
        return self._share(name, partial(super().verify, name), Verify)

    def rename(self, name: str, new_name: str) -> ContactInfo:
        """As at home."""
        return self._share(name, partial(super().rename, name, new_name), lambda who: Rename(who, new_name))

    def note(self, name: str, note: str) -> ContactInfo:
        """As at home."""
        return self._share(name, partial(super().note, name, note), lambda who: Annotate(who, note))

    def read_receipts(self, name: str, choice: ReadReceiptChoice) -> ContactInfo:
        """As at home."""
        return self._share(name, partial(super().read_receipts, name, choice), lambda who: TellReading(who, choice))

    def acknowledgements(self, name: str, choice: AckChoice) -> ContactInfo:
        """As at home."""
        return self._share(name, partial(super().acknowledgements, name, choice), lambda who: Acknowledge(who, choice))

    def block(self, name: str, now: float) -> ContactInfo:
        """As at home."""
        return self._share(name, partial(super().block, name, now), lambda who: Block(who, True))

    def unblock(self, name: str) -> ContactInfo:
        """As at home."""
        return self._share(name, partial(super().unblock, name), lambda who: Block(who, False))

    def _share(
        self, name: str, decide: Callable[[], ContactInfo], request: Callable[[bytes], AnyContactRequest]
    ) -> ContactInfo:
        """Decide, and ask the home for the same if that changed the contact's row here."""
        with self._core.change():
            before = self._core.contacts.person(name)
            info = decide()
            if self._core.contacts.get(before.id) != before:
                self._ask(request(before.identity))
        return info
