"""Getting documents from the authorities and descriptors to them (spec/05-directory.md 5.9).

Promises: a document is verified before anybody sees it; an authority that lies, is silent or is gone costs one attempt,
never trust. Authorities are asked in random order, one at a time, so no one of them learns of every reader. If what
they signed shows that this machine's clock is wrong, that is what the caller is told. If those that the reader knows
were replaced, it asks them by whom, and goes on with those (section 5.12).
"""

from __future__ import annotations

import random
from collections.abc import Collection
from contextlib import suppress

import trio

from mixnet.clock import Clock
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Link, Role, TlsIdentity, ask, connect
from mixnet.network import Address, Network
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap, Trusted
from mixnet.pki.descriptor import Descriptor
from mixnet.pki.document import Document, parse_untrusted, verify_untrusted
from mixnet.pki.errors import ClockWrong, Expired, NoDocument, NotYetValid, SplitView, WrongNetwork
from mixnet.pki.requests import (
    NEWEST,
    Answer,
    AskDocument,
    AskIntroduction,
    DocumentAnswer,
    IntroductionAnswer,
    Request,
    Upload,
    UploadAnswer,
    encode,
    parse_answer_untrusted,
)
from mixnet.pki.trust import Trust
from mixnet.pki.views import Views
from mixnet.pki.waiting import Backoff

TIMEOUT = 10.0  # seconds for one authority's answer
PATIENCE = 20.0  # seconds for which a descriptor is offered to an authority that doesn't answer


class Stranger(RemoteError):
    """Somebody else listens where the bootstrap file says that an authority is: get a fresh bootstrap file."""


async def fetch_document(
    trust: Trust,
    *,
    network: Network,
    clock: Clock,
    identity: SigningKey,
    role: Role,
    rng: random.Random,
    source: str | None = None,
    newest_epoch: int = -1,
    epoch: int = NEWEST,
    views: Views | None = None,
) -> tuple[Document, bytes]:
    """(document, its signed bytes): the one for `epoch`, which may be the coming one, or else the newest valid now.

    `newest_epoch` is that of the newest document accepted before; `source` the local IP to dial from; `views` compares
    with what this reader was shown before. `trust` follows what introduces other authorities. Raises ClockWrong, or
    NoDocument, which says why, if no authority gives one that can be relied on.
    """
    caller = Caller(trust, network, identity=identity, role=role, source=source)
    there: list[AuthorityInfo] = []
    while True:  # as often as `trust` grows, which it does a limited number of times
        wanted = trust.epochs.at(clock.now()) if epoch == NEWEST else epoch
        asked = list(dict.fromkeys([*_whom_to_ask(trust, wanted, rng), *there]))  # who led us on may lead us home
        there.clear()
        failures = _Failures(trust)
        for authority in asked:
            raw = None
            try:
                raw = await caller.document(authority, epoch)
                there.append(authority)
                if raw is not None:
                    now = clock.now()
                    document = accept_untrusted(raw, trust, now, newest_epoch=newest_epoch, epoch=epoch, views=views)
                    trust.follow(document, raw)
                    return document, raw
            except (RemoteError, Unavailable) as problem:
                failures.add(authority, problem, raw if epoch == NEWEST else None, clock.now())
        if not await _follow(trust, caller, there, newest_epoch):
            raise failures.verdict(len(asked))


def _whom_to_ask(trust: Trust, epoch: int, rng: random.Random) -> list[AuthorityInfo]:
    """The set for `epoch`, then, for our clock may be wrong and theirs gone, the two newest; each in random order."""
    sets = {one.first_epoch: one for one in (trust.at(epoch), *reversed(trust.sets[-2:]))}
    return list(
        dict.fromkeys(one for each in sets.values() for one in rng.sample(each.authorities, len(each.authorities)))
    )


async def _follow(trust: Trust, caller: Caller, there: list[AuthorityInfo], newest_epoch: int) -> bool:
    """Whether one of those that are `there` introduced others than `trust` knew; what it introduced is followed."""
    for authority in there:
        known = len(trust.introductions)
        with suppress(RemoteError, Unavailable):
            while (raw := await caller.introduction(authority, trust.newest.first_epoch)) is not None:
                if not trust.follow_untrusted(raw, newest_epoch):
                    break
        if len(trust.introductions) > known:
            return True
    return False


