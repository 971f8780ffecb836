"""Messages, sent and received: their commands, and what `Connection` has about them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from mixnet.client.api.command import Access, Asks, Change, Command, Number, Seconds, wait_for
from mixnet.client.api.files import under_way
from mixnet.client.api.pages import PAGE, message_size, page
from mixnet.client.e2e.bodies import PERIOD_LIMIT
from mixnet.client.model.failures import given_up
from mixnet.client.model.names import same
from mixnet.client.model.views import Conversation, MessageInfo, MessageState
from mixnet.client.storage.search import ANY, FOUND_LIMIT, Filter, Moment
from mixnet.errors import LocalError, Unavailable

if TYPE_CHECKING:
    from mixnet.client.api.daemon_api import DaemonApi

SHOWN_LIMIT = 500  # messages in one request
SETTLED = frozenset({MessageState.DELIVERED, MessageState.READ, MessageState.FAILED})


class Send(Command[int], frozen=True, tag="send"):
    """-> the number of the queued text."""

    contact: str
    text: str
    expires: Seconds | None = None
    signed: bool = False

    async def run(self, daemon: DaemonApi) -> int:
        send = daemon.user.send_text
        number = await daemon.visit(send, self.contact, self.text, daemon.now(), self.expires, signed=self.signed)
        if self.signed:
            daemon.signed.wake()
        return number


class SendFile(Command[int], frozen=True, tag="send_file"):
    """-> the number of the queued file, whose path is the whole one: a daemon has a working folder of its own."""

    contact: str
    path: str
    expires: Seconds | None = None
    signed: bool = False

    async def run(self, daemon: DaemonApi) -> int:
        path = Path(self.path)
        if not path.is_absolute():
            raise LocalError("give the daemon the whole path of a file")
        send = daemon.user.send_file
        number = await daemon.visit(send, self.contact, path, daemon.now(), self.expires, signed=self.signed)
        if self.signed:
            daemon.signed.wake()
        return number


class Cancel(Command[MessageInfo], frozen=True, tag="cancel"):
    """-> the message, queued or under way until now, and given up: it has failed; LocalError if it is too late."""

    number: Number

    async def run(self, daemon: DaemonApi) -> MessageInfo:
        return await daemon.visit(daemon.user.cancel, self.number, daemon.now())


class EditText(Command[MessageInfo], frozen=True, tag="edit"):
    """-> the text of ours, which has another content from now on, here and for whom it was sent to."""

    number: Number
    text: str

    async def run(self, daemon: DaemonApi) -> MessageInfo:
        edited = await daemon.visit(daemon.user.revisions.edit, self.number, self.text, daemon.now())
        if edited.signed:
            daemon.signed.wake()
        return edited


class WithdrawMessage(Command[MessageInfo], frozen=True, tag="withdraw"):
    """-> what is left of the message of ours, which whom it was sent to is asked to delete, too."""

    number: Number

    async def run(self, daemon: DaemonApi) -> MessageInfo:
        return await daemon.visit(daemon.user.revisions.withdraw, self.number, daemon.now())


class LetDisappear(Command[None], frozen=True, tag="let_disappear"):
    """-> nothing; new messages of the conversation disappear on both sides `seconds` after they were read; 0: never."""

    contact: str
    seconds: Annotated[int, msgspec.Meta(ge=0, le=PERIOD_LIMIT)]

    async def run(self, daemon: DaemonApi) -> None:
        await daemon.visit(daemon.user.revisions.let_disappear, self.contact, self.seconds, daemon.now())


class Period(Command[int], frozen=True, tag="period"):
    """-> after how many seconds new messages of the conversation disappear on both sides; 0: they stay."""

    contact: str

    async def run(self, daemon: DaemonApi) -> int:
        return await daemon.read(daemon.user.period, self.contact)


class Estimate(Command[float | None], frozen=True, tag="estimate"):
    """-> seconds that a file of ours still takes at this network's rate, with all else that waits now.

    It is a contact that is there, and no loss, which it is reckoned for. Nil for anything but a file on its way.
    """

    number: Number

    async def run(self, daemon: DaemonApi) -> float | None:
        return await daemon.read(daemon.user.estimate, self.number)


class Message(Command[MessageInfo], frozen=True, tag="message"):
    """-> one message."""

    number: Number

    async def run(self, daemon: DaemonApi) -> MessageInfo:
        return await daemon.read(daemon.user.message, self.number)


class MessagePage(Command[list[MessageInfo]], frozen=True, tag="messages"):
    """-> a page of messages that were complete after `after` was, the number or the place of one, in that order.

    Ask again after the place of the last one until the page is empty. `since`: only those written or complete from
    that time on; `unread`: only those that came and aren't marked as read.
    """

    contact: str | None = None
    after: Number = 0
    since: Moment | None = None
    unread: bool = False

    async def run(self, daemon: DaemonApi) -> list[MessageInfo]:
        messages = daemon.user.messages
        found = await daemon.read(messages, self.contact, self.after, PAGE, self.since, unread=self.unread)
        return page(found, message_size)


class History(Command[list[MessageInfo]], frozen=True, tag="history"):
    """-> the last page of a conversation (nil: of all), of messages with numbers below `before`, newest first.

    Ask again before the last one of them until the page is empty.
    """

    contact: str | None
    before: Number | None = None

    async def run(self, daemon: DaemonApi) -> list[MessageInfo]:
        return page(await daemon.read(daemon.user.history, self.contact, self.before, PAGE), message_size)


class Conversations(Command[list[Conversation]], frozen=True, tag="conversations"):
    """-> all conversations, with contacts, groups and those who are anonymous, and how much of each is unread."""

    async def run(self, daemon: DaemonApi) -> list[Conversation]:
        return await daemon.read(daemon.user.conversations)


class MarkRead(Command[None], frozen=True, tag="mark_read"):
    """-> nothing; the message, and what came before it in its conversation, is marked as read.

    Their sender learns of it if the user's choice for that contact says so (`read_receipts`).
    """

    number: Number

    async def run(self, daemon: DaemonApi) -> None:
        await daemon.visit(daemon.user.mark_read, self.number, daemon.now())
        daemon.retention_changed.wake()


class MarkShown(Command[None], frozen=True, tag="mark_shown"):
    """-> nothing; these messages are marked as read, and no others, as far as they are unread.

    Their senders learn of it as with `mark_read`.
    """

    numbers: Annotated[list[Number], msgspec.Meta(max_length=SHOWN_LIMIT)]

    async def run(self, daemon: DaemonApi) -> None:
        await daemon.visit(daemon.user.mark_shown, self.numbers, daemon.now())


class Count(Command[tuple[int, int]], frozen=True, tag="count"):
    """-> [unread, all]: how many of the messages that came aren't marked as read, and how many came."""

    contact: str | None = None

    async def run(self, daemon: DaemonApi) -> tuple[int, int]:
        return await daemon.read(daemon.user.count, self.contact)


