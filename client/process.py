"""A client daemon as a process, and starting one in the background (SPEC.md section 7).

Promises: one daemon a profile; SIGTERM and SIGINT end it cleanly within two seconds; whoever starts one learns that it
is ready, or why it is not; nothing but its log is left behind. Never: a passphrase in an argument or in the environment
of a child.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import trio

from client import lock, sockets
from client.api import NAME as API_SOCKET
from client.connection import connect
from client.daemon import serve
from client.desk import InThread
from client.passphrase import STDIN
from client.profile import Lock, PassphraseNeeded, Profile, load, open_store
from client.service import Service
from client.store import Store
from mixnet.clock import WallClock
from mixnet.errors import LocalError, MixnetError, Unavailable
from mixnet.log import Entry, Log
from mixnet.network import TCP
from mixnet.randomness import SystemSource
from mixnet.sphinx import engine_by_name

LOCK = "daemon.lock"
LOG = "daemon.log"
_TROUBLE = "daemon.err"
_LOOK = 0.05  # seconds between two looks at a starting or stopping daemon
_START_LIMIT = 60.0  # seconds
_STOP_LIMIT = 10.0


class NotStarted(Unavailable):
    """The daemon did not start: look at daemon.log in the profile's folder."""


class NotStopped(Unavailable):
    """The daemon has not stopped yet: wait, or end its process by hand."""


def run(directory: Path, passphrase: bytes | None = None) -> None:
    """Run the daemon of the profile in `directory` until a signal or its user stops it."""
    trio.run(serve_profile, directory, passphrase)


async def serve_profile(directory: Path, passphrase: bytes | None = None) -> None:
    """The same inside of Trio's main task, which gets the signals."""
    profile = load(directory)
    with lock.hold(profile.file(LOCK)):
        log = Log(profile.file(LOG))
        with closing(log), closing(open_store(profile, passphrase)) as store:
            log.write(Entry.STARTED, role="client")
            try:
                await _run(profile, store, log)
            except (MixnetError, BaseExceptionGroup):  # what a nursery lets through comes in a group
                log.write(Entry.FAILED, role="client")
                raise
            log.write(Entry.STOPPED, role="client")


async def _run(profile: Profile, store: Store, log: Log) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:

            async def stop_on_signal() -> None:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

            async def live(task_status: trio.TaskStatus[Service]) -> None:
                await serve(
                    profile,
                    network=TCP(),
                    clock=WallClock(),
                    rng=SystemSource(),
                    engine=engine_by_name(profile.engine),
                    store=store,
                    desk=InThread(),
                    task_status=task_status,
                )
                nursery.cancel_scope.cancel()

            nursery.start_soon(stop_on_signal)
            await nursery.start(live)
            log.write(Entry.READY, role="client")


async def start(directory: Path, passphrase: bytes | None = None) -> None:
    """Start the daemon of the profile in `directory` in the background, and return when programs can talk to it.

    Raises what kept it from starting.
    """
    profile = load(directory)
    if lock.holder(profile.file(LOCK)) is not None:
        raise lock.AlreadyRunning
    if profile.lock is Lock.PASSPHRASE and passphrase is None:
        raise PassphraseNeeded
    process = await trio.to_thread.run_sync(_spawn, profile, passphrase)
    with trio.move_on_after(_START_LIMIT):
        while process.poll() is None:
            if await _answers(directory):
                return
            await trio.sleep(_LOOK)
        raise NotStarted(_trouble(profile))
    process.kill()
    raise NotStarted


async def stop(directory: Path) -> None:
    """Stop the daemon of the profile in `directory` and return when it is gone; NotRunning if there is none."""
    profile = load(directory)
    holder = lock.holder(profile.file(LOCK))
    if holder is None:
        raise sockets.NotRunning
    async with connect(directory) as me:
        await me.stop()
    with trio.move_on_after(_STOP_LIMIT):
        while lock.holder(profile.file(LOCK)) is not None:  # noqa: ASYNC110  # another process rings no bell here
            await trio.sleep(_LOOK)
        return
    raise NotStopped(f"the daemon (process {holder}) has not stopped yet: wait, or end it by hand")


def _spawn(profile: Profile, passphrase: bytes | None) -> subprocess.Popen[bytes]:
    """A process in a session of its own, so that closing the terminal doesn't end it."""
    command = [sys.executable, "-P", "-m", "client", str(profile.file(""))]
    if profile.lock is Lock.PASSPHRASE:
        command += ["--passphrase-file", STDIN]
    with profile.file(_TROUBLE).open("wb") as trouble:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=trouble, start_new_session=True
        )
    if process.stdin is None:
        raise LocalError("the daemon's standard input is missing")
    with process.stdin as channel:
        try:
            channel.write(passphrase or b"")
            channel.flush()
        except BrokenPipeError:
            pass  # it has ended already: what it said is in its file
    return process


async def _answers(directory: Path) -> bool:
    try:
        stream = await sockets.dial(directory / API_SOCKET)
    except sockets.NotRunning:
        return False
    await stream.aclose()
    return True


def _trouble(profile: Profile) -> str:
    """The last line that the daemon said."""
    lines = profile.file(_TROUBLE).read_text(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("mixnet: ") if lines else ""