class _Failures:
    """Why the authorities gave nothing that can be relied on, and what they show of our clock.

    What an authority gives counts for the clock if it is one of those who sign such a document.
    """

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._problems: list[RemoteError | Unavailable] = []
        self._errors: dict[int, dict[bytes, float]] = {}  # by the set that signs such documents, and by its member

    def add(
        self, authority: AuthorityInfo, problem: RemoteError | Unavailable, newest: bytes | None, now: float
    ) -> None:
        """One authority failed; `newest` is what it gave as the newest document, if it did."""
        self._problems.append(problem)
        if newest is None or not isinstance(problem, NotYetValid | Expired):
            return
        document = parse_untrusted(newest)[0]
        rightful = self._trust.at(document.epoch)
        if authority.identity in rightful.identities:
            self._errors.setdefault(rightful.first_epoch, {})[authority.identity] = clock_error(document, now)

    def verdict(self, asked: int) -> NoDocument:
        """ClockWrong if a majority of a set says so; else why none of those `asked` helped."""
        found = ((one, self._errors.get(one.first_epoch, {})) for one in self._trust.sets)
        verdicts = (clock_wrong(list(errors.values()), one.majority) for one, errors in found)
        return next((verdict for verdict in verdicts if verdict is not None), _nothing(self._problems, asked))


def _nothing(problems: list[RemoteError | Unavailable], asked: int) -> NoDocument:
    """Why nobody had a document."""
    refusals = [one for one in problems if isinstance(one, RemoteError) and not isinstance(one, Stranger)]
    if refusals and all(isinstance(one, WrongNetwork) for one in refusals):
        return NoDocument(
            "the authorities give directory documents that others signed than this machine knows: if the bootstrap "
            "file is not another network's, they have been replaced: get a fresh one from the network's operators"
        )
    if refusals:  # they tell the user more than an authority that was not there
        return NoDocument(f"no authority gave a valid directory document: {refusals[0]}")
    if len(problems) == asked:
        return NoDocument(
            "no authority can be reached where the bootstrap file says that they are: check this machine's network "
            "connection; if it works, they may have been replaced: get a fresh bootstrap file from the network's "
            "operators"
        )
    return NoDocument()


def clock_error(document: Document, now: float) -> float:
    """Seconds by which this machine's clock is behind (-) or ahead (+), at least, if `document` is the network's."""
    return min(0.0, now - document.valid_from) or max(0.0, now - document.valid_until)


def clock_wrong(errors: list[float], needed: int) -> ClockWrong | None:
    """What the user reads, if as many signed documents as are `needed` say that the clock is behind, or ahead.

    It takes a majority of the authorities: a single one might give the coming document early, or hold new ones back.
    """
    behind = [-error for error in errors if error < 0]
    ahead = [error for error in errors if error > 0]
    if len(behind) >= needed:
        return ClockWrong(f"this machine's clock is at least {_span(min(behind))} behind the network's: set it")
    if len(ahead) >= needed:
        return ClockWrong(
            f"this machine's clock is at least {_span(min(ahead))} ahead of the network's: set it; if it is right, the "
            "network has agreed on no directory document for that long, or its authorities have been replaced: ask its "
            "operators, and for a fresh bootstrap file"
        )
    return None


