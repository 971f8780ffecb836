"""`python -m mixnet.directory CONFIG.toml`: one authority, until SIGTERM or SIGINT (spec/05-directory.md 5.11)."""

from __future__ import annotations

import signal
import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

import trio

from mixnet.clock import WallClock
from mixnet.directory.authority import serve
from mixnet.directory.config import AuthorityConfig, load_config
from mixnet.errors import LocalError
from mixnet.explain import exit_status
from mixnet.memory_privacy import keep_memory_private
from mixnet.network import TCP
from mixnet.open_files import allow_files
from mixnet.randomness import SystemSource


async def _until_signalled(config: AuthorityConfig) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(serve, config, network=TCP(), clock=WallClock(), rng=SystemSource()))
            async for _ in signals:
                nursery.cancel_scope.cancel()
                break


def _run() -> None:
    if len(sys.argv) != 2:
        raise LocalError("usage: python -m mixnet.directory CONFIG.toml")
    keep_memory_private()
    config = load_config(Path(sys.argv[1]))
    allow_files(config.connection_limit, remedy="raise `ulimit -n` or lower connection_limit")
    trio.run(_until_signalled, config)


def main() -> NoReturn:
    """Run to the end; a mistake in the configuration is one line and exit status 2."""
    sys.exit(exit_status(_run))


if __name__ == "__main__":
    main()
