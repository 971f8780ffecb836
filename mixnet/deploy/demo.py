"""`mixnet demo`: a whole network of real processes, two people who talk through it, and what was measured.

Promises (spec/11-demonstration.md): everything runs as it would elsewhere: own processes, TCP with TLS, files on disk,
cover traffic throughout; every figure comes from the processes themselves; however it ends nothing keeps running, and
the folder is removed unless something failed or --keep was given.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from mixnet.client.model.views import MessageInfo, MessageKind
from mixnet.deploy.background import until_signal
from mixnet.deploy.census import count_signatures, idle_load
from mixnet.deploy.display import counting, progress, say, say_json
from mixnet.deploy.figures import DemoOutcome, cover_share, dropped_in_all, quantiles_ms, tally
from mixnet.deploy.folders import CLIENTS, SOCKET
from mixnet.deploy.local import NodeStatus, load_plan, prepare, programs, status
from mixnet.deploy.material import digest_of, make_file
from mixnet.deploy.observe.beside import page_beside
from mixnet.deploy.patience import MOST, patient
from mixnet.deploy.people import NAMES, SILENT, Person, enroll, gets_on, go_on, meet, open_people, records, settle, talk
from mixnet.deploy.plan import MemberKind
from mixnet.deploy.processes import send
from mixnet.deploy.story import show_outcome
from mixnet.deploy.supervisor import Crew, open_crew
from mixnet.errors import LocalError
from mixnet.explain import INTERRUPTED
from mixnet.status import read_status

MEETING = "becoming contacts"
COVER = frozenset({"drop", "loop"})
PAUSE = 0.3  # seconds between two texts of one person
STILL = 120.0  # seconds for which nothing may get on: no message, no byte of the file, no loop, no epoch
RECOVERY = 15.0  # seconds that a killed node may take until it is ready again, beyond which it must get on
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for."""

    file: Path | None = None
    messages: int = 10
    kill_mix: bool = False
    quiet: bool = False
    watch: bool = False
    plan: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)

    def check(self) -> Wishes:
        """Themselves; LocalError if they can't be fulfilled."""
        if self.file is not None and not self.file.is_file():
            raise LocalError(f"{self.file} is not a file: name the file to send")
        if self.messages < 1:
            raise LocalError(f"--messages {self.messages} is impossible: choose at least 1")
        return self


async def run(*, json: bool, file: Path | None, messages: int, keep: bool, kill_mix: bool, watch: bool = False) -> int:
    """The command: exit status 0 only if everything was delivered."""
    wishes = Wishes(file, messages, kill_mix, quiet=json, watch=watch).check()
    outcomes: list[DemoOutcome] = []

    def tell(outcome: DemoOutcome) -> None:
        outcomes.append(outcome)
        (say_json if json else show_outcome)(outcome)

    with _folder(keep=keep) as (folder, done):
        await until_signal(play, folder, wishes, tell)
        if all(outcome.success for outcome in outcomes):
            done()
    if not outcomes:
        return INTERRUPTED
    return 0 if outcomes[0].success else 1


