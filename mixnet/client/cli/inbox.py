"""The command `mixnet inbox`: what is new, or all there is.

Promises: a message is marked as read after it was written out, and it alone; one that goes into a pipe, after it was
read from there. What ends the command in between (Ctrl-C, a reader that leaves) leaves it unread, to be shown again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mixnet.client.cli import render
from mixnet.client.cli.groups import say_asked
from mixnet.client.cli.options import After, Flag, Folder, Json, JsonLines, Profile, check_form, checked, command, talk
from mixnet.errors import LocalError, MixnetError

if TYPE_CHECKING:
    from mixnet.client.api.connection import Connection
    from mixnet.client.model.views import MessageInfo

_LAST = 50  # messages, if nobody said how many
_AT_ONCE = 100  # messages that are marked together
_PATIENCE = 2.0  # seconds for the daemon to take the last marks when the command is ended
_LONGEST = 0.05  # seconds between two looks at a pipe


async def inbox(
    name: Profile,
    /,
    *,
    show_all: Annotated[Flag, Parameter(name="--all")] = False,
    last: Annotated[int | None, Parameter(name="--limit")] = None,
    before: int | None = None,
    after: After = 0,
    sent: Flag = False,
    contact: Annotated[str | None, Parameter(name="--contact")] = None,
    keep_unread: Flag = False,
    counts: Flag = False,
    follow: Flag = False,
    folder: Folder = None,
    as_json: Json = False,
    as_lines: JsonLines = False,
) -> None:
    """Show what is new, and mark it as read; with --all what came before, too.

    Whether its sender learns that you have read it is your choice for each contact: `mixnet contacts NAME
    --read-receipts CONTACT off` (on, delayed), and `--default-read-receipts` for all others. A file is shown when it is
    complete, with the place where it is; until then `mixnet files` shows how far it is.

    Example: `mixnet inbox bob --follow`, or `mixnet inbox bob --all --contact alice`

    Parameters
    ----------
    show_all
        Show what was read before, too: the last 50 messages.
    last
        With --all so many instead.
    before
        With --all those with lower numbers than this: the page before.
    sent
        Show those that you sent, too, new or not.
    contact
        Only the conversation with this contact, group or somebody anonymous.
    keep_unread
        Mark nothing as read, so that nobody learns anything either.
    counts
        Show only how many are unread, of each conversation.
    follow
        Go on showing messages as they come, until Ctrl-C.
    """
    if last is not None and last < 1:
        raise LocalError("--limit takes the number of messages to show, 1 or more")
    check_form(as_json=as_json, as_lines=as_lines, follow=follow)
    if before is not None and follow:
        raise LocalError("--before shows what was, and --follow what comes: leave one of them out")
    whole = show_all or sent or bool(after) or before is not None or last is not None

    def coming(file: MessageInfo) -> None:
        render.note(f"a file is coming in, '{file.text}' from {file.contact}: see how far with `mixnet files {name}`")

    async with talk(folder, name) as me:
        if counts:
            await _counts(me, contact, as_json=as_json, as_lines=as_lines)
            return
        say_asked(await me.groups.list(), name, folder)
        past: list[MessageInfo] = []
        earlier, past_only = False, whole and not after and not follow
        if whole and not after:
            past, earlier = await _page(me, contact, checked(before or 0), last or _LAST, sent=sent)
            after = max((one.place for one in past), default=0)
        found = me.messages(contact, after=after, unread=not whole, follow=follow, coming=coming)
        count = 0
        gathered: list[MessageInfo] = []
        async with _marking(me, keep_unread=keep_unread) as marking:

            async def show(message: MessageInfo) -> None:
                nonlocal count
                if not sent and message.outgoing:
                    return
                count += 1
                if as_json:
                    gathered.append(message)
                    return
                render.json(message) if as_lines else render.message(message)
                await marking.shown(message)

            for message in past:
                await show(message)
            if not past_only:
                async for message in found:
                    await show(message)
                    if follow and not found.at_hand:
                        await marking.mark()
            if as_json:
                render.jsons(gathered)
                for message in gathered:
                    await marking.shown(message)
        if earlier:
            whose = ["--contact", contact] if contact else []
            words = ["inbox", name, "--all", *whose, *(["--sent"] if sent else [])]
            render.note(f"there are earlier ones: `{command(folder, *words, '--before', past[0].id)}`")
        if not count:
            await _nothing(me, name, contact, folder, new=not whole)


async def _page(
    me: Connection, contact: str | None, before: int, last: int, *, sent: bool
) -> tuple[list[MessageInfo], bool]:
    """The last messages that shall be shown, oldest first, and whether there are earlier ones."""
    cursor = before or None
    found: deque[MessageInfo] = deque()
    while page := await me.history(contact, cursor):
        for message in page:
            if (message.outgoing and not sent) or not message.place:
                continue
            if len(found) == last:
                return list(found), True
            found.appendleft(message)
        cursor = page[-1].id
    return list(found), False


async def _nothing(me: Connection, name: str, contact: str | None, folder: Path | None, *, new: bool) -> None:
    """Say that there is nothing to show, and what there is."""
    _, came = await me.count(contact)
    whose = ["--contact", contact] if contact else []
    if not came:
        render.note(f"nothing has come yet{f' from {contact}' if contact else ''}")
    elif new:
        every = command(folder, "inbox", name, "--all", *whose)
        render.note(f"nothing new; {render.counted(came, 'message')} came before: `{every}` shows them")
    else:
        render.note("there are no such messages")


async def _counts(me: Connection, contact: str | None, *, as_json: bool, as_lines: bool) -> None:
    """How many messages are unread, of each conversation that has any."""
    await me.count(contact)  # so that a name that there isn't is refused
    found = [one for one in await me.conversations() if contact is None or one.name == contact]
    told = [{"name": one.name, "kind": one.kind, "unread": one.unread} for one in found]
    if as_json:
        render.json(told)
        return
    if as_lines:
        for one in told:
            render.json(one)
        return
    unread = [one for one in found if one.unread]
    if unread:
        rows = [(one.name, one.kind, str(one.unread)) for one in unread]
        render.table(("conversation", "kind", "unread"), rows)
    else:
        render.note("nothing is unread")


class _Marking:
    """Marks as read what was shown."""

    def __init__(self, me: Connection, *, keep_unread: bool) -> None:
        self._me, self._keep_unread = me, keep_unread
        self._shown: list[int] = []

    async def shown(self, message: MessageInfo) -> None:
        """A message was written out. Into a pipe: return when it was read there."""
        if self._keep_unread or not message.unread:
            return
        await _taken()
        self._shown.append(message.id)
        if len(self._shown) >= _AT_ONCE:
            await self.mark()

    async def mark(self) -> None:
        """Mark what was shown until now."""
        if self._shown:
            await self._me.mark_shown(self._shown)
            self._shown.clear()


@asynccontextmanager
async def _marking(me: Connection, *, keep_unread: bool) -> AsyncIterator[_Marking]:
    """However it ends, what was shown until then is marked, if the daemon is there."""
    import anyio  # noqa: PLC0415

    marking = _Marking(me, keep_unread=keep_unread)
    try:
        yield marking
    except BaseException:
        with anyio.move_on_after(_PATIENCE, shield=True), suppress(MixnetError):
            await marking.mark()
        raise
    await marking.mark()


async def _taken() -> None:
    """Return when what was written was read, if it went into a pipe: else a page would be marked that nobody saw."""
    import anyio  # noqa: PLC0415

    from mixnet.streams import is_taken  # noqa: PLC0415

    pause = 0.0
    while not is_taken():
        await anyio.sleep(pause)
        pause = min(2 * pause + 0.0005, _LONGEST)
