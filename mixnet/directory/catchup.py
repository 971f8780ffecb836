"""An authority asks the others for what it lacks: documents, and who was introduced.

See spec/05-directory.md 5.7 and 5.12.

Promises: what it is given is verified before it counts; an authority that was away, or is not one yet or no more, comes
to know the newest document and all authorities that were introduced, whoever of the others is left to ask. One that has
no part in the present document asks one authority at a time, as any reader does, and not as an authority.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from mixnet.directory.context import AuthorityContext
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Role
from mixnet.pki.bootstrap import AuthorityInfo
from mixnet.pki.fetch import Caller
from mixnet.pki.requests import NEWEST
from mixnet.pki.views import timeless_untrusted
from mixnet.pki.waiting import Backoff


class CatchUp:
    """One authority's questions to the others."""

    def __init__(self, context: AuthorityContext) -> None:
        self._context = context
        self._succession, self._archive, self._changed = context.succession, context.archive, context.changed
        self._rng = context.rng.stream("directory")
        self._as_reader = context.caller_as(Role.CLIENT)

    async def run(self, epoch: int, asked: Callable[[], None], done: trio.CancelScope) -> None:
        """Ask until there is a document for `epoch`, or other authorities make it than those known so far.

        Then `done` is cancelled; `asked` is called whenever all have been asked.
        """
        backoff = Backoff(self._rng, first=0.5, most=10.0)
        known = self._succession.trust.at(epoch)
        while True:
            if self._succession.serves(epoch):
                await self._ask_all()
            else:
                await self._ask_in_turn(epoch)
            asked()
            self._changed.wake()
            if epoch in self._archive or self._succession.trust.at(epoch) is not known:
                done.cancel()
            await backoff.pause()

    async def _ask_all(self) -> None:
        async with trio.open_nursery() as nursery:
            for authority in self._succession.others(self._context.present()):
                nursery.start_soon(self._ask, authority, self._context.caller)

    async def _ask_in_turn(self, epoch: int) -> None:
        others = self._succession.others(self._context.present())
        for authority in self._rng.sample(others, len(others)):
            await self._ask(authority, self._as_reader)
            if epoch in self._archive:
                return

    async def _ask(self, authority: AuthorityInfo, caller: Caller) -> None:
        """Take the newest document that another one has, and what introduces its authorities."""
        try:
            raw = await caller.document(authority, NEWEST)
            self._take_untrusted(raw)
            if self._context.present() not in self._archive:
                while await self._ask_introduction(authority, caller):
                    self._take_untrusted(raw)
        except (RemoteError, Unavailable):
            return

    def _take_untrusted(self, raw: bytes | None) -> None:
        """If it has expired, the next one continues it all the same; one that nobody would believe is left alone."""
        try:
            document = None if raw is None else timeless_untrusted(raw, self._succession.trust)
        except RemoteError:
            return  # perhaps of authorities that were not introduced here yet
        if raw is not None and document is not None and document.epoch <= self._context.present() + 1:
            self._archive.adopt(document, raw)
            self._changed.wake()

    async def _ask_introduction(self, authority: AuthorityInfo, caller: Caller) -> bool:
        """Whether one more set of authorities came to be known; raises RemoteError or Unavailable."""
        raw = await caller.introduction(authority, self._succession.trust.newest.first_epoch)
        if raw is None:
            return False
        newest = self._archive.newest(self._context.present() + 1)
        learned = self._succession.learn_untrusted(raw, -1 if newest is None else newest)
        self._changed.wake()
        return learned
