"""What the parts of one authority share: what it runs with, and what it knows (spec/05-directory.md 5.7)."""

from __future__ import annotations

from mixnet.clock import Clock
from mixnet.counters import Counters
from mixnet.directory.allowlist import AllowList
from mixnet.directory.archive import DocumentArchive
from mixnet.directory.config import AuthorityConfig
from mixnet.directory.ledger import FileStore, Ledger, MemoryStore
from mixnet.directory.registry import NodeRegistry
from mixnet.directory.succession import AuthorityMembership, Succession
from mixnet.errors import LocalError
from mixnet.link import Role
from mixnet.network import Network
from mixnet.pki.fetch import Caller
from mixnet.pki.waiting import Broadcast
from mixnet.randomness import Source


class AuthorityContext:
    """Settings, network, clock, randomness and memory of one authority; no part replaces any of them.

    `changed` wakes whoever waits for a document, a descriptor, or a step of a round.
    """

    def __init__(
        self, config: AuthorityConfig, *, network: Network, clock: Clock, rng: Source, counters: Counters
    ) -> None:
        """Remember what the ledger holds; LocalError if this authority is none, and nobody proposes it."""
        self.config, self.network, self.clock, self.rng, self.counters = config, network, clock, rng, counters
        self.me = config.identity.public
        self.changed = Broadcast()
        self.ledger = Ledger(MemoryStore() if config.data_dir is None else FileStore(config.data_dir))
        self.succession = Succession(config.bootstrap, me=self.me, ledger=self.ledger, folder=config.data_dir)
        self.trust = self.succession.trust
        self.archive = DocumentArchive(self.trust, self.ledger, self.succession.learn)
        if self.succession.membership(self.present()) is AuthorityMembership.NONE:
            raise LocalError(
                "this authority's key is not in the bootstrap file: use the key file that belongs to it; if it is to "
                "succeed another authority, `mixnet authority propose` comes first"
            )
        self.allowed = AllowList(config.approved, config.data_dir)
        self.registry = NodeRegistry(self.trust.network_id, self.allowed.current(), self.trust.reach)
        self.caller = self.caller_as(Role.AUTHORITY)

    def caller_as(self, role: Role) -> Caller:
        """Asks other authorities as `role`."""
        config = self.config
        return Caller(self.trust.newest, self.network, identity=config.identity, role=role, source=config.source)

    def present(self) -> int:
        """The epoch of now."""
        return self.trust.epochs.at(self.clock.now())

    def refresh(self) -> None:
        """Go by the operator's latest decisions about nodes."""
        allowed = self.allowed.current()
        if allowed != self.registry.approved:
            self.registry.approve(allowed)
            self.changed.wake()
