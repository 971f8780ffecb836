"""The tables of signed messages and receipts, and the profile's own signatures.

Promises: what is stored of a message's signatures goes with the message; a receipt is stored only if it verifies, and
the first of a kind stays. The identity that signs is the one that agrees on sessions: X3DH makes it sign prekeys, of 33
bytes that begin with 0 or 1, and a label here begins with neither, so no signature of one kind is one of another.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from mixnet.client.e2e.bodies import End, Receipt, SignedEnd, SignedText, WireId
from mixnet.client.e2e.statements import Origin, ReceiptKind, file_digest, sign_receipt, text_digest
from mixnet.client.model.views import MessageKind, ReceiptState
from mixnet.client.storage.database import Store
from mixnet.client.storage.receipts import DEFAULT_RULE, ReceiptEvent, Rule, after
from mixnet.crypto import SigningKey, SymmetricKey

_RULE = "receipts"


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed message: the statement of its origin, the sender's signature, a file's chain (b"" for a text)."""

    origin: Origin
    signature: bytes
    chain: bytes
    receipt: ReceiptState


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt that verified: `time` in whole seconds, by the clock of the message's receiver."""

    kind: ReceiptKind
    time: int
    signature: bytes


class SignatureTable:
    """The signatures of one profile."""

    def __init__(self, store: Store, identity: SymmetricKey, network_id: bytes) -> None:
        """Sign as `identity` (its seed), on one network."""
        self._store = store
        self._key = SigningKey(identity.expose())
        self._network_id = network_id

    # messages of ours

    def sign_text(self, message: int, wire: WireId, receiver: bytes, text: str, now: float) -> SignedText:
        """Sign a text to the identity `receiver`, who knows it by `wire`, and keep the statement."""
        origin = self._state(wire, receiver, MessageKind.TEXT, (len(text.encode()), text_digest(text)), now)
        signature = origin.sign(self._key)
        self.keep(message, origin, signature, b"", ReceiptState.AWAITED)
        self._to_submit(message)
        return SignedText(wire, text, origin.time, signature)

    def promise(self, message: int) -> None:
        """A file is to be signed once it was read to its end."""
        self._store.run("INSERT INTO signed (message, receipt) VALUES (?, ?)", message, ReceiptState.AWAITED.value)
        self._to_submit(message)

    def end(self, message: int, end: End, receiver: bytes, file: tuple[str, int], now: float) -> End | SignedEnd:
        """The end of a file (its name, its size) of ours: signed, if that was promised."""
        if not self._store.has("SELECT 1 FROM signed WHERE message = ?", message):
            return end
        name, size = file
        origin = self._state(end.id, receiver, MessageKind.FILE, (size, file_digest(name, end.digest)), now)
        signature = origin.sign(self._key)
        self.keep(message, origin, signature, end.digest, ReceiptState.AWAITED)
        return SignedEnd(end.id, end.digest, origin.time, signature)

    def _to_submit(self, message: int) -> None:
        """Let a witness be found for it; what the witness sees is sealed by 32 random bytes."""
        self._store.run("INSERT INTO submissions (message, salt) VALUES (?, ?)", message, os.urandom(32))

    def _state(
        self, wire: WireId, receiver: bytes, kind: MessageKind, content: tuple[int, bytes], now: float
    ) -> Origin:
        sender, time = self._key.public, max(0, int(now))
        return Origin(self._network_id, sender, receiver, wire, time, kind.value, *content)

    def step(self, message: int, event: ReceiptEvent) -> bool:
        """Let `event` happen to the receipts of a message of ours; whether that changes anything."""
        before = self._store.value(ReceiptState, "SELECT receipt FROM signed WHERE message = ?", message)
        if before is None:
            return False
        state = after(before, event)
        self.decide(message, state)
        return state is not before

    # messages of either direction

    def keep(self, message: int, origin: Origin, signature: bytes, chain: bytes, receipt: ReceiptState) -> None:
        """Store a message's statement; a promise is kept by that."""
        query = (
            "INSERT INTO signed VALUES (?, ?, ?, ?, ?) ON CONFLICT (message) DO UPDATE SET"
            " statement = excluded.statement, signature = excluded.signature, chain = excluded.chain"
        )
        self._store.run(query, message, origin.encode(), signature, chain, receipt.value)

    def forget(self, message: int) -> None:
        """Nothing of a message is signed after all."""
        self._store.run("DELETE FROM signed WHERE message = ?", message)

    def signed(self, message: int) -> Signed | None:
        """What is signed of a message, or None if it is not, or not yet."""
        query = "SELECT statement, signature, chain, receipt FROM signed WHERE message = ? AND statement IS NOT NULL"
        row = self._store.one(query, message)
        if row is None:
            return None
        return Signed(Origin.decode_untrusted(bytes(row[0])), bytes(row[1]), bytes(row[2]), ReceiptState(row[3]))

    def decide(self, message: int, state: ReceiptState) -> None:
        """Record what there is of receipts now."""
        self._store.run("UPDATE signed SET receipt = ? WHERE message = ?", state.value, message)

    def receipts(self, message: int) -> list[StoredReceipt]:
        """The receipts for a message, that of delivery first."""
        rows = self._store.all("SELECT event, time, signature FROM receipts WHERE message = ? ORDER BY event", message)
        return [StoredReceipt(ReceiptKind(event), time, bytes(signature)) for event, time, signature in rows]

    def add(self, message: int, receipt: StoredReceipt) -> None:
        """Store a receipt that verified, unless there is one."""
        query = "INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?)"
        self._store.run(query, message, receipt.kind.value, receipt.time, receipt.signature)

    # messages that came

    def give(self, message: int, kind: ReceiptKind, origin: Origin, time: float) -> Receipt:
        """Our receipt, to be sent: the one that there is, or one for `time`, signed now."""
        given = next((one for one in self.receipts(message) if one.kind is kind), None)
        if given is None:
            seconds = max(0, int(time))
            given = StoredReceipt(kind, seconds, sign_receipt(self._key, kind, origin, seconds))
            self.add(message, given)
        return Receipt(WireId(origin.number), kind, given.time, given.signature)

    def rule(self, contact: int | None) -> Rule:
        """What holds for a contact, or (None) where nothing else was said."""
        said = self._store.value(Rule, "SELECT rule FROM consents WHERE contact = ?", contact)
        if said is not None:
            return said
        raw = self._store.setting(_RULE)
        return DEFAULT_RULE if raw is None else Rule(raw.decode())

    def set_rule(self, contact: int | None, rule: Rule) -> None:
        """Say what holds from now on, for a contact or (None) for all of whom nothing else was said."""
        if contact is None:
            self._store.set_setting(_RULE, rule.value.encode())
        else:
            self._store.run("INSERT OR REPLACE INTO consents VALUES (?, ?)", contact, rule.value)
