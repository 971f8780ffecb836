"""Makes the reply blocks of anonymous conversations, whose keys are in the store and outlive this process.

Promises: a block is for one epoch, so that every hop has the key that is in use when it is used; routes are drawn from
a stream that nothing else touches, so what a user sends never changes which routes the cover takes. It is used by one
thread at a time. Never: memory of a block: its keys are for the store.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from mixnet.client.arq.fragments import ReplyBlock
from mixnet.client.model.destination import Destination
from mixnet.client.storage.reply_blocks import OwnSurb, end_of
from mixnet.client.traffic.routes import Map
from mixnet.clock import Epochs
from mixnet.pki.descriptor import KEY_EPOCHS
from mixnet.sphinx import Engine, SurbKeys
from mixnet.sphinx.route import SURB_SEED_SIZE

_ID_SIZE = 32


class SurbFactory:
    """Makes reply blocks that lead to `home`; see `SurbMaker`."""

    def __init__(self, engine: Engine, home: Destination, network: Callable[[], Map], stream: random.Random) -> None:
        """`network()` is the newest map; `stream` draws routes and delays."""
        self._engine, self._home, self._network, self._stream = engine, home, network, stream

    @property
    def epochs(self) -> Epochs:
        """See `SurbMaker`."""
        return self._network().epochs

    def open_epochs(self, now: float) -> list[int]:
        """See `SurbMaker`."""
        network = self._network()
        first = network.document.epoch
        return [epoch for epoch in range(first, first + KEY_EPOCHS) if network.epochs.end(epoch) > now]

    def make(self, entry: bytes, epoch: int) -> OwnSurb:
        """See `SurbMaker`. The keys are those of `epoch` throughout: whoever uses it late is within the grace."""
        network = self._network()
        surb_id = os.urandom(_ID_SIZE)
        # Each hop's key is chosen for the time at which the packet gets there: well before the end, all are of `epoch`.
        used_at = network.epochs.start(epoch) + network.epochs.length / 4
        route = network.reply(self._stream, entry, self._home, surb_id, used_at)
        surb, keys = self._engine.create_surb(entry, route.hops, seed=os.urandom(SURB_SEED_SIZE))
        return OwnSurb(ReplyBlock(surb.serialize(), end_of(network.epochs, epoch)), surb_id, keys)

    def open_untrusted(self, keys: SurbKeys, body: bytes) -> bytes:
        """See `SurbMaker`."""
        return self._engine.open_reply_untrusted(keys, body)
