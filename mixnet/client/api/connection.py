"""Talking to a running daemon from Python.

    async with client.connect(profile_directory) as me:
        number = await me.send("bob", "hi", wait=True)
        async for message in me.messages(follow=True):
            ...

Promises: errors of the daemon are raised here as what they are there (LocalError, RemoteError, Unavailable); a message
is given once, in order, however many events were missed; NotRunning if there is no daemon. What the daemon would not
take is refused before it is sent, and costs that call only; that the daemon has ended is said only if it has.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import anyio.abc
import anyio.lowlevel
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from mixnet.client.api import framing, sockets
from mixnet.client.api.anonymous import AnonymousAccess
from mixnet.client.api.archive import ArchiveAccess
from mixnet.client.api.codes import CodeAccess
from mixnet.client.api.command import Change, Command, R
from mixnet.client.api.contacts import ContactAccess
from mixnet.client.api.daemon import DaemonAccess, Follow
from mixnet.client.api.devices import DeviceAccess
from mixnet.client.api.files import FileAccess
from mixnet.client.api.groups import GroupAccess
from mixnet.client.api.mailbox import MailboxAccess
from mixnet.client.api.matching import MatchAccess
from mixnet.client.api.messages import MessageAccess
from mixnet.client.api.proofs import ProofAccess
from mixnet.client.api.sockets import ConnectionLost, DaemonEnded, DaemonReplaced, NotReached, NotRunning
from mixnet.client.model import paths
from mixnet.client.profile import lock
from mixnet.errors import MixnetError, RemoteError

if TYPE_CHECKING:  # as in command.py
    from mixnet.client.api.daemon_api import DaemonApi

READ_SIZE = 65536
_FAREWELL = 5.0  # seconds that a daemon may take to end after it has closed its connections
_LOOK = 0.05
_OTHER_VERSION = (
    "the daemon's answer can't be read, since it is of another version: stop it with `mixnet client stop PROFILE`, and"
    " start it again"
)
_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Channel(Protocol):
    """How a connection reaches its daemon."""

    async def ask(self, command: Command[Any]) -> Any:
        """The answer to `command`, or the error that it ended in."""

    async def next_change(self) -> Change:
        """What is set when something happens after this call, or the daemon ends."""


@asynccontextmanager
async def connect(profile: Path | str) -> AsyncIterator[Connection]:
    """A connection to the daemon of the profile in this folder; NoProfile or NotRunning if there is none.

    NotReached if there is one that doesn't listen, or not yet.
    """
    directory = Path(profile)
    paths.check_profile(directory)
    failure: Exception | None = None
    async with await _dial(directory) as stream, anyio.create_task_group() as nursery:
        channel = SocketChannel(stream, directory / paths.LOCK)
        nursery.start_soon(channel.receive)
        try:
            yield Connection(channel)
        except Exception as error:  # kept out of the nursery, which would wrap it in a group
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _dial(directory: Path) -> anyio.abc.ByteStream:
    try:
        return await sockets.dial(directory / paths.API_SOCKET)
    except NotRunning:
        holder = lock.holder(directory / paths.LOCK)
        if holder is None:
            raise
        raise NotReached(
            f"the daemon (process {holder}) runs, but can't be reached: if it starts or ends just now, try again in a"
            " moment; else stop it with `mixnet client stop PROFILE`, and start it again"
        ) from None


class Connection(ContactAccess, MessageAccess, DaemonAccess):
    """What a program may ask. `connect` makes one; inside the daemon's process it is made of a `DirectChannel`."""

    def __init__(self, channel: Channel) -> None:
        """Ask through `channel`."""
        super().__init__(self.ask, channel.next_change)
        self._channel = channel
        self._numbers = itertools.count(1)
        reach = self.ask, channel.next_change
        self.codes = CodeAccess(*reach)  # contacts by spoken codes
        self.matching = MatchAccess(*reach)  # contacts by the address books of both
        self.archive = ArchiveAccess(*reach)  # export, import, deletion, and for how long messages are kept
        self.proofs = ProofAccess(*reach)  # of signed messages; receipts, and forgeries of what nobody signed
        self.mailbox = MailboxAccess(*reach)  # ours at the provider, and what the profile holds
        self.devices = DeviceAccess(*reach)  # the user's other devices
        self.files = FileAccess(*reach)  # on their way, in and out
        self.groups = GroupAccess(*reach)  # who is in them, and what is said there
        self.anonymous = AnonymousAccess(*reach)  # public addresses, and messages without a name

    async def ask(self, command: Command[R]) -> R:
        """The answer to a command, or the error that it ended in.

        WrongArguments if it can't be asked so; RemoteError if no such answer can be read.
        """
        answered = await self._channel.ask(msgspec.structs.replace(command, id=next(self._numbers)))
        try:
            answer: R = msgspec.convert(answered, type(command).returns)
        except msgspec.ValidationError:
            raise RemoteError(_OTHER_VERSION) from None
        return answer


