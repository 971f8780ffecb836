"""The requests of the local protocol, each a type that says what it takes and does it.

Promises: a request is one of these types with fields of the stated types or is refused; its answer is made of maps,
lists, texts, numbers and truth values only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from client.api.anonymous import AnyAnonymousCommand
from client.api.archive_commands import AnyArchiveCommand
from client.api.codes import AnyCodeCommand
from client.api.command import Command, Number
from client.api.devices import AnyDeviceCommand
from client.api.file_commands import AnyFileCommand
from client.api.groups import AnyGroupCommand
from client.api.mailbox_commands import AnyMailboxCommand
from client.api.matching import AnyMatchCommand
from client.api.proof_commands import AnyProofCommand
from mixnet.errors import RemoteError

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi
    from client.model.views import Event

_EVENTS = {
    "MessageReceived": "message",
    "MessageStateChanged": "state",
    "ContactChanged": "contact",
    "FileProgress": "progress",
    "CodeChanged": "code",
    "DeviceChanged": "device",
    "GroupChanged": "group",
}


class Status(Command[Any], frozen=True, tag="status"):
    """-> the daemon's figures."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return service.snapshot()


class Invite(Command[Any], frozen=True, tag="invite"):
    """-> the text of a new invitation."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return await service.invite()


class Accept(Command[Any], frozen=True, tag="accept"):
    """-> the contact that the invitation makes."""

    invitation: str
    name: str | None = None

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.accept(self.invitation, self.name))


class Contacts(Command[Any], frozen=True, tag="contacts"):
    """-> all contacts."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return [msgspec.to_builtins(contact) for contact in await service.contacts()]


class Verify(Command[Any], frozen=True, tag="verify"):
    """-> the contact, now verified."""

    contact: str

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.verify(self.contact))


class Rename(Command[Any], frozen=True, tag="rename"):
    """-> the contact, under its new name."""

    contact: str
    name: str

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.rename(self.contact, self.name))


class Block(Command[Any], frozen=True, tag="block"):
    """-> the contact, now blocked."""

    contact: str

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.block(self.contact))


class Unblock(Command[Any], frozen=True, tag="unblock"):
    """-> the contact, no longer blocked."""

    contact: str

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.unblock(self.contact))


class Relink(Command[Any], frozen=True, tag="relink"):
    """-> the contact, now with the identity of `new`, which is no contact of its own any more."""

    contact: str
    new: str

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.relink(self.contact, self.new))


class Send(Command[Any], frozen=True, tag="send"):
    """-> the number of the queued text."""

    contact: str
    text: str
    expires: float | None = None
    signed: bool = False

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return await service.send(self.contact, self.text, self.expires, signed=self.signed)


class SendFile(Command[Any], frozen=True, tag="send_file"):
    """-> the number of the queued file."""

    contact: str
    path: str
    expires: float | None = None
    signed: bool = False

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return await service.send_file(self.contact, Path(self.path), self.expires, signed=self.signed)


class Cancel(Command[Any], frozen=True, tag="cancel"):
    """-> the message, given up."""

    number: Number

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.cancel(self.number))


class Estimate(Command[Any], frozen=True, tag="estimate"):
    """-> seconds that a file of ours still takes at the network's rate; nil if there is nothing to tell."""

    number: Number

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return await service.estimate(self.number)


class Message(Command[Any], frozen=True, tag="message"):
    """-> one message."""

    number: Number

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.message(self.number))


class Messages(Command[Any], frozen=True, tag="messages"):
    """-> a page of messages with numbers above `after`; ask again after the last one until the page is empty."""

    contact: str | None = None
    after: Number = 0

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return [msgspec.to_builtins(message) for message in await service.messages(self.contact, self.after)]


class MarkRead(Command[Any], frozen=True, tag="mark_read"):
    """-> nothing; the sender will learn it."""

    number: Number

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        await service.mark_read(self.number)


class Follow(Command[Any], frozen=True, tag="follow"):
    """-> nothing; from now on events come on this connection."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return None


class Stop(Command[Any], frozen=True, tag="stop"):
    """-> nothing; the daemon ends."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        service.stop()


AnyCommand = (
    Status
    | Invite
    | Accept
    | Contacts
    | Verify
    | Rename
    | Block
    | Unblock
    | Relink
    | Send
    | SendFile
    | Cancel
    | Estimate
    | Message
    | Messages
    | MarkRead
    | Follow
    | Stop
    | AnyArchiveCommand
    | AnyFileCommand
    | AnyProofCommand
    | AnyCodeCommand
    | AnyMailboxCommand
    | AnyMatchCommand
    | AnyDeviceCommand
    | AnyGroupCommand
    | AnyAnonymousCommand
)


def command_untrusted(message: dict[str, Any]) -> AnyCommand:
    """The request in a map; RemoteError if it is none."""
    if "id" not in message:
        raise RemoteError("no request of the local protocol: it has no `id`")
    try:
        return msgspec.convert(message, AnyCommand)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        raise RemoteError(f"no request of the local protocol: {error}") from None


def event_map(event: Event) -> dict[str, Any]:
    """An event as the protocol has it: {"event": name, "message", "contact" or "device": ...}."""
    return {"event": _EVENTS[type(event).__name__], **msgspec.to_builtins(event)}
