"""A sniffer on the loopback device: what the global passive observer sees of a local network.

See spec/13-measurements.md 13.6.

Promises: the kernel's filter hands over the headers of TCP segments and nothing of what they carry; times are the
kernel's own, when the device passed a segment on; what was lost because this process was slow is counted, never hidden.
It needs CAP_NET_RAW, and says so. Linux only.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from mixnet.benchmarks.processes.observer.recorder import Recorder
from mixnet.benchmarks.processes.observer.segments import SNAP, parse_untrusted, program
from mixnet.errors import LocalError

DEVICE = "lo"
_PROTOCOL_IP = 0x0800  # a socket for this one alone sees each segment once, as it comes in again
_ATTACH_FILTER, _TIMESTAMP_NS, _RECEIVE_BUFFER_FORCE = 26, 35, 33  # of SOL_SOCKET
_PACKET_LEVEL, _STATISTICS = 263, 6
_TIMESTAMP, _COUNTS, _PROGRAM = struct.Struct("@ll"), struct.Struct("II"), struct.Struct("@HP")
_INSTRUCTION_SIZE = 8
_BUFFER = 1 << 25  # bytes of headers that wait in the kernel
_ROUND = 256  # segments that are taken before others run


class NoRawSockets(LocalError):
    """This process may not read from the loopback device: use --taps, which needs no rights, or grant CAP_NET_RAW."""


class Sniffer:
    """An open packet socket; made by `open_sniffer`."""

    def __init__(self, raw: socket.socket) -> None:
        """Read from `raw`, which doesn't block."""
        self._raw = raw
        self.lost = 0

    async def run(self, recorder: Recorder) -> None:
        """Record until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._raw)
            self._take(recorder, _ROUND)

    def finish(self, recorder: Recorder) -> None:
        """Record what the kernel holds already, and count what it had to drop."""
        while self._take(recorder, _ROUND):
            pass
        counts = self._raw.getsockopt(_PACKET_LEVEL, _STATISTICS, _COUNTS.size)
        self.lost += _COUNTS.unpack(counts)[1]

    def _take(self, recorder: Recorder, most: int) -> bool:
        """Record up to `most` segments; whether there may be more."""
        for _ in range(most):
            try:
                packet, extra, _, _ = self._raw.recvmsg(SNAP, 64)
            except BlockingIOError:
                return False
            segment = parse_untrusted(packet)
            if segment is not None:
                recorder.saw(_stamp(extra), *segment)
        return True


@contextmanager
def open_sniffer(subnet: str) -> Iterator[Sniffer]:
    """See all TCP on the loopback device within `subnet`, such as `127.0.3`; NoRawSockets if not allowed."""
    try:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)  # it sees nothing before it is bound
    except PermissionError:
        raise NoRawSockets(
            "this process may not read from the loopback device: use --taps, which needs no rights, or grant it "
            "CAP_NET_RAW (as root, or `sudo setcap cap_net_raw+ep` on a copy of the Python that runs this command)"
        ) from None
    with raw:
        steps = ctypes.create_string_buffer(program(subnet))
        count = (len(steps) - 1) // _INSTRUCTION_SIZE
        raw.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, _PROGRAM.pack(count, ctypes.addressof(steps)))
        raw.setsockopt(socket.SOL_SOCKET, _TIMESTAMP_NS, 1)
        try:
            raw.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, _BUFFER)
        except PermissionError:  # it takes another right: the system's limit must do
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        raw.setblocking(False)
        raw.bind((DEVICE, _PROTOCOL_IP))
        yield Sniffer(raw)


def _stamp(extra: list[tuple[int, int, bytes]]) -> int:
    """The kernel's time of a packet, in nanoseconds since the Unix epoch."""
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == _TIMESTAMP_NS:
            seconds, nanoseconds = _TIMESTAMP.unpack(data[: _TIMESTAMP.size])
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    raise LocalError("the kernel gave a packet without its time: report it")
