"""The bytes between a node and a worker process that peels for it (spec/04-mixing.md 4.7). Pure.

Promises: each order says by its first five bytes how many follow; each packet is answered by a record of one size, so
whoever asked knows how many bytes the answer has. What was encoded is decoded to the same, delays bit by bit. Bytes
that nobody encodes are a LocalError: both ends are our own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from mixnet.crypto import KEY_SIZE, MAC_SIZE, SphinxSecret
from mixnet.errors import LocalError
from mixnet.sphinx import GEOMETRY, Deliver, Drop, Forward, Kind, Mailbox, Peeled, Reply

MOST = 32  # packets of an order
TRIES = 3  # keys that a packet may be for at one time
SLOTS = 255  # keys that a worker has at one time
READY = b"\x01"  # what a worker says once, when it can begin
_NONE = 255  # no slot; among answers: refused
_HEAD = struct.Struct(f">BB{TRIES}s")
_RECORD = struct.Struct(f">BB{GEOMETRY.target_size}s{MAC_SIZE}sdH")
_NOBODY = bytes(GEOMETRY.target_size)
_REFUSED = _RECORD.pack(_NONE, 0, _NOBODY, bytes(MAC_SIZE), 0.0, 0) + bytes(GEOMETRY.packet_size)
HEAD_SIZE = _HEAD.size
RECORD_SIZE = len(_REFUSED)

Outcome = tuple[int, Peeled] | None  # which of the keys fitted, and what it showed; None: none did


class WorkerOrder(IntEnum):
    """What a worker is told to do."""

    LEARN = 0  # a key, for a slot
    FORGET = 1  # the key in a slot
    PEEL = 2  # packets, with the keys in some slots


class Head(NamedTuple):
    """The beginning of an order: `number` is a slot, or the number of packets to be tried with those in `slots`."""

    order: WorkerOrder
    number: int
    slots: tuple[int, ...]

    @property
    def following(self) -> int:
        """The number of bytes that belong to the order and follow."""
        sizes = {
            WorkerOrder.LEARN: KEY_SIZE,
            WorkerOrder.FORGET: 0,
            WorkerOrder.PEEL: self.number * GEOMETRY.packet_size,
        }
        return sizes[self.order]


def learn(slot: int, secret: SphinxSecret) -> bytes:
    """The order to keep `secret` in `slot` (0 to 254)."""
    return _head(WorkerOrder.LEARN, slot) + secret.expose()


def forget(slot: int) -> bytes:
    """The order to forget what is in `slot`."""
    return _head(WorkerOrder.FORGET, slot)


def peel(slots: Sequence[int], packets: Sequence[bytes]) -> bytes:
    """The order to try 1 to 32 packets of 3,072 bytes with 1 to 3 slots, in this order. LocalError for others."""
    if not 1 <= len(slots) <= TRIES or not 1 <= len(packets) <= MOST:
        raise LocalError(f"a worker peels 1 to {MOST} packets with 1 to {TRIES} keys at a time")
    order = b"".join((_head(WorkerOrder.PEEL, len(packets), bytes(slots)), *packets))
    if len(order) != HEAD_SIZE + len(packets) * GEOMETRY.packet_size:
        raise LocalError("a packet of the wrong size")
    return order


def read_head(raw: bytes) -> Head:
    """The beginning of an order in 5 bytes; LocalError if it is none."""
    try:
        kind, number, padded = _HEAD.unpack(raw)
        head = Head(WorkerOrder(kind), number, tuple(padded.rstrip(bytes([_NONE]))))
    except (struct.error, ValueError):
        raise LocalError("no order for a worker") from None
    peels = head.order is WorkerOrder.PEEL
    if bool(head.slots) != peels or _NONE in head.slots or (not 1 <= number <= MOST if peels else number >= SLOTS):
        raise LocalError("no order for a worker")
    return head


def encode(outcome: Outcome) -> bytes:
    """The record of what became of one packet."""
    if outcome is None:
        return _REFUSED
    index, peeled = outcome
    kind, target, delay, body = _fields(peeled)
    return _RECORD.pack(kind, index, target, peeled.tag, delay, len(body)) + body.ljust(GEOMETRY.packet_size, b"\0")


def decode(record: bytes) -> Outcome:
    """What became of one packet; LocalError for bytes that are no record."""
    if len(record) != RECORD_SIZE:
        raise LocalError("an answer of the wrong size")
    kind, index, target, tag, delay, size = _RECORD.unpack_from(record)
    if kind == _NONE:
        return None
    if index >= TRIES or size > GEOMETRY.packet_size:
        raise LocalError("an answer that can't be")
    body = record[_RECORD.size : _RECORD.size + size]
    match kind:
        case Kind.FORWARD if size == GEOMETRY.packet_size and delay >= 0:
            return index, Forward(target, delay, body, tag)
        case Kind.DELIVER_MAILBOX if size == GEOMETRY.packet_size:
            return index, Mailbox(target, body, tag)
        case Kind.DELIVER:
            return index, Deliver(body, tag)
        case Kind.REPLY:
            return index, Reply(target, body, tag)
        case Kind.DROP:
            return index, Drop(tag)
    raise LocalError("an answer that can't be")


def _head(order: WorkerOrder, number: int, slots: bytes = b"") -> bytes:
    return _HEAD.pack(order, number, slots.ljust(TRIES, bytes([_NONE])))


def _fields(peeled: Peeled) -> tuple[Kind, bytes, float, bytes]:
    """(kind, target, delay, body)."""
    match peeled:
        case Forward(next_hop, delay, packet):
            return Kind.FORWARD, next_hop, delay, packet
        case Mailbox(mailbox, packet):
            return Kind.DELIVER_MAILBOX, mailbox, 0.0, packet
        case Deliver(message):
            return Kind.DELIVER, _NOBODY, 0.0, message
        case Reply(surb_id, body):
            return Kind.REPLY, surb_id, 0.0, body
        case Drop():
            return Kind.DROP, _NOBODY, 0.0, b""
