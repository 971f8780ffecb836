"""Who belongs to the network, as far as this node knows (spec/04-mixing.md 4.3).

Promises: a node of the current document or of the one before it is known, so that packets under way across an epoch's
end arrive; anybody else isn't. Whoever waits for the next document is woken by it.
"""

from __future__ import annotations

from collections.abc import Callable

from mixnet.errors import Unavailable
from mixnet.network import Address, origin
from mixnet.pki.document import Document, Node
from mixnet.pki.parameters import Parameters
from mixnet.pki.waiting import Broadcast


class Members:
    """The directory document in use and the one before it."""

    def __init__(self, own: bytes, raw: Callable[[int], bytes | None]) -> None:
        """`own` is this node's identity; `raw` gives an epoch's (or the newest) document, signed, if it is at hand."""
        self._own = own
        self._raw = raw
        self._current: Document | None = None
        self._previous: Document | None = None
        self._origins: frozenset[str] = frozenset()
        self._next = Broadcast()

    def update(self, document: Document) -> None:
        """Go by `document` from now on."""
        if self._current is not None and self._current.epoch != document.epoch:
            self._previous = self._current
        self._current = document
        listed = (one for one in (self._current, self._previous) if one is not None)
        self._origins = frozenset(origin(Address.parse(node.address).host) for one in listed for node in one.nodes)
        self._next.wake()

    @property
    def ready(self) -> bool:
        """Whether there is a document."""
        return self._current is not None

    @property
    def document(self) -> Document:
        """The current document; Unavailable before the first one."""
        if self._current is None:
            raise Unavailable("there is no directory document yet")
        return self._current

    def raw(self, epoch: int) -> bytes | None:
        """The signed document for `epoch`, or the current one for `NEWEST`; None if this node doesn't hold it."""
        return self._raw(epoch)

    @property
    def parameters(self) -> Parameters:
        """The parameters of the network; the defaults before the first document."""
        return Parameters() if self._current is None else self._current.parameters

    def other(self, identity: bytes) -> Node | None:
        """Another node, by its 32-byte identity, as the newest document that lists it has it."""
        if identity == self._own:
            return None
        for document in (self._current, self._previous):
            if document is not None and (node := document.node(identity)) is not None:
                return node
        return None

    def at(self, where: str) -> bool:
        """Whether a node is expected at an origin (`mixnet.network.origin`)."""
        return where in self._origins

    async def wait_for_next(self) -> None:
        """Return when the next document is here."""
        await self._next.wait()
