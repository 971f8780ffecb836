"""Which authorities a reader trusts, as one set of them replaces another (spec/05-directory.md 5.12).

Pure. Promises: a set of authorities is believed only if enough of the set before it signed the document that introduces
it, and the first introduction counts. From its first epoch on nobody but the new set makes documents: what the old
one's keys sign for later epochs, stolen or not, is refused. Bounded: a network has a limited number of successions.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from mixnet.clock import Epochs
from mixnet.errors import RemoteError
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.document import Document
from mixnet.pki.errors import RolledBack
from mixnet.pki.views import timeless_untrusted
from mixnet.reach import Reach

MOST_SUCCESSIONS = 64


class NoIntroduction(RemoteError):
    """The directory document introduces no other authorities: do not trust the server that gave it."""


class Trust:
    """The sets of authorities that one reader knows, oldest first; it begins with those of a bootstrap file."""

    def __init__(self, root: Bootstrap, introductions: Iterable[bytes] = ()) -> None:
        """`introductions`: the documents from which an earlier run learned of later sets, verified here again."""
        self._sets = [root]
        self.introductions: list[bytes] = []
        for raw in introductions:
            with suppress(RemoteError):  # of another network that used this folder before
                self.follow_untrusted(raw)

    @property
    def network_id(self) -> bytes:
        """32 bytes that name the network, whoever its authorities are."""
        return self._sets[0].network_id

    @property
    def epochs(self) -> Epochs:
        """The network's division of time."""
        return self._sets[0].epochs

    @property
    def epoch_length(self) -> float:
        """Seconds."""
        return self._sets[0].epoch_length

    @property
    def reach(self) -> Reach:
        """From where the network's nodes can be reached, as the bootstrap file shows: later sets can't widen it."""
        return self._sets[0].reach

    @property
    def sets(self) -> tuple[Bootstrap, ...]:
        """All of them, oldest first."""
        return tuple(self._sets)

    @property
    def newest(self) -> Bootstrap:
        """The last set that was introduced, which may not have taken over yet."""
        return self._sets[-1]

    def at(self, epoch: int, /) -> Bootstrap:
        """The authorities that sign the document for `epoch`."""
        return next((one for one in reversed(self._sets) if one.first_epoch <= epoch), self._sets[0])

    def introduction(self, first_epoch: int) -> bytes | None:
        """The document that introduces the set after the one that took over in `first_epoch`."""
        followed = zip(self._sets, self.introductions, strict=False)
        return next((raw for one, raw in followed if one.first_epoch == first_epoch), None)

    def rests_on(self, epoch: int) -> int:
        """On how many introductions, of the first ones, it rests whom this trusts for `epoch`."""
        return self._sets.index(self.at(epoch))

    def contradicted(self, document: Document) -> bytes | None:
        """The introduction that `document`, verified against this, contradicts: both were signed by the same set."""
        place = self.rests_on(document.epoch)
        if document.successor is None or place == len(self.introductions):
            return None
        known = self._sets[place + 1]
        return None if document.successor == known.successor else self.introductions[place]

    def follow(self, document: Document, raw: bytes) -> bool:
        """Learn from a document, verified against this, of the authorities that it introduces; False if of none new."""
        if document.successor is None or self.at(document.epoch) is not self.newest:
            return False
        if len(self.introductions) >= MOST_SUCCESSIONS:
            return False
        self._sets.append(self.newest.succeeded_by(document.successor))
        self.introductions.append(raw)
        return True

    def follow_untrusted(self, raw: bytes, newest_epoch: int = -1) -> bool:
        """The same for a document of any time, which somebody gave as an introduction.

        `newest_epoch` is that of the newest document accepted before: authorities can't be replaced in its past. Raises
        what `verify_untrusted` does, and NoIntroduction.
        """
        document = timeless_untrusted(raw, self)
        if document.successor is None:
            raise NoIntroduction
        if document.successor.first_epoch <= newest_epoch:
            raise RolledBack
        return self.follow(document, raw)
