"""The documents that one reader was shown, and whether they contradict each other (spec/05-directory.md 5.10).

Pure. Promises: of two documents for one epoch that enough authorities signed, the reader keeps the first; the two
together prove what happened, and are offered as evidence. The same holds for a document that continues another one than
the reader was shown: every document names the one before it, so whoever was shown a document of his own learns of it
from the next. Bounded: two epochs and a few proofs are remembered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mixnet.errors import RemoteError
from mixnet.pki.bootstrap import Trusted
from mixnet.pki.document import Document, parse_untrusted, verify_untrusted

MOST_EVIDENCE = 4  # proofs that are kept: one is enough
_NONE = bytes(32)
_REMEMBERED = 2  # epochs


class Contradiction(NamedTuple):
    """Two signed documents that no honest majority signs both; `epoch` is that of the second."""

    epoch: int
    first: bytes
    second: bytes


class _Shown(NamedTuple):
    digest: bytes
    previous: bytes
    raw: bytes


class Views:
    """The documents that one reader was shown, newest epochs only."""

    def __init__(self, trust: Trusted, kept: Iterable[Contradiction] = ()) -> None:
        """`kept`: evidence from earlier runs; what is damaged, or not of this network, is left out."""
        self._trust = trust
        self._shown: dict[int, _Shown] = {}
        self.evidence: list[Contradiction] = []
        for contradiction in kept:
            if _signed_both(contradiction, trust):
                self.accuse(contradiction)

    def fits(self, document: Document, raw: bytes) -> bool:
        """Whether the reader may go by a verified document: False if it was shown another one for that epoch before.

        One that fits is remembered; a contradiction with what was shown before is kept as evidence.
        """
        first = self._shown.get(document.epoch)
        if first is not None and first.digest != document.digest:
            self.accuse(Contradiction(document.epoch, first.raw, raw))
            return False
        before = self._shown.get(document.epoch - 1)
        # Late and regular rounds may overlap, so two documents in a row may continue the same one.
        if before is not None and document.previous not in (_NONE, before.digest, before.previous):
            self.accuse(Contradiction(document.epoch, before.raw, raw))
        self._shown.setdefault(document.epoch, _Shown(document.digest, document.previous, raw))
        for epoch in sorted(self._shown)[:-_REMEMBERED]:
            del self._shown[epoch]
        return True

    def contradicted_untrusted(self, raw: bytes) -> bool:
        """Whether `raw`, refused for its time or epoch, is another document for an epoch that was shown before."""
        try:
            document = timeless_untrusted(raw, self._trust)
        except RemoteError:
            return False
        return document.epoch in self._shown and not self.fits(document, raw)

    def accuse(self, contradiction: Contradiction) -> None:
        """Keep a contradiction as evidence, unless there is enough."""
        if contradiction not in self.evidence and len(self.evidence) < MOST_EVIDENCE:
            self.evidence.append(contradiction)


def _signed_both(contradiction: Contradiction, trust: Trusted) -> bool:
    """Whether these are two documents of this network; how they contradict each other was judged when they came."""
    try:
        first, second = (timeless_untrusted(raw, trust) for raw in (contradiction.first, contradiction.second))
    except RemoteError:
        return False
    return first.digest != second.digest


def timeless_untrusted(raw: bytes, trust: Trusted) -> Document:
    """The document in `raw` if it could be relied on in its own time; raises what `verify_untrusted` does."""
    return verify_untrusted(raw, trust, parse_untrusted(raw)[0].valid_from)
