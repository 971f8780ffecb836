"""The commands about the archive as a whole: `mixnet search`, `export`, `import`, `retention`, `delete`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from mixnet.client.cli import render
from mixnet.client.cli.options import Contact, Flag, Folder, Json, Profile, Yes, checked, confirm, talk
from mixnet.errors import LocalError
from mixnet.exclusive import argument, exclusive, option

if TYPE_CHECKING:
    from mixnet.client.storage.search import Filter

When = datetime | None
Since = Annotated[When, Parameter(help="Only messages from this time on.")]
Until = Annotated[When, Parameter(help="Only messages before this time.")]
Conversation = Annotated[str | None, Parameter(help="Only the conversation with this contact.")]
_DELETED = exclusive(required=True)
_HERE = exclusive()  # a conversation is deleted here only
_THEIRS = (
    "Message {} is deleted here and by the clients of all who have it, for good; files that were saved and what"
    " somebody copied stay with them."
)
_FORMATS = Literal["json", "mbox"]
_LOCAL_ONLY = "only here: the contact keeps theirs"


def _filter(
    contact: str | None, since: When = None, until: When = None, outgoing: bool | None = None, kind: str | None = None
) -> Filter:
    from mixnet.client.model.views import MessageKind  # noqa: PLC0415
    from mixnet.client.storage.search import Filter  # noqa: PLC0415

    return Filter(contact, outgoing, None if kind is None else MessageKind(kind), _seconds(since), _seconds(until))


def _seconds(when: When) -> float | None:
    """Since the Unix epoch; a time without a zone is the machine's."""
    try:
        return None if when is None else when.timestamp()
    except (ValueError, OverflowError, OSError):
        raise LocalError("this date is out of range: give one like 2026-11-23") from None


async def search(
    name: Profile,
    words: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    contact: Conversation = None,
    direction: Literal["in", "out"] | None = None,
    kind: Literal["text", "file"] | None = None,
    since: Since = None,
    until: Until = None,
    limit: int = 20,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Find messages that have all the words, newest first.

    Example: `mixnet search alice '"see you" eigh*' --contact bob --since 2026-11-01`

    Parameters
    ----------
    words
        Words, "a phrase in quotes", or the beginning of a word*; nothing else has a meaning. Of languages that are
        written without spaces, such as Chinese, any part of a text.
    direction
        Only what came, or what you sent.
    kind
        Only texts, or files (which are found by their names).
    limit
        How many to show, at most 200.
    """
    from mixnet.client.storage.search import FOUND_LIMIT  # noqa: PLC0415

    if not 1 <= limit <= FOUND_LIMIT:
        raise LocalError(f"--limit is from 1 to {FOUND_LIMIT}: narrow the search with --since, --until or --contact")
    where = _filter(contact, since, until, None if direction is None else direction == "out", kind)
    async with talk(folder, name) as me:
        found = await me.search(words, where, limit)
    if as_json:
        render.jsons(found)
        return
    for message in found:
        render.message(message)
    if not found:
        render.note("nothing found")


async def export(
    name: Profile,
    file: Path,
    /,
    *,
    how: Annotated[_FORMATS, Parameter(name="--format")] = "json",
    contact: Conversation = None,
    since: Since = None,
    until: Until = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Write your messages to a new file, which is NOT encrypted.

    Example: `mixnet export alice messages.jsonl --contact bob`

    Parameters
    ----------
    file
        The file to make; nobody but you can read it, and nothing protects it if it is copied or stolen.
    how
        json, which `mixnet import` reads, or mbox, which mail programs open.
    """
    async with talk(folder, name) as me:
        count = await me.archive.export(file, how, _filter(contact, since, until))
    if as_json:
        render.json({"file": str(file), "messages": count, "encrypted": False})
    else:
        render.line(f"{count} messages in {render.harmless(str(file))}")
    render.note(f"{file} is NOT encrypted: whoever gets it reads your messages; files that you exchanged are not in it")


async def import_(
    name: Profile, file: Path, /, *, known_only: Flag = False, folder: Folder = None, as_json: Json = False
) -> None:
    """Take the messages of an exported file (--format json) into your archive; none of them is sent.

    People are recognised by their identity, not their name; what is in the archive already is skipped.

    Example: `mixnet import alice messages.jsonl`

    Parameters
    ----------
    file
        The exported file.
    known_only
        Leave out conversations with people who are not your contacts here.
    """
    async with talk(folder, name) as me:
        done = await me.archive.import_file(file, known_only=known_only)
    if as_json:
        render.json(done)
        return
    render.line(f"{done.added} messages added, {done.skipped} were here, {done.unknown} left out")


async def retention(
    name: Profile, contact: Contact, period: str | None = None, /, *, folder: Folder = None, as_json: Json = False
) -> None:
    """Delete messages with a contact when they are older than a period; without one, show it.

    It concerns only your archive: the contact keeps theirs. Files in your downloads stay: they belong to you.

    Example: `mixnet retention alice bob 7d`

    Parameters
    ----------
    period
        A number and m, h, d or w (minutes, hours, days, weeks), or off.
    """
    from mixnet.client.storage.retention import period as parsed  # noqa: PLC0415
    from mixnet.client.storage.retention import shown  # noqa: PLC0415

    seconds = None if period is None else parsed(period)
    async with talk(folder, name) as me:
        if period is not None:
            await me.archive.retain(contact, seconds)
        seconds = await me.archive.retention(contact)
    if as_json:
        render.json({"contact": contact, "seconds": seconds})
        return
    render.line(f"{render.harmless(contact)}: {shown(seconds)}")
    if period is not None and seconds is not None:
        render.note(f"older messages are deleted {_LOCAL_ONLY}; files in downloads stay")


async def delete(
    name: Profile,
    number: Annotated[int | None, argument(_DELETED)] = None,
    /,
    *,
    conversation: Annotated[str | None, Parameter(name="--contact"), option(_DELETED, _HERE)] = None,
    for_everyone: Annotated[Flag, option(_HERE)] = False,
    yes: Yes = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Delete a message, or all with a contact, from your archive for good; the contact keeps theirs.

    With --for-everyone a message that you sent is deleted for all who have it, and a mark is left that says so. Their
    clients do it, if they are of this program: a file that was saved, a proof that was exported and what somebody
    copied or photographed stay with them. What has not left yet is only cancelled.

    Example: `mixnet delete alice 17`, or `mixnet delete alice 17 --for-everyone`

    Parameters
    ----------
    number
        The message, as `mixnet inbox` and `mixnet search` number it.
    conversation
        Delete all messages with this contact instead (what is still under way stays).
    for_everyone
        Ask the clients of all who have it to delete it, too; only of messages that you sent.
    """
    if conversation is not None:
        lost = f"All messages with {render.harmless(conversation)} will be gone here, for good."
        confirm(lost, yes=yes, done="deleted")
    if for_everyone:
        confirm(_THEIRS.format(number), yes=yes, done="deleted")
    left, deleted = 0, 1
    async with talk(folder, name) as me:
        if for_everyone:
            withdrawn = await me.withdraw(checked(number or 0))
        elif conversation is None:
            await me.archive.delete(max(number or 0, 0))
        else:
            cleared = await me.archive.clear(conversation)
            deleted, left = cleared.deleted, cleared.left
    if for_everyone:
        render.json(withdrawn) if as_json else render.message(withdrawn)
        return
    if as_json:
        render.json({"deleted": deleted, "left": left})
        return
    under_way = f"; {left} are still under way and stay" if left else ""
    render.line(f"{deleted} deleted, {_LOCAL_ONLY}{under_way}")
