"""Dials the client's own provider (spec/04-mixing.md 4.5).

Promises: it leads to the address of the newest directory document, and to nobody but the holder of the provider's key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mixnet.client.traffic.routes import UnknownProvider
from mixnet.link import Link, Role, TlsIdentity, connect
from mixnet.network import Address, Network
from mixnet.pki.document import Document


@dataclass(frozen=True, slots=True)
class ProviderDialer:
    """What it takes: `provider` is its identity, `identity` ours, `source` the address of this machine to dial from.

    `claim` gives what says that the mailbox is this copy's, if the profile was restored.
    """

    network: Network
    network_id: bytes
    identity: TlsIdentity
    provider: bytes
    document: Callable[[], Document]
    source: str | None
    claim: Callable[[], bytes]

    async def dial(self) -> Link:
        """A link that is up; Unavailable, UnknownProvider, RemoteError."""
        node = self.document().node(self.provider)
        if node is None:
            raise UnknownProvider("our provider is not in the directory at the moment: waiting for it")
        return await connect(
            self.network,
            Address.parse(node.address),
            identity=self.identity,
            role=Role.CLIENT,
            network_id=self.network_id,
            expect=node.identity,
            source=self.source,
            claim=self.claim(),
        )