@contextmanager
def _folder(*, keep: bool) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A folder that is removed afterwards if the second value was called, and else named, for its logs."""
    folder = Path(tempfile.mkdtemp(prefix="mixnet-demo-"))
    finished: list[bool] = []
    try:
        yield folder, lambda: finished.append(True)
    except KeyboardInterrupt:
        finished.append(True)
        raise
    finally:
        if keep or not finished:
            sys.stderr.write(f"the folders of all processes, with their logs, are kept in {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)


async def play(folder: Path, wishes: Wishes, tell: Callable[[DemoOutcome], None]) -> None:
    """Run a network in `folder` from its first key to its last message, and tell what came of it.

    If it is to be watched, it goes on until this is cancelled.
    """
    await _Play(folder, wishes).run(tell)


class _Play:
    """One demonstration, act by act."""

    def __init__(self, folder: Path, wishes: Wishes) -> None:
        self._folder = folder / "network"
        self._wishes = wishes
        self._file = wishes.file or folder / "demo.bin"
        self._begun = time.monotonic()
        self._killed: str | None = None
        self._timed_out: list[str] = []

    @asynccontextmanager
    async def _act(self, what: str, *people: Person) -> AsyncIterator[None]:
        """What is done here may take as long as these people's clients get on with anything."""

        async def sign() -> object:
            return [await gets_on(person) for person in people]

        async with patient(sign, STILL) as patience:
            yield
        if patience.timed_out:
            self._timed_out.append(what)
            self._tell(f"timed out: {what}; nothing got on for {STILL:.0f} s, or it took {MOST} times as long")

    def _tell(self, line: str) -> None:
        if not self._wishes.quiet:
            say(f"{time.monotonic() - self._begun:6.1f} s  {line}")

    async def run(self, tell: Callable[[DemoOutcome], None]) -> None:
        """All acts."""
        plan = prepare(self._folder, self._wishes.plan, parameters=self._wishes.parameters)
        if self._wishes.file is None:
            make_file(self._file)
        async with open_crew(self._folder) as crew:
            await self._start_nodes(crew, count := len(plan.members()))
            ready = time.monotonic() - self._begun
            load = await idle_load(self._folder)
            self._tell(f"{count} nodes idle at {load:.1f} % of one core in all")
            names = (*NAMES, SILENT) if self._wishes.watch else NAMES
            daemons = await trio.to_thread.run_sync(enroll, self._folder, plan, names)
            async with self._page(), open_people(self._folder, daemons, crew) as (alice, bob):
                self._tell("two client daemons run, with cover traffic from now on")
                safe, seconds = False, 0.0
                async with self._act(MEETING, alice, bob):
                    safe = await meet(alice, bob)
                    self._tell(
                        "alice invited bob, and both see the same safety number" if safe else "safety numbers differ"
                    )
                if MEETING not in self._timed_out:
                    await self._exchange_texts(alice, bob)
                    seconds = await self._send_file(alice, bob, crew)
                tell(await self._sum_up(alice, bob, ready=ready, load=load, safe=safe, file_seconds=seconds))
                if self._wishes.watch:
                    say(f"\n{alice.name} and {bob.name} go on, {SILENT} never writes; Ctrl-C ends all of it")
                    await go_on(alice, bob, PAUSE)

    def _page(self) -> AbstractAsyncContextManager[None]:
        """The live page beside the rest."""
        if self._wishes.quiet:
            return nullcontext()
        return page_beside(self._folder, lambda line: self._tell(f"watch it live: {line}"))

    async def _start_nodes(self, crew: Crew, count: int) -> None:
        with counting("starting the network", count, quiet=self._wishes.quiet) as report:
            await crew.start(programs(self._folder, load_plan(self._folder)), report)
        self._tell(f"{count} nodes ready: authorities, mixes and providers, each a process with its own address")

    async def _exchange_texts(self, alice: Person, bob: Person) -> None:
        """Texts both ways at once, until their senders know that all arrived, or for as long as is allowed."""
        count = self._wishes.messages

        async def one_way(person: Person, to: Person) -> None:
            texts = [f"{person.name} to {to.name}, {number} of {count}" for number in range(1, count + 1)]
            await settle(person, await talk(person, to, texts, PAUSE))

        async with self._act("texts", alice, bob):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(one_way, alice, bob)
                nursery.start_soon(one_way, bob, alice)
            self._tell(f"{count} texts each way")

    async def _send_file(self, alice: Person, bob: Person, crew: Crew) -> float:
        """Send the file; the seconds until its sender knew that it had arrived."""
        size = self._file.stat().st_size
        begun = time.monotonic()
        number = await alice.me.send_file(bob.name, self._file)
        quarter = trio.Event()
        with progress(f"sending {size / _MEGABYTE:.1f} MB", size, quiet=self._wishes.quiet) as advance:

            def watch(message: MessageInfo) -> None:
                advance(message.done)
                if message.done >= size / 4:
                    quarter.set()

            async with self._act("the file", alice, bob), trio.open_nursery() as nursery:
                if self._wishes.kill_mix:
                    nursery.start_soon(self._kill_a_mix, crew, quarter)
                await alice.me.wait_delivered(number, watch)
                self._tell(f"a file of {size:,} bytes in {time.monotonic() - begun:.1f} s")
        return time.monotonic() - begun

    async def _kill_a_mix(self, crew: Crew, when: trio.Event) -> None:
        """SIGKILL for one mix, in whatever it is doing."""
        await when.wait()
        self._killed = next(
            node.member.name for node in await status(self._folder) if node.member.kind is MemberKind.MIX
        )
        send(crew.process(self._killed), signal.SIGKILL)
        self._tell(f"killed {self._killed} (SIGKILL) while the file is on its way")

    async def _sum_up(
        self, alice: Person, bob: Person, *, ready: float, load: float, safe: bool, file_seconds: float
    ) -> DemoOutcome:
        """Every figure, from both archives and from what the processes say of themselves."""
        hers, his = await alice.archive(), await bob.archive()
        texts = records(hers, his, MessageKind.TEXT) + records(his, hers, MessageKind.TEXT)
        files = records(hers, his, MessageKind.FILE)
        counted = tally([*texts, *files])
        arrived = [record for record in texts if record.received_at]
        nodes = await self._nodes_at_the_end()
        clients = [await read_status(self._folder / CLIENTS / name / SOCKET) for name in NAMES]
        return DemoOutcome(
            delivered=counted.delivered,
            sent=counted.sent,
            lost=counted.lost,
            duplicated=counted.duplicated,
            file_ok=await trio.to_thread.run_sync(self._came_whole, his),
            nodes=sum(node.ready for node in nodes),
            signatures=await count_signatures(self._folder),
            latency_ms=quantiles_ms([record.latency for record in arrived]),
            overhead_ms=quantiles_ms([record.overhead for record in arrived]),
            cover_share=cover_share([one["frames"] for one in clients], COVER),
            safety_numbers_equal=safe,
            killed=self._killed,
            file_bytes=self._file.stat().st_size,
            file_seconds=round(file_seconds, 1),
            ready_seconds=round(ready, 1),
            total_seconds=round(time.monotonic() - self._begun, 1),
            node_memory_mb=_most_memory([node.figures or {} for node in nodes]),
            client_memory_mb=_most_memory(clients),
            idle_cpu_percent=round(load, 1),
            dropped=dropped_in_all([node.figures or {} for node in nodes]),
            timed_out=tuple(self._timed_out),
        )

    async def _nodes_at_the_end(self) -> list[NodeStatus]:
        """How all nodes are: one that was killed gets some time to be ready again, the longer the more they do."""

        async def sign() -> object:
            return [
                (node.ready, node.restarts, (node.figures or {}).get("epoch")) for node in await status(self._folder)
            ]

        async with patient(sign, RECOVERY):
            while not all(node.ready for node in await status(self._folder)):  # noqa: ASYNC110  other processes set no event of ours
                await trio.sleep(RECOVERY / 50)
        return await status(self._folder)

    def _came_whole(self, archive: list[MessageInfo]) -> bool:
        """Whether the recipient's copy is the file that was sent, byte for byte."""
        copies = [message.path for message in archive if message.kind is MessageKind.FILE and not message.outgoing]
        return len(copies) == 1 and bool(copies[0]) and digest_of(Path(copies[0])) == digest_of(self._file)


def _most_memory(figures: list[dict[str, Any]]) -> float:
    """The largest process, in MB."""
    return round(max(float(one.get("memory_bytes", 0)) for one in figures) / _MEGABYTE, 1)
