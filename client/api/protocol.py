"""The whole local protocol: all requests, and what the events look like.

Promises: a request is one of these types with fields of the stated types or is refused; an answer or an event is made
of maps, lists, texts, numbers and truth values only.
"""

from __future__ import annotations

from typing import Any

import msgspec

from client.api.anonymous import AnyAnonymousCommand
from client.api.archive import AnyArchiveCommand
from client.api.codes import AnyCodeCommand
from client.api.contacts import AnyContactCommand
from client.api.daemon import AnyDaemonCommand
from client.api.devices import AnyDeviceCommand
from client.api.files import AnyFileCommand
from client.api.groups import AnyGroupCommand
from client.api.mailbox import AnyMailboxCommand
from client.api.matching import AnyMatchCommand
from client.api.messages import AnyMessageCommand
from client.api.proofs import AnyProofCommand
from client.model.views import Event
from mixnet.errors import RemoteError

AnyCommand = (
    AnyDaemonCommand
    | AnyContactCommand
    | AnyMessageCommand
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
_EVENTS = {
    "MessageReceived": "message",
    "MessageStateChanged": "state",
    "ContactChanged": "contact",
    "FileProgress": "progress",
    "CodeChanged": "code",
    "DeviceChanged": "device",
    "GroupChanged": "group",
}


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
