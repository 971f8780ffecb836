"""What a node runs with: its settings, identity, network, clock, randomness and files (spec/01-rooms.md 1.2).

Promises: whether it is a real process or an actor of the simulated world is decided by what is passed in here, and
nowhere else; who may connect follows from the document: nodes that it lists, and on a provider anybody as a client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from mixnet.clock import Epochs
from mixnet.counters import Counters, Dropped, Event
from mixnet.crypto import SigningKey
from mixnet.link import Acquaintances, Link, LinkEvent, LinkLimits, Role, Standing, connect, serve_links
from mixnet.log import Log, LogEntry
from mixnet.network import Address, Network
from mixnet.pki.agreed_clock import AgreedClock
from mixnet.pki.descriptor import NodeRole
from mixnet.pki.document import Node
from mixnet.pki.keeper import DocumentKeeper, keeper_of_authorities
from mixnet.pki.trust import Trust
from mixnet.randomness import Source
from mixnode.config import NodeConfig, Storage
from mixnode.documents import DocumentFiles
from mixnode.keyfiles import FileKeys
from mixnode.keys import KeyRing, KeyStore, MemoryKeys
from mixnode.mailboxes import Limits, Mailboxes
from mixnode.members import Members
from mixnode.storage import MailboxStorage

RESERVED = 4  # one place of so many is kept for links of nodes
GRACE_SHARE, LONGEST_GRACE = 0.5, 600.0  # of an epoch, and seconds, for which a key outlives its epoch
_REFUSED = {
    LinkEvent.FULL: Dropped.CONNECTION_LIMIT,
    LinkEvent.BUSY: Dropped.CONNECTION_LIMIT,
    LinkEvent.DISPLACED: Dropped.CONNECTION_LIMIT,
    LinkEvent.HANDSHAKE_TIMEOUT: Dropped.HANDSHAKE,
    LinkEvent.HANDSHAKE_FAILED: Dropped.HANDSHAKE,
    LinkEvent.NOT_ADMITTED: Dropped.NOT_ADMITTED,
    LinkEvent.HOSTILE: Dropped.HOSTILE_LINK,
}
_HAPPENED = {LinkEvent.ACCEPTED: Event.LINKS_ACCEPTED, LinkEvent.REPLACED: Event.LINKS_REPLACED}


@dataclass(frozen=True)
class NodeContext:
    """What every part of a node shares and none changes."""

    config: NodeConfig
    identity: SigningKey
    trust: Trust
    network: Network
    clock: AgreedClock
    rng: Source
    log: Log
    files: DocumentFiles | None  # where documents outlast the process, if they do

    @property
    def epochs(self) -> Epochs:
        """The network's division of time."""
        return self.trust.epochs

    def keeper(self) -> DocumentKeeper:
        """What fetches the directory's documents from the authorities, and remembers the one in use."""
        return keeper_of_authorities(
            self.trust,
            network=self.network,
            clock=self.clock.wall,
            agreed=self.clock,
            identity=self.identity,
            role=Role.NODE,
            rng=self.rng.stream("documents"),
            source=self.config.source,
            initial=None if self.files is None else self.files.newest(),
            evidence=() if self.files is None else self.files.evidence(),
            memory=self.files,
            warn=lambda warning, _problem: self.log.write(LogEntry.WARNING, warnings=[warning]),
        )

    def advertised(self, listening: Address) -> Address:
        """Where others reach us: the configured address, with the port that was chosen if it names none."""
        configured = Address.parse(self.config.address)
        return Address(configured.host, configured.port or listening.port)

    async def dial(self, node: Node) -> Link:
        """A link to another node, which must prove the identity that the document lists."""
        return await connect(
            self.network.within(self.trust.reach),
            Address.parse(node.address),
            identity=self.identity,
            role=Role.NODE,
            network_id=self.trust.network_id,
            expect=node.identity,
            source=self.config.source,
        )

    async def listen(
        self,
        handle: Callable[[Link], Awaitable[None]],
        members: Members,
        counters: Counters,
        *,
        task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept links of nodes and, on a provider, of clients; started with the address at which it listens."""

        def admit(identity: bytes, role: Role) -> bool:
            if role is Role.NODE:
                return members.other(identity) is not None
            return role is Role.CLIENT and self.config.role is NodeRole.PROVIDER

        def standing(identity: bytes) -> Standing:
            return Standing.STRANGER if members.other(identity) is None else Standing.MEMBER

        def count(event: LinkEvent) -> None:
            if event in _REFUSED:
                counters.drop(_REFUSED[event])
            else:
                counters.add(_HAPPENED[event])

        await serve_links(
            self.network,
            Address.parse(self.config.listen or self.config.address),
            handle,
            identity=self.identity,
            role=Role.NODE,
            network_id=self.trust.network_id,
            admit=admit,
            limits=LinkLimits(
                connections=self.config.connection_limit, reserved=self.config.connection_limit // RESERVED
            ),
            known=Acquaintances(standing, members.at),
            count=count,
            task_status=task_status,
        )


def document_files(config: NodeConfig) -> DocumentFiles | None:
    """Where a node that uses files keeps documents."""
    return DocumentFiles(config.data_dir / "directory") if config.storage is Storage.FILE else None


@contextmanager
def open_keys(context: NodeContext) -> Iterator[KeyRing]:
    """The node's Sphinx keys, made if need be, and closed at the end."""
    config = context.config
    on_disk = config.storage is Storage.FILE
    limit = config.replay_limit
    store: KeyStore = FileKeys(config.data_dir / "keys", limit=limit) if on_disk else MemoryKeys(limit)
    keys = KeyRing(store, context.epochs, min(GRACE_SHARE * context.epochs.length, LONGEST_GRACE))
    try:
        keys.turn(context.clock.now(), context.clock.past())
        yield keys
    finally:
        keys.close()


def open_storage(context: NodeContext, members: Members) -> MailboxStorage:
    """A provider's mailboxes, in a file or in memory, under the limits of the document in force."""
    on_disk = context.config.storage is Storage.FILE

    def limits() -> Limits:
        shared = members.parameters
        return Limits(
            context.config.mailbox_limit,
            shared.mailbox_messages,
            shared.mailbox_bytes,
            age=shared.mailbox_age,
            total=context.config.storage_limit,
        )

    # A document is kept after the mailboxes were made, however the first start ends.
    ran = None if context.files is None else context.files.kept
    instead = "" if ran is None else f"restore a copy of it, or remove {ran} too to begin with no mail"
    mailboxes = Mailboxes(context.config.data_dir / "mailboxes.sqlite" if on_disk else None, instead=instead)
    return MailboxStorage(mailboxes, limits, context.clock, on_thread=on_disk)
