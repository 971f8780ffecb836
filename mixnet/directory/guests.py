"""Who comes to an authority, and what it may ask for (spec/05-directory.md 5.9).

Promises: what somebody may have follows from the identity that its link proved: authorities of any set that is known
here, then nodes that this authority approved or that the newest document lists, then everybody else. Each of these has
a budget of its own for frames and answers, which its members share equally: strangers by origin, others by identity.
Never: a claim that counts for more than that.
"""

from __future__ import annotations

from collections.abc import Iterable

import trio

from mixnet.directory.context import AuthorityContext
from mixnet.directory.turns import Turns
from mixnet.errors import LocalError, RemoteError
from mixnet.link import Acquaintances, Link, Standing
from mixnet.network import Address, origin

AUTHORITY_RATE, MEMBER_RATE = 8 << 20, 4 << 20  # bytes a second
BURST = 8.0  # seconds of a rate that may be used at once
QUESTION = 16 << 10  # bytes that a question counts for beside its frames and its answer: for the work
MOST_QUESTIONS = 32  # of a stranger on one link
_FRESH = 1.0  # seconds for which the table of members is used


class Visit:
    """One link's part of the budgets."""

    def __init__(self, turns: Turns, owner: bytes | str, questions: int | None) -> None:
        """`questions` are as many as it may ask; None: any number."""
        self._turns, self._owner, self._left = turns, owner, questions

    async def spend(self, size: int) -> None:
        """Wait for the turn to read or write so many bytes."""
        await self._turns.take(self._owner, size)

    async def question_untrusted(self) -> None:
        """Wait for the turn of one more question; RemoteError if it is one too many."""
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise RemoteError("more questions than a stranger may ask on one link")
        await self.spend(QUESTION)


class Guests:
    """Everybody who may come."""

    def __init__(self, context: AuthorityContext, stranger_rate: float) -> None:
        """`stranger_rate` is in bytes a second, for all strangers together."""
        self._context = context
        self._until = -1.0
        self._authorities: frozenset[bytes] = frozenset()
        self._members: frozenset[bytes] = frozenset()
        self._origins: frozenset[str] = frozenset()
        self._stranger_rate = stranger_rate
        self._turns: dict[Standing, Turns] = {}

    @property
    def acquaintances(self) -> Acquaintances:
        """Whom the server of links knows."""
        return Acquaintances(self.standing, self._familiar)

    def standing(self, identity: bytes) -> Standing:
        """What a proven identity (32 bytes) is to this authority."""
        self._refresh()
        if identity in self._authorities:
            return Standing.AUTHORITY
        return Standing.MEMBER if identity in self._members else Standing.STRANGER

    def _familiar(self, where: str) -> bool:
        self._refresh()
        return where in self._origins

    async def run(self) -> None:
        """Give turns until cancelled."""
        rates = {
            Standing.AUTHORITY: AUTHORITY_RATE,
            Standing.MEMBER: MEMBER_RATE,
            Standing.STRANGER: self._stranger_rate,
        }
        self._turns = {standing: Turns(rate, BURST * rate) for standing, rate in rates.items()}
        async with trio.open_nursery() as nursery:
            for turns in self._turns.values():
                nursery.start_soon(turns.run)

    def visit(self, link: Link) -> Visit:
        """One link's questions; LocalError before `run`."""
        standing = self.standing(link.peer.identity)
        turns = self._turns.get(standing)
        if turns is None:
            raise LocalError("an authority that gives no turns yet")
        owner = link.origin if standing is Standing.STRANGER else link.peer.identity
        return Visit(turns, owner, MOST_QUESTIONS if standing is Standing.STRANGER else None)

    def _refresh(self) -> None:
        """Look anew who is a member, once in a while: it is asked for every link when places are scarce."""
        now = trio.current_time()
        if now < self._until:
            return
        self._until = now + _FRESH
        context = self._context
        context.refresh()
        present = context.present()
        newest = context.archive.newest(present + 1)
        document = None if newest is None else context.archive.document(newest)
        nodes = () if document is None else document.nodes
        authorities, others = context.succession.serving(present), context.succession.others(present)
        self._authorities = frozenset(one.identity for one in authorities)
        self._members = frozenset(context.registry.approved) | {one.identity for one in (*others, *nodes)}
        self._origins = frozenset(_origins(one.address for one in (*authorities, *others, *nodes)))


def _origins(addresses: Iterable[str]) -> Iterable[str]:
    """Where these listen, and so mostly where they come from."""
    return (origin(Address.parse(address).host) for address in addresses)
