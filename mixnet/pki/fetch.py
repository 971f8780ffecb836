"""Getting documents from the authorities and descriptors to them (SPEC.md section 5.9).

Promises: a document is verified before anybody sees it; an authority that lies, is silent or is gone costs one attempt,
never trust. Authorities are asked in random order, one at a time, so no one of them learns of every reader.
"""

from __future__ import annotations

import random

import trio

from mixnet.clock import Clock
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Link, Role, TlsIdentity, ask, connect
from mixnet.network import Address, Network
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.document import Document, verify_untrusted
from mixnet.pki.errors import NoDocument
from mixnet.pki.requests import (
    NEWEST,
    AskDocument,
    DocumentAnswer,
    Request,
    Upload,
    UploadAnswer,
    encode,
    parse_answer_untrusted,
)
from mixnet.pki.waiting import Backoff

TIMEOUT = 10.0  # seconds for one authority's answer
PATIENCE = 20.0  # seconds for which a descriptor is offered to an authority that doesn't answer


async def fetch_document(
    bootstrap: Bootstrap,
    *,
    network: Network,
    clock: Clock,
    identity: SigningKey,
    role: Role,
    rng: random.Random,
    source: str | None = None,
    newest_epoch: int = -1,
    epoch: int = NEWEST,
) -> tuple[Document, bytes]:
    """(document, its signed bytes): the one for `epoch`, which may be the coming one, or else the newest valid now.

    `newest_epoch` is that of the newest document accepted before; `source` the local IP to dial from. Raises
    NoDocument, which says why, if no authority gives one that can be relied on.
    """
    caller = Caller(bootstrap, network, identity=identity, role=role, source=source)
    problems: list[RemoteError | Unavailable] = []
    for authority in rng.sample(bootstrap.authorities, len(bootstrap.authorities)):
        try:
            raw = await caller.document(authority, epoch)
            if raw is not None:
                return accept_untrusted(raw, bootstrap, clock.now(), newest_epoch=newest_epoch, epoch=epoch), raw
        except (RemoteError, Unavailable) as problem:
            problems.append(problem)
    if not problems:
        raise NoDocument
    # A refused document tells the user more than an authority that was not there.
    telling = next((problem for problem in problems if isinstance(problem, RemoteError)), problems[-1])
    raise NoDocument(f"no authority gave a valid directory document: {telling}")


def accept_untrusted(
    raw: bytes, bootstrap: Bootstrap, now: float, *, newest_epoch: int = -1, epoch: int = NEWEST
) -> Document:
    """The verified document in `raw`, which must be the one for `epoch` if that is given.

    The coming epoch's document is judged as of its start; raises what `document.verify_untrusted` does, and RemoteError
    for another epoch's document.
    """
    if epoch == NEWEST:
        return verify_untrusted(raw, bootstrap, now, newest_epoch)
    coming = epoch == bootstrap.epochs.at(now) + 1
    document = verify_untrusted(raw, bootstrap, bootstrap.epochs.start(epoch) if coming else now, newest_epoch)
    if document.epoch != epoch:
        raise RemoteError("a directory document for another epoch than the one asked for")
    return document


async def upload_descriptor(
    bootstrap: Bootstrap,
    raw: bytes,
    *,
    network: Network,
    identity: SigningKey,
    rng: random.Random,
    source: str | None = None,
    patience: float = PATIENCE,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Give a signed descriptor to all authorities; started when a majority of them took it.

    Authorities that don't answer are asked again for `patience` seconds. Raises Unavailable if then a majority has
    not taken it.
    """
    caller = Caller(bootstrap, network, identity=identity, role=Role.NODE, source=source)
    taken: set[bytes] = set()

    async def give(authority: AuthorityInfo) -> None:
        backoff = Backoff(rng, most=10.0)
        while not await caller.offer(authority, raw):
            await backoff.pause()
        taken.add(authority.identity)
        if len(taken) == bootstrap.majority:
            task_status.started()

    with trio.move_on_after(patience):
        async with trio.open_nursery() as nursery:
            for authority in bootstrap.authorities:
                nursery.start_soon(give, authority)
    if len(taken) < bootstrap.majority:
        raise Unavailable(
            f"{len(taken)} of {len(bootstrap.authorities)} authorities took this node's descriptor, "
            f"{bootstrap.majority} are needed: check that they run and have approved this node"
        )


class Caller:
    """Who asks the authorities, and from where."""

    def __init__(
        self, bootstrap: Bootstrap, network: Network, *, identity: SigningKey, role: Role, source: str | None = None
    ) -> None:
        """`source`: the local IP to dial from."""
        self._bootstrap = bootstrap
        self._network = network
        self._identity = TlsIdentity(identity)  # made once: it costs more than a link
        self._role = role
        self._source = source

    async def document(self, authority: AuthorityInfo, epoch: int) -> bytes | None:
        """The bytes that one authority gives out as the document for `epoch`."""
        answer = await self._ask(authority, AskDocument(epoch))
        return parse_answer_untrusted(answer, DocumentAnswer).document

    async def offer(self, authority: AuthorityInfo, descriptor: bytes) -> bool:
        """Whether one authority took a descriptor."""
        try:
            answer = await self._ask(authority, Upload(descriptor))
            return parse_answer_untrusted(answer, UploadAnswer).taken
        except (RemoteError, Unavailable):
            return False

    async def _ask(self, authority: AuthorityInfo, request: Request) -> bytes:
        async with await self.link(authority) as link:
            return await ask(link, encode(request), timeout=TIMEOUT)

    async def link(self, authority: AuthorityInfo) -> Link:
        """A link to one authority; raises Unavailable, or RemoteError if somebody else is there."""
        return await connect(
            self._network,
            Address.parse(authority.address),
            identity=self._identity,
            role=self._role,
            network_id=self._bootstrap.network_id,
            expect=authority.identity,
            source=self._source,
            timeout=TIMEOUT,
        )
