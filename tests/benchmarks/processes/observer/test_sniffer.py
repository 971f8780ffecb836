"""The sniffer on the real loopback device, where this process may use it; and what it says where it may not."""

import errno
import socket
import time
from pathlib import Path

import pytest
import trio

from mixnet.benchmarks.processes.observer import sniffer
from mixnet.benchmarks.processes.observer.recorder import Recorder
from mixnet.benchmarks.processes.observer.sniffer import NoRawSockets, open_sniffer
from mixnet.benchmarks.simulation.trace import read
from tests.benchmarks.simulation import traces

SUBNET = "127.0.251"


def may_sniff() -> bool:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close()
    except PermissionError:
        return False
    return True


def talk(first: str, second: str, sizes: list[int]) -> None:
    """Send from `first` to `second` what is positive, and back what is negative."""
    with socket.socket() as door, socket.socket() as one:
        door.bind((second, 0))
        door.listen()
        one.bind((first, 0))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.connect(door.getsockname())
        other, _ = door.accept()
        with other:
            for size in sizes:
                here, there = (one, other) if size > 0 else (other, one)
                here.sendall(b"secret!!"[:1] * abs(size))
                left = abs(size)
                while left:
                    left -= len(there.recv(left))


def sniff(path: Path) -> sniffer.Sniffer:
    with path.open("w", newline="") as file, open_sniffer(SUBNET) as watcher:
        begun = time.time_ns()
        with Recorder(file, begun, {f"{SUBNET}.1": "mix-1"}) as recorder:
            talk(f"{SUBNET}.1", f"{SUBNET}.2", [3118, -1000, 6214])
            talk("127.0.252.1", f"{SUBNET}.2", [777])

            async def look() -> None:
                with trio.move_on_after(0.2):
                    await watcher.run(recorder)

            trio.run(look)
            watcher.finish(recorder)
    return watcher


def test_it_sees_who_sent_how_many_bytes_and_nothing_else(tmp_path):
    path = tmp_path / "trace.csv"
    if not may_sniff():
        with pytest.raises(NoRawSockets, match="--taps"):
            sniff(path)
        return
    assert sniff(path).lost == 0
    trace = read(path)
    assert [size for _, size in traces.link(trace, "mix-1", f"{SUBNET}.2")] == [3118, 6214]
    assert [size for _, size in traces.link(trace, f"{SUBNET}.2", "mix-1")] == [1000]
    assert len(trace) == 3
    times = [row.t_ns for row in trace]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] < 60e9


def test_without_the_right_it_says_what_to_do(monkeypatch):
    def refuse(*_arguments: object) -> socket.socket:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(sniffer.socket, "socket", refuse)
    with pytest.raises(NoRawSockets, match=r"--taps.*CAP_NET_RAW"), open_sniffer(SUBNET):
        pass
