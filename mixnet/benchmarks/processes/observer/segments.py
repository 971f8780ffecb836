"""The headers of IPv4 and TCP, as far as an observer needs them, and the kernel's filter that keeps the rest away.

Pure. Promises: of each segment the kernel hands over `SNAP` bytes at most, its headers; a segment that carries no bytes
of a stream (an acknowledgement, a handshake of TCP) is none; anything that isn't a whole pair of headers is None, never
an error. The filter is classic BPF (McCanne and Jacobson 1993), on packets from the IP header on.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

SNAP = 120  # bytes: the longest headers of IP and TCP
_LEAST_IP, _LEAST_TCP = 20, 20
_TCP = 6
_MASK = 0xFFFFFF00

_INSTRUCTION = struct.Struct("HBBI")
# What a classic BPF program says: load a byte or a word at an offset, mask it, jump if equal, return so many bytes.
_LOAD_BYTE, _LOAD_WORD, _AND, _IF_EQUAL, _RETURN = 0x30, 0x20, 0x54, 0x15, 0x06
_PROTOCOL, _SOURCE, _TARGET = 9, 12, 16


class Segment(NamedTuple):
    """Bytes of a stream that went from one host to another."""

    src: str
    dst: str
    size: int


def parse_untrusted(packet: bytes) -> Segment | None:
    """The segment whose IP packet begins with these bytes; None if it is none or carries nothing."""
    if len(packet) < _LEAST_IP or packet[0] >> 4 != 4 or packet[_PROTOCOL] != _TCP:
        return None
    ip_size = 4 * (packet[0] & 15)
    if ip_size < _LEAST_IP or len(packet) < ip_size + _LEAST_TCP:
        return None
    total = int.from_bytes(packet[2:4], "big")
    size = total - ip_size - 4 * (packet[ip_size + 12] >> 4)
    if size <= 0:
        return None
    source, target = packet[_SOURCE : _SOURCE + 4], packet[_TARGET : _TARGET + 4]
    return Segment(socket.inet_ntoa(source), socket.inet_ntoa(target), size)


def program(subnet: str) -> bytes:
    """The filter: TCP segments, both of whose ends are in `subnet` (its first three numbers), cut to `SNAP` bytes."""
    network = int.from_bytes(socket.inet_aton(f"{subnet}.0"), "big")
    ends = [(_LOAD_WORD, _SOURCE, _MASK, network), (_LOAD_WORD, _TARGET, _MASK, network)]
    steps: list[tuple[int, int, int]] = []  # (code, jump marker, operand)
    for load, offset, mask, wanted in [(_LOAD_BYTE, _PROTOCOL, 0, _TCP), *ends]:
        steps.append((load, 0, offset))
        if mask:
            steps.append((_AND, 0, mask))
        steps.append((_IF_EQUAL, 1, wanted))
    steps += [(_RETURN, 0, SNAP), (_RETURN, 0, 0)]
    last = len(steps) - 1
    return b"".join(
        _INSTRUCTION.pack(code, 0, last - place - 1 if jumps else 0, operand)
        for place, (code, jumps, operand) in enumerate(steps)
    )
