"""Nodes that are not what a node should be, for the controls of a measurement (SPEC.md section 13.8).

    python -m benchmarks.load.altered KIND CONFIG.toml

Promises: everything but the packet engine is the real node's. `heavier` does two more scalar multiplications a packet
and holds it `LATE` seconds longer; `clear` does no cryptography on packets at all: it reads where they go in plain
bytes.
Never: a way to start either from a node's own configuration.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import trio

from benchmarks.load.packets import clear_tag, open_clear
from mixnet.crypto import SphinxSecret, x25519
from mixnet.errors import LocalError
from mixnet.explain import exit_status
from mixnet.log import Log
from mixnet.sphinx import Engine, Forward, Hop, Peeled, SphinxEngine, Surb, SurbKeys
from mixnode.__main__ import run
from mixnode.config import load_config, make_folder

LATE = 0.005  # seconds


class Heavier:
    """The real engine, with work added to every peel and time to every hold."""

    name = "heavier"

    def __init__(self) -> None:
        """Draw what to multiply."""
        self._real = SphinxEngine()
        self._scalar, self._point = SphinxSecret.generate().expose(), SphinxSecret.generate().public

    def create(self, hops: Sequence[Hop], message: bytes, *, seed: bytes) -> bytes:
        """As the real engine."""
        return self._real.create(hops, message, seed=seed)

    def create_surb(self, first_hop: bytes, hops: Sequence[Hop], *, seed: bytes) -> tuple[Surb, SurbKeys]:
        """As the real engine."""
        return self._real.create_surb(first_hop, hops, seed=seed)

    def use_surb(self, surb: Surb, message: bytes) -> bytes:
        """As the real engine."""
        return self._real.use_surb(surb, message)

    def open_reply_untrusted(self, keys: SurbKeys, body: bytes) -> bytes:
        """As the real engine."""
        return self._real.open_reply_untrusted(keys, body)

    def peel_untrusted(self, secret: SphinxSecret, packet: bytes) -> Peeled:
        """As the real engine, slower by one floor, with a longer delay."""
        x25519(self._scalar, self._point)
        x25519(self._scalar, self._point)
        peeled = self._real.peel_untrusted(secret, packet)
        if isinstance(peeled, Forward):
            return Forward(peeled.next_hop, peeled.delay + LATE, peeled.packet, peeled.tag)
        return peeled


class Clear(Heavier):
    """An engine that peels nothing."""

    name = "clear"

    def peel_untrusted(self, secret: SphinxSecret, packet: bytes) -> Peeled:
        """What the packet says in plain bytes."""
        following, delay = open_clear(packet)
        return Forward(following, delay, packet, clear_tag(packet))


ENGINES: dict[str, Callable[[], Engine]] = {"heavier": Heavier, "clear": Clear}


def main(arguments: list[str]) -> None:
    """Run the altered node until a signal comes."""
    if len(arguments) != 2 or arguments[0] not in ENGINES:
        raise LocalError(f"usage: python -m benchmarks.load.altered {'|'.join(ENGINES)} CONFIG.toml")
    config = load_config(Path(arguments[1]))
    os.umask(0o077)
    make_folder(config.data_dir)
    with closing(Log(config.log_file)) as log:
        trio.run(run, config, ENGINES[arguments[0]](), log)


if __name__ == "__main__":
    sys.exit(exit_status(partial(main, sys.argv[1:])))
