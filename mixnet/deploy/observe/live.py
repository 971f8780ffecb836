"""Looks at a local network again and again (spec/11-demonstration.md).

Promises: it asks whoever its user may ask: the status sockets of the network's nodes and of the clients in its folder,
and the kernel. It changes nothing, and connects to no node but for the signed document, once an epoch. What doesn't
answer is said to be so, and looked for again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import trio

from mixnet.client.model.paths import SETTINGS
from mixnet.deploy.folders import BOOTSTRAP, CLIENTS, SOCKET, NetworkNotRunning, running
from mixnet.deploy.local import load_plan, status
from mixnet.deploy.observe.frames import FrameCounts
from mixnet.deploy.observe.kernel import Connection, Kernel
from mixnet.deploy.observe.samples import MOST_CLIENTS, VERSION, ClientSample, Heading, NodeSample, Rules, Sample
from mixnet.deploy.plan import LocalPlan
from mixnet.directory.client import newest_document
from mixnet.errors import MixnetError, Unavailable
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.trust import Trust
from mixnet.status import read_status

TICK = 0.25  # seconds between two looks at links and clients
NODES_PAUSE = 1.0  # seconds between two looks at nodes, and at the loops of clients
RULES_PAUSE = 10.0  # seconds before it is looked whether there is a new document
OTHERS = "others"  # clients that aren't ours
GRACE = 3.0  # seconds after which a connection of which nobody of ours tells is a stranger's
MOST_SOCKETS = 4096  # of which it is remembered whose they are

Take = Callable[[Sample], Awaitable[None]]


class LocalNetwork:
    """A running local network."""

    def __init__(self, folder: Path) -> None:
        """NoNetwork, or NetworkNotRunning, if there is nothing to look at."""
        plan = load_plan(folder)
        if running(folder) is None:
            raise NetworkNotRunning(f"the network in {folder} is not running: start it with `mixnet up --dir {folder}`")
        self._folder, self._plan = folder, plan
        self._trust = Bootstrap.load(folder / BOOTSTRAP)
        self._hosts = {member.host: member.name for member in plan.members()}
        self._owners = _Owners()
        self._heard = _Heard()
        self._times_due = 0.0
        self._epoch = -1  # of the document that was seen
        with self._kernel() as kernel:
            links_seen = kernel is not None
        self.heading = Heading(
            version=VERSION,
            title=_title(plan),
            nodes={member.name: str(member.kind) for member in plan.members()},
            genesis=self._trust.genesis,
            epoch_length=self._trust.epoch_length,
            began=time.time(),
            tick=TICK,
            links_seen=links_seen,
        )

    async def run(self, take: Take) -> None:
        """Give a sample at each tick, until cancelled. Whoever is slow to answer is in a later one."""
        begun = trio.current_time()
        with self._kernel() as kernel:
            counts = FrameCounts(self._owners.name_of, self._hosts.get)
            await self._ask_clients()  # else their connections would be nobody's
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_asking, self._ask_clients, TICK)
                nursery.start_soon(self._keep_asking, self._ask_nodes, NODES_PAUSE)
                nursery.start_soon(self._keep_asking, self._ask_rules, RULES_PAUSE)
                while True:
                    flows = [] if kernel is None else self._flows(kernel, counts)
                    heard, self._heard = self._heard, _Heard()
                    at = trio.current_time() - begun
                    await take(Sample(round(at, 3), flows, heard.clients, heard.nodes, heard.rules))
                    await trio.sleep(TICK - (trio.current_time() - begun) % TICK)

    async def _keep_asking(self, ask: Callable[[], Awaitable[None]], pause: float) -> None:
        while True:
            await ask()
            await trio.sleep(pause)

    @contextmanager
    def _kernel(self) -> Iterator[Kernel | None]:
        """What tells of links, or None where this system doesn't."""
        try:
            opened = Kernel(f"127.0.{self._plan.subnet}")
            opened.connections()
        except Unavailable:
            yield None
            return
        with opened:
            yield opened

    def _flows(self, kernel: Kernel, counts: FrameCounts) -> list[tuple[str, str, int]]:
        found = counts.since(kernel.connections())
        return [(source, target, number) for (source, target), number in sorted(found.items())]

    async def _ask_clients(self) -> None:
        """What the daemons of the profiles in the network's folder say, by the profiles' names."""
        found: dict[str, ClientSample] = {}
        with_times = trio.current_time() >= self._times_due
        if with_times:
            self._times_due = trio.current_time() + NODES_PAUSE

        async def ask(profile: Path) -> None:
            name = profile.name if profile.name not in self.heading.nodes else f"client {profile.name}"
            try:
                figures = await read_status(profile / SOCKET)
            except MixnetError:
                return
            self._owners.know(name, int(figures["pid"]))
            found[name] = client_sample(figures, with_times=with_times)

        async with trio.open_nursery() as nursery:
            for profile in _profiles(self._folder / CLIENTS):
                nursery.start_soon(ask, profile)
        gone = self._owners.processes.keys() - found.keys()
        self._heard.clients = {**found, **dict.fromkeys(sorted(gone), ClientSample())}

    async def _ask_nodes(self) -> None:
        try:
            nodes = await status(self._folder)
            self._heard.nodes = {node.member.name: node_sample(node.figures, node.restarts) for node in nodes}
        except MixnetError:
            self._heard.nodes = dict.fromkeys(self.heading.nodes, NodeSample())

    async def _ask_rules(self) -> None:
        """What the document of this epoch says, unless it is known."""
        if self._epoch >= self._trust.epochs.at(time.time()):
            return
        with suppress(MixnetError):
            document, _ = await newest_document(Trust(self._trust))
            chosen = document.parameters
            self._epoch = document.epoch
            self._heard.rules = Rules(
                epoch=document.epoch,
                mean_delay=chosen.mean_delay,
                send_rate=chosen.send_rate,
                downlink_rate=chosen.downlink_rate,
            )


