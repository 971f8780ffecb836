"""Canonical msgpack for everything that is signed: one value has one encoding (spec/05-directory.md 5.1).

Promises: a type of this package has exactly one encoding, and `decode_untrusted` refuses every other byte string that
would decode to the same value, so a signature or a hash of the bytes is one of the value. Memory is bounded by the
limits below before anything is built. Records are arrays in the order of their fields; floats take 8 bytes, integers
the fewest bytes that hold them.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, cast

import msgpack  # type: ignore[import-untyped,unused-ignore]
import msgspec

from mixnet.errors import LocalError
from mixnet.pki.errors import Malformed, Oversized

MAX_NODES = 10_000
_MAX_TEXT = 256
_ENCODER = msgspec.msgpack.Encoder()

Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]  # an identity, a public key, a digest
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Epoch = Annotated[int, msgspec.Meta(ge=0, lt=2**48)]

Decoded = TypeVar("Decoded")


def encode(value: object) -> bytes:
    """The only encoding of a record of this package."""
    return _ENCODER.encode(value)


def decode_untrusted(raw: bytes, kind: type[Decoded], *, limit: int) -> Decoded:
    """The record of type `kind` in `raw`, of at most `limit` bytes; raises Oversized or Malformed, nothing else."""
    if len(raw) > limit:
        raise Oversized
    try:
        value = msgspec.convert(_unpack(raw, limit), kind)
    except (ValueError, RecursionError, LocalError, msgpack.UnpackException):
        raise Malformed from None
    # Also refuses an integer where a float belongs, trailing fields and every non-minimal length.
    if encode(value) != raw:
        raise Malformed
    return value


def _unpack(raw: bytes, limit: int) -> object:
    return msgpack.unpackb(
        raw,
        use_list=False,
        max_array_len=MAX_NODES,
        max_map_len=0,
        max_ext_len=0,
        max_str_len=_MAX_TEXT,
        max_bin_len=limit,
    )


def plain(record: msgspec.Struct) -> dict[str, Any]:
    """The record as built-in types with hexadecimal bytes, for JSON output."""
    return cast("dict[str, Any]", _plain(record))


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return {field: _plain(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
