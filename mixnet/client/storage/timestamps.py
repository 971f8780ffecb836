"""The table of timestamps: which signed messages still need one, and what witnesses answered.

Promises: a message's timestamp goes with the message, and a directory document with the last timestamp that needs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mixnet.client.e2e.timestamp import Consensus, Timestamp, commitment
from mixnet.client.storage.database import Store
from mixnet.client.storage.signatures import SignatureTable
from mixnet.crypto import Label, digest
from mixnet.pki.canonical import decode_untrusted
from mixnet.timestamp import TimestampToken

CONSENSUS_LIMIT = 12 << 20  # bytes of a document and introductions that are kept for proofs
_OPEN = """
FROM submissions s JOIN signed g ON g.message = s.message JOIN messages m ON m.id = s.message
WHERE s.witness IS NULL AND m.state <> 'failed' AND g.statement IS {} NULL
"""
_PENDING = f"SELECT s.message, s.salt {_OPEN.format('NOT')} AND s.message > ? ORDER BY s.message LIMIT 1"
_PROMISED = f"SELECT 1 {_OPEN.format('')} LIMIT 1"


@dataclass(frozen=True, slots=True)
class Pending:
    """A signed message that has no timestamp yet."""

    message: int
    commitment: bytes = field(repr=False)


class TimestampTable:
    """The timestamps of one profile's messages."""

    def __init__(self, store: Store, signatures: SignatureTable) -> None:
        self._store, self._signatures = store, signatures

    def next(self, after: int = 0) -> Pending | None:
        """The first message above `after` that needs a witness."""
        row = self._store.one(_PENDING, after)
        signed = None if row is None else self._signatures.signed(row[0])
        if row is None or signed is None:
            return None
        return Pending(row[0], commitment(signed.origin, signed.signature, bytes(row[1])))

    def promised(self) -> bool:
        """Whether there are files that will be signed, and need a witness then."""
        return self._store.has(_PROMISED)

    def keep(self, message: int, witness: bytes, token: TimestampToken, consensus: Consensus) -> None:
        """Store what a witness said, after it was checked, and the document that lists the witness."""
        raw = consensus.encode()
        name = digest(Label.SUBMISSION, b"consensus", raw)
        with self._store.transaction():
            if not self._store.has("SELECT 1 FROM submissions WHERE message = ?", message):
                return  # deleted meanwhile
            self._store.run("INSERT OR IGNORE INTO consensuses VALUES (?, ?)", name, raw)
            query = "UPDATE submissions SET witness = ?, time = ?, signature = ?, consensus = ? WHERE message = ?"
            self._store.run(query, witness, token.time, token.signature, name, message)

    def of(self, message: int) -> Timestamp | None:
        """What was witnessed of a message, if anything was."""
        row = self._store.one(
            "SELECT s.witness, s.time, s.signature, s.salt, c.content FROM submissions s"
            " JOIN consensuses c ON c.name = s.consensus WHERE s.message = ?",
            message,
        )
        if row is None:
            return None
        consensus = decode_untrusted(bytes(row[4]), Consensus, limit=CONSENSUS_LIMIT)
        return Timestamp(bytes(row[0]), row[1], bytes(row[2]), bytes(row[3]), consensus)


def small_enough(consensus: Consensus) -> bool:
    """Whether it can be kept and exported."""
    return sum(map(len, (*consensus.introductions, consensus.document))) < CONSENSUS_LIMIT - (1 << 16)
