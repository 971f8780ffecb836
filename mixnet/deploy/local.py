"""The local network as a whole: prepare, look at, end (spec/10-local-network.md 10.2 and 10.3).

Promises: a network is started only after every address was found free; looking at one changes nothing; ending one
returns when none of its processes runs any more.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from mixnet import hints
from mixnet.deploy.folders import (
    CLIENTS,
    CONFIG,
    PLAN,
    RUN,
    SOCKET,
    NetworkAlreadyRunning,
    NetworkNotRunning,
    read_running,
    running,
)
from mixnet.deploy.plan import LocalMember, LocalPlan, MemberKind, subnets
from mixnet.deploy.processes import PATIENCE, ProcessId, age, alive, end, identify
from mixnet.deploy.provision import provision
from mixnet.deploy.supervisor import Program
from mixnet.errors import LocalError, MixnetError, Unavailable
from mixnet.sphinx import engine_by_name
from mixnet.status import read_status

_MODULES: Final = {MemberKind.AUTHORITY: "mixnet.directory", MemberKind.MIX: "mixnode", MemberKind.PROVIDER: "mixnode"}


class PortInUse(Unavailable):
    """An address of the network is in use: stop the program that listens there, or choose another --port."""

    exit_status = 1


class NoNetwork(LocalError):
    """There is no network in this folder: make one with `mixnet up`."""

    exit_status = 3


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One process as its operator sees it; `figures` is what it says of itself, None if it doesn't answer."""

    member: LocalMember
    process: ProcessId | None
    restarts: int
    figures: dict[str, Any] | None

    @property
    def ready(self) -> bool:
        """Whether it says so itself."""
        return bool(self.figures and self.figures.get("ready"))

    @property
    def uptime(self) -> float:
        """Seconds since its process started."""
        return age(self.process) if self.process is not None else 0.0


def load_plan(folder: Path) -> LocalPlan:
    """The plan of the network in `folder`; NoNetwork if there is none."""
    try:
        return msgspec.toml.decode((folder / PLAN).read_bytes(), type=LocalPlan).check()
    except FileNotFoundError:
        raise NoNetwork(f"there is no network in {folder}: make one with `mixnet up`") from None
    except msgspec.DecodeError as error:
        raise LocalError(f"{folder / PLAN} is damaged ({error}): correct it, or remove {folder}") from None


def prepare(folder: Path, options: dict[str, Any], *, parameters: dict[str, Any] | None = None) -> LocalPlan:
    """The network of `folder`, made if it isn't there, ready to be started.

    `options` are the fields of the plan that the user gave; AlreadyRunning, PortInUse or LocalError says what is wrong.
    """
    if running(folder) is not None:
        raise NetworkAlreadyRunning(
            hints.here(
                f"the network in {folder} is running already: look at it with `mixnet status`,"
                f" end it with `mixnet down`",
                folder,
            )
        )
    if (folder / PLAN).exists():
        plan = _kept(folder, options)
    else:
        plan = _new(folder, LocalPlan(**options).check())
        engine_by_name(plan.engine)  # LocalError if it isn't installed
        provision(folder, plan, parameters=parameters)
    check_addresses(plan.members())
    return plan


def _kept(folder: Path, options: dict[str, Any]) -> LocalPlan:
    """The plan as it was made: a network can't change its shape, since its nodes and clients know it so."""
    plan = load_plan(folder)
    if msgspec.structs.replace(plan, **options) != plan:
        raise LocalError(
            f"{folder} holds a network of {plan.describe()}: leave the options out, or choose another --dir"
        )
    return plan


def _new(folder: Path, plan: LocalPlan) -> LocalPlan:
    """The plan moved to the first subnet where every address is free."""
    for subnet in subnets(folder):
        placed = msgspec.structs.replace(plan, subnet=subnet)
        try:
            check_addresses(placed.members())
        except PortInUse:
            continue
        return placed
    raise PortInUse(f"port {plan.port} is in use on every loopback address: choose another with --port")


def check_addresses(members: Iterable[LocalMember]) -> None:
    """PortInUse, with the name and the address, if one of the members could not listen."""
    for member in members:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the node does: old connections don't count
            try:
                probe.bind((member.host, member.port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise PortInUse(f"{member.name} can't listen on {member.address}: {error.strerror}") from None
                raise PortInUse(
                    f"{member.name} can't listen on {member.address}, which is in use: "
                    "stop the program that listens there, or make the network with another --port"
                ) from None


def programs(folder: Path, plan: LocalPlan) -> list[Program]:
    """The processes of a network, each with its own configuration file."""
    return [
        Program(
            member.name, ("-P", "-m", _MODULES[member.kind], str(folder / member.name / CONFIG)), folder / member.name
        )
        for member in plan.members()
    ]


async def status(folder: Path) -> list[NodeStatus]:
    """How every process of the network is; NotRunning or NoNetwork if there is nothing to look at."""
    plan, who = load_plan(folder), running(folder)
    if who is None:
        raise NetworkNotRunning(f"the network in {folder} is not running: start it with `mixnet up`")
    answers: dict[str, dict[str, Any]] = {}

    async def ask(name: str) -> None:
        try:
            answers[name] = await read_status(folder / name / SOCKET)
        except MixnetError:
            return

    async with trio.open_nursery() as nursery:
        for member in plan.members():
            nursery.start_soon(ask, member.name)
    return [
        NodeStatus(member, who.nodes.get(member.name), who.restarts.get(member.name, 0), answers.get(member.name))
        for member in plan.members()
    ]


async def down(folder: Path) -> int:
    """End the network and its clients, and return how many processes ran; NotRunning if none did."""
    load_plan(folder)
    stopped = await stop_clients(folder)
    found = read_running(folder)
    everyone = [] if found is None else [found.supervisor, *found.nodes.values()]
    left = [process for process in everyone if alive(process)]
    if found is not None:
        # The supervisor ends its processes itself, and needs their patience plus a little for that.
        await end([found.supervisor], patience=2 * PATIENCE)
        await end(left)
        (folder / RUN).unlink(missing_ok=True)
    if not left and not stopped:
        raise NetworkNotRunning(f"the network in {folder} is not running")
    return len(left) + stopped


async def stop_clients(folder: Path) -> int:
    """Stop every client daemon with a profile in the network's folder, and return how many there were.

    One that doesn't stop when it is asked to is ended as a process.
    """
    from mixnet.client.daemon import background  # noqa: PLC0415 -- no other command of the network needs a client
    from mixnet.client.model.paths import LOCK  # noqa: PLC0415
    from mixnet.client.profile import lock  # noqa: PLC0415 -- no other command of the network needs a client

    stopped: list[Path] = []

    async def stop(profile: Path) -> None:
        number = lock.holder(profile / LOCK)
        if number is None:
            return
        process = identify(number)
        with contextlib.suppress(MixnetError):
            await background.stop(profile)
        if process is not None:
            await end([process])
        stopped.append(profile)

    async with trio.open_nursery() as nursery:
        for settings in (folder / CLIENTS).glob("*/profile.toml"):
            nursery.start_soon(stop, settings.parent)
    return len(stopped)
