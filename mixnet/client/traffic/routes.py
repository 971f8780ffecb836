"""Draws the routes of a client's packets: hops, their keys, their delays (spec/04-mixing.md 4.5).

Promises: every route has the same shape, entry provider, one mix of each layer, exit provider, and where there is one a
recipient; each hop before the exit provider holds for an exponential time; a hop's key is that of the epoch in which
the packet gets there. Pure: the document, the time and the generator come in as arguments.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from mixnet.client.model.destination import Destination
from mixnet.clock import Epochs
from mixnet.errors import Unavailable
from mixnet.pki.document import Document, Node
from mixnet.pki.topology import hop_keys, sample_delays, sample_provider, sample_route
from mixnet.sphinx import Command, Hop, Kind, microseconds


class UnknownProvider(Unavailable):
    """A provider is not part of the network at the moment: wait until it is back."""


@dataclass(frozen=True, slots=True)
class Route:
    """Hops as the Sphinx engine takes them, and the seconds that the packet will be held in all."""

    hops: tuple[Hop, ...] = field(repr=False)
    drawn_delay: float


@dataclass(frozen=True, slots=True)
class Map:
    """The network as one document describes it."""

    document: Document
    epochs: Epochs

    def deliver(self, rng: random.Random, entry: bytes, destination: Destination, at: float) -> Route:
        """From provider `entry` to a recipient who reads the message; `at` is when it leaves, in wall seconds."""
        return self._to_mailbox(rng, entry, destination, Command(Kind.DELIVER), at)

    def reply(self, rng: random.Random, entry: bytes, home: Destination, surb_id: bytes, at: float) -> Route:
        """From the replier's provider `entry` back to `home`, which knows the reply block by `surb_id` (32 bytes)."""
        return self._to_mailbox(rng, entry, home, Command(Kind.REPLY, surb_id), at)

    def ask(self, rng: random.Random, entry: bytes, provider: bytes, at: float) -> Route:
        """From provider `entry` to `provider`, which reads the message itself."""
        return self._finish(rng, self._sample(rng, entry, provider), (Command(Kind.DELIVER),), (), at)

    def drop(self, rng: random.Random, entry: bytes, at: float) -> Route:
        """From provider `entry` to a uniformly random provider, which discards the packet."""
        path = self._sample(rng, entry, sample_provider(self.document, rng).identity)
        return self._finish(rng, path, (Command(Kind.DROP),), (), at)

    def usable_until(self, at: float) -> float:
        """The end, in wall seconds, of the epoch whose key the first hop of a route for `at` is given."""
        arrival = at + self.document.parameters.link_latency
        return self.epochs.end(max(self.epochs.at(arrival), self.document.epoch))

    def _to_mailbox(
        self, rng: random.Random, entry: bytes, destination: Destination, last: Command, at: float
    ) -> Route:
        path = self._sample(rng, entry, destination.provider)
        mailbox = Command(Kind.DELIVER_MAILBOX, destination.mailbox)
        return self._finish(rng, path, (mailbox,), (Hop(destination.sphinx_public, last),), at)

    def _sample(self, rng: random.Random, entry: bytes, exit: bytes) -> tuple[Node, ...]:  # noqa: A002
        known = {provider.identity for provider in self.document.providers}
        if entry not in known or exit not in known:
            raise UnknownProvider
        return sample_route(self.document, rng, entry, exit)

    def _finish(
        self, rng: random.Random, path: Sequence[Node], at_exit: tuple[Command], beyond: tuple[Hop, ...], at: float
    ) -> Route:
        delays = sample_delays(rng, self.document.parameters.mean_delay, len(path) - 1)
        keys = hop_keys(self.document, self.epochs, path, delays, at)
        onward = [
            Command(Kind.FORWARD, following.identity, microseconds(delay))
            for following, delay in zip(path[1:], delays, strict=True)
        ]
        hops = tuple(Hop(key, command) for key, command in zip(keys, [*onward, *at_exit], strict=True))
        return Route(hops + beyond, sum(delays))
