"""Public addresses and anonymous conversations: their commands, and `Connection.anonymous`.

number = await me.anonymous.send(address, "who am I?")
name = (await me.message(number)).contact
await me.send(name, "and another thing")        # in the same conversation
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixnet.client.api.command import Access, Asks, Command, Seconds
from mixnet.client.model.views import AddressInfo, CorrespondentInfo

if TYPE_CHECKING:
    from mixnet.client.api.daemon_api import DaemonApi


class CreateAddress(Command[AddressInfo], frozen=True, tag="create_address"):
    """-> a new address, good for `expires` seconds (nil: until it is retired)."""

    expires: Seconds | None = None

    async def run(self, daemon: DaemonApi) -> AddressInfo:
        return await daemon.visit(daemon.home.anonymous.create_address, daemon.now(), self.expires)


class Addresses(Command[list[AddressInfo]], frozen=True, tag="addresses"):
    """-> all addresses, oldest first."""

    async def run(self, daemon: DaemonApi) -> list[AddressInfo]:
        return await daemon.read(daemon.home.anonymous.addresses)


class RetireAddress(Command[AddressInfo], frozen=True, tag="retire_address"):
    """-> the address, which takes no more first messages; conversations that have begun go on."""

    address: str

    async def run(self, daemon: DaemonApi) -> AddressInfo:
        return await daemon.visit(daemon.home.anonymous.retire_address, self.address)


class SendAnonymous(Command[int], frozen=True, tag="send_anonymous"):
    """-> the number of the queued text, in a new conversation with an address (its whole text), without a name.

    Answers are taken for `answers` seconds from now (nil: a day), as long as the daemon runs now and then.
    """

    address: str
    text: str
    answers: Seconds | None = None
    expires: Seconds | None = None

    async def run(self, daemon: DaemonApi) -> int:
        send = daemon.home.send_anonymous
        return await daemon.visit(send, self.address, self.text, daemon.now(), self.answers, self.expires)


class Correspondents(Command[list[CorrespondentInfo]], frozen=True, tag="correspondents"):
    """-> all anonymous conversations of either side, oldest first."""

    async def run(self, daemon: DaemonApi) -> list[CorrespondentInfo]:
        return await daemon.read(daemon.home.anonymous.correspondents)


class EndCorrespondence(Command[None], frozen=True, tag="end_correspondence"):
    """-> nothing; the conversation has ended here: its messages stay, and the other side is not told."""

    name: str

    async def run(self, daemon: DaemonApi) -> None:
        await daemon.visit(daemon.home.anonymous.end, self.name)


class AnonymousAccess(Access):
    """What a program may ask about them. Answers are sent with `Connection.send` to the name of the conversation."""

    create_address = Asks(CreateAddress)
    addresses = Asks(Addresses)
    retire_address = Asks(RetireAddress)
    send = Asks(SendAnonymous)
    correspondents = Asks(Correspondents)
    end = Asks(EndCorrespondence)
