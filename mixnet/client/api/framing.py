"""The framing of the local protocol: a length, then one msgpack map (spec/07-client.md 7.9).

Promises: a message is its length (4 bytes, big-endian, 1 MiB at most) and one msgpack map; whatever arrives is bounded
in size and nesting before it is understood, and anything else raises RemoteError.
Pure: bytes in, values out. Requests are {"id", "op", ...arguments}; replies {"id", "ok": value} or {"id", "error":
text, "kind": "local" | "remote" | "unavailable", "exit": the exit status of a command that ends by it}; events, sent to
those who asked to follow, {"event": name, ...}.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgpack
import msgspec

from mixnet.client.api.command import NUMBER_LIMIT, Command
from mixnet.errors import LocalError, MixnetError, RemoteError, Unavailable
from mixnet.explain import DONE, NO_NETWORK, status_of

MESSAGE_LIMIT = 1 << 20
_HEADER = 4
_KINDS: dict[str, type[MixnetError]] = {"local": LocalError, "remote": RemoteError, "unavailable": Unavailable}

# What `to_builtins` would write as a text, and so let bytes, a date or a decimal number pass for one.
_NO_TEXTS = (bytes, bytearray, memoryview, datetime, date, time, timedelta, Decimal, UUID)
_WHERE = re.compile(r" - at `\$\.?(.*)`$")

Map = dict[str, Any]


class WrongArguments(LocalError):
    """An argument is not of the kind or size that this takes: correct it and ask again."""


def request(command: Command[Any]) -> bytes:
    """A request as it is sent; LocalError if the daemon would not take it as one."""
    made: Any = None
    try:
        made = msgspec.to_builtins(command, builtin_types=_NO_TEXTS)
        msgspec.convert(made, type(command))
    except (TypeError, ValueError, RecursionError) as error:
        raise WrongArguments(f"wrong arguments for `{command.__struct_config__.tag}`: {told(error)}") from None
    return encode(made)


def told(error: Exception) -> str:
    """What msgspec says, with the argument that it is about in front."""
    text = str(error)
    where = _WHERE.search(text)
    return text if where is None else f"{where[1] or 'the whole'}: {text[: where.start()]}"


def encode(message: Map) -> bytes:
    """Length and msgpack; LocalError if it is too long to be taken, or no encoding knows what is in it."""
    try:
        body: bytes = msgpack.packb(message, use_bin_type=True)
    except UnicodeEncodeError:
        raise LocalError("a name or text with broken letters: write it again, or rename the file") from None
    except (OverflowError, TypeError, ValueError):
        raise WrongArguments("a number that is too large, or a value of a kind that no message has") from None
    if len(body) > MESSAGE_LIMIT:
        raise LocalError("a message of the local protocol is longer than 1 MiB: ask for less at a time")
    return len(body).to_bytes(_HEADER, "big") + body


class Decoder:
    """Cuts a stream of bytes, in whatever pieces it comes, into messages."""

    def __init__(self) -> None:
        """Nothing received yet."""
        self._buffer = bytearray()

    def feed_untrusted(self, data: bytes) -> list[Map]:
        """The messages that `data` completes; RemoteError for anything that is none."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= _HEADER:
            length = int.from_bytes(self._buffer[:_HEADER], "big")
            if length > MESSAGE_LIMIT:
                raise RemoteError("a message of the local protocol that is too long")
            if len(self._buffer) < _HEADER + length:
                break
            messages.append(_unpack_untrusted(bytes(self._buffer[_HEADER : _HEADER + length])))
            del self._buffer[: _HEADER + length]
        return messages


def number_of(message: Map) -> int | None:
    """The number that the answer to a request repeats; None if it has none."""
    number = message.get("id")
    return number if type(number) is int and 0 <= number <= NUMBER_LIMIT else None


def error_reply(identifier: int | None, error: MixnetError | OSError) -> Map:
    """What a request that failed is answered with."""
    kind = next((name for name, cls in _KINDS.items() if isinstance(error, cls)), "local")
    return {"id": identifier, "error": str(error), "kind": kind, "exit": status_of(error)}


def error_of(reply: Map) -> MixnetError:
    """The error that an error reply stands for."""
    error = _KINDS.get(str(reply.get("kind")), LocalError)(str(reply["error"]))
    status = reply.get("exit")
    if type(status) is int and DONE < status <= NO_NETWORK:
        error.exit_status = status
    return error


def _unpack_untrusted(body: bytes) -> Map:
    """One map with text keys. msgpack's own limits bound what a small body can claim to hold."""
    try:
        message = msgpack.unpackb(
            body,
            raw=False,
            strict_map_key=True,
            max_str_len=MESSAGE_LIMIT,
            max_bin_len=MESSAGE_LIMIT,
            max_array_len=10_000,
            max_map_len=1_000,
            max_ext_len=0,
        )
    except (ValueError, RecursionError, msgpack.UnpackException):
        raise RemoteError("a malformed message of the local protocol") from None
    if not isinstance(message, dict) or not all(isinstance(key, str) for key in message):
        raise RemoteError("a message of the local protocol that is no map")
    return message
