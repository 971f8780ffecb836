"""Makes Sphinx packets of all kinds: payload, acknowledgement, loop, drop (spec/04-mixing.md 4.5).

Promises: a packet is made whole, with routes drawn from a stream that belongs to its kind, so that what a user sends
never changes which routes the cover takes. Never: a slot, a socket or a wait.
"""

from __future__ import annotations

import os

from mixnet.client.arq.fragments import PlaintextKind, ReplyBlock
from mixnet.client.core.outgoing import Outgoing, OutgoingFragment
from mixnet.client.model.destination import Destination
from mixnet.client.traffic.provider_queries import OutgoingQuestion
from mixnet.client.traffic.routes import Map, Route
from mixnet.client.traffic.schedule import Prepared
from mixnet.client.traffic.surb_table import Awaited, ReplyTable
from mixnet.link.frames import Frame, FrameKind
from mixnet.randomness import Source
from mixnet.sphinx import Engine
from mixnet.sphinx.route import SEED_SIZE, SURB_SEED_SIZE

LOOP_ID_SIZE = 16
SURB_ID_SIZE = 32
_KINDS = ("loop", "cover", "drop", "message", "reply", "question", "answer")


class Packer:
    """Makes packets that leave through our provider. Times: `at` in wall seconds, `made` in Trio's."""

    def __init__(self, engine: Engine, home: Destination, replies: ReplyTable, network: Map, rng: Source) -> None:
        """`network` may be replaced when a newer document arrives."""
        self.network, self._engine, self._home, self._replies = network, engine, home, replies
        self._routes = {kind: rng.stream("routes", kind) for kind in _KINDS}

    def loop(self, at: float, made: float) -> Prepared:
        """A packet that comes back to us."""
        loop = os.urandom(LOOP_ID_SIZE)
        route = self.network.deliver(self._routes["loop"], self._home.provider, self._home, at)
        packet = self._create(route, bytes([PlaintextKind.LOOP]) + loop)
        return Prepared(packet, made, drawn_delay=route.drawn_delay, loop=loop)

    def drop(self, at: float, made: float) -> Prepared:
        """Cover for the drop schedule."""
        return self._dropped("drop", at, made)

    def cover(self, at: float, made: float) -> Prepared:
        """Cover for a payload slot that nobody needs: a drop too."""
        return self._dropped("cover", at, made)

    def _dropped(self, kind: str, at: float, made: float) -> Prepared:
        route = self.network.drop(self._routes[kind], self._home.provider, at)
        return Prepared(self._create(route, b""), made, drawn_delay=route.drawn_delay)

    def message(self, outgoing: Outgoing, at: float, made: float) -> Prepared:
        """What the messenger wants sent; raises Unavailable if the way to its recipient is not known now."""
        if isinstance(outgoing, OutgoingFragment):
            return self._fragment(outgoing, at, made)
        packet = self._engine.use_surb(outgoing.surb, outgoing.message)
        return Prepared(Frame(FrameKind.PACKET, packet), made, outgoing)

    def question(self, asked: OutgoingQuestion, at: float, made: float) -> tuple[Prepared, bytes]:
        """A question to a provider, and the identifier of its reply block; Unavailable if there is no way to it now."""
        route = self.network.ask(self._routes["question"], self._home.provider, asked.provider, at)
        surb_id = os.urandom(SURB_ID_SIZE)
        used_at = at + self.network.document.parameters.path_delay
        back = self.network.reply(self._routes["answer"], asked.provider, self._home, surb_id, used_at)
        surb, keys = self._engine.create_surb(asked.provider, back.hops, seed=os.urandom(SURB_SEED_SIZE))
        self._replies.add(surb_id, Awaited(keys, None), at)
        packet = self._create(route, asked.question.encode(surb.serialize()))
        return Prepared(packet, made, drawn_delay=route.drawn_delay, question=asked), surb_id

    def _fragment(self, outgoing: OutgoingFragment, at: float, made: float) -> Prepared:
        destination = outgoing.destination
        route = self.network.deliver(self._routes["message"], self._home.provider, destination, at)
        block = self._reply_block(outgoing, at) if outgoing.wants_surb else None
        packet = self._create(route, outgoing.encode(block))
        return Prepared(packet, made, outgoing, route.drawn_delay)

    def _reply_block(self, outgoing: OutgoingFragment, at: float) -> ReplyBlock:
        """A block for the replier at the fragment's destination, used about one path's delay after `at`.

        It may be used until its first key's epoch ends: each later hop's key is of that epoch or a later one, and the
        grace after it is for the packet's way and for clocks that differ.
        """
        surb_id, entry = os.urandom(SURB_ID_SIZE), outgoing.destination.provider
        parameters = self.network.document.parameters
        used_at = at + parameters.path_delay + parameters.ack_delay
        route = self.network.reply(self._routes["reply"], entry, self._home, surb_id, used_at)
        surb, keys = self._engine.create_surb(entry, route.hops, seed=os.urandom(SURB_SEED_SIZE))
        self._replies.add(surb_id, Awaited(keys, outgoing.key[0]), at)
        return ReplyBlock(surb.serialize(), int(self.network.usable_until(used_at)))

    def _create(self, route: Route, message: bytes) -> Frame:
        return Frame(FrameKind.PACKET, self._engine.create(route.hops, message, seed=os.urandom(SEED_SIZE)))
