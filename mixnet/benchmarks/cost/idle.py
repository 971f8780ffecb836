"""The cost of a client's daemon that nobody uses (spec/13-measurements.md 13.11).

Promises: the daemon is `python -m mixnet.client` with a profile of its own, at the default rates; its CPU and memory
are what it says of itself since its start, as `mixnet client status --json` shows them. Beside it stands what the same
work costs when it is done without pauses: its slots' packets made and sealed, its frames opened, and how often it has
to be woken, at the price of waking a process that does nothing, measured in the same seconds. The controls are a daemon
in a network of four times the rates, and the same daemon in two halves of the time.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import trio

from mixnet.benchmarks.base.figures import Bound, Control, Figure, Finding, Subject, at_least
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import exact, middle, scaled
from mixnet.benchmarks.base.timing import median, timed
from mixnet.benchmarks.processes.load.testbed import Say, Testbed, TestbedSetup, perform, quiet
from mixnet.client.profile.profile import create
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.deploy.folders import BOOTSTRAP, CLIENTS
from mixnet.deploy.local import load_plan
from mixnet.deploy.plan import MEMBERS_LIMIT
from mixnet.deploy.supervisor import Program
from mixnet.link.frames import Frame, FrameKind, FrameReader
from mixnet.link.handshake import HandshakeSide
from mixnet.link.tls import TlsIdentity, TlsSession
from mixnet.pki.parameters import Parameters
from mixnet.sphinx import GEOMETRY, Command, Hop, Kind, SphinxEngine
from mixnet.sphinx.route import SEED_SIZE

SECONDS = {Size.QUICK: 6.0, Size.STANDARD: 60.0, Size.FULL: 600.0}
PIECES = {Size.QUICK: 6, Size.STANDARD: 12, Size.FULL: 30}
FASTER = 4.0  # the rates of the control
NAME = "idler"
SETUP = TestbedSetup({"layers": 3, "width": 1, "providers": 1, "authorities": 1}, {}, {}, {})
_SETTLE = 4.0  # seconds after the start, in which the first reserve is made
_HOPS = 5  # of a cover packet
_WAKES = 40
_MORE = 1.5  # times as much CPU that four times the rates must show, since what runs often runs warm
_SAME = 0.5


@dataclass(frozen=True, slots=True)
class Rest:
    """What a daemon did in each piece of time.

    `shares` of one core, `wakes` a second, `frames` sent and received a second; `memory` in bytes at the end; `total`
    the share since it started, starting included; `waking` the CPU seconds of waking a process that does nothing.
    """

    shares: tuple[float, ...]
    wakes: float
    frames: float
    memory: int
    total: float
    waking: float
    floor: float


def measure(size: Size, *, seed: int = 0, say: Say = quiet) -> Finding:
    """Watch a daemon at the default rates, and one at higher ones."""
    seconds, pieces = SECONDS[size], PIECES[size]
    default = perform(partial(on_testbed, seconds=seconds, pieces=pieces, say=say), say, SETUP)
    say("control: higher rates")
    del seed  # nothing is drawn here
    parameters = Parameters()
    faster = replace(SETUP, parameters={name: FASTER * getattr(parameters, name) for name in _RATES})
    busy = perform(partial(on_testbed, seconds=SECONDS[Size.QUICK], pieces=3, say=say), say, faster)
    return finding(size, default, busy, work())


_RATES = ("payload_rate", "loop_rate", "drop_rate", "downlink_rate")


async def on_testbed(testbed: Testbed, seconds: float, pieces: int, say: Say = quiet) -> Rest:
    """Start a daemon, and look at it while nobody does anything."""
    plan = await trio.to_thread.run_sync(load_plan, testbed.folder)
    profile = testbed.folder / CLIENTS / NAME
    source = f"127.0.{plan.subnet}.{MEMBERS_LIMIT + 1}"
    await trio.to_thread.run_sync(
        partial(create, profile, name=NAME, bootstrap=testbed.folder / BOOTSTRAP, source=source)
    )
    name = str(Path(CLIENTS) / NAME)
    await testbed.start(Program(name, ("-P", "-m", "mixnet.client", str(profile)), profile))
    begun = trio.current_time()
    await trio.sleep(_SETTLE)
    shares, waking, floors = [], [], []
    first = before = await testbed.figures(name)
    woken, when = _wakes(first["pid"]), trio.current_time()
    since = when
    for piece in range(pieces):
        say(f"piece {piece + 1} of {pieces}")
        await trio.sleep(seconds / pieces)
        now, looked = await testbed.figures(name), trio.current_time()
        shares.append((now["cpu_seconds"] - before["cpu_seconds"]) / (looked - when))
        before, when = now, looked
        waking.append(await _waking())
        floors.append(testbed.floor())
    spent = when - since
    return Rest(
        tuple(shares),
        (_wakes(first["pid"]) - woken) / spent,
        (_frames(before) - _frames(first)) / spent,
        before["memory_bytes"],
        before["cpu_seconds"] / (when - begun),
        median(waking)[0],
        median(floors)[0],
    )


def _frames(figures: dict[str, Any]) -> int:
    """Up and down."""
    return int(figures["packets_out"] + sum(figures["received"].get(kind, 0) for kind in ("pad", "mail", "response")))


def _wakes(pid: int) -> int:
    """How often the threads of a process that live now began to run after they had waited."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread that just ended
            found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)$", (task / "status").read_text(), re.MULTILINE)
            total += int(found[1]) if found else 0
    return total


