"""A world that can be set back to what it was, and in which one body after the other is said, without a network."""

import random
import shutil

from mixnet.client.core.conversation import Parcel
from mixnet.errors import RemoteError
from tests.client.worlds.agreement import check_agreement
from tests.client.worlds.channel import Channel


class Frozen(Channel):
    """After `freeze` the world is made again as it was then by `again`."""

    def freeze(self) -> None:
        self.begun, self.first = self.now, self.tmp / "first"
        self.drawn = [source.getstate() for source in self._sources()]
        for name, person in self.people.items():
            person.store.close()
            shutil.copytree(person.folder, self.first / name)

    def _sources(self) -> list[random.Random]:
        return [self.rng, *(person.rng for person in self.people.values())]

    def again(self, *names: str) -> None:
        self.now = self.begun
        for source, state in zip(self._sources(), self.drawn, strict=True):
            source.setstate(state)
        for name, person in self.people.items():
            person.store._connection.close()
            for path in person.folder.glob("store.db*"):
                path.unlink()
            shutil.copy(self.first / name / "store.db", person.folder / "store.db")
        for name in names or self.people:
            self[name].open()

    def reopen(self, name: str) -> None:
        self[name].store.close()
        self[name].open()

    def pump(self, sender: str, receiver: str, slots: int = 60) -> None:
        """What one wants to send, without a network; replies are lost."""
        for _ in range(slots):
            self.now += 0.05
            outgoing = self[sender].messenger.next_outgoing(self.now)
            if outgoing is None:
                return
            self[sender].messenger.transmitted(outgoing, self.now, 0.1)
            if hasattr(outgoing, "destination") and outgoing.destination.mailbox.rstrip(b".").decode() == receiver:
                try:
                    self[receiver].messenger.delivered_untrusted(outgoing.encode(None), self.now)
                except RemoteError:
                    self[receiver].refused += 1

    def _settle(self, sender: str, contact: int) -> None:
        """No acknowledgement comes back: without this the window would be full, and what is said later never read."""
        core = self[sender].messenger._core
        if contact in core.routes:
            with core.change():
                route = core.routes[contact]
                query = "SELECT lane, number FROM outbound WHERE session = ?"
                for lane, number in core.store.all(query, route.id):
                    route.withdraw(lane, number)

    def say_in(self, sender: str, receiver: str, contact: int, raws: list[bytes]) -> None:
        """Bodies in the session with what is a `contact` for the sender."""
        core = self[sender].messenger._core
        for raw in raws:
            with core.change():
                core.routes[contact].post(Parcel(0, raw, None, False, 0, self.now + 1e5))
            self.pump(sender, receiver)
            self._settle(sender, contact)
            check_agreement(self[receiver].messenger)
