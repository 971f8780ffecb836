"""Honest clients of a provider, in one process that also takes a mix's place (spec/13-measurements.md 13.14).

    python -m mixnet.benchmarks.processes.load.rated_clients FOLDER NAME   orders on stdin, answers on stdout

Promises: every client has a key and a link of its own, keeps to its rate, at Poisson times of its own, and takes what
comes down; what it sends is peeled by the provider and comes back to this process over a link of nodes. A packet's
round trip begins when it is given to its link.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio

from mixnet.benchmarks.processes.load.ledger import PacketLedger
from mixnet.benchmarks.processes.load.load_generator import DRAIN, LoadGenerator, LoadOrder, serve
from mixnet.crypto import SigningKey
from mixnet.errors import Unavailable
from mixnet.explain import exit_status
from mixnet.link import Link


class RatedClients(LoadGenerator):
    """`count` clients of one provider at a time ("join"); a "drive" sends over their links, `rate` for all together."""

    def __init__(self, folder: Path, name: str) -> None:
        """Take the place of the mix `name`; there is no client yet."""
        super().__init__(folder, name)
        self._clients: list[Link] = []

    async def obey(self, order: Any) -> dict[str, Any]:
        """Carry out one order; what it gave."""
        if order.do == "join":
            await self._join(order.target, order.count)
            return {"clients": len(self._clients)}
        return await super().obey(order)

    async def _join(self, target: str, number: int) -> None:
        node = await self._node(target)
        for link in self._clients:
            await link.aclose()
        self._clients = [await self._join_as(SigningKey.generate(), node) for _ in range(number)]
        for link in self._clients:
            self._keep(_listen_to, link)

    async def _drive(self, order: LoadOrder) -> dict[str, Any]:
        stock = self._stocks[order.stock]
        ledger = self._ledgers[stock.mark] = PacketLedger(stock)
        begun, worked, rate = trio.current_time(), time.process_time(), order.rate / len(self._clients)
        with trio.move_on_after(order.seconds):
            async with trio.open_nursery() as nursery:
                for place, link in enumerate(self._clients):
                    own = msgspec.structs.replace(order, rate=rate, seed=order.seed * len(self._clients) + place)
                    nursery.start_soon(self._at_random, own, stock, ledger, link)
        cpu = time.process_time() - worked
        with trio.move_on_after(DRAIN):
            while ledger.under_way:
                await self._back.wait()
        return {"cpu": cpu, "left": len(stock), **ledger.report(begun + order.warm)}


async def _listen_to(link: Link) -> None:
    """Take the down-link until it ends."""
    with suppress(trio.EndOfChannel, Unavailable):
        while True:
            await link.receive()


if __name__ == "__main__":
    sys.exit(exit_status(partial(trio.run, serve, Path(sys.argv[1]), sys.argv[2], RatedClients)))
