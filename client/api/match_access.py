"""Matching, from Python: `Connection.matching`.

await me.matching.start("alice@example.org", read(Path("contacts.vcf").read_text()).entries)
for entry in (await me.matching.status()).entries: ...
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from client.api import match_commands
from client.model.address_entries import Entry
from client.model.match_states import MatchStatus


class MatchAccess:
    """What a program may ask about matching."""

    def __init__(self, asker: Callable[..., Awaitable[Any]]) -> None:
        """Ask through a connection."""
        self._ask = asker

    async def start(self, me: str, entries: Iterable[Entry]) -> MatchStatus:
        """Look for these entries and no others, for somebody whose own address is `me`; LocalError if one is none."""
        pairs = [(entry.address, entry.label) for entry in entries]
        return msgspec.convert(await self._ask(match_commands.MatchStart, me=me, entries=pairs), MatchStatus)

    async def stop(self) -> None:
        """Look for nobody, and forget all entries; contacts that were found stay."""
        await self._ask(match_commands.MatchStop)

    async def status(self) -> MatchStatus:
        """What there is to know."""
        return msgspec.convert(await self._ask(match_commands.MatchShow), MatchStatus)
