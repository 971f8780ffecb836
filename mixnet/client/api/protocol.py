"""The whole local protocol: all requests, and what the events look like.

Promises: a request is one of these types with fields of the stated types or is refused, which costs nothing else; an
answer or an event is made of maps, lists, texts, numbers and truth values only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Any

import msgspec

from mixnet.client.api import (
    anonymous,
    archive,
    codes,
    contacts,
    daemon,
    devices,
    files,
    groups,
    mailbox,
    matching,
    messages,
    proofs,
)
from mixnet.client.api.command import Command
from mixnet.client.api.framing import told
from mixnet.client.model.views import Event
from mixnet.errors import RemoteError

_MODULES = (anonymous, archive, codes, contacts, daemon, devices, files, groups, mailbox, matching, messages, proofs)


def _commands() -> Iterator[type[Command[Any]]]:
    """The requests of all modules, each once: where it is defined, not where it is only used."""
    for module in _MODULES:
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, Command) and one.__module__ == module.__name__:
                yield one


COMMANDS = tuple(_commands())
_ANY_COMMAND: Any = reduce(or_, COMMANDS)  # a union, of which msgspec takes the class that has the tag
_EVENTS = {
    "MessageReceived": "message",
    "MessageStateChanged": "state",
    "ContactChanged": "contact",
    "FileProgress": "progress",
    "CodeChanged": "code",
    "DeviceChanged": "device",
    "GroupChanged": "group",
}


def command_untrusted(message: dict[str, Any]) -> Command[Any]:
    """The request in a map; RemoteError if it is none.

    Our programs look at their requests before they send them, so one that is none comes from another version of them.
    """
    if "id" not in message:
        raise RemoteError("no request of the local protocol: it has no `id`")
    try:
        return msgspec.convert(message, _ANY_COMMAND)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        raise RemoteError(
            f"no request that this daemon knows ({told(error)}): if the program was updated, stop the daemon with"
            " `mixnet client stop PROFILE`, and start it again"
        ) from None


def event_map(event: Event) -> dict[str, Any]:
    """An event as the protocol has it: {"event": name, "message", "contact" or "device": ...}."""
    return {"event": _EVENTS[type(event).__name__], **msgspec.to_builtins(event)}