async def _waking() -> float:
    """CPU seconds that it takes to wake this process for nothing."""
    begun = time.thread_time()
    for _ in range(_WAKES):
        await trio.sleep(0.01)
    return (time.thread_time() - begun) / _WAKES


def work(seconds: float = 0.5) -> dict[str, float]:
    """CPU seconds, without pauses, of making a cover packet, and of a frame from one end of a link to the other."""
    keys = [SphinxSecret.generate().public for _ in range(_HOPS)]
    engine = SphinxEngine()
    onward = [Hop(key, Command(Kind.FORWARD, os.urandom(GEOMETRY.target_size), 1)) for key in keys[:-1]]
    hops = [*onward, Hop(keys[-1], Command(Kind.DROP))]
    with _link() as carry:
        times = timed({"create": lambda: engine.create(hops, b"", seed=os.urandom(SEED_SIZE)), "carry": carry}, seconds)
    return {name: median(values)[0] for name, values in times.items()}


@contextmanager
def _link() -> Iterator[Callable[[], object]]:
    """Both ends of a link over TCP in this thread; call it to carry one frame."""
    near = TlsIdentity(SigningKey.generate()).session(HandshakeSide.INITIATOR, lambda _identity: True)
    far = TlsIdentity(SigningKey.generate()).session(HandshakeSide.RESPONDER, lambda _identity: True)
    _shake_hands(near, far)
    frame, reader = Frame(FrameKind.PACKET, os.urandom(GEOMETRY.packet_size)), FrameReader()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        out = socket.create_connection(listener.getsockname())
        into, _ = listener.accept()

    def carry() -> object:
        out.sendall(near.seal_untrusted(frame.encode()))
        far.put_untrusted(into.recv(65536))
        return reader.read_untrusted(far.open_untrusted())

    with out, into:
        yield carry


def _shake_hands(near: TlsSession, far: TlsSession) -> None:
    done = {near: False, far: False}
    while not all(done.values()):
        for mine, other in ((near, far), (far, near)):
            done[mine] = done[mine] or mine.handshake_untrusted()
            other.put_untrusted(mine.take())
    near.open_untrusted()


def finding(size: Size, rest: Rest, busy: Rest, cost: dict[str, float]) -> Finding:
    """What was seen of both daemons."""
    parameters = Parameters()
    share, warm = middle(rest.shares), _warm(parameters, cost)
    multiplications = _multiplications(parameters)
    half = len(rest.shares) // 2
    figures = (
        Figure("idle_cpu", "share of a core while nobody uses it", scaled(share, 100), "%", Bound(2.0)),
        Figure("idle_memory_mb", "memory", exact(rest.memory / 1e6), "MB", Bound(90)),
        Figure("idle_total_cpu", "share of a core since its start, the start included", exact(100 * rest.total), "%"),
        Figure("idle_frames", "frames a second, up and down", exact(rest.frames), "1/s"),
        Figure("idle_mults", "scalar multiplications a second that its packets need", exact(multiplications), "1/s"),
        Figure("idle_floor_cpu", "share of a core of these alone", exact(50 * multiplications * rest.floor), "%"),
        Figure("idle_warm_cpu", "share of a core of making, sealing, sending, receiving and opening, without pauses",
               exact(100 * warm), "%"),
        Figure("idle_wakes", "times a second that it is woken", exact(rest.wakes), "1/s"),
        Figure("idle_waking_cpu", "share of a core for so many wakes of a Trio program that does nothing",
               exact(100 * rest.wakes * rest.waking), "%"),
        Figure("idle_ratio", "its CPU over that of the same work without pauses", scaled(share, 1 / warm)),
    )  # fmt: skip
    return Subject("idle", "What a client's daemon takes while nobody uses it").finding(
        setting=(
            f"{size}: one daemon process in a network of five nodes at the default rates, {parameters.send_rate:g} "
            f"frames a second up and {parameters.downlink_rate:g} down, {SECONDS[size]:g} s in {len(rest.shares)} "
            "pieces; CPU is the process' own figure, and a machine whose other programs empty its caches raises it"
        ),
        figures=figures,
        controls=(
            Control.positive(f"how many times as much CPU at {FASTER:g} times the rates",
                exact(middle(busy.shares).value / share.value), at_least(_MORE)),
            Control.null("share by which one half of the time differs from the other",
                exact(abs(middle(rest.shares[:half]).value / middle(rest.shares[half:]).value - 1)), Bound(_SAME)),
        ),
    )  # fmt: skip


def _multiplications(parameters: Parameters) -> float:
    """A second: one for each packet and each of its hops, one hop more for loops, and two to open a loop."""
    covers = parameters.payload_rate + parameters.drop_rate
    return covers * (1 + _HOPS) + parameters.loop_rate * (2 + _HOPS + 2)


def _warm(parameters: Parameters, cost: dict[str, float]) -> float:
    """A frame that is sent or received is half of one that is carried."""
    frames = parameters.send_rate + parameters.downlink_rate
    return parameters.send_rate * cost["create"] + frames / 2 * cost["carry"]
