"""One node as a process: `python -m mixnode CONFIG.toml` (spec/08-errors-and-figures.md 8.2).

Promises: prints nothing while all is well; ends with status 0 on SIGTERM or SIGINT; what the operator can put right is
one line on standard error and in the log, and exit status 2. A second process on the same folder is refused before it
touches a file.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import trio

from mixnet.clock import WallClock
from mixnet.counters import Published
from mixnet.errors import LocalError
from mixnet.explain import exit_status, explain
from mixnet.faults import named
from mixnet.files import make_folder
from mixnet.log import Log, LogEntry
from mixnet.memory_privacy import keep_memory_private
from mixnet.network import TCP, Address
from mixnet.open_files import allow_files
from mixnet.randomness import SystemSource
from mixnet.sphinx import Engine, engine_by_name
from mixnet.status import SOCKET_NAME, process_figures, serve_status
from mixnode.config import NodeConfig, load_config
from mixnode.metrics import serve_metrics
from mixnode.node import Serving, serve

FILES_OF_WORKER = 4  # its socket and its process, and while it starts the other end and a pipe
USAGE = "usage: python -m mixnode CONFIG.toml"


async def run(config: NodeConfig, engine: Engine, log: Log) -> None:
    """Run the node until a signal comes."""
    node: Serving | None = None

    def snapshot() -> Mapping[str, Any]:
        own = {"role": str(config.role), "ready": False} if node is None else node.snapshot()
        return {**own, **process_figures()}

    def metrics() -> str:
        return "" if published is None else published.text(trio.current_time())

    published: Published | None = None
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_at, signals, nursery.cancel_scope)
            # First, because whoever holds the socket owns the folder.
            await nursery.start(partial(serve_status, metrics=metrics), config.data_dir / SOCKET_NAME, snapshot)
            serving = partial(serve, network=TCP(), clock=WallClock(), rng=SystemSource(), engine=engine, log=log)
            started: Serving = await nursery.start(serving, config)
            node, published = started, Published(started.counters)
            if config.metrics_address is not None:
                await nursery.start(serve_metrics, TCP(), Address.parse(config.metrics_address), metrics)
            log.write(LogEntry.STARTED, role=str(config.role))
    log.write(LogEntry.STOPPED)


async def _stop_at(signals: Any, scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()


def main(arguments: list[str]) -> int:
    """Run the node that the configuration file describes; the process' exit status."""
    return exit_status(partial(_run_logged, arguments))


def _run_logged(arguments: list[str]) -> None:
    """Run the node, and leave a line in its log should it fail."""
    if len(arguments) != 1:
        raise LocalError(USAGE)
    keep_memory_private()
    config = load_config(Path(arguments[0]))
    engine = engine_by_name(config.engine)
    os.umask(0o077)  # SQLite's files too are their owner's only, whoever made the folder
    allow_files(
        config.connection_limit,
        FILES_OF_WORKER * config.workers,
        remedy="raise `ulimit -n` or lower connection_limit",
    )
    make_folder(config.data_dir)
    with closing(Log(config.log_file)) as log:
        try:
            trio.run(run, config, engine, log)
        except BaseException as error:
            log.write(LogEntry.FAILED, problem=explain(error) or named(error))
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
