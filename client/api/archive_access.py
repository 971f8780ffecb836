"""The archive as a whole, from Python: `Connection.archive`.

Promises: an exported file is whole or not there, readable by its owner only, and never in the place of another; a file
is checked from end to end before the first message is taken from it; an import that was interrupted goes on when it is
done again. Memory holds a page at a time.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from client.api import archive_commands
from client.profile.atomic_file import new_file
from client.storage import export_jsonl
from client.storage.export_jsonl import End, Header, Record, read_untrusted
from client.storage.export_mbox import letter
from client.storage.search import ANY, Filter
from mixnet.errors import LocalError, RemoteError

_PAGE_BYTES = 1 << 18
_MOST_CONTACTS = 10_000


class Format(StrEnum):
    """How an exported file is written."""

    JSON = "json"
    MBOX = "mbox"


class UnknownPeople(LocalError):
    """The archive has conversations with people who are no contacts here: become contacts, or use --known-only."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the messages of a file: `skipped` are here already, `unknown` are of people who aren't."""

    added: int
    skipped: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Cleared:
    """Messages of a conversation that were deleted, and those that are left because they are under way."""

    deleted: int
    left: int


class ArchiveAccess:
    """What a program may ask about the archive as a whole."""

    def __init__(self, asker: Callable[..., Awaitable[Any]]) -> None:
        """Ask through a connection."""
        self._ask = asker

    async def export(self, path: Path | str, how: Format | str = Format.JSON, where: Filter = ANY) -> int:
        """Write messages to a new file, which is NOT encrypted; how many. FileExistsError."""
        how = Format(how)
        profile = str(await self._ask(archive_commands.WhoAmI))
        count, after = 0, 0
        with new_file(Path(path)) as file:
            if how is Format.JSON:
                file.write(export_jsonl.line(Header(export_jsonl.FORMAT, profile, time.time())))
            while page := _pairs(await self._ask(archive_commands.Export, where=where, after=after)):
                after = page[-1][0]
                count += len(page)
                for _, record in page:
                    file.write(export_jsonl.line(record) if how is Format.JSON else letter(record, profile))
            if how is Format.JSON:
                file.write(export_jsonl.line(End(count)))
        return count

    async def identity(self) -> str:
        """By which contacts know this profile: an Ed25519 key, 64 hexadecimal digits."""
        return str(await self._ask(archive_commands.WhoAmI))

    async def import_file(self, path: Path | str, *, known_only: bool = False) -> Imported:
        """File the messages of an exported JSON file as past ones; RemoteError, UnknownPeople."""
        with _open(Path(path)) as file:
            names = _people_untrusted(file)
            strangers = await self._strangers(list(names))
            if strangers and not known_only:
                raise UnknownPeople(_unknown(names[one] for one in strangers))
            added = skipped = unknown = 0
            for page in _pages_untrusted(file):
                known = [record for record in page if record.identity not in strangers]
                new = int(await self._ask(archive_commands.Import, records=known)) if known else 0
                added, skipped, unknown = added + new, skipped + len(known) - new, unknown + len(page) - len(known)
        return Imported(added, skipped, unknown)

    async def _strangers(self, identities: list[str]) -> set[str]:
        strangers: set[str] = set()
        for at in range(0, len(identities), archive_commands.STRANGERS):
            strangers.update(
                await self._ask(archive_commands.Strangers, identities=identities[at : at + archive_commands.STRANGERS])
            )
        return strangers

    async def delete(self, number: int) -> None:
        """Delete one message here; the contact keeps theirs."""
        await self._ask(archive_commands.Delete, number=number)

    async def clear(self, contact: str) -> Cleared:
        """Delete all messages with a contact that are not under way."""
        total = 0
        while True:
            deleted, left = await self._ask(archive_commands.Clear, contact=contact)
            total += deleted
            if not deleted:
                return Cleared(total, left)

    async def retention(self, contact: str) -> float | None:
        """For how many seconds messages with a contact are kept here; None: for ever."""
        seconds = await self._ask(archive_commands.Retention, contact=contact)
        return None if seconds is None else float(seconds)

    async def retain(self, contact: str, seconds: float | None) -> None:
        """Keep messages with a contact for so many seconds, here only; None: for ever."""
        await self._ask(archive_commands.Retain, contact=contact, seconds=seconds)


def _pairs(value: Any) -> list[tuple[int, Record]]:
    try:
        return msgspec.convert(value, list[tuple[int, Record]])
    except msgspec.ValidationError:
        raise RemoteError("the daemon is of another version: stop it and start it again") from None


def _open(path: Path) -> BinaryIO:
    if path.exists() and not path.is_file():
        raise LocalError(f"{path} is not a file: give the path of an exported one")
    return path.open("rb")


def _people_untrusted(file: BinaryIO) -> dict[str, str]:
    """Identity and name of everybody in the file, which is checked to its end."""
    names: dict[str, str] = {}
    for record in read_untrusted(file):
        names[record.identity] = record.contact
        if len(names) > _MOST_CONTACTS:
            raise RemoteError("an archive of more than 10,000 people: export one contact at a time")
    return names


def _pages_untrusted(file: BinaryIO) -> Iterator[list[Record]]:
    """All messages once more, as many at a time as a request may carry."""
    file.seek(0)
    page: list[Record] = []
    size = 0
    for record in read_untrusted(file):
        length = len(export_jsonl.line(record))
        if page and (len(page) == archive_commands.AT_ONCE or size + length > _PAGE_BYTES):
            yield page
            page, size = [], 0
        page.append(record)
        size += length
    if page:
        yield page


def _unknown(names: Iterable[str]) -> str:
    some = sorted(names)
    shown = ", ".join(islice(some, 5)) + (f" and {len(some) - 5} more" if len(some) > 5 else "")
    return f"no contact here has the identity of {shown}: become contacts first, or leave them out with --known-only"
