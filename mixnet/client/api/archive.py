"""The archive as a whole: its commands, `Connection.archive`, and the sweep that keeps it short.

Promises: an exported file is whole or not there, readable by its owner only, and never in the place of another; a file
is checked from end to end before the first message is taken from it; an import that was interrupted goes on when it is
done again. Memory holds a page at a time. A call of the store is short, so that mail never waits long for it; messages
past their conversation's period go at the start of the daemon, when the period changes, and every minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import msgspec
import trio

from mixnet.client.api.command import Access, Asks, Command, Number, Seconds
from mixnet.client.api.pages import PAGE, page
from mixnet.client.model.names import clean
from mixnet.client.profile.atomic_file import new_file
from mixnet.client.storage import export_jsonl
from mixnet.client.storage.export_jsonl import (
    ArchiveEnd,
    ArchiveHeader,
    Identity,
    Record,
    check_untrusted,
    read_untrusted,
)
from mixnet.client.storage.export_mbox import letter
from mixnet.client.storage.retention import SWEEP_EVERY
from mixnet.client.storage.search import ANY, Filter
from mixnet.errors import LocalError, RemoteError, Unavailable

if TYPE_CHECKING:
    from mixnet.client.api.daemon_api import DaemonApi

AT_ONCE = 200  # records in one request
STRANGERS = 1000  # identities in one request
RETRY = 5.0  # seconds after the store could not be written
_PAGE_BYTES = 1 << 18
_MOST_CONTACTS = 10_000


class Export(Command[list[tuple[int, Record]]], frozen=True, tag="export"):
    """-> a page of [number, record] above `after`; ask again after the last one until the page is empty."""

    where: Filter = ANY
    after: Number = 0

    async def run(self, daemon: DaemonApi) -> list[tuple[int, Record]]:
        found = await daemon.read(daemon.user.archive.page, self.where, self.after, PAGE)
        return page(found, lambda numbered: len(numbered[1].text.encode()))


class WhoAmI(Command[str], frozen=True, tag="identity"):
    """-> the profile's identity, by which contacts know it: an Ed25519 key, 64 hexadecimal digits."""

    async def run(self, daemon: DaemonApi) -> str:
        user = daemon.user
        return (await daemon.read(lambda: user.identity)).hex()


class Strangers(Command[list[str]], frozen=True, tag="strangers"):
    """-> those of the identities that no contact has."""

    identities: Annotated[list[Identity], msgspec.Meta(max_length=STRANGERS)]

    async def run(self, daemon: DaemonApi) -> list[str]:
        raw = [bytes.fromhex(identity) for identity in self.identities]
        return [one.hex() for one in await daemon.read(daemon.user.archive.strangers, raw)]


class Import(Command[int], frozen=True, tag="import"):
    """-> how many of the records were new; all are filed, or none."""

    records: Annotated[list[Record], msgspec.Meta(max_length=AT_ONCE)]

    async def run(self, daemon: DaemonApi) -> int:
        checked = [check_untrusted(record) for record in self.records]
        added = await daemon.visit(daemon.home.archive.take_in, checked)
        daemon.retention_changed.wake()
        return added


class Delete(Command[None], frozen=True, tag="delete"):
    """-> nothing; the message is gone here, and the contact keeps theirs."""

    number: Number

    async def run(self, daemon: DaemonApi) -> None:
        await daemon.visit(daemon.user.archive.delete, self.number)


class Clear(Command[tuple[int, int]], frozen=True, tag="clear"):
    """-> [deleted, left]: ask again until none is deleted; what is left then is under way."""

    contact: str

    async def run(self, daemon: DaemonApi) -> tuple[int, int]:
        return await daemon.visit(daemon.user.archive.clear, self.contact)


class Retention(Command[float | None], frozen=True, tag="retention"):
    """-> for how many seconds messages with the contact are kept here; nil: for ever."""

    contact: str

    async def run(self, daemon: DaemonApi) -> float | None:
        return await daemon.read(daemon.user.archive.retention, self.contact)


