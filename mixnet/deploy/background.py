"""A network that goes on when the command that started it has ended (spec/10-local-network.md 10.3).

Promises: the supervisor is a process of its own, in a session of its own, so closing the terminal doesn't end it; until
all is ready it is tied to the command by a socket: what it has to say comes through it, and if the command ends first,
in whatever way, the supervisor ends everything. Afterwards only `mixnet down` or a signal ends it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec
import trio

from mixnet.deploy.folders import SUPERVISOR_LOG
from mixnet.deploy.processes import PATIENCE
from mixnet.deploy.supervisor import NodeFailed, Program, Report, last_words, open_crew
from mixnet.errors import LocalError, MixnetError
from mixnet.explain import explain
from mixnet.log import open_log
from mixnet.memory_privacy import keep_memory_private

P = ParamSpec("P")
T = TypeVar("T")
_FAREWELL = 3 * PATIENCE  # seconds for the supervisor to end its processes and itself


class Said(msgspec.Struct, omit_defaults=True):
    """One line from the supervisor to the command: a process that is ready, all of them are, or why it gives up."""

    ready: str = ""
    all_ready: bool = False
    error: str = ""


class Tie:
    """The supervisor's end of the socket to the command that started it."""

    def __init__(self, channel: socket.socket) -> None:
        """Take over a connected socket."""
        self._channel = channel

    def say(self, said: Said) -> None:
        """Tell the command, if it still listens; a few bytes, which a socket always takes."""
        try:
            self._channel.send(msgspec.json.encode(said) + b"\n")
        except OSError:
            return

    async def cut(self) -> None:
        """Return when the command has ended."""
        await trio.socket.from_stdlib_socket(self._channel.dup()).recv(1)


async def end_on_signal(scope: trio.CancelScope) -> None:
    """Cancel `scope` on SIGTERM, SIGINT or SIGHUP."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for _ in signals:
            scope.cancel()


async def until_signal(work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """What `work` returns, or None if one of these signals comes first."""
    result: T | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_on_signal, nursery.cancel_scope)
        result = await work(*args, **kwargs)
        nursery.cancel_scope.cancel()
    return result


async def _supervise(folder: Path, programs: list[Program], tie: Tie) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_on_signal, nursery.cancel_scope)
        async with open_crew(folder) as crew:
            async with trio.open_nursery() as tied:
                tied.start_soon(_cancel_when_cut, tie, nursery.cancel_scope)
                await crew.start(programs, lambda name: tie.say(Said(ready=name)))
                tied.cancel_scope.cancel()
            tie.say(Said(all_ready=True))
            await trio.sleep_forever()


async def _cancel_when_cut(tie: Tie, scope: trio.CancelScope) -> None:
    await tie.cut()
    scope.cancel()


def main(folder: Path, channel: int) -> None:
    """The supervisor's process: leave the command's session, then run the network of `folder`."""
    from mixnet.deploy.local import load_plan, programs  # noqa: PLC0415 -- it imports this module

    keep_memory_private()
    if os.fork():
        os._exit(0)  # the command reaps this one at once, and the supervisor is nobody's child
    os.setsid()
    with socket.socket(fileno=channel) as tied:
        tie = Tie(tied)
        try:
            trio.run(_supervise, folder, programs(folder, load_plan(folder)), tie)
        except (MixnetError, OSError, BaseExceptionGroup) as error:
            problem = explain(error)
            tie.say(Said(error=problem or f"the supervisor failed: see {folder / SUPERVISOR_LOG}"))
            if problem is None:
                raise  # a bug: its traceback goes to the log


async def launch(folder: Path, report: Report) -> None:
    """Start the supervisor of `folder` and return when all is ready; Unavailable says why nothing runs instead."""
    ours, theirs = socket.socketpair()
    with theirs, open_log(folder / SUPERVISOR_LOG) as log:
        arguments = [sys.executable, "-P", "-m", "mixnet.deploy.background", str(folder), str(theirs.fileno())]
        await trio.run_process(
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[theirs.fileno()], cwd=folder
        )
    async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as stream:
        try:
            await _listen(stream, folder, report)
        except BaseException:
            with trio.move_on_after(_FAREWELL, shield=True), contextlib.suppress(trio.BrokenResourceError):
                await stream.send_eof()
                while await stream.receive_some():
                    pass
            raise


async def _listen(stream: trio.SocketStream, folder: Path, report: Report) -> None:
    buffer = b""
    while part := await stream.receive_some():
        *lines, buffer = (buffer + part).split(b"\n")
        for line in lines:
            said = msgspec.json.decode(line, type=Said)
            if said.error:
                raise NodeFailed(said.error)
            if said.all_ready:
                return
            report(said.ready)
    raise LocalError(f"the supervisor ended: {last_words(folder / SUPERVISOR_LOG)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
