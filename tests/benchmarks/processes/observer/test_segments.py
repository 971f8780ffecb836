"""What the sniffer reads of a packet, and what the kernel's filter lets through to it."""

import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.benchmarks.processes.observer.segments import SNAP, Segment, parse_untrusted, program


def packet(src="127.0.9.1", dst="127.0.9.2", size=3118, *, protocol=6, ip_options=0, tcp_options=12, version=4):
    ip_size, tcp_size = 20 + ip_options, 20 + tcp_options
    ip = struct.pack(
        ">BBHHHBBH4s4s",
        version << 4 | ip_size // 4,
        0,
        ip_size + tcp_size + size,
        0,
        0,
        64,
        protocol,
        0,
        socket.inet_aton(src),
        socket.inet_aton(dst),
    ) + bytes(ip_options)
    tcp = struct.pack(">HHIIBBHHH", 7400, 40000, 0, 0, tcp_size // 4 << 4, 0x18, 0, 0, 0) + bytes(tcp_options)
    return (ip + tcp + bytes(size))[:SNAP]


def run(code: bytes, data: bytes) -> int:
    """A classic BPF machine with the five instructions that a filter of ours has."""
    steps = list(struct.iter_unpack("HBBI", code))
    accumulator = place = 0
    while True:
        operation, if_true, if_false, operand = steps[place]
        place += 1
        if operation == 0x30:
            accumulator = data[operand]
        elif operation == 0x20:
            accumulator = int.from_bytes(data[operand : operand + 4], "big")
        elif operation == 0x54:
            accumulator &= operand
        elif operation == 0x15:
            place += if_true if accumulator == operand else if_false
        else:
            assert operation == 0x06
            return operand


@given(size=st.integers(1, 60000), ip_options=st.integers(0, 10), tcp_options=st.integers(0, 10))
def test_a_segment_is_its_ends_and_its_size(size, ip_options, tcp_options):
    data = packet(size=size, ip_options=4 * ip_options, tcp_options=4 * tcp_options)
    assert parse_untrusted(data) == Segment("127.0.9.1", "127.0.9.2", size)


@pytest.mark.parametrize(
    "data",
    [b"", packet()[:39], packet(protocol=17), packet(version=6), packet(size=0), packet(ip_options=40)[:70]],
    ids=["nothing", "cut", "not TCP", "not IPv4", "no bytes of a stream", "cut behind options"],
)
def test_all_else_is_none(data):
    assert parse_untrusted(data) is None


@settings(deadline=None)
@given(st.binary(max_size=SNAP))
def test_no_bytes_are_an_error(data):
    found = parse_untrusted(data)
    assert found is None or found.size > 0


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (packet(), True),
        (packet(protocol=17), False),
        (packet(src="127.0.8.1"), False),
        (packet(dst="127.0.10.2"), False),
        (packet(src="127.0.9.255", dst="127.0.9.200"), True),
    ],
)
def test_the_filter_keeps_one_networks_segments_and_their_headers(data, kept):
    assert run(program("127.0.9"), data) == (SNAP if kept else 0)