class Retain(Command[None], frozen=True, tag="retain"):
    """-> nothing; messages with the contact are kept for so many seconds, here only (nil: for ever)."""

    contact: str
    seconds: Seconds | None

    async def run(self, daemon: DaemonApi) -> None:
        await daemon.visit(daemon.user.archive.retain, self.contact, self.seconds)
        daemon.retention_changed.wake()


async def sweep_regularly(daemon: DaemonApi) -> None:
    """Delete what is past its period, for ever."""
    while True:
        changed = daemon.retention_changed.listen()
        pause = SWEEP_EVERY
        try:
            while await daemon.read(daemon.user.archive.sweep, daemon.past()):
                pass
            pause = await daemon.read(daemon.user.archive.next_sweep, daemon.past())
        except Unavailable:
            pause = RETRY
        with trio.move_on_after(pause):
            await changed.wait()


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


class ArchiveAccess(Access):
    """What a program may ask about the archive as a whole."""

    async def export(self, path: Path | str, how: Format | str = Format.JSON, where: Filter = ANY) -> int:
        """Write messages to a new file, which is NOT encrypted; how many. FileExistsError."""
        how = Format(how)
        profile = await self.identity()
        count, after = 0, 0
        with new_file(Path(path)) as file:
            if how is Format.JSON:
                file.write(export_jsonl.line(ArchiveHeader(export_jsonl.FORMAT, profile, time.time())))
            while found := await self._ask(Export(where=where, after=after)):
                after = found[-1][0]
                count += len(found)
                for _, record in found:
                    file.write(export_jsonl.line(record) if how is Format.JSON else letter(record, profile))
            if how is Format.JSON:
                file.write(export_jsonl.line(ArchiveEnd(count)))
        return count

    identity = Asks(WhoAmI)

    async def import_file(self, path: Path | str, *, known_only: bool = False) -> Imported:
        """File the messages of an exported JSON file as past ones; RemoteError, UnknownPeople."""
        with _open(Path(path)) as file:
            names = _people_untrusted(file)
            strangers = await self._strangers(list(names))
            if strangers and not known_only:
                raise UnknownPeople(_unknown(names[one] for one in strangers))
            added = skipped = unknown = 0
            for records in _pages_untrusted(file):
                known = [record for record in records if record.identity not in strangers]
                new = await self._ask(Import(records=known)) if known else 0
                added, skipped, unknown = added + new, skipped + len(known) - new, unknown + len(records) - len(known)
        return Imported(added, skipped, unknown)

    async def _strangers(self, identities: list[str]) -> set[str]:
        strangers: set[str] = set()
        for at in range(0, len(identities), STRANGERS):
            unknown = await self._ask(Strangers(identities=identities[at : at + STRANGERS]))
            strangers.update(unknown)
        return strangers

    delete = Asks(Delete)

    async def clear(self, contact: str) -> Cleared:
        """Delete all messages with a contact that are not under way."""
        total = 0
        while True:
            deleted, left = await self._ask(Clear(contact=contact))
            total += deleted
            if not deleted:
                return Cleared(total, left)

    retention = Asks(Retention)
    retain = Asks(Retain)


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
    records: list[Record] = []
    size = 0
    for record in read_untrusted(file):
        length = len(export_jsonl.line(record))
        if records and (len(records) == AT_ONCE or size + length > _PAGE_BYTES):
            yield records
            records, size = [], 0
        records.append(record)
        size += length
    if records:
        yield records


def _unknown(names: Iterable[str]) -> str:
    some = sorted(clean(name) for name in names)  # whoever made the file chose them
    shown = ", ".join(islice(some, 5)) + (f" and {len(some) - 5} more" if len(some) > 5 else "")
    return f"no contact here has the identity of {shown}: become contacts first, or leave them out with --known-only"
