"""A town whose packets get lost and doubled, whose nodes part, and whose providers go down and come back."""

from __future__ import annotations

import trio

from mixnet.client.profile.keys import Keys, load_keys, save_keys
from mixnet.client.storage.database import Store
from mixnet.client.traffic import directory_client
from mixnet.clock import VirtualClock
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.link import LinkLimits
from mixnet.network import Address
from mixnet.pki.parameters import Parameters
from mixnet.sphinx import Mailbox
from tests.client.worlds.town import START, Box, Town, raw_key, rules

SLOW = {  # slots are minutes apart, so that a day costs seconds; all else is in proportion
    "payload_rate": 1 / 400,
    "loop_rate": 1 / 7200,
    "drop_rate": 0.0,
    "downlink_rate": 1 / 240,
    "mean_delay": 40.0,
    "ack_delay": 60.0,
    "epoch_length": 43_200.0,
}


class Village(Town):
    """Loss and duplication are probabilities of a packet, and may change at any time."""

    def __init__(self, seed: int | str, parameters: Parameters | None = None) -> None:
        super().__init__(seed, parameters or rules(**SLOW))
        self.loss = self.duplication = 0.0
        self.split = False  # the halves of the nodes
        self.down: set[bytes] = set()  # providers
        self.limits = LinkLimits(idle_timeout=float("inf"))
        self._weather = self.rng.stream("weather")
        self._open: dict[bytes, trio.CancelScope] = {}
        self._cuts: dict[object, tuple[str, ...]] = {}
        self.lost = 0

    # the nodes

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve both providers and the authority."""
        async with trio.open_nursery() as self._nursery:
            for number in range(len(self.providers)):
                await self.open_provider(number)
            await self._nursery.start(self.run_authority)
            task_status.started()

    async def open_provider(self, number: int) -> None:
        """Let a provider be there, with the mailboxes that it had."""
        key = self.providers[number]

        async def live(task_status: trio.TaskStatus[object]) -> None:
            with trio.CancelScope() as self._open[key.public]:
                await self._listen(
                    Address(f"10.0.1.{number}", 7000), lambda link: self._serve(link, key.public), key, task_status
                )

        self.down.discard(key.public)
        await self._nursery.start(live)

    def kill_provider(self, number: int) -> None:
        """As kill -9: its links break, and packets for its mailboxes find nobody."""
        key = self.providers[number].public
        self.down.add(key)
        self._open[key].cancel()
        self.network.crash(f"10.0.1.{number}")

    def passes(self, here: bytes, there: bytes) -> bool:
        """Packets are lost on the way, between the halves of a network that is split, and where nobody is."""
        gone = (self.split and self._half(here) != self._half(there)) or there in self.down
        gone = gone or self._weather.random() < self.loss / 4  # of four ways between nodes
        self.lost += gone
        return not gone

    def deposit(self, provider: bytes, mail: Mailbox) -> None:
        """A packet is at its provider: not at all if that has gone meanwhile, and sometimes twice."""
        if provider in self.down:
            self.lost += 1
            return
        super().deposit(provider, mail)
        if self._weather.random() < self.duplication:
            super().deposit(provider, mail)

    def _half(self, identity: bytes) -> int:
        """One provider and the mixes of even numbers, or the others."""
        return int(self.names[identity][-1]) % 2

    # clients and their links

    def cut(self, what: object, hosts: tuple[str, ...]) -> None:
        """Part these hosts from both providers, until `mend(what)`."""
        self._cuts[what] = hosts
        self._part(hosts)

    def mend(self, what: object) -> None:
        """End one cut; others stay."""
        del self._cuts[what]
        self.network.heal()
        for hosts in self._cuts.values():
            self._part(hosts)

    def _part(self, hosts: tuple[str, ...]) -> None:
        self.network.partition(hosts, [f"10.0.1.{number}" for number in range(len(self.providers))])

    def clock_of(self, skew: float) -> VirtualClock:
        """A clock that is so many seconds fast."""
        return VirtualClock(START + skew)

    def furnish(self, store: Store, name: str) -> Keys:
        """Give a new profile its keys and a document."""
        if directory_client.kept(store) is None:
            keys = Keys(SigningKey(raw_key(f"mailbox {name}")), SphinxSecret(raw_key(f"sphinx {name}")))
            save_keys(store, keys)
            directory_client.keep(store, self.document())
        return load_keys(store)

    def box(self, name: str) -> Box:
        """The mailbox of a profile."""
        return self.boxes[SigningKey(raw_key(f"mailbox {name}")).public]
