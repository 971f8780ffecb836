"""The requests of the local protocol about public addresses and anonymous conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from client.api.command import Command

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi


class CreateAddress(Command[Any], frozen=True, tag="create_address"):
    """-> a new address, good for `expires` seconds (nil: until it is retired)."""

    expires: float | None = None

    async def run(self, service: DaemonApi) -> Any:  # noqa: D102  # as the class says
        return msgspec.to_builtins(await service.anonymous.create_address(self.expires))


class Addresses(Command[Any], frozen=True, tag="addresses"):
    """-> all addresses, oldest first."""

    async def run(self, service: DaemonApi) -> Any:  # noqa: D102  # as the class says
        return [msgspec.to_builtins(one) for one in await service.anonymous.addresses()]


class RetireAddress(Command[Any], frozen=True, tag="retire_address"):
    """-> the address, which takes nothing more."""

    address: str

    async def run(self, service: DaemonApi) -> Any:  # noqa: D102  # as the class says
        return msgspec.to_builtins(await service.anonymous.retire_address(self.address))


class SendAnonymous(Command[Any], frozen=True, tag="send_anonymous"):
    """-> the number of the queued text; answers are taken for `answers` seconds."""

    address: str
    text: str
    answers: float | None = None
    expires: float | None = None

    async def run(self, service: DaemonApi) -> Any:  # noqa: D102  # as the class says
        return await service.anonymous.send(self.address, self.text, self.answers, self.expires)


class Correspondents(Command[Any], frozen=True, tag="correspondents"):
    """-> all anonymous conversations, oldest first."""

    async def run(self, service: DaemonApi) -> Any:  # noqa: D102  # as the class says
        return [msgspec.to_builtins(one) for one in await service.anonymous.correspondents()]


class EndCorrespondence(Command[Any], frozen=True, tag="end_correspondence"):
    """-> nothing; the conversation has ended here, and the other side is not told."""

    name: str

    async def run(self, service: DaemonApi) -> Any:  # noqa: D102  # as the class says
        await service.anonymous.end(self.name)


AnyAnonymousCommand = CreateAddress | Addresses | RetireAddress | SendAnonymous | Correspondents | EndCorrespondence
