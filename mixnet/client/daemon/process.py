"""The client's daemon as a process: `python -m mixnet.client PROFILE`.

Promises: one daemon a profile; SIGTERM and SIGINT end it cleanly within two seconds; it leaves
nothing behind but its log.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import trio

from mixnet.client.api.daemon_api import DaemonApi
from mixnet.client.concurrency.worker import ThreadWorker
from mixnet.client.daemon.background import COPIED
from mixnet.client.daemon.daemon import serve
from mixnet.client.model import paths
from mixnet.client.profile import lock
from mixnet.client.profile.profile import Profile, load, open_store
from mixnet.client.storage import copies
from mixnet.client.storage.database import Store
from mixnet.clock import WallClock
from mixnet.faults import named
from mixnet.log import Log, LogEntry
from mixnet.network import TCP
from mixnet.randomness import SystemSource
from mixnet.sphinx import engine_by_name

# Seconds for which the messenger's thread may keep the interpreter while a slot waits for it: Python's own 5 ms would
# show an observer of the link, in late frames, when the messenger works.
SWITCH = 0.0002


def run(directory: Path, passphrase: bytes | None = None) -> None:
    """Run the daemon of the profile in `directory` until a signal or its user stops it.

    How far it is with a store of an older version goes to standard error, where `background.start` reads it.
    """
    trio.run(partial(serve_profile, directory, passphrase, migrating=_say))


def _place(profile: Profile) -> copies.Place:
    key, store = profile.file(paths.KEY).stat(), profile.file(paths.STORE).stat()
    return copies.Place(key.st_ino, key.st_ctime_ns, store.st_ino)


def _say(progress: str) -> None:
    sys.stderr.write(f"{progress}\n")
    sys.stderr.flush()


async def serve_profile(
    directory: Path,
    passphrase: bytes | None = None,
    tell: Callable[[str], None] = lambda _what: None,
    migrating: Callable[[str], None] | None = None,
) -> None:
    """The same inside of Trio's main task, which gets the signals.

    `tell` hears what a start waits for, if it does; `migrating` (or else `tell`) how far an update of the store is.
    """
    sys.setswitchinterval(SWITCH)
    profile = load(directory)
    with lock.hold(profile.file(paths.LOCK)):
        log = Log(profile.file(paths.LOG))
        with closing(log), closing(open_store(profile, passphrase, migrating or tell)) as store:
            log.write(LogEntry.STARTED, role="client")
            if copies.recognise(store, _place(profile), time.time()):
                (migrating or tell)(COPIED)
            try:
                await _run(profile, store, log, tell)
            except BaseException as error:
                log.write(LogEntry.FAILED, role="client", problem=named(error))
                raise
            log.write(LogEntry.STOPPED, role="client")


async def _run(profile: Profile, store: Store, log: Log, tell: Callable[[str], None]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:

            async def stop_on_signal() -> None:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

            async def live(task_status: trio.TaskStatus[DaemonApi]) -> None:
                await serve(
                    profile,
                    network=TCP(),
                    clock=WallClock(),
                    rng=SystemSource(),
                    engine=engine_by_name(profile.engine),
                    store=store,
                    worker=ThreadWorker(),
                    hash_worker=ThreadWorker(),
                    tell=lambda problem: log.write(LogEntry.RETRYING, role="client", problem=problem),
                    task_status=task_status,
                )
                nursery.cancel_scope.cancel()

            nursery.start_soon(stop_on_signal)
            api: DaemonApi = await nursery.start(live)
            if api.waits_for and not api.stopping.is_set():
                log.write(LogEntry.RETRYING, role="client", problem=api.waits_for)
                tell(api.waits_for)
            await api.opened.wait()
            log.write(LogEntry.READY, role="client")
