"""A user with a home and satellites, and two contacts, on the hostile network of channel.py."""

from dataclasses import astuple, replace
from pathlib import Path

from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.views import MessageInfo
from tests.client.worlds.channel import Channel, Person

HOME, PHONE, LAPTOP = "alice", "phone", "laptop"
DEVICES = (HOME, PHONE, LAPTOP)
CONTACTS = ("bob", "carol")


class Family(Channel):
    """Alice's devices and her contacts; nobody knows anybody yet."""

    def __init__(self, tmp: Path, seed: int = 0, *, satellites=(PHONE, LAPTOP), contacts=CONTACTS, **hostility: float):
        super().__init__(tmp, seed, names=(HOME, *satellites, *contacts), **hostility)
        self.satellites, self.contacts = satellites, contacts

    def run(self, seconds: float, until=None) -> bool:
        """As `Channel.run`, but it looks once a second: what it looks for takes longer than an event."""
        if until is None:
            return super().run(seconds)
        end = self.now + seconds
        while not until() and self.now < end:
            super().run(min(1.0, end - self.now))
        return until()

    def meet(self) -> None:
        """Contacts accept Alice's invitations."""
        for name in self.contacts:
            self.introduce(HOME, name)
        assert self.run(60, lambda: len(self[HOME].messenger.contacts()) == len(self.contacts))
        assert self.run(60, lambda: all(self._knows_home(name) for name in self.contacts))

    def _knows_home(self, name: str) -> bool:
        return [c.state.value for c in self[name].messenger.contacts()] == ["established"]

    def link(self, name: str) -> None:
        """Let a profile become a satellite, and wait for its first message from home."""
        text = self[HOME].devices.linking.invite(None, self.now).encode()
        self[name].devices.linking.accept(text, self.now)
        assert self.run(300, lambda: self.mirrored(name))

    def link_all(self) -> None:
        for name in self.satellites:
            self.link(name)

    def user(self, name: str) -> Messenger:
        """What the programs of the user talk to."""
        return self[name].devices.user

    def mirrored(self, name: str) -> bool:
        """Whether a satellite has heard all that the home has to say, and has nothing to ask for."""
        here = self[name].devices.all()
        there = [one for one in self[HOME].devices.all() if one.name == name]
        return (
            all(one.state == "linked" and not one.waiting and not one.history for one in (*here, *there))
            and bool(here and there)
            and quiet(self[HOME])
            and quiet(self[name])
        )

    def calm(self) -> bool:
        """Whether nothing is under way any more."""
        return all(quiet(person) for person in self.people.values()) and all(
            self.mirrored(name) for name in self.satellites
        )


def quiet(person: Person) -> bool:
    tables = "SELECT 1 FROM outbound UNION ALL SELECT 1 FROM waiting UNION ALL SELECT 1 FROM device_outgoing"
    return person.store.one(tables) is None


def history(person: Person) -> list[tuple]:
    """All that a device shows of its messages but their numbers and paths, in the order of the home's numbers."""
    rows = person.store.all(
        "SELECT m.id, coalesce(r.number, m.id) FROM messages m LEFT JOIN mirrored r ON r.message = m.id"
    )
    return [_shown(person.messenger.message(number)) for number, _ in sorted(rows, key=lambda row: row[1])]


def _shown(message: MessageInfo) -> tuple:
    told = ("contact", "outgoing", "kind", "state", "text", "size", "done", "error", "created_at", "sent_at")
    return tuple(getattr(message, name) for name in (*told, "drawn_delay", "received_at"))


def people(person: Person) -> list[tuple]:
    """All that a device shows of contacts."""
    shown = [
        astuple(replace(contact, renewing=False)) for contact in person.messenger.contacts()
    ]  # sessions: the home's
    return sorted(shown)
