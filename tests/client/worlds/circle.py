"""A group of real messengers on the hostile network of tests/client/worlds/channel.py."""

from mixnet.client.model.views import ContactState, MessageState
from tests.client.worlds.channel import Channel

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
CLUB = "club"


class Circle(Channel):
    """`count` people; the first is a contact of all others, who don't know each other."""

    def __init__(self, tmp, count, seed=1, **faults):
        super().__init__(tmp, seed, names=NAMES[:count], **faults)
        self.names = NAMES[:count]
        for name in self.names[1:]:
            self.introduce(self.names[0], name)
        assert self.run(600, self._acquainted)

    def _acquainted(self):
        return all(
            contact.state is ContactState.ESTABLISHED
            for name in self.names
            for contact in self[name].messenger.contacts()
        )

    def groups(self, name):
        return self[name].messenger.groups

    def found(self):
        """A group of all, in which everybody has a session with everybody."""
        self.groups(self.names[0]).create(CLUB, self.now)
        for name in self.names[1:]:
            self.bring(self.names[0], name)
        assert self.run(600, lambda: self.complete(self.names)), self.report()

    def bring(self, inviter, name):
        self.groups(inviter).invite(CLUB, name, self.now)
        assert self.run(300, lambda: any(g.name == CLUB for g in self.groups(name).list()))
        self.groups(name).accept(CLUB, self.now)

    def members(self, name):
        """As `name` sees it."""
        return {member.name for member in self.groups(name).show(CLUB).members}

    def complete(self, names):
        """All of them see all of them, and can write to each other."""
        return all(
            self.members(name) == set(names) and all(m.connected for m in self.groups(name).show(CLUB).members)
            for name in names
        )

    def report(self):
        return {
            name: [(m.name, m.admin, m.connected) for g in self.groups(name).list() for m in g.members]
            for name in self.names
        }

    def send(self, name, text):
        return self.groups(name).send(CLUB, text, self.now)

    def heard(self, name):
        """(author, text) of all that came in the group, in order."""
        return [(m.author, m.text) for m in self[name].messenger.messages(CLUB) if not m.outgoing]

    def texts(self, name):
        """The texts of all that came in the group, in order."""
        return [text for _, text in self.heard(name)]

    def delivered(self, name, number):
        return self[name].messenger.message(number).state is MessageState.DELIVERED