@dataclass(slots=True)
class _Heard:
    """What has been answered since the last tick."""

    clients: dict[str, ClientSample] = field(default_factory=dict)
    nodes: dict[str, NodeSample] = field(default_factory=dict)
    rules: Rules | None = None


def _profiles(folder: Path) -> list[Path]:
    """The folders of profiles whose daemons may answer."""
    found = sorted(settings.parent for settings in folder.glob(f"*/{SETTINGS}"))
    return [profile for profile in found if (profile / SOCKET).exists()][:MOST_CLIENTS]


class _Owners:
    """Whose the connections of clients are, by the sockets that their processes hold; other clients stay `OTHERS`."""

    def __init__(self) -> None:
        self.processes: dict[str, int] = {}
        self._inodes: dict[int, str | None] = {}
        self._unknown: dict[int, float] = {}  # when each was first seen

    def know(self, name: str, process: int) -> None:
        """A client's process; connections that were nobody's may be its."""
        if self.processes.get(name) != process:
            self.processes[name] = process
            self._inodes.clear()

    def name_of(self, connection: Connection) -> str | None:
        """None if it is this process's own, or new: its process may be about to tell who it is."""
        inode = connection.inode
        if inode not in self._inodes:
            if len(self._inodes) > MOST_SOCKETS:
                self._inodes.clear()
                self._unknown.clear()
            self._inodes |= dict.fromkeys(_sockets(os.getpid()), None)
            for name, process in self.processes.items():
                self._inodes |= dict.fromkeys(_sockets(process), name)
        if inode in self._inodes:
            return self._inodes[inode]
        if trio.current_time() - self._unknown.setdefault(inode, trio.current_time()) < GRACE:
            return None
        del self._unknown[inode]
        self._inodes[inode] = OTHERS
        return OTHERS


def _sockets(process: int) -> list[int]:
    """The inodes of a process's sockets; none if it is gone, or somebody else's."""
    found = []
    with suppress(OSError):
        for name in os.listdir(f"/proc/{process}/fd"):  # noqa: PTH208
            with suppress(OSError, ValueError):
                found.append(int(os.readlink(f"/proc/{process}/fd/{name}").removeprefix("socket:[").rstrip("]")))  # noqa: PTH115
    return found


def _title(plan: LocalPlan) -> str:
    return (
        f"{plan.layers} layers of {plan.width} mixes, {plan.providers} providers, {plan.authorities} authorities, "
        "all on this machine"
    )


def node_sample(figures: dict[str, Any] | None, restarts: int = 0) -> NodeSample:
    """What the page needs of a node's figures, which are None if it doesn't answer."""
    if figures is None:
        return NodeSample(restarts=restarts)
    return _chosen(NodeSample, figures, up=True, restarts=restarts, warnings=_worries(figures))


def client_sample(figures: dict[str, Any], *, with_times: bool) -> ClientSample:
    """What the page needs of a daemon's figures; with how long its loops took, if that is wanted."""
    times = figures.get("loop_times", {}) if with_times else {}
    return _chosen(ClientSample, {**figures, **times}, up=True, warnings=_worries(figures))


def _worries(figures: dict[str, Any]) -> list[str]:
    """What a process says is wrong, in its own words and names."""
    words = [*figures.get("warnings", ()), figures.get("problem") or ""]
    if figures.get("alarm", "calm") != "calm":
        words.append(f"alarm: {figures['alarm']}")
    words += [f"{name}: {len(figures[name])}" for name in ("absent", "suspects", "two_documents") if figures.get(name)]
    return [word[:300] for word in words if word]


Sampled = TypeVar("Sampled", NodeSample, ClientSample)


def _chosen(kind: type[Sampled], figures: Mapping[str, Any], **more: object) -> Sampled:
    """The fields of a sample that the figures have."""
    fields = {name: figures[name] for name in kind.__struct_fields__ if figures.get(name) is not None}
    return msgspec.convert({**fields, **more}, kind)
