"""The framing of the local protocol: a length, then one msgpack map (spec/07-client.md 7.9).

Promises: a message is its length (4 bytes, big-endian, 1 MiB at most) and one msgpack map; whatever arrives is bounded
in size and nesting before it is understood, and anything else raises RemoteError.
Pure: bytes in, values out. Requests are {"id", "op", ...arguments}; replies {"id", "ok": value} or {"id", "error":
text, "kind": "local" | "remote" | "unavailable"}; events, sent to those who asked to follow, {"event": name, ...}.
"""

from __future__ import annotations

from typing import Any

import msgpack

from mixnet.errors import LocalError, MixnetError, RemoteError, Unavailable

MESSAGE_LIMIT = 1 << 20
_HEADER = 4
_KINDS: dict[str, type[MixnetError]] = {"local": LocalError, "remote": RemoteError, "unavailable": Unavailable}

Map = dict[str, Any]


def encode(message: Map) -> bytes:
    """Length and msgpack; LocalError if it is too long to be taken, or has letters that no encoding knows."""
    try:
        body: bytes = msgpack.packb(message, use_bin_type=True)
    except UnicodeEncodeError:
        raise LocalError("a name or text with broken letters: write it again, or rename the file") from None
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


def error_reply(identifier: object, error: MixnetError | OSError) -> Map:
    """What a request that failed is answered with."""
    kind = next((name for name, cls in _KINDS.items() if isinstance(error, cls)), "local")
    return {"id": identifier, "error": str(error), "kind": kind}


def error_of(reply: Map) -> MixnetError:
    """The error that an error reply stands for."""
    return _KINDS.get(str(reply.get("kind")), LocalError)(str(reply["error"]))


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
