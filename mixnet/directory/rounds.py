"""Takes one authority through a voting round with the others (spec/05-directory.md 5.7).

Each authority asks every other one for what it says in the step that is open, and goes on when it has heard all of
them or the step's time is up. Asking, rather than telling, lets one that restarts or reconnects simply ask again.

Promises: one's own statements are in the ledger before anybody can ask for them; an authority that has only just
started votes only if it knows every approved node, so that a network that starts up gets a complete document. A vote
names the newest document that there is: for one that is still being made, or that another authority has, it waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import trio

from mixnet.counters import Dropped
from mixnet.crypto import KEY_SIZE
from mixnet.directory.consensus import commit, encode_vote
from mixnet.directory.context import AuthorityContext
from mixnet.directory.evidence import check_evidence_untrusted
from mixnet.directory.schedule import REGULAR, RoundPlan
from mixnet.directory.voting import Phase, Round, Statement, step_count
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Link, ask
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.requests import AskStep, AskValue, RoundReport, StepAnswer, ValueAnswer, encode, parse_answer_untrusted
from mixnet.pki.waiting import Backoff, sleep_until

_MOST_WAITS = 3  # regular rounds left to the late ones while a network has no document at all: enough if those work


class Rounds:
    """The rounds that one authority takes part in."""

    def __init__(self, context: AuthorityContext) -> None:
        """For `startup_wait` seconds from now on this authority votes for complete networks only."""
        self._context, self._config = context, context.config
        self._trust, self._archive, self._registry = context.trust, context.archive, context.registry
        self._ledger, self._changed, self._clock = context.ledger, context.changed, context.clock
        self.absent: frozenset[bytes] = frozenset()  # authorities that were silent in the last round
        self.held: dict[tuple[int, int], Round] = {}  # under way or just over, by epoch and attempt
        self.problem = ""  # why the last round failed, for the operator
        self.caught_up = True  # whether the others were asked for a newer document than the last that is known here
        self.suspects = set(_suspects(context))  # who contradicted themselves, also before a restart
        rng = context.rng.child("rounds")
        self._jitter = rng.stream("jitter")
        self._secrets = rng.stream("secrets")  # as good as the system's generator, outside the simulated world
        self._complete_until = context.clock.now() + context.config.startup_wait
        self._waits = 0  # regular rounds that were left to late ones

    def note_caught_up(self) -> None:
        """All others were asked for a newer document."""
        self.caught_up = True

    async def hold(self, plan: RoundPlan) -> None:
        """One round, from its opening to its end; its document, if there is one, is in the archive then."""
        await sleep_until(self._clock, plan.opens)
        if plan.epoch in self._archive:
            return  # it was made while this one had still to open
        self._context.refresh()
        await self._collect(plan)
        self._context.refresh()
        if self._clock.now() >= plan.step_ends[0]:
            return  # the others' first step is over: one that missed it would hold other votes than they do
        authorities = self._trust.at(plan.epoch)
        steps = step_count(len(authorities.authorities))
        if self._context.me not in authorities.identities or len(plan.step_ends) != steps:
            return  # it has become known that others make this document
        known = self._archive.before(plan.epoch)
        round_ = Round(authorities, plan.epoch, plan.attempt, self._config.identity, known)
        round_.cast(self._statement(plan))
        self._forget_before(plan.epoch - 1)
        self.held[plan.epoch, plan.attempt] = round_
        self._changed.wake()
        async with trio.open_nursery() as nursery:
            for authority in authorities.authorities:
                if authority.identity != self._context.me:
                    nursery.start_soon(self._hear, round_, authority)
            for ends in plan.step_ends:
                if not round_.over:
                    await self._step(round_, ends, plan.sign_until)
            nursery.cancel_scope.cancel()
        self._conclude(round_, authorities)

    async def _collect(self, plan: RoundPlan) -> None:
        """Wait until every approved node has uploaded its descriptor, or the time for that is up.

        And until the document is here that this one shall continue: a late round may be making it at this moment.
        """
        with trio.move_on_at(self._deadline(plan.collect_until)):
            while not (self._registry.complete(plan.epoch) and self._continues_newest(plan)):
                await self._changed.wait()

    def _continues_newest(self, plan: RoundPlan) -> bool:
        """Whether there is no newer document to continue than those that are known here."""
        return plan.epoch - 1 in self._archive if plan.attempt == REGULAR else self.caught_up

    def _leaves_to_late(self, plan: RoundPlan) -> bool:
        """Whether this regular round would continue nothing, while a late one may yet make the first document.

        Both would draw all layers, each its own. After a few it is held all the same, should late rounds be too short
        for this network.
        """
        nothing = plan.attempt == REGULAR and self._archive.newest(plan.epoch - 1) is None
        return nothing and self._waits < _MOST_WAITS

    def _statement(self, plan: RoundPlan) -> Statement | None:
        """This authority's part in the round, stored; None if it doesn't vote."""
        stated = self._ledger.statement(plan.epoch, plan.attempt)
        if stated is not None:
            return stated
        if self._leaves_to_late(plan):
            self._waits += 1
            return None
        if not self._registry.complete(plan.epoch) and self._clock.now() < self._complete_until:
            return None
        secret = self._secrets.randbytes(KEY_SIZE)
        vote = encode_vote(
            self._archive.digest_before(plan.epoch),
            self._config.parameters,
            commit(self._trust.at(plan.epoch), plan.epoch, self._context.me, secret),
            self._registry.ballot(plan.epoch),
            self._context.succession.wanted(plan.epoch),
        )
        stated = Statement(vote, secret)
        self._ledger.keep_statement(plan.epoch, plan.attempt, stated)
        return stated

    async def _step(self, round_: Round, ends: float, sign_until: float) -> None:
        with trio.move_on_at(self._deadline(ends)):
            while round_.missing:
                await self._changed.wait()
        if self._context.me in round_.signatures:
            with trio.move_on_at(self._deadline(sign_until)):
                # Signed once, never another: a signature that is late is as good, and without it this epoch has none.
                while round_.missing and round_.signed() is None:
                    await self._changed.wait()
        round_.close()
        if round_.undecided and round_.document is not None:
            if self._ledger.may_sign(round_.epoch, round_.document.digest):
                round_.sign()
            else:
                round_.abstain()
        self._changed.wake()

    async def _hear(self, round_: Round, authority: AuthorityInfo) -> None:
        """Ask one other authority for its part in each step, whenever it can be reached."""
        backoff = Backoff(self._jitter, most=5.0)
        while True:
            try:
                async with await self._context.caller.link(authority) as link:
                    while True:
                        await self._hear_step(round_, authority.identity, link)
            except (RemoteError, Unavailable):
                await backoff.pause()

    async def _hear_step(self, round_: Round, author: bytes, link: Link) -> None:
        while author not in round_.missing:
            await self._changed.wait()
        step = round_.step
        request = encode(AskStep(round_.epoch, round_.attempt, step))
        bundle = parse_answer_untrusted(await ask(link, request), StepAnswer).bundle
        if bundle is None:
            return
        try:
            wanted = round_.wanted_untrusted(step, bundle)
        except RemoteError:
            wanted = []  # it is refused below, where its author counts as heard
        values = [await self._value(round_, print_, link) for print_ in wanted]
        try:
            round_.take_untrusted(author, step, bundle, [value for value in values if value is not None])
        except RemoteError:
            self._context.counters.drop(Dropped.REQUEST)
        self._changed.wake()

    async def _value(self, round_: Round, fingerprint: bytes, link: Link) -> bytes | None:
        """A vote or secret of which a relay told the fingerprint."""
        request = encode(AskValue(round_.epoch, round_.attempt, fingerprint))
        return parse_answer_untrusted(await ask(link, request), ValueAnswer).value

    def _conclude(self, round_: Round, authorities: Bootstrap) -> None:
        for proof in round_.evidence():
            self.suspects.add(proof.author)
            self._ledger.keep_evidence(proof.epoch, proof.subject, proof.encode())
        self.absent = frozenset(authorities.identities).difference(round_.heard, {self._context.me})
        raw = round_.signed()
        if round_.phase is Phase.PUBLISHED and round_.document is not None and raw is not None:
            self._archive.adopt(round_.document, raw)
            self.problem = ""
            self._changed.wake()
        else:
            self.problem = str(round_.problem or self._unsigned(round_))
        failed = "" if round_.phase is Phase.PUBLISHED else self.problem
        signed = tuple(sorted(round_.signatures))
        report = RoundReport(round_.attempt, failed, tuple(sorted(round_.heard)), round_.voted, round_.revealed, signed)
        self._ledger.keep_report(round_.epoch, report)

    def _unsigned(self, round_: Round) -> str:
        """Why a document that was agreed on has too few signatures, and what to do."""
        if self._context.me not in round_.signatures:
            return "another document was signed for this epoch, but by too few in time: the next epoch has a new chance"
        others = "start the others" if self.absent else "see that clocks are right and machines not overloaded"
        return f"the signatures of too few authorities came in time: {others}"

    def _forget_before(self, epoch: int) -> None:
        for key in [key for key in self.held if key[0] < epoch]:
            del self.held[key]

    def _deadline(self, when: float) -> float:
        """A time of day, as a time of Trio's clock."""
        return trio.current_time() + max(when - self._clock.now(), 0.0)


def _suspects(context: AuthorityContext) -> Iterator[bytes]:
    for raw in context.ledger.evidence():
        with suppress(RemoteError):  # about authorities of before those in the bootstrap file
            yield check_evidence_untrusted(raw, context.trust).author
