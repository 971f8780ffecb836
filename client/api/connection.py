"""Talking to a running daemon from Python.

    async with client.connect(profile_directory) as me:
        number = await me.send("bob", "hi", wait=True)
        async for message in me.messages(follow=True):
            ...

Promises: errors of the daemon are raised here as what they are there (LocalError, RemoteError, Unavailable); a message
is given once, in order, however many events were missed; NotRunning if there is no daemon.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec
import trio

from client.api import framing, sockets
from client.api import messages as commands
from client.api.anonymous import AnonymousAccess
from client.api.archive_access import ArchiveAccess
from client.api.archive_commands import Search
from client.api.codes import CodeAccess
from client.api.command import Command, R
from client.api.devices import DeviceAccess
from client.api.file_access import FileAccess
from client.api.groups import GroupAccess
from client.api.mailbox_access import MailboxAccess
from client.api.matching import MatchAccess
from client.api.proof_access import ProofAccess
from client.model import paths
from client.model.views import ContactInfo, ContactState, MessageInfo, MessageState
from client.storage.search import ANY, FOUND_LIMIT, Filter
from mixnet.errors import RemoteError, Unavailable

READ_SIZE = 65536
LOOK_AGAIN = 5.0  # seconds after which a waiting program looks even if nothing was announced
SETTLED = frozenset({MessageState.DELIVERED, MessageState.READ, MessageState.FAILED})

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi

T = TypeVar("T")


class DaemonEnded(Unavailable):
    """The daemon has ended: start it again with `mixnet client start NAME`."""


class NotDelivered(Unavailable):
    """The message was not delivered: your contact's provider kept it for too long, or is gone. Send it again."""


class Channel(Protocol):
    """How a connection reaches its daemon."""

    async def ask(self, command: Command[Any]) -> Any:
        """The answer to `command`, or the error that it ended in."""

    async def next_change(self) -> trio.Event:
        """What is set when something happens after this call, or the daemon ends."""


@asynccontextmanager
async def connect(profile: Path | str) -> AsyncIterator[Connection]:
    """A connection to the daemon of the profile in this folder; NoProfile or NotRunning if there is none."""
    directory = Path(profile)
    paths.check_profile(directory)
    failure: Exception | None = None
    async with await sockets.dial(directory / paths.API_SOCKET) as stream, trio.open_nursery() as nursery:
        channel = SocketChannel(stream)
        nursery.start_soon(channel.receive)
        try:
            yield Connection(channel)
        except Exception as error:  # kept out of the nursery, which would wrap it in a group
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


