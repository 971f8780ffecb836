"""What this machine's kernel counts on each TCP connection of a local network: bytes there and back.

Promises: it asks the kernel alone (netlink, NETLINK_SOCK_DIAG), as `ss` does, which any user may: who talks to whom and
how many bytes, what an observer of the links sees too; nothing of what is carried. The kernel itself leaves out what
has no end in the network. Linux only.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from mixnet.errors import Unavailable

_NETLINK_SOCK_DIAG = 4
_DIAG_BY_FAMILY, _DONE, _ERROR = 20, 3, 2
_DUMP = 0x0301  # NLM_F_REQUEST | NLM_F_DUMP
_INFO = 2  # INET_DIAG_INFO: struct tcp_info; as a bit of what is asked for it is 1 << (_INFO - 1)
_ESTABLISHED = 1 << 1
_BYTECODE, _TARGET = 1, 8  # INET_DIAG_REQ_BYTECODE, INET_DIAG_BC_D_COND
_PREFIX = 24  # bits: 127.0.S.0
_MESSAGE, _ATTRIBUTE, _COUNTS = struct.Struct("=IHHII"), struct.Struct("=HH"), struct.Struct("=QQ")
_PORTS, _INODE = struct.Struct("!HH"), struct.Struct("=I")
_PORTS_AT, _LOCAL_AT, _REMOTE_AT, _INODE_AT, _ATTRIBUTES_AT = 4, 8, 24, 68, 72  # in struct inet_diag_msg
_COUNTS_AT = 120  # of tcpi_bytes_acked and tcpi_bytes_received in struct tcp_info
_LONGEST = 1 << 16
_PATIENCE = 1.0  # seconds


class Connection(NamedTuple):
    """One end of a connection: addresses and ports, the socket's inode, bytes sent (and arrived) and received."""

    host: str
    port: int
    peer: str
    peer_port: int
    inode: int
    sent: int
    received: int


class Kernel:
    """Answers what the connections to one subnet, such as `127.0.3`, have carried; a context manager."""

    def __init__(self, subnet: str) -> None:
        """Unavailable if this system has no such socket."""
        self._request = _request(subnet)
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG)
        except (OSError, AttributeError):
            raise Unavailable("this system doesn't tell what its connections carry") from None
        self._socket.settimeout(_PATIENCE)

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def connections(self) -> list[Connection]:
        """All ends of connections whose other end is in the subnet; Unavailable if the kernel refuses."""
        try:
            self._socket.send(self._request)
            return list(self._answers())
        except OSError as error:
            raise Unavailable(f"the kernel doesn't tell what its connections carry: {error.strerror}") from None

    def _answers(self) -> Iterator[Connection]:
        while True:
            data = self._socket.recv(_LONGEST)
            offset = 0
            while offset < len(data):
                length, kind, _, _, _ = _MESSAGE.unpack_from(data, offset)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise OSError(0, "it answered with an error")
                yield from parse(data[offset + _MESSAGE.size : offset + length])
                offset += _aligned(length)


def parse(message: bytes) -> Iterator[Connection]:
    """What a `struct inet_diag_msg` and its attributes say; nothing if the counts are missing."""
    port, peer_port = _PORTS.unpack_from(message, _PORTS_AT)
    host, peer = (socket.inet_ntoa(message[at : at + 4]) for at in (_LOCAL_AT, _REMOTE_AT))
    (inode,) = _INODE.unpack_from(message, _INODE_AT)
    offset = _ATTRIBUTES_AT
    while offset + _ATTRIBUTE.size <= len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, offset)
        if kind == _INFO and length >= _ATTRIBUTE.size + _COUNTS_AT + _COUNTS.size:
            sent, received = _COUNTS.unpack_from(message, offset + _ATTRIBUTE.size + _COUNTS_AT)
            yield Connection(host, port, peer, peer_port, inode, sent, received)
        offset += max(_ATTRIBUTE.size, _aligned(length))


def _request(subnet: str) -> bytes:
    """Ask for all established TCP connections over IPv4 whose other end is in `subnet`."""
    network = socket.inet_aton(f"{subnet}.0")
    condition = struct.pack("=BBxxi", socket.AF_INET, _PREFIX, -1) + network
    size = _ATTRIBUTE.size + len(condition)
    # One instruction: where it is true it leads to the end of the program, and else beyond it, which refuses.
    bytecode = struct.pack("=BBH", _TARGET, size, size + 4) + condition
    body = struct.pack("=BBBxI48x", socket.AF_INET, socket.IPPROTO_TCP, 1 << (_INFO - 1), _ESTABLISHED)
    body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(bytecode), _BYTECODE) + bytecode
    return _MESSAGE.pack(_MESSAGE.size + len(body), _DIAG_BY_FAMILY, _DUMP, 1, 0) + body


def _aligned(length: int) -> int:
    return (length + 3) & ~3
