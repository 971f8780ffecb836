"""Starts and stops a daemon in the background.

Promises: whoever starts one learns that it is ready, what it waits for, or in one line why it did not start; whoever
stops one learns that it is gone. Never: a passphrase in an argument or in the environment of a process.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trio

from mixnet.client.api import sockets
from mixnet.client.api.connection import connect
from mixnet.client.api.daemon_api import PATIENCE
from mixnet.client.model import paths
from mixnet.client.profile import lock
from mixnet.client.profile.passphrase import STDIN
from mixnet.client.profile.profile import Lock, PassphraseNeeded, Profile, load
from mixnet.errors import LocalError, Unavailable

_LOOK = 0.05  # seconds between two looks at a starting or stopping daemon
_LOOK_WAITING = 0.25
_START_LIMIT = 60.0  # seconds
_STOP_LIMIT = 10.0
_LINK_LIMIT = 5.0  # for a link to the provider, after which it is said that there is none yet
COPIED = (
    "this folder is a copy of a profile, or was moved here: sessions with all contacts are begun anew by themselves,"
    " and the profile that was copied can't go on"
)


class NotStarted(Unavailable):
    """The daemon did not start: look at daemon.log in the profile's folder."""


class NotStopped(Unavailable):
    """The daemon has not stopped yet: wait, or end its process by hand."""


async def start(
    directory: Path, passphrase: bytes | None = None, tell: Callable[[str], None] = lambda _progress: None
) -> str:
    """Start the daemon of the profile in `directory`; what it waits for, empty if it can do all that it is for.

    `tell` hears what it does before it answers: then it is waited for as long as it gets on.
    Raises AlreadyRunning, PassphraseNeeded, or NotStarted with what the daemon said.
    """
    profile = load(directory)
    if lock.holder(profile.file(paths.LOCK)) is not None:
        raise lock.AlreadyRunning(f"the daemon of {profile.name} runs already: use it, or stop it first")
    if profile.lock is Lock.PASSPHRASE and passphrase is None:
        raise PassphraseNeeded
    process = await trio.to_thread.run_sync(_spawn, profile, passphrase)
    said = ""
    with trio.move_on_after(_START_LIMIT) as limit:
        while process.poll() is None:
            if await _answers(directory):
                break
            if (line := _trouble(profile)) != said and line.endswith("%"):
                said, limit.deadline = line, trio.current_time() + _START_LIMIT
                tell(line)
            await trio.sleep(_LOOK)
        else:
            raise NotStarted(_trouble(profile))
    if limit.cancelled_caught:
        process.kill()
        raise NotStarted
    try:
        lacks = await _waits_for(directory)
    except (sockets.NotRunning, sockets.NotReached, sockets.ConnectionLost):
        raise NotStarted(_trouble(profile)) from None
    if _trouble(profile) == COPIED:
        tell(COPIED)
    profile.file(paths.TROUBLE).unlink(missing_ok=True)
    process.returncode = 0  # from here on it is on its own: nobody here waits for its end
    return lacks


async def stop(directory: Path) -> None:
    """Stop the daemon of the profile in `directory` and return when it is gone; NotRunning if there is none."""
    profile = load(directory)
    holder = lock.holder(profile.file(paths.LOCK))
    if holder is None:
        raise sockets.NotRunning(f"no daemon runs for {profile.name}: there is nothing to stop")
    with trio.move_on_after(_STOP_LIMIT):
        try:
            async with connect(directory) as me:
                await me.stop()
        except (sockets.NotRunning, sockets.NotReached):
            end(holder)  # it has no socket yet, or none any more
        while lock.holder(profile.file(paths.LOCK)) is not None:  # noqa: ASYNC110  # another process can't wake us
            await trio.sleep(_LOOK)
        return
    raise NotStopped(f"the daemon (process {holder}) has not stopped yet: wait, or end it with `kill -KILL {holder}`")


def end(holder: int) -> None:
    """Ask the process that holds a profile's lock to end, unless it has meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(holder, signal.SIGTERM)


def _spawn(profile: Profile, passphrase: bytes | None) -> subprocess.Popen[bytes]:
    """A process in a session of its own, so that closing the terminal doesn't end it."""
    command = [sys.executable, "-P", "-m", "mixnet.client", str(profile.directory)]
    if profile.lock is Lock.PASSPHRASE:
        command += ["--passphrase-file", STDIN]
    trouble = os.open(profile.file(paths.TROUBLE), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=trouble, start_new_session=True
        )
    finally:
        os.close(trouble)
    if process.stdin is None:
        raise LocalError("the daemon's standard input is missing")
    try:
        with process.stdin as channel:
            channel.write(passphrase or b"")
    except BrokenPipeError:
        pass  # it has ended already: what it said is in its file
    return process


async def _waits_for(directory: Path) -> str:
    """What a daemon still lacks after a while; returns at once when it lacks nothing."""
    deadline = trio.current_time() + PATIENCE
    link_by: float | None = None
    async with connect(directory) as me:
        while True:
            figures = await me.status()
            if figures["connected"]:
                return ""
            if figures["epoch"] is not None:  # a document of before is here, which says nothing of the network now
                link_by = link_by or trio.current_time() + _LINK_LIMIT
                if trio.current_time() >= link_by:
                    return f"looking for its provider: {figures['problem'] or 'no link yet'}"
            elif trio.current_time() >= deadline:
                return str(figures["problem"])
            await trio.sleep(_LOOK_WAITING)


async def _answers(directory: Path) -> bool:
    try:
        stream = await sockets.dial(directory / paths.API_SOCKET)
    except sockets.NotRunning:
        return False
    await stream.aclose()
    return True


def _trouble(profile: Profile) -> str:
    """The last line that the daemon said."""
    lines = profile.file(paths.TROUBLE).read_text(errors="replace").strip().splitlines()
    if not lines and not shutil.disk_usage(profile.file(paths.TROUBLE)).free:
        return "the disk is full: free some space and try again"  # so the daemon couldn't say it
    return lines[-1].removeprefix("mixnet: ") if lines else ""