class Connection:
    """What a program may ask. `connect` makes one; inside the daemon's process it is made of a `DirectChannel`."""

    def __init__(self, channel: Channel) -> None:
        """Ask through `channel`."""
        self._channel = channel
        self._numbers = itertools.count(1)

    async def invite(self) -> str:
        """The text of a new single-use invitation, for one person."""
        return str(await self._ask(commands.Invite))

    async def accept(self, invitation: str, name: str | None = None) -> ContactInfo:
        """Become a contact of the inviter, called `name` here (None: as the invitation says)."""
        return _as(ContactInfo, await self._ask(commands.Accept, invitation=invitation, name=name))

    async def contacts(self) -> list[ContactInfo]:
        """All contacts, oldest first."""
        return _list(ContactInfo, await self._ask(commands.Contacts))

    async def verify(self, contact: str) -> ContactInfo:
        """Record that both of you compared the safety number, and it matched."""
        return _as(ContactInfo, await self._ask(commands.Verify, contact=contact))

    async def rename(self, contact: str, name: str) -> ContactInfo:
        """Call a contact by another name; only this profile knows it."""
        return _as(ContactInfo, await self._ask(commands.Rename, contact=contact, name=name))

    async def block(self, contact: str) -> ContactInfo:
        """Hear nothing from a contact any more, and send nothing to it; it can't tell."""
        return _as(ContactInfo, await self._ask(commands.Block, contact=contact))

    async def unblock(self, contact: str) -> ContactInfo:
        """Hear from a contact again; what it sent while blocked is lost."""
        return _as(ContactInfo, await self._ask(commands.Unblock, contact=contact))

    async def relink(self, contact: str, new: str) -> ContactInfo:
        """Let a contact be who came back as `new` with another identity, because you know that it is the same person.

        It keeps its name and archive, and is verified only if `new` was. What it did not get goes out again.
        """
        return _as(ContactInfo, await self._ask(commands.Relink, contact=contact, new=new))

    async def wait_established(self, contact: str) -> ContactInfo:
        """Return once the contact answered, so that messages can be sent; RemoteError if its invitation expired.

        If an invitation of a known contact was accepted: once its new session works.
        """
        while True:
            change = await self._channel.next_change()
            for known in await self.contacts():
                if known.name == contact and known.state is ContactState.EXPIRED:
                    raise RemoteError("the invitation expired before it was answered: ask for a new one")
                if known.name == contact and known.state is not ContactState.PENDING and not known.renewing:
                    return known
            await _wait(change)

    async def send(
        self, contact: str, text: str, *, wait: bool = False, expires: float | None = None, signed: bool = False
    ) -> int:
        """Queue a text and return its number; with `wait`, once it is delivered.

        It fails if it is not delivered `expires` seconds from now (None: as long as the network keeps messages).
        `signed`: anybody can be shown that it is ours, which can't be taken back (`proofs`).
        """
        number = int(await self._ask(commands.Send, contact=contact, text=text, expires=expires, signed=signed))
        if wait:
            await self.wait_delivered(number)
        return number

    async def send_file(
        self,
        contact: str,
        path: Path | str,
        *,
        wait: bool = False,
        expires: float | None = None,
        signed: bool = False,
    ) -> int:
        """Queue a file and return its number; `wait`, `expires` and `signed` as in `send`."""
        fields = {"contact": contact, "path": _whole(path), "expires": expires, "signed": signed}
        number = int(await self._ask(commands.SendFile, **fields))
        if wait:
            await self.wait_delivered(number)
        return number

    async def cancel(self, number: int) -> MessageInfo:
        """Give up a message that is queued or under way: it has failed then; LocalError if it is too late."""
        return _as(MessageInfo, await self._ask(commands.Cancel, number=number))

    async def estimate(self, number: int) -> float | None:
        """Seconds that a file of ours still takes at this network's rate, with all else that waits now.

        It is a contact that is there, and no loss, which it is reckoned for. None for anything but a file on its way.
        """
        left = await self._ask(commands.Estimate, number=number)
        return None if left is None else float(left)

    async def message(self, number: int) -> MessageInfo:
        """One message."""
        return _as(MessageInfo, await self._ask(commands.Message, number=number))

    async def wait_delivered(
        self, number: int, on_change: Callable[[MessageInfo], None] = lambda _message: None
    ) -> MessageInfo:
        """Return once the message was delivered; NotDelivered if it never will be.

        `on_change` sees the message now, and again whenever something happened to it.
        """
        while True:
            change = await self._channel.next_change()
            message = await self.message(number)
            on_change(message)
            if message.state is MessageState.FAILED:
                raise NotDelivered(f"message {number} was not delivered: {message.error}")
            if message.state in SETTLED:
                return message
            await _wait(change)

    def messages(
        self,
        contact: str | None = None,
        *,
        after: int = 0,
        follow: bool = False,
        coming: Callable[[MessageInfo], None] = lambda _message: None,
    ) -> Messages:
        """Messages with numbers above `after`, oldest first, sent and received; with `follow`, new ones as they come.

        An incoming file is given when it is complete, which may be after messages with higher numbers; `coming` sees
        it when it begins to come. `files` tells how far it is.
        """
        return Messages(self, contact, after, follow, coming)

    async def search(self, words: str, where: Filter = ANY, limit: int = FOUND_LIMIT) -> list[MessageInfo]:
        """The newest messages with all the words, "phrases" and beginnings*, newest first; `where` says of which."""
        return _list(MessageInfo, await self._ask(Search, words=words, where=where, limit=limit))

    @property
    def codes(self) -> CodeAccess:
        """Contacts by spoken codes."""
        return CodeAccess(self.ask, self.next_change)

    @property
    def matching(self) -> MatchAccess:
        """Contacts by the address books of both."""
        return MatchAccess(self.ask, self.next_change)

    @property
    def archive(self) -> ArchiveAccess:
        """Export, import, deletion, and for how long messages are kept."""
        return ArchiveAccess(self._ask)

    @property
    def proofs(self) -> ProofAccess:
        """Proofs of signed messages, receipts, and forgeries of what nobody signed."""
        return ProofAccess(self._ask)

    @property
    def mailbox(self) -> MailboxAccess:
        """Our mailbox at the provider, and what the profile holds."""
        return MailboxAccess(self._ask, self.stop)

    @property
    def devices(self) -> DeviceAccess:
        """The user's other devices."""
        return DeviceAccess(self.ask, self.next_change)

    @property
    def files(self) -> FileAccess:
        """Files on their way, in and out."""
        return FileAccess(self._ask, self._channel.next_change, self.devices.all)

    @property
    def groups(self) -> GroupAccess:
        """Groups: who is in them, and what is said there."""
        return GroupAccess(self.ask, self.next_change)

    @property
    def anonymous(self) -> AnonymousAccess:
        """Public addresses, and messages without a name."""
        return AnonymousAccess(self.ask, self.next_change)

    async def mark_read(self, number: int) -> None:
        """Tell the sender of a message that it was read."""
        await self._ask(commands.MarkRead, number=number)

    async def status(self) -> dict[str, Any]:
        """The daemon's figures."""
        return dict(await self._ask(commands.Status))

    async def stop(self) -> None:
        """End the daemon. Cover traffic ends with it."""
        with suppress(DaemonEnded):  # it may end before its answer is out
            await self._ask(commands.Stop)

    async def _ask(self, kind: type[Command[Any]], **fields: Any) -> Any:
        return await self.ask(kind(**fields))

    async def ask(self, command: Command[R]) -> R:
        """The answer to a command, or the error that it ended in; RemoteError if no such answer can be read."""
        plain = await self._channel.ask(msgspec.structs.replace(command, id=next(self._numbers)))
        try:
            answer: R = msgspec.convert(plain, type(command).returns)
        except msgspec.ValidationError:
            raise RemoteError("the daemon is of another version: stop it and start it again") from None
        return answer

    async def page(self, contact: str | None, after: int) -> list[MessageInfo]:
        """The first messages with numbers above `after`; empty if there are none."""
        return _list(MessageInfo, await self._ask(commands.Messages, contact=contact, after=after))

    async def next_change(self) -> trio.Event:
        """What is set when something happens after this call, or the daemon ends."""
        return await self._channel.next_change()


