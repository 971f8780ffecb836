"""Controls for active attacks: the network with one guard switched off.

Promises: as in cover.py, whose switches are those of cover and shaping: each is a context manager that replaces a
few steps in this process and puts them back at its end; the product has no such switch and knows nothing of it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from OpenSSL import SSL

import mixnet.pki.topology
import mixnode.node
from mixnet.benchmarks.controls.cover import Switch, all_off
from mixnet.bucket import TokenBucket
from mixnet.counters import Counters, Dropped
from mixnet.crypto import SphinxSecret
from mixnet.errors import RemoteError
from mixnet.link.stream import READ_SIZE
from mixnet.link.tls import TlsSession
from mixnet.pki import document as documents
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.document import Document, Node
from mixnet.sphinx import engine, header, payload
from mixnet.sphinx.geometry import GEOMETRY
from mixnet.sphinx.keys import SharedSecret
from mixnet.sphinx.packet import Hop, Layer
from mixnode.arrival import ROOM, Arrived
from mixnode.delays import Delays
from mixnode.queues import DropQueue
from mixnode.replay import Replay

BATCH = 20  # packets at which a mix by count sends


def replay_unchecked() -> AbstractContextManager[object]:
    """Nodes take every packet for new; so does a provider that stores it."""

    def admit(_self: Replay, tags: Sequence[bytes]) -> list[bool]:
        return [True] * len(tags)

    return patch.object(Replay, "admit", admit)


def mixes_by_count() -> AbstractContextManager[object]:
    """Nodes send all that they hold as soon as BATCH packets are there, whatever their senders asked for."""

    def expire(self: Delays[Any], _now: float) -> list[Any]:
        batch = [item for _, _, item in self._heap] if len(self._heap) >= BATCH else []
        if batch:
            self._heap.clear()
        return batch

    when_full = property(lambda self: -math.inf if len(self) >= BATCH else math.inf)
    return patch.multiple(Delays, expire=expire, next_due=when_full)


def rates_unlimited() -> AbstractContextManager[object]:
    """Providers take as much from a client as it sends."""
    return patch.object(TokenBucket, "take", lambda _self, wanted, _now: wanted)


def arrivals_unshared() -> AbstractContextManager[object]:
    """All links have one queue in a node, first come, first served."""

    def one_queue(counters: Counters) -> DropQueue[Arrived]:
        return DropQueue(ROOM, counters, Dropped.PEEL_FULL)

    return patch.object(mixnode.node, "ArrivalQueue", one_queue)


def records_unchecked() -> AbstractContextManager[object]:
    """OpenSSL gets what comes and does what it asks for, as long as whole frames come of it."""

    def put(self: TlsSession, data: bytes) -> None:
        if not self._check.secured:
            self._handshake.put(data)
        elif data:
            self._connection.bio_write(data)

    def take(self: TlsSession) -> bytes:
        frames = []
        try:
            while True:
                frames.append(self._connection.recv(READ_SIZE))
        except SSL.WantReadError:
            return b"".join(frames)
        except SSL.Error:
            raise RemoteError("bytes that are no TLS records of this link") from None

    missing = property(lambda _self: 1)
    return patch.multiple(TlsSession, put_untrusted=put, open_untrusted=take, missing=missing)


@contextmanager
def bodies_unprotected() -> Iterator[None]:
    """Every MAC counts as genuine, and bodies are not permuted: packets must be made under this switch, too."""
    with bodies_unpermuted(), headers_unauthenticated(), patch.object(payload, "equal", lambda _one, _other: True):
        yield


def headers_unauthenticated() -> AbstractContextManager[object]:
    """Every header's MAC counts as genuine; bodies are protected as always."""
    return patch.object(engine, "equal", lambda _one, _other: True)


def bodies_unpermuted() -> AbstractContextManager[object]:
    """Bodies keep their MAC and are not permuted: packets must be made under this switch, too."""

    def as_it_is(_key: bytes, body: bytes) -> bytes:
        return body

    return patch.multiple(payload, permute=as_it_is, unpermute=as_it_is)


def padding_of_zeros() -> AbstractContextManager[object]:
    """Senders fill the header's end with zeros: packets must be made under this switch."""
    build = header.build

    def build_with_zeros(
        secrets: Sequence[SharedSecret], commands: Sequence[bytes], padding: bytes
    ) -> tuple[bytes, bytes]:
        return build(secrets, commands, bytes(len(padding)))

    return patch.object(header, "build", build_with_zeros)


def hops_counted() -> AbstractContextManager[object]:
    """The last byte of each header counts the hops that it has been through, as a naive format would.

    It stands in for the last byte of gamma, which is not compared.
    """
    size = GEOMETRY.header_size
    unwrap, build = engine.unwrap_untrusted, engine._build_header  # the steps that make a header

    def equal_but_last(one: bytes, other: bytes) -> bool:
        return one[:-1] == other[:-1]

    def build_counted(hops: Sequence[Hop], seed: bytes) -> tuple[bytes, list[SharedSecret]]:
        head, secrets = build(hops, seed)
        return head[:-1] + b"\0", secrets

    def unwrap_counted(secret: SphinxSecret, packet: bytes) -> Layer:
        layer = unwrap(secret, packet)
        return layer._replace(header=layer.header[:-1] + bytes([packet[size - 1] + 1]))

    return patch.multiple(engine, equal=equal_but_last, _build_header=build_counted, unwrap_untrusted=unwrap_counted)


def one_signature_enough() -> AbstractContextManager[object]:
    """Readers rely on a document that a single authority signed."""
    return patch.object(Bootstrap, "required", 1)


def signatures_unchecked() -> AbstractContextManager[object]:
    """Readers take every signature for genuine."""
    return patch.object(documents, "verify_signature_untrusted", lambda *_signed: None)


def first_of_layer() -> AbstractContextManager[object]:
    """Clients always take the first mix of each layer, as one that trusts a list's order would."""

    def first(document: Document, _rng: random.Random) -> tuple[Node, ...]:
        return tuple(layer[0] for layer in document.layers)

    return patch.object(mixnet.pki.topology, "sample_mixes", first)


GUARDS: dict[str, Switch] = {
    "replay": replay_unchecked,
    "pools": mixes_by_count,
    "rates": rates_unlimited,
    "shares": arrivals_unshared,
    "records": records_unchecked,
    "headers": headers_unauthenticated,
    "bodies": bodies_unprotected,
    "permutation": bodies_unpermuted,
    "padding": padding_of_zeros,
    "counter": hops_counted,
    "threshold": one_signature_enough,
    "signatures": signatures_unchecked,
    "routes": first_of_layer,
}


without_guards = partial(all_off, GUARDS)
