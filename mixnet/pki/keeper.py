"""Keeps a process supplied with the document of the epoch (spec/05-directory.md 5.10).

Promises: `current` is the newest verified document whose epoch has begun, and never an expired one; the next epoch's is
fetched ahead, at a time drawn anew for each process and epoch, so that readers don't come in a crowd; all switch when
the epoch begins. A round that failed costs nothing as long as the last document is valid. Never a document older than
the newest one that was ever in use, also before a restart; never a second one for an epoch. What is wrong is said. New
authorities are gone by only once the document that introduces them would outlast a crash (section 5.12).
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial

import trio

from mixnet.clock import Clock
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Role
from mixnet.network import Network
from mixnet.pki.agreed_clock import AgreedClock
from mixnet.pki.document import SKEW_SHARE, Document, validity, verify_untrusted
from mixnet.pki.errors import ClockWrong, NoDocument, SplitView
from mixnet.pki.fetch import accept_untrusted, clock_error, clock_wrong, fetch_document
from mixnet.pki.requests import NEWEST
from mixnet.pki.trust import Trust
from mixnet.pki.views import Contradiction, Views, timeless_untrusted
from mixnet.pki.waiting import Backoff, Broadcast, sleep_until

EARLIEST, LATEST = 0.1, 0.02  # the shares of an epoch before its end between which the next document is fetched
_PATIENT_SHARE = 0.02  # of an epoch: the longest pause between two attempts

Fetch = Callable[[int, int], Awaitable[bytes]]  # (epoch or NEWEST, newest epoch seen) to signed bytes; Unavailable


CLOCK_WRONG, SPLIT_VIEW = "clock_wrong", "split_view"  # what an operator is warned of


class DocumentMemory:
    """What outlasts the process: nothing, for a reader that is gone when it ends, unless a subclass keeps it.

    Each method raises Unavailable if the disk refuses.
    """

    async def keep(self, raw: bytes) -> None:
        """Remember the signed document that came into use, in place of the one before."""
        await trio.lowlevel.checkpoint()

    async def introduced(self, raw: bytes) -> None:
        """Keep the signed document that introduces other authorities for good, after those before."""
        await trio.lowlevel.checkpoint()

    async def accuse(self, contradiction: Contradiction) -> None:
        """Keep the proof that the authorities contradicted themselves."""
        await trio.lowlevel.checkpoint()


class DocumentKeeper:
    """The documents of one process. `fetch` says where they come from: the authorities, or a client's provider."""

    def __init__(
        self,
        trust: Trust,
        fetch: Fetch,
        *,
        clock: Clock,
        rng: random.Random,
        agreed: AgreedClock | None = None,
        initial: bytes | None = None,
        memory: DocumentMemory | None = None,
        views: Views | None = None,
        warn: Callable[[str, str], None] = lambda _warning, _problem: None,
    ) -> None:
        """`initial`: a document kept from an earlier run: used at once if it is valid, and nothing older after it.

        `agreed` hears what the documents say of `clock`, by which they are chosen.
        `trust`, with all introductions that `memory` kept, and `views` are shared with `fetch`, if that verifies too;
        `warn` hears of each new warning: its name, what to say.
        """
        self._trust = trust
        self._lasting = len(trust.introductions)  # so many of them outlast this process
        self._fetch = fetch
        self._clock = clock
        self._agreed = agreed or AgreedClock(clock, 0.0)
        self._rng = rng
        self._initial = initial
        self._memory = memory or DocumentMemory()
        self._views = views or Views(trust)
        self._warn = warn
        self._warned: list[str] = []
        self._accused = len(self._views.evidence)  # so much of it is kept already
        self._newest: Document | None = None  # of all that were ever in use
        self._failure: NoDocument | None = None
        self._held: dict[int, tuple[Document, bytes]] = {}
        self._current: Document | None = None
        self._changed = Broadcast()

    @property
    def current(self) -> Document:
        """The document to use now; raises NoDocument before the first one, or when the last one has expired."""
        if self._current is None or self._clock.now() > self._current.valid_until:
            raise NoDocument
        return self._current

    def raw(self, epoch: int = NEWEST) -> bytes | None:
        """The signed bytes of the current document, or of that for `epoch`, for others to verify; None if not held."""
        if epoch == NEWEST:
            epoch = -1 if self._current is None else self._current.epoch
        held = self._held.get(epoch)
        return None if held is None else held[1]

    async def wait_for_next(self) -> Document:
        """The next document that becomes current."""
        before = self._current
        while self._current is before:
            await self._changed.wait()
        return self.current

    @property
    def warnings(self) -> list[str]:
        """What the operator of this machine should look after: CLOCK_WRONG, SPLIT_VIEW."""
        wrong = [CLOCK_WRONG] if self._clock_wrong() is not None else []
        return wrong + ([SPLIT_VIEW] if self._views.evidence else [])

    @property
    def problem(self) -> str:
        """What is wrong with the directory as this process sees it, and what to do; empty if nothing is."""
        wrong = self._clock_wrong()
        if wrong is not None:
            return str(wrong)
        if self._views.evidence:
            return str(SplitView())
        if self._current is None or self._trust.epochs.at(self._clock.now()) > self._current.epoch:
            return "" if self._failure is None else str(self._failure)
        return ""

    def _clock_wrong(self) -> ClockWrong | None:
        """What shows that the clock is wrong: what the authorities said last, or a document that was in use already."""
        if isinstance(self._failure, ClockWrong):
            return self._failure
        now = self._clock.now()
        if self._newest is None or now >= self._newest.valid_from - SKEW_SHARE * self._trust.epoch_length:
            return None
        return clock_wrong([clock_error(self._newest, now)], 1)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Fetch until cancelled; started when there is a current document."""
        self._recall()
        await self._tell()
        if self._current is None:
            await self._obtain(NEWEST)
        await self._remember()
        task_status.started()
        while True:
            await self._obtain(await self._due())
            await sleep_until(self._clock, self._trust.epochs.start(max(self._held)))
            self._switch()
            await self._remember()

    def _recall(self) -> None:
        """Take over the document of an earlier run: as one to use, or as one that the next may not be older than."""
        initial, self._initial = self._initial, None  # once, however often it is run
        if initial is not None:
            try:
                document = timeless_untrusted(initial, self._trust)
            except RemoteError:
                return
            self._newest = document
            self._agreed.not_before(document.valid_from)
            self._views.fits(document, initial)
            self._trust.follow(document, initial)
            try:
                verify_untrusted(initial, self._trust, self._clock.now())
            except RemoteError:
                return
            self._hold(document, initial)

    async def _due(self) -> int:
        """The epoch whose document is needed next, once it is time to ask for it."""
        epochs = self._trust.epochs
        present = max(epochs.at(self._clock.now()), min(self._held))
        if max(self._held) < present:
            return present
        ahead = self._rng.uniform(LATEST, EARLIEST) * epochs.length
        await sleep_until(self._clock, epochs.end(present) - ahead)
        return present + 1

    async def _obtain(self, epoch: int) -> None:
        """Fetch until there is a document for `epoch`, or a newer one is due; NEWEST: until there is any.

        When all that were held have expired, any newer one that is valid will do.
        """
        epochs = self._trust.epochs
        backoff = Backoff(self._rng, most=max(2.0, _PATIENT_SHARE * epochs.length) if self._held else 2.0)
        while True:
            newest = max(self._held, default=-1 if self._newest is None else self._newest.epoch)
            try:
                raw = await self._fetch(epoch, newest)
                now = self._clock.now()
                wanted = NEWEST if expired(self._trust, newest, now) else epoch
                document = accept_untrusted(raw, self._trust, now, newest_epoch=newest, epoch=wanted, views=self._views)
                await self._follow(document, raw)
            except (Unavailable, RemoteError) as problem:
                self._failure = problem if isinstance(problem, NoDocument) else NoDocument(str(problem))
                await self._tell()
                await backoff.pause()
            else:
                self._failure = None
                self._hold(document, raw)
                await self._tell()
                return
            present = max(epochs.at(self._clock.now()), min(self._held, default=0))
            if epoch != NEWEST and not present <= epoch <= present + 1:  # time has passed, or the clock was set
                epoch = present

    async def _follow(self, document: Document, raw: bytes) -> None:
        """Go by those that an accepted document introduces; Unavailable if its own authorities' would be forgotten."""
        first = self._trust.contradicted(document)
        if first is not None:
            self._views.accuse(Contradiction(document.epoch, first, raw))
        self._trust.follow(document, raw)
        try:
            for introduction in self._trust.introductions[self._lasting :]:
                await self._memory.introduced(introduction)
                self._lasting += 1
        except Unavailable:
            if self._lasting < self._trust.rests_on(document.epoch):
                raise

    async def _tell(self) -> None:
        """Keep what proves something, and warn once of whatever begins to be wrong."""
        warnings = self.warnings
        if CLOCK_WRONG in warnings:
            self._agreed.contradict()
        for warning in warnings:
            if warning not in self._warned:
                self._warn(warning, self.problem)
        self._warned = warnings
        for contradiction in self._views.evidence[self._accused :]:
            self._accused += 1
            with suppress(Unavailable):
                await self._memory.accuse(contradiction)

    async def _remember(self) -> None:
        """Have the current document outlast this process; a full disk doesn't stop it."""
        raw = self.raw()
        if raw is not None:
            with suppress(Unavailable):
                await self._memory.keep(raw)

    def _hold(self, document: Document, raw: bytes) -> None:
        self._held[document.epoch] = (document, raw)
        self._switch()

    def _switch(self) -> None:
        """Make the newest document whose epoch has begun the current one, and forget those before it."""
        present = self._trust.epochs.at(self._clock.now())
        begun = [epoch for epoch in self._held if epoch <= present]
        if not begun and self._current is not None:
            return
        # A first document whose epoch has not begun here was accepted within the tolerance for slow clocks.
        newest = self._held[max(begun, default=min(self._held))][0]
        for epoch in begun:
            if epoch < newest.epoch:
                del self._held[epoch]
        skew, now = SKEW_SHARE * self._trust.epoch_length, self._clock.now()
        if newest.valid_from - skew <= now <= newest.valid_until + skew:
            self._agreed.agree(newest.valid_from, self._trust.epochs.end(newest.epoch))
        if newest is not self._current:
            self._current = self._newest = newest
            self._changed.wake()