class Messages:
    """An asynchronous iterator over messages. `Connection.messages` makes one; it may be left at any time."""

    def __init__(
        self,
        connection: Connection,
        contact: str | None,
        after: int,
        follow: bool,
        coming: Callable[[MessageInfo], None],
    ) -> None:
        """Start after message number `after`."""
        self._coming = coming
        self._connection = connection
        self._contact = contact
        self._after = after
        self._follow = follow
        self._ready: deque[MessageInfo] = deque()
        self._incomplete: list[int] = []

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> MessageInfo:
        while not self._ready:
            change = await self._connection.next_change()
            await self._look()
            if self._ready:
                break
            if not self._follow:
                raise StopAsyncIteration
            await _wait(change)
        return self._ready.popleft()

    async def _look(self) -> None:
        """Read pages until one has something to give, or all is read."""
        while not self._ready and (page := await self._connection.page(self._contact, self._after)):
            self._after = page[-1].id
            for message in page:
                if message.state is MessageState.RECEIVING:
                    self._incomplete.append(message.id)
                    self._coming(message)
            self._ready.extend(message for message in page if message.state is not MessageState.RECEIVING)
        for number in list(self._incomplete):
            message = await self._connection.message(number)
            if message.state is not MessageState.RECEIVING:
                self._incomplete.remove(number)
                self._ready.append(message)


class DirectChannel:
    """For a program in the daemon's own process, such as the simulated world."""

    def __init__(self, daemon: DaemonApi) -> None:
        """Ask `daemon`."""
        self._daemon = daemon

    async def ask(self, command: Command[Any]) -> Any:
        """See `Channel.ask`."""
        return msgspec.to_builtins(await command.run(self._daemon))

    async def next_change(self) -> trio.Event:
        """See `Channel.next_change`."""
        await trio.lowlevel.checkpoint()
        return self._daemon.next_change()


class SocketChannel:
    """Over the local socket; `receive` must run."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        """Take over a stream to a daemon."""
        self._stream = stream
        self._sending = trio.Lock()
        self._answers: dict[int, trio.MemorySendChannel[framing.Map]] = {}
        self._changed = trio.Event()
        self._following = False
        self._ended = False

    async def receive(self) -> None:
        """Sort what comes, until the daemon ends."""
        decoder = framing.Decoder()
        try:
            while data := await self._stream.receive_some(READ_SIZE):
                for message in decoder.feed_untrusted(bytes(data)):
                    self._sort(message)
        except (trio.BrokenResourceError, trio.ClosedResourceError, RemoteError):
            pass
        finally:
            self._ended = True
            self._changed.set()
            for channel in self._answers.values():
                channel.close()

    async def ask(self, command: Command[Any]) -> Any:
        """See `Channel.ask`."""
        answered, answer = trio.open_memory_channel[framing.Map](1)
        self._answers[command.id] = answered
        try:
            with answered, answer:
                if self._ended:
                    raise DaemonEnded
                async with self._sending:
                    await self._stream.send_all(framing.encode(msgspec.to_builtins(command)))
                reply = await answer.receive()
        except (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError):
            raise DaemonEnded from None
        finally:
            del self._answers[command.id]
        if "error" in reply:
            raise framing.error_of(reply)
        return reply.get("ok")

    async def next_change(self) -> trio.Event:
        """See `Channel.next_change`."""
        if not self._following:
            self._following = True
            await self.ask(commands.Follow())
        return self._changed

    def _sort(self, message: framing.Map) -> None:
        """Give an answer to who asked; an event wakes everybody who waits."""
        if "event" in message:
            self._changed.set()
            self._changed = trio.Event()
        elif waiting := self._answers.get(message.get("id", -1)):
            with suppress(trio.WouldBlock):
                waiting.send_nowait(message)


async def _wait(change: trio.Event) -> None:
    """Wait until something happened, or long enough to look all the same."""
    with trio.move_on_after(LOOK_AGAIN):
        await change.wait()


def _whole(path: Path | str) -> str:
    """The path from the root: the daemon has a working folder of its own."""
    return str(Path(path).absolute())


def _as(kind: type[T], value: Any) -> T:
    """The view that a map of the protocol stands for; RemoteError if it is none."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        raise RemoteError("the daemon is of another version: stop it and start it again") from None


def _list(kind: type[T], values: Any) -> list[T]:
    return _as(list[kind], values)  # type: ignore[valid-type]
