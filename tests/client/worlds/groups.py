"""A group of a user with several devices and her contacts."""

from tests.client.worlds.circle import CLUB
from tests.client.worlds.devices import HOME, Family


def found(family: Family) -> None:
    """A group of Alice and her contacts, in which everybody has a session with everybody."""
    home = family[HOME].messenger.groups
    home.create(CLUB, family.now)
    for name in family.contacts:
        home.invite(CLUB, name, family.now)
        assert family.run(300, lambda name=name: bool(family[name].messenger.groups.list()))
        family[name].messenger.groups.accept(CLUB, family.now)
    names = {HOME, *family.contacts}
    assert family.run(900, lambda: all(together(family, name, names) for name in names))


def together(family: Family, name: str, names: set[str]) -> bool:
    members = family[name].messenger.groups.show(CLUB).members
    return {member.name for member in members} == names and all(member.connected for member in members)


def group_history(family: Family, name: str) -> list[tuple]:
    """All that a device shows of what was said in groups but its numbers, in the order of the home's."""
    person = family[name]
    query = "SELECT m.id, coalesce(r.number, m.id) FROM messages m LEFT JOIN mirrored r ON r.message = m.id"
    said = [person.messenger.message(number) for number, _ in sorted(person.store.all(query), key=lambda row: row[1])]
    return [
        (m.contact, m.author, m.outgoing, m.state, m.text, m.members, m.reached, m.readers, m.created_at) for m in said
    ]
