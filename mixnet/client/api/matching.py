"""Contacts by the address books of both: the commands of matching, and `Connection.matching`.

await me.matching.start("alice@example.org", read(Path("contacts.vcf").read_text()).entries)
for entry in (await me.matching.status()).entries: ...
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec

from mixnet.client.api.command import Access, Asks, Command
from mixnet.client.model.address_entries import ENTRY_LIMIT, LABEL_LIMIT, Entry
from mixnet.client.model.match_states import MatchStatus

if TYPE_CHECKING:
    from mixnet.client.api.daemon_api import DaemonApi

Address = Annotated[str, msgspec.Meta(max_length=320)]
Label = Annotated[str, msgspec.Meta(max_length=LABEL_LIMIT)]


class MatchStart(Command[MatchStatus], frozen=True, tag="match_start"):
    """-> the state of matching, which looks for these [address, label] and no others from now on."""

    me: Address
    entries: Annotated[list[tuple[Address, Label]], msgspec.Meta(max_length=ENTRY_LIMIT)]

    async def run(self, daemon: DaemonApi) -> MatchStatus:
        return await daemon.matching.start(self.me, [Entry(address, label) for address, label in self.entries])


class MatchStop(Command[None], frozen=True, tag="match_stop"):
    """-> nothing; matching is off, and all entries are forgotten; contacts that were found stay."""

    async def run(self, daemon: DaemonApi) -> None:
        await daemon.matching.stop()


class MatchShow(Command[MatchStatus], frozen=True, tag="matching"):
    """-> the state of matching."""

    async def run(self, daemon: DaemonApi) -> MatchStatus:
        return await daemon.matching.status()


class MatchAccess(Access):
    """What a program may ask about matching."""

    async def start(self, me: str, entries: Iterable[Entry]) -> MatchStatus:
        """Look for these entries and no others, for somebody whose own address is `me`; LocalError if one is none."""
        return await self._ask(MatchStart(me=me, entries=[(entry.address, entry.label) for entry in entries]))

    stop = Asks(MatchStop)
    status = Asks(MatchShow)
