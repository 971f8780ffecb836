"""Asks every authority the same question, for somebody who looks at the network (SPEC.md section 5.9).

Promises: an authority that is gone, or answers with garbage, has no answer and costs the others nothing. Never: trust;
what is signed in an answer is verified by who asked.
"""

from __future__ import annotations

import trio

from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Role, ask
from mixnet.network import Network
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.fetch import TIMEOUT, Caller
from mixnet.pki.requests import Answer, Request, encode, parse_answer_untrusted


class Inquiry:
    """Somebody whom the authorities need not know, and his questions."""

    def __init__(self, bootstrap: Bootstrap, network: Network, *, identity: SigningKey | None = None) -> None:
        """`identity` is a fresh key unless one is given."""
        self._bootstrap = bootstrap
        self._caller = Caller(bootstrap, network, identity=identity or SigningKey.generate(), role=Role.CLIENT)

    async def everybody(self, request: Request, kind: type[Answer]) -> dict[bytes, Answer]:
        """The answers by the identity of the authority, of those that gave one, in the bootstrap file's order."""
        answers: dict[bytes, Answer] = {}

        async def one(authority: AuthorityInfo) -> None:
            answer = await self.one(authority, request, kind)
            if answer is not None:
                answers[authority.identity] = answer

        async with trio.open_nursery() as nursery:
            for authority in self._bootstrap.authorities:
                nursery.start_soon(one, authority)
        listed = [authority.identity for authority in self._bootstrap.authorities]
        return {identity: answers[identity] for identity in listed if identity in answers}

    async def one(self, authority: AuthorityInfo, request: Request, kind: type[Answer]) -> Answer | None:
        """The answer of one authority; None if it gives none."""
        try:
            async with await self._caller.link(authority) as link:
                return parse_answer_untrusted(await ask(link, encode(request), timeout=TIMEOUT), kind)
        except (RemoteError, Unavailable):
            return None
