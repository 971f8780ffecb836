"""The documents that an authority gives out (spec/05-directory.md 5.9).

Promises: only documents that enough authorities signed get in; what got in survives a restart; of one document the
copy with the most signatures is kept. Whom a document introduces as authorities is learned before it counts.
"""

from __future__ import annotations

from collections.abc import Callable

from mixnet.directory.consensus import NO_DOCUMENT
from mixnet.directory.ledger import Ledger
from mixnet.errors import RemoteError
from mixnet.pki.bootstrap import Trusted
from mixnet.pki.document import Document, parse_untrusted
from mixnet.pki.views import timeless_untrusted


class DocumentArchive:
    """Signed documents by epoch."""

    def __init__(
        self, trust: Trusted, ledger: Ledger, learn: Callable[[Document, bytes], object] = lambda _document, _raw: None
    ) -> None:
        """Begin with what the ledger remembers; `learn` hears of every document that gets in."""
        self._trust = trust
        self._ledger = ledger
        self._learn = learn
        self._held: dict[int, tuple[Document, bytes]] = {}
        for raw in ledger.documents().values():
            self._recall(raw)

    def __contains__(self, epoch: int) -> bool:
        return epoch in self._held

    def adopt(self, document: Document, raw: bytes) -> bool:
        """Keep a verified document and its signed bytes; False if nothing new came with it."""
        held = self._held.get(document.epoch)
        if held is not None and (held[0] != document or self.signatures(document.epoch) >= _signatures(raw)):
            return False
        self._learn(document, raw)
        self._ledger.keep_document(document.epoch, raw)
        self._held[document.epoch] = (document, raw)
        return True

    def raw(self, epoch: int) -> bytes | None:
        """The signed bytes of the document for `epoch`."""
        held = self._held.get(epoch)
        return None if held is None else held[1]

    def document(self, epoch: int) -> Document | None:
        """The document for `epoch`."""
        held = self._held.get(epoch)
        return None if held is None else held[0]

    def newest(self, epoch: int) -> int | None:
        """The last epoch up to `epoch` that has a document."""
        return max((held for held in self._held if held <= epoch), default=None)

    def signatures(self, epoch: int) -> int:
        """How many authorities signed the document for `epoch`."""
        raw = self.raw(epoch)
        return 0 if raw is None else _signatures(raw)

    def before(self, epoch: int) -> dict[bytes, Document]:
        """The documents of earlier epochs by digest: those that the one for `epoch` may continue."""
        return {document.digest: document for held, (document, _) in self._held.items() if held < epoch}

    def digest_before(self, epoch: int) -> bytes:
        """The digest of the newest document of an earlier epoch, or `NO_DOCUMENT`."""
        newest = self.newest(epoch - 1)
        return NO_DOCUMENT if newest is None else self._held[newest][0].digest

    def _recall(self, raw: bytes) -> None:
        try:
            document = timeless_untrusted(raw, self._trust)
        except RemoteError:
            return  # of another network that used this folder before, or of an older format
        self._learn(document, raw)
        self._held[document.epoch] = (document, raw)


def _signatures(raw: bytes) -> int:
    return len(parse_untrusted(raw)[1])