def _span(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{int(seconds // unit)} {name}"
    return f"{int(seconds)} seconds"


def accept_untrusted(
    raw: bytes,
    trust: Trusted,
    now: float,
    *,
    newest_epoch: int = -1,
    epoch: int = NEWEST,
    views: Views | None = None,
) -> Document:
    """The verified document in `raw`, which must be the one for `epoch` if that is given.

    The coming epoch's document is judged as of its start; raises what `document.verify_untrusted` does, RemoteError
    for another epoch's document, and SplitView if `views` knows another one for its epoch.
    """
    try:
        document = _verified_untrusted(raw, trust, now, newest_epoch, epoch)
    except RemoteError:
        if views is not None and views.contradicted_untrusted(raw):
            raise SplitView from None
        raise
    if views is not None and not views.fits(document, raw):
        raise SplitView
    return document


def _verified_untrusted(raw: bytes, trust: Trusted, now: float, newest_epoch: int, epoch: int) -> Document:
    if epoch == NEWEST:
        return verify_untrusted(raw, trust, now, newest_epoch)
    coming = epoch == trust.epochs.at(now) + 1
    document = verify_untrusted(raw, trust, trust.epochs.start(epoch) if coming else now, newest_epoch)
    if document.epoch != epoch:
        raise RemoteError("a directory document for another epoch than the one asked for")
    return document


async def upload_descriptor(
    trust: Trusted,
    raw: bytes,
    *,
    network: Network,
    identity: SigningKey,
    rng: random.Random,
    epochs: Collection[int] = (),
    source: str | None = None,
    patience: float = PATIENCE,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Give a signed descriptor to all authorities that vote on it; started when a majority of them took it.

    `epochs` are those of the documents in which it shall stand: by default the descriptor's own and the next. If their
    authorities are not the same, it takes a majority of each set. Those that don't answer are asked again for
    `patience` seconds. Raises Unavailable if then a majority has not taken it.
    """
    if not epochs:
        own = Descriptor.parse_untrusted(raw).epoch
        epochs = (own, own + 1)
    sets = {one.first_epoch: one for one in map(trust.at, epochs)}.values()
    caller = Caller(trust, network, identity=identity, role=Role.NODE, source=source)
    taken: set[bytes] = set()
    everybody = trio.Event()

    async def give(authority: AuthorityInfo) -> None:
        backoff = Backoff(rng, most=10.0)
        while not await caller.offer(authority, raw):
            await backoff.pause()
        taken.add(authority.identity)
        if not everybody.is_set() and not _lacking(sets, taken):
            everybody.set()
            task_status.started()

    with trio.move_on_after(patience):
        async with trio.open_nursery() as nursery:
            for authority in dict.fromkeys(one for each in sets for one in each.authorities):
                nursery.start_soon(give, authority)
    for one in _lacking(sets, taken):
        raise Unavailable(
            f"{len(taken & set(one.identities))} of {len(one.authorities)} authorities took this node's descriptor, "
            f"{one.majority} are needed: check that they run and have approved this node"
        )


def _lacking(sets: Collection[Bootstrap], taken: set[bytes]) -> list[Bootstrap]:
    """The sets of which no majority has taken it."""
    return [one for one in sets if len(taken & set(one.identities)) < one.majority]


class Caller:
    """Who asks the authorities, and from where."""

    def __init__(
        self, trust: Trusted, network: Network, *, identity: SigningKey, role: Role, source: str | None = None
    ) -> None:
        """`source`: the local IP to dial from."""
        self._network_id = trust.network_id
        self._network = network
        self._identity = TlsIdentity(identity)  # made once: it costs more than a link
        self._role = role
        self._source = source

    async def document(self, authority: AuthorityInfo, epoch: int) -> bytes | None:
        """The bytes that one authority gives out as the document for `epoch`."""
        return (await self.ask(authority, AskDocument(epoch), DocumentAnswer)).document

    async def introduction(self, authority: AuthorityInfo, first_epoch: int) -> bytes | None:
        """What one authority gives out as the document that introduces the set after that of `first_epoch`."""
        return (await self.ask(authority, AskIntroduction(first_epoch), IntroductionAnswer)).document

    async def offer(self, authority: AuthorityInfo, descriptor: bytes) -> bool:
        """Whether one authority took a descriptor."""
        try:
            return (await self.ask(authority, Upload(descriptor), UploadAnswer)).taken
        except (RemoteError, Unavailable):
            return False

    async def ask(self, authority: AuthorityInfo, request: Request, kind: type[Answer]) -> Answer:
        """The answer of one authority; raises Unavailable or RemoteError."""
        async with await self.link(authority) as link:
            return parse_answer_untrusted(await ask(link, encode(request), timeout=TIMEOUT), kind)

    async def link(self, authority: AuthorityInfo) -> Link:
        """A link to one authority; raises Unavailable, or Stranger if somebody else is there."""
        try:
            return await connect(
                self._network,
                Address.parse(authority.address),
                identity=self._identity,
                role=self._role,
                network_id=self._network_id,
                expect=authority.identity,
                source=self._source,
                timeout=TIMEOUT,
            )
        except RemoteError:
            raise Stranger from None
