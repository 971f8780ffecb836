"""The bytes of every request, answer and event of the local protocol, as tests/client/api/wire.txt has them."""

import ast
from pathlib import Path
from typing import Any

import msgpack

RECORDED = Path(__file__).parent.parent / "api" / "wire.txt"


def plain(raw: bytes) -> Any:
    return msgpack.unpackb(raw[4:])


def recorded() -> dict[str, tuple[bytes, bytes, list[str]]]:
    """op → (request, answer, calls); an event's request is empty."""
    found = {}
    for line in RECORDED.read_text().splitlines():
        op, *rest = line.split("\t")
        request, answer, calls = map(ast.literal_eval, rest)
        found[op] = request, answer, calls
    return found


WIRE = recorded() if RECORDED.exists() else {}
