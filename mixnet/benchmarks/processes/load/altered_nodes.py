"""Nodes that are not what a node should be, for the controls of a measurement (spec/13-measurements.md 13.8).

    python -m mixnet.benchmarks.processes.load.altered_nodes KIND CONFIG.toml

Promises: everything but what is named here is the real node's. `heavier` does two more scalar multiplications a packet
and holds it `LATE` seconds longer; `clear` does no cryptography on packets at all: it reads where they go in plain
bytes; `leaking` keeps `LEAK` bytes of each packet for ever; `slowing` works longer on each packet than on the one
before; `hoarding` keeps `HOARD` bytes more of each client than of the one before; `counting` counts what its store
does, in a file beside it; `trusting` has no share for each link, no allowance for a client, and lets OpenSSL take what
it is sent.
Never: a way to start either from a node's own configuration.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import trio

from mixnet.benchmarks.controls.guards import without_guards
from mixnet.benchmarks.processes.load import syncs
from mixnet.benchmarks.processes.load.packets import clear_tag, open_clear
from mixnet.crypto import SphinxSecret, keyed_hash, x25519
from mixnet.errors import LocalError
from mixnet.explain import exit_status
from mixnet.files import make_folder
from mixnet.link import Link
from mixnet.log import Log
from mixnet.sphinx import Engine, Forward, Peeled, SphinxEngine
from mixnode.__main__ import run
from mixnode.config import load_config
from mixnode.provider import Provider

LATE = 0.005  # seconds
LEAK = 600  # bytes
SLOWING = 60  # packets after which one costs a hash of `_HASHED` bytes more
HOARD = 6000  # bytes
_HASHED = 16384


class HeavierEngine(SphinxEngine):
    """The real engine, with work added to every peel and time to every hold."""

    name = "heavier"

    def __init__(self) -> None:
        """Draw what to multiply."""
        self._scalar, self._point = SphinxSecret.generate().expose(), SphinxSecret.generate().public

    def peel_untrusted(self, secret: SphinxSecret, packet: bytes) -> Peeled:
        """As the real engine, slower by one floor, with a longer delay."""
        x25519(self._scalar, self._point)
        x25519(self._scalar, self._point)
        peeled = super().peel_untrusted(secret, packet)
        if isinstance(peeled, Forward):
            return Forward(peeled.next_hop, peeled.delay + LATE, peeled.packet, peeled.tag)
        return peeled


class ClearEngine(SphinxEngine):
    """An engine that peels nothing."""

    name = "clear"

    def peel_untrusted(self, secret: SphinxSecret, packet: bytes) -> Peeled:
        """What the packet says in plain bytes."""
        following, delay = open_clear(packet)
        return Forward(following, delay, packet, clear_tag(packet))


class LeakingEngine(SphinxEngine):
    """An engine that forgets nothing."""

    name = "leaking"

    def __init__(self) -> None:
        """Begin with nothing kept."""
        self._kept: list[bytes] = []

    def peel_untrusted(self, secret: SphinxSecret, packet: bytes) -> Peeled:
        """As the real engine, and keep a piece of the packet."""
        self._kept.append(packet[:LEAK])
        return super().peel_untrusted(secret, packet)


class SlowingEngine(SphinxEngine):
    """An engine whose work grows with all that it has done."""

    name = "slowing"

    def __init__(self) -> None:
        """Begin as fast as the real one."""
        self._seen = 0

    def peel_untrusted(self, secret: SphinxSecret, packet: bytes) -> Peeled:
        """As the real engine, after some hashing."""
        self._seen += 1
        for _ in range(self._seen // SLOWING):
            keyed_hash(_KEY, _FILLING)
        return super().peel_untrusted(secret, packet)


_FILLING, _KEY = bytes(_HASHED), bytes(32)


def hoard() -> None:
    """Let this process' provider keep more of each client than of the one before."""
    kept: list[bytes] = []
    serve = Provider.serve_client

    async def serve_client(self: Provider, link: Link) -> None:
        kept.append(b"\1" * (HOARD * len(kept)))
        await serve(self, link)

    Provider.serve_client = serve_client  # type: ignore[method-assign]


ENGINES: dict[str, Callable[[], Engine]] = {
    "heavier": HeavierEngine,
    "clear": ClearEngine,
    "leaking": LeakingEngine,
    "slowing": SlowingEngine,
    "hoarding": SphinxEngine,
    "counting": SphinxEngine,
    "trusting": SphinxEngine,
}


def main(arguments: list[str]) -> None:
    """Run the altered node until a signal comes."""
    if len(arguments) != 2 or arguments[0] not in ENGINES:
        raise LocalError(
            f"usage: python -m mixnet.benchmarks.processes.load.altered_nodes {'|'.join(ENGINES)} CONFIG.toml"
        )
    config = load_config(Path(arguments[1]))
    os.umask(0o077)
    make_folder(config.data_dir)
    if arguments[0] == "hoarding":
        hoard()
    elif arguments[0] == "counting":
        syncs.count(config.data_dir / syncs.COUNTS)
    off = ("rates", "shares", "records") if arguments[0] == "trusting" else ()
    with closing(Log(config.log_file)) as log, without_guards(off):
        trio.run(run, config, ENGINES[arguments[0]](), log)


if __name__ == "__main__":
    sys.exit(exit_status(partial(main, sys.argv[1:])))