class Search(Command[list[MessageInfo]], frozen=True, tag="search"):
    """-> the newest messages with all the words, "phrases" and beginnings*, newest first; `where` says of which."""

    words: str
    where: Filter = ANY
    limit: Annotated[int, msgspec.Meta(ge=1, le=FOUND_LIMIT)] = FOUND_LIMIT

    async def run(self, daemon: DaemonApi) -> list[MessageInfo]:
        limit = min(self.limit, FOUND_LIMIT)
        return page(await daemon.read(daemon.user.search, self.words, limit, self.where), message_size)


class Draft(Command[str], frozen=True, tag="draft"):
    """-> what was begun in a conversation on this device; empty if nothing was."""

    contact: str

    async def run(self, daemon: DaemonApi) -> str:
        return await daemon.read(daemon.user.drafts.get, self.contact)


class SetDraft(Command[None], frozen=True, tag="set_draft"):
    """-> nothing; the text is kept until another one, or "", is set. It never leaves this device."""

    contact: str
    text: str

    async def run(self, daemon: DaemonApi) -> None:
        await daemon.read(daemon.user.drafts.set, self.contact, self.text, daemon.now())


class NotDelivered(Unavailable):
    """The message was given up, or refused; its error says why, and `message.may_arrive` whether it can still come."""

    exit_status = 1