def expired(trust: Trust, epoch: int, now: float) -> bool:
    """Whether the document for `epoch` can't be used any more."""
    return now > validity(trust.epochs, epoch)[1]


def keeper_of_authorities(
    trust: Trust,
    *,
    network: Network,
    clock: Clock,
    identity: SigningKey,
    role: Role,
    rng: random.Random,
    agreed: AgreedClock | None = None,
    source: str | None = None,
    initial: bytes | None = None,
    evidence: Iterable[Contradiction] = (),
    memory: DocumentMemory | None = None,
    warn: Callable[[str, str], None] = lambda _warning, _problem: None,
) -> DocumentKeeper:
    """A keeper that asks the authorities themselves, as nodes do; `evidence` was kept from earlier runs."""
    views = Views(trust, evidence)
    ask = partial(
        fetch_document, trust, network=network, clock=clock, identity=identity, role=role, rng=rng, source=source
    )

    async def fetch(epoch: int, newest_epoch: int) -> bytes:
        if expired(trust, newest_epoch, clock.now()):
            epoch = NEWEST  # whatever our clock says: if it is wrong, what they hold shows it
        return (await ask(epoch=epoch, newest_epoch=newest_epoch, views=views))[1]

    return DocumentKeeper(
        trust, fetch, clock=clock, rng=rng, agreed=agreed, initial=initial, memory=memory, views=views, warn=warn
    )
