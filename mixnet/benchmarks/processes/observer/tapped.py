"""A local network whose every process has a tap in front of it (spec/13-measurements.md 13.6).

Promises: the network's own files stay as they are; each process gets a second configuration beside its own, with which
it listens behind its tap, at 127.64.S.N instead of 127.0.S.N, while everybody goes on dialling the address that they
know. However it ends, every process ends too.
"""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from mixnet.benchmarks.processes.observer.recorder import Recorder
from mixnet.benchmarks.processes.observer.taps import Tap, serve_tap
from mixnet.deploy.folders import CONFIG, toml
from mixnet.deploy.local import load_plan, prepare, programs
from mixnet.deploy.plan import LocalMember, MemberKind
from mixnet.deploy.supervisor import Program, open_crew
from mixnet.files import replace_file
from mixnet.network import Address

TAPPED = "tapped.toml"


def tap_of(member: LocalMember) -> Tap:
    """Where the tap of a member listens, and where the member does behind it."""
    hidden = member.host.replace("127.0.", "127.64.", 1)
    return Tap(Address(member.host, member.port), Address(hidden, member.port))


@asynccontextmanager
async def open_tapped(folder: Path, recorder: Callable[[], Recorder | None]) -> AsyncIterator[None]:
    """Run the network of `folder`, made if it isn't there, behind taps; AlreadyRunning if it runs without."""
    plan = await trio.to_thread.run_sync(prepare, folder, {})
    async with open_crew(folder) as crew, trio.open_nursery() as nursery:
        for member in plan.members():
            await nursery.start(partial(serve_tap, tap_of(member), recorder))
        tapped = [_behind(folder, program) for program in programs(folder, plan)]
        await crew.start(tapped, lambda _name: None)
        yield
        nursery.cancel_scope.cancel()


def _behind(folder: Path, program: Program) -> Program:
    """The same program with a configuration that makes it listen behind its tap."""
    member = next(member for member in load_plan(folder).members() if member.name == program.name)
    settings = tomllib.loads((program.folder / CONFIG).read_text())
    # An authority listens at its `address`; what others dial stands in the bootstrap file.
    settings["address" if member.kind is MemberKind.AUTHORITY else "listen"] = str(tap_of(member).behind)
    replace_file(program.folder / TAPPED, toml(settings))
    *rest, _config = program.arguments
    return Program(program.name, (*rest, str(program.folder / TAPPED)), program.folder)