class MessageAccess(Access):
    """What a program may ask about messages."""

    async def send(
        self, contact: str, text: str, *, wait: bool = False, expires: float | None = None, signed: bool = False
    ) -> int:
        """Queue a text and return its number; with `wait`, once it is delivered.

        It fails if it is not delivered `expires` seconds from now (None: as long as the network keeps messages).
        `signed`: anybody can be shown that it is ours, which can't be taken back (`proofs`).
        """
        number = await self._ask(Send(contact=contact, text=text, expires=expires, signed=signed))
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
        number = await self._ask(SendFile(contact=contact, path=_whole(path), expires=expires, signed=signed))
        if wait:
            await self.wait_delivered(number)
        return number

    cancel = Asks(Cancel)
    edit = Asks(EditText)
    withdraw = Asks(WithdrawMessage)
    let_disappear = Asks(LetDisappear)
    period = Asks(Period)
    estimate = Asks(Estimate)
    message = Asks(Message)

    async def wait_delivered(
        self, number: int, on_change: Callable[[MessageInfo], None] = lambda _message: None
    ) -> MessageInfo:
        """Return once the message was delivered; NotDelivered if it never will be.

        `on_change` sees the message now, and again whenever something happened to it.
        """
        while True:
            change = await self._next_change()
            message = await self.message(number)
            on_change(message)
            if message.state is MessageState.FAILED:
                raise NotDelivered(f"message {number} {given_up(message)}")
            if message.state in SETTLED:
                return message
            await wait_for(change)

    def messages(
        self,
        contact: str | None = None,
        *,
        after: int = 0,
        since: float | None = None,
        unread: bool = False,
        follow: bool = False,
        coming: Callable[[MessageInfo], None] | None = None,
    ) -> Messages:
        """Messages sent and received, in the order in which they were complete; with `follow`, new ones as they come.

        `since` is a time as `time.time()` gives it: only what was written, or was complete, from then on. So a program
        that answers what comes doesn't answer history; one that shall not miss what came while it did not run keeps
        the number of the last message that it was given, and goes on `after` that: with what was complete later,
        whatever its number. `unread`: only what came and isn't marked as read (`mark_shown` does that).
        An incoming file is given when it is complete, which may be after messages with higher numbers; `coming` sees
        it when it begins to come. `files` tells how far it is.
        """
        return Messages(self, MessagePage(contact=contact, after=after, since=since, unread=unread), follow, coming)

    async def coming(self, contact: str | None = None) -> list[MessageInfo]:
        """Files that are still coming in, from one contact or all."""
        found = [one.message for one in await under_way(self._ask)]
        return [
            one
            for one in found
            if one.state is MessageState.RECEIVING and (contact is None or same(one.contact) == same(contact))
        ]

    page = Asks(MessagePage)
    history = Asks(History)
    conversations = Asks(Conversations)
    search = Asks(Search)
    mark_read = Asks(MarkRead)
    mark_shown = Asks(MarkShown)
    count = Asks(Count)
    draft = Asks(Draft)
    set_draft = Asks(SetDraft)

    async def next_change(self) -> Change:
        """What is set when something happens after this call, or the daemon ends."""
        return await self._next_change()


def _whole(path: Path | str) -> str:
    return str(Path(path).absolute())


class Messages:
    """An asynchronous iterator over messages. `Connection.messages` makes one; it may be left at any time."""

    def __init__(
        self,
        access: MessageAccess,
        page: MessagePage,
        follow: bool,  # `Connection.messages` alone makes one
        coming: Callable[[MessageInfo], None] | None,
    ) -> None:
        """Start with `page`."""
        self._access, self._page, self._follow, self._coming = access, page, follow, coming
        self._ready: deque[MessageInfo] = deque()
        self._told: frozenset[int] = frozenset()  # files that are coming, and were shown to `coming`

    def __aiter__(self) -> Messages:
        return self

    @property
    def at_hand(self) -> bool:
        """Whether the next one is here already, without asking the daemon."""
        return bool(self._ready)

    async def __anext__(self) -> MessageInfo:
        while not self._ready:
            change = await self._access.next_change()
            await self._look()
            if self._ready:
                break
            if not self._follow:
                raise StopAsyncIteration
            await wait_for(change)
        return self._ready.popleft()

    async def _look(self) -> None:
        """Read the next page, if there is one."""
        asked = self._page
        if self._coming is not None:
            coming = {one.id: one for one in await self._access.coming(asked.contact)}
            for number in coming.keys() - self._told:
                self._coming(coming[number])
            self._told = frozenset(coming)
        found = await self._access.page(asked.contact, asked.after, asked.since, unread=asked.unread)
        if found:
            self._page = msgspec.structs.replace(asked, after=found[-1].place)
            self._ready.extend(found)
