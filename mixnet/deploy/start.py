"""What `mixnet up` and `mixnet status` do for the person who types them (spec/10-local-network.md 10.3).

Promises: `up` says how long it took, and where the network lives; when it fails nothing of the network runs.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import trio

from mixnet import hints
from mixnet.deploy.background import end_on_signal, launch
from mixnet.deploy.display import counting, node_json, say, say_json, show_nodes
from mixnet.deploy.local import prepare, programs, status, stop_clients
from mixnet.deploy.supervisor import open_crew

REFRESH = 2.0  # seconds between two tables of --follow
FAREWELL = 25.0  # seconds that clients get to end when their network does


async def start(
    folder: Path, options: dict[str, Any], *, foreground: bool, given: Path | None = None, json: bool = False
) -> None:
    """Start the network of `folder`, which the user `given` so; with `foreground` hold the terminal until Ctrl-C."""
    begun = time.monotonic()
    plan = prepare(folder, options)
    count = len(plan.members())

    def say_ready() -> None:
        say(f"{count} nodes ready in {time.monotonic() - begun:.1f} s, in {folder}")

    if not foreground:
        try:
            with counting(f"starting {count} processes", count) as report:
                await launch(folder, report)
        except KeyboardInterrupt:
            if not json:
                say(hints.here("broken off: nothing of the network runs; start it again with `mixnet up`", given))
            raise
        if json:
            say_json({"folder": str(folder), "nodes": count, "seconds": round(time.monotonic() - begun, 1)})
            return
        say_ready()
        say(hints.here("look at them with `mixnet status`, end them with `mixnet down`", given))
        return
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_on_signal, nursery.cancel_scope)
        async with open_crew(folder) as crew:
            try:
                with counting(f"starting {count} processes", count) as report:
                    await crew.start(programs(folder, plan), report)
                say_ready()
                say("Ctrl-C ends them")
                await trio.sleep_forever()
            finally:
                with trio.move_on_after(FAREWELL, shield=True):
                    await stop_clients(folder)
    say("ended")


async def look(folder: Path, *, json: bool, lines: bool = False, watch: bool) -> int:
    """Show how every process is, once or again and again; exit status 1 if one isn't ready."""
    while True:
        nodes = await status(folder)
        if lines:
            for node in nodes:
                say_json(node_json(node))
        elif json:
            say_json([node_json(node) for node in nodes])
        else:
            if watch and sys.stdout.isatty():
                say("\x1b[2J\x1b[H")  # clear the terminal and go to its top
            show_nodes(nodes)
        if not watch:
            return 0 if all(node.ready for node in nodes) else 1
        await trio.sleep(REFRESH)
