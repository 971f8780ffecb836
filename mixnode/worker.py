"""A process that peels for a node: `python -m mixnode.worker ENGINE` (spec/04-mixing.md 4.7).

Promises: keys come through the socket that is its standard input, and are in its memory only, until it is told to
forget them; it answers the orders one after the other, and has no other file, link or log. It ends when the node's end
of the socket closes, however that came about, and ignores Ctrl-C and SIGTERM, which are the node's.
Never: an import of what a node needs and a worker doesn't; the node's memory would be there for every worker again.
"""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Sequence

from mixnet.crypto import SphinxSecret
from mixnet.errors import RemoteError
from mixnet.memory_privacy import keep_memory_private
from mixnet.sphinx import GEOMETRY, Engine, engine_by_name
from mixnode.batches import HEAD_SIZE, READY, Head, Outcome, WorkerOrder, encode, read_head


class WorkerKeys:
    """The keys that a worker has, and its work with them."""

    def __init__(self, engine: Engine) -> None:
        """No keys yet."""
        self._engine = engine
        self._keys: dict[int, SphinxSecret] = {}

    def follow(self, head: Head, body: bytes) -> bytes:
        """Do one order, of which `body` is what follows its head; the answer."""
        match head.order:
            case WorkerOrder.LEARN:
                self._keys[head.number] = SphinxSecret(body)
            case WorkerOrder.FORGET:
                del self._keys[head.number]
            case WorkerOrder.PEEL:
                secrets, size = [self._keys[slot] for slot in head.slots], GEOMETRY.packet_size
                packets = (body[start : start + size] for start in range(0, len(body), size))
                return b"".join([encode(self._try(secrets, packet)) for packet in packets])
        return b""

    def _try(self, secrets: Sequence[SphinxSecret], packet: bytes) -> Outcome:
        for index, secret in enumerate(secrets):
            try:
                return index, self._engine.peel_untrusted(secret, packet)
            except RemoteError:
                continue
        return None


def work(engine: Engine, connection: socket.socket) -> None:
    """Follow orders until the other end closes."""
    keys = WorkerKeys(engine)
    connection.sendall(READY)
    while len(raw := connection.recv(HEAD_SIZE, socket.MSG_WAITALL)) == HEAD_SIZE:
        head = read_head(raw)
        body = connection.recv(head.following, socket.MSG_WAITALL) if head.following else b""
        if len(body) < head.following:
            return
        connection.sendall(keys.follow(head, body))


def main(arguments: Sequence[str]) -> int:
    """Work for the node that started this process; the process' exit status."""
    keep_memory_private()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with socket.socket(fileno=0) as connection:
            work(engine_by_name(arguments[0]), connection)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the node has ended with our answer unread
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