class DirectChannel:
    """For a program in the daemon's own process, such as the simulated world."""

    def __init__(self, daemon: DaemonApi) -> None:
        """Ask `daemon`."""
        self._daemon = daemon

    async def ask(self, command: Command[Any]) -> Any:
        """See `Channel.ask`."""
        framing.request(command)
        return msgspec.to_builtins(await command.run(self._daemon))

    async def next_change(self) -> Change:
        """See `Channel.next_change`."""
        await anyio.lowlevel.checkpoint()
        return self._daemon.event_bus.next_change()


class SocketChannel:
    """Over the local socket; `receive` must run."""

    def __init__(self, stream: anyio.abc.ByteStream, held: Path) -> None:
        """Take over a stream to a daemon, which holds the lock `held`."""
        self._stream, self._held = stream, held
        self._daemon = lock.holder(held)
        self._refusal: MixnetError | None = None  # why the daemon, or we, ended the connection, if that is known
        self._sending = anyio.Lock()
        self._answers: dict[int, MemoryObjectSendStream[framing.Map]] = {}
        self._changed = anyio.Event()
        self._following = False
        self._over = anyio.Event()

    async def receive(self) -> None:
        """Sort what comes, until the daemon ends."""
        decoder = framing.Decoder()
        try:
            while True:
                for message in decoder.feed_untrusted(await self._stream.receive(READ_SIZE)):
                    self._sort(message)
        except RemoteError:
            self._refusal = RemoteError(_OTHER_VERSION)
        except _GONE:
            pass
        finally:
            self._over.set()
            self._changed.set()
            for channel in self._answers.values():
                channel.close()

    async def ask(self, command: Command[Any]) -> Any:
        """See `Channel.ask`."""
        request = framing.request(command)
        answered, answer = anyio.create_memory_object_stream[framing.Map](1)
        self._answers[command.id] = answered
        try:
            with answered, answer:
                if self._over.is_set():
                    raise anyio.EndOfStream
                async with self._sending:
                    await self._stream.send(request)
                reply = await answer.receive()
        except _GONE:
            raise await self._why_lost() from None
        finally:
            del self._answers[command.id]
        if "error" in reply:
            raise framing.error_of(reply)
        return reply.get("ok")

    async def _why_lost(self) -> MixnetError:
        """What became of the daemon: its lock says who runs, as long as it does."""
        with anyio.move_on_after(_FAREWELL):
            await self._over.wait()  # what the daemon said last is read by then
        if self._refusal is not None:
            return self._refusal
        holder = self._daemon
        with anyio.move_on_after(_FAREWELL):
            # Another process, which can't wake us.
            while (holder := lock.holder(self._held)) == self._daemon and holder is not None:  # noqa: ASYNC110
                await anyio.sleep(_LOOK)
        if holder is None:
            return DaemonEnded()
        return ConnectionLost() if holder == self._daemon else DaemonReplaced()

    async def next_change(self) -> Change:
        """See `Channel.next_change`."""
        if not self._following:
            self._following = True
            await self.ask(Follow())
        return self._changed

    def _sort(self, message: framing.Map) -> None:
        """Give an answer to who asked; an event wakes everybody who waits."""
        if "event" in message:
            self._changed.set()
            self._changed = anyio.Event()
        elif "error" in message and framing.number_of(message) is None:
            self._refusal = framing.error_of(message)  # it is about the whole connection, which ends now
        elif waiting := self._answers.get(message.get("id", -1)):
            with suppress(anyio.WouldBlock):
                waiting.send_nowait(message)
