"""Sets of authorities that succeed one another, for towns whose documents are made by hand."""

from __future__ import annotations

import msgspec

from mixnet.crypto import SigningKey
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap, Successor
from mixnet.pki.document import Document
from tests.mixnet.pki.builders import key


class Lineage:
    """Whose documents are whose: at first those of `root`, with these keys."""

    def __init__(self, root: Bootstrap, *keys: SigningKey) -> None:
        self.sets = [root]
        self._keys = {one.public: one for one in keys}
        self._announced: list[int] = []

    def succeed(self, first_epoch: int, *, announced: int, count: int = 1, name: str = "successor") -> Bootstrap:
        """Let `count` others take over in `first_epoch`; the documents from epoch `announced` on introduce them."""
        generation = len(self.sets)
        keys = [key(f"{name} {generation}.{number}") for number in range(count)]
        infos = [AuthorityInfo(one.public, f"10.0.9.{10 * generation + n}:7000") for n, one in enumerate(keys, 1)]
        successor = Successor(first_epoch, tuple(sorted(infos, key=lambda one: one.identity)))
        self.sets.append(self.sets[-1].succeeded_by(successor))
        self._announced.append(announced)
        self._keys |= {one.public: one for one in keys}
        return self.sets[-1]

    def at(self, epoch: int) -> Bootstrap:
        return [one for one in self.sets if one.first_epoch <= epoch][-1]

    def successor(self, epoch: int) -> Successor | None:
        """Whom the document for `epoch` introduces."""
        following = self.sets[self.sets.index(self.at(epoch)) + 1 :]
        announced = zip(following, self._announced[len(self.sets) - 1 - len(following) :], strict=True)
        return next((one.successor for one, since in announced if since <= epoch), None)

    def introduces(self, first_epoch: int) -> int | None:
        """The epoch of the document to give to whoever asks who came after those of `first_epoch`."""
        known = [one.first_epoch for one in self.sets]
        after = known.index(first_epoch) if first_epoch in known else len(self._announced)
        return self._announced[after] if after < len(self._announced) else None

    def identity(self, info: AuthorityInfo) -> SigningKey:
        return self._keys[info.identity]

    def sign(self, document: Document, by: Bootstrap | None = None) -> bytes:
        """What those that make the document for its epoch publish; `by` others, that say it were theirs to make."""
        makers = by or self.at(document.epoch)
        successor = self.successor(document.epoch) if by is None else document.successor
        made = msgspec.structs.replace(document, authorities=makers.identities, successor=successor)
        signers = (self._keys[identity] for identity in makers.identities)
        return made.encode({one.public: made.signature(one) for one in signers})
