"""`make soak`: a local network through many short epochs, with people who write all the time.

See spec/11-demonstration.md.

    python -m mixnet.deploy.soak [--minutes 10] [--epoch 30] [--authorities 5] [--json]

Promises: everything runs as `mixnet up` runs it; with the first epoch after two fifths of the time a minority of the
authorities is killed (SIGKILL) and kept down; exit status 0 only if every text was delivered once, no node dropped a
packet as malformed or replayed or gave up a key, no key is left on a disk whose time is over, and each document since
the kill is signed by exactly those who are left, with the others named as missing in the history. However it ends
nothing keeps running.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio
from cyclopts import App

from mixnet.client.cli.options import Json
from mixnet.client.model.views import MessageKind
from mixnet.clock import WallClock
from mixnet.deploy.background import until_signal
from mixnet.deploy.census import SignedEpoch, count_signatures, signed_since
from mixnet.deploy.display import say, say_json
from mixnet.deploy.figures import dropped_in_all, quantiles_ms, tally
from mixnet.deploy.folders import BOOTSTRAP, CONFIG
from mixnet.deploy.local import load_plan, prepare, programs, status
from mixnet.deploy.people import Person, enroll, meet, open_people, records, settle, talk
from mixnet.deploy.plan import MemberKind
from mixnet.deploy.processes import send
from mixnet.deploy.supervisor import Crew, open_crew
from mixnet.directory.ledger import HISTORY
from mixnet.errors import Unavailable
from mixnet.explain import INTERRUPTED, exit_status
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.waiting import sleep_until
from mixnode.keys import AHEAD

PAUSE = 1.0  # seconds between two texts of one person
PATIENCE = 120.0  # seconds in which the last texts must arrive
AT_THE_EDGES = ("malformed_packet", "replayed", "replay_store")  # what a key chosen or kept wrongly would cause
BEFORE = 0.4  # the share of the time after which authorities are killed: most of it is for what comes then
LASTING = 10  # epochs that a network without the killed ones must last, if the time is enough for so many


@dataclass(slots=True)
class Fate:
    """Who of the authorities is killed and who is left, by name, and in which epoch it happens."""

    killed: list[str]
    left: list[str]
    epoch: int | None = None


app = App(name="soak", backend="trio", result_action="return_int_as_exit_code_else_zero")


class Endurance(msgspec.Struct, kw_only=True):
    """The one object of `--json`; times in the unit that a name ends with."""

    minutes: float
    epochs: int
    sent: int
    delivered: int
    lost: int
    duplicated: int
    latency_ms: dict[str, float | None]
    dropped: dict[str, int]
    keys_retired: int
    overdue_keys: int
    authorities_killed: list[str]
    authorities_left: list[str]
    epochs_due: int  # how many the network must at least have lasted since the kill
    since_the_kill: list[SignedEpoch]
    signatures: int
    nodes_ready: int
    node_memory_mb: float

    @property
    def success(self) -> bool:
        """Whether nothing was lost, doubled, refused at an epoch's edge, or kept too long, and the history is right."""
        whole = self.sent == self.delivered and not self.duplicated
        kept = not self.keys_retired and not self.overdue_keys
        return whole and kept and not set(AT_THE_EDGES) & set(self.dropped) and self.survived

    @property
    def history(self) -> str:
        """The epochs since the kill in one line."""
        kinds = Counter(
            f"{len(one.signed)} signed, missing {' '.join(one.missing) or '-'}" for one in self.since_the_kill
        )
        return "; ".join(f"{count} epochs: {kind}" for kind, count in kinds.items()) or "-"

    @property
    def survived(self) -> bool:
        """Whether every epoch since the kill has a document, by those who are left, and shows who is missing."""
        shown = [(one.document, one.signed, one.missing) for one in self.since_the_kill]
        expected = (True, self.authorities_left, self.authorities_killed)
        return len(shown) >= self.epochs_due and all(one == expected for one in shown)


@app.default
async def run(
    *,
    minutes: float = 10.0,
    epoch: float = 30.0,
    authorities: int = 5,
    json: Json = False,
) -> int:
    """Run a network of real processes through many epochs; exit status 0 only if nothing went wrong.

    Parameters
    ----------
    minutes
        How long people write.
    epoch
        Length of an epoch in seconds.
    authorities
        Directory authorities, of which as many are killed as the network must survive.
    """
    with tempfile.TemporaryDirectory(prefix="mixnet-soak-") as folder:
        network = Path(folder) / "network"
        outcome = await until_signal(play, network, 60 * minutes, epoch=epoch, authorities=authorities)
    if outcome is None:
        return INTERRUPTED
    if json:
        say_json(outcome)
    else:
        for name, value in {**msgspec.structs.asdict(outcome), "since_the_kill": outcome.history}.items():
            say(f"{name.replace('_', ' '):20}{value}")
        say("nothing was lost at any edge" if outcome.success else "NOT everything went as it must")
    return 0 if outcome.success else 1


async def play(folder: Path, seconds: float, *, epoch: float, authorities: int) -> Endurance:
    """A network in `folder`, two people who write for so many seconds, and what was seen."""
    plan = prepare(folder, {"epoch": epoch, "authorities": authorities})
    async with open_crew(folder) as crew:
        await crew.start(programs(folder, load_plan(folder)), lambda _name: None)
        daemons = await trio.to_thread.run_sync(enroll, folder, plan)
        async with open_people(folder, daemons, crew) as (alice, bob):
            await meet(alice, bob)
            begun = time.monotonic()
            members = [one.name for one in plan.members() if one.kind is MemberKind.AUTHORITY]
            fate = Fate(sorted(members[: (authorities - 1) // 2]), sorted(members[(authorities - 1) // 2 :]))
            count = max(1, int(seconds / PAUSE))
            with trio.move_on_after(seconds + PATIENCE):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(partial(_write, alice, bob, count))
                    nursery.start_soon(partial(_write, bob, alice, count))
                    await trio.sleep(BEFORE * seconds)
                    await _kill(folder, crew, fate)
            return await _sum_up(folder, (alice, bob), time.monotonic() - begun, fate)


async def _kill(folder: Path, crew: Crew, fate: Fate) -> None:
    """Kill those who must go at the beginning of an epoch, so that they have no part in the round for the next one."""
    epochs = Bootstrap.load(folder / BOOTSTRAP).epochs
    await sleep_until(WallClock(), epochs.end(epochs.at(time.time())))
    for name in fate.killed:
        keep_down(folder, crew, name)
    fate.epoch = epochs.at(time.time())


def keep_down(folder: Path, crew: Crew, name: str) -> None:
    """Kill a process (SIGKILL), and let every attempt to start it again fail."""
    config = folder / name / CONFIG
    config.rename(config.with_suffix(".gone"))
    send(crew.process(name), signal.SIGKILL)


async def _write(person: Person, to: Person, count: int) -> None:
    """Send texts that all differ, and return when their sender knows that they arrived."""
    await settle(person, await talk(person, to, [f"{person.name} {number}" for number in range(count)], PAUSE))


async def _sum_up(folder: Path, people: tuple[Person, Person], seconds: float, fate: Fate) -> Endurance:
    alice, bob = people
    hers, his = await alice.archive(), await bob.archive()
    texts = records(hers, his, MessageKind.TEXT) + records(his, hers, MessageKind.TEXT)
    counted = tally(texts)
    figures = [node.figures for node in await status(folder) if node.figures]
    epochs = Bootstrap.load(folder / BOOTSTRAP).epochs
    present = epochs.at(time.time())
    oldest = present - HISTORY + 1  # of which the authorities still have the document
    return Endurance(
        minutes=round(seconds / 60, 2),
        epochs=int(seconds / epochs.length),
        sent=counted.sent,
        delivered=counted.delivered,
        lost=counted.lost,
        duplicated=counted.duplicated,
        latency_ms=quantiles_ms([record.latency for record in texts if record.received_at]),
        dropped=dropped_in_all(figures),
        keys_retired=sum(_number(one, "keys_retired") for one in figures),
        overdue_keys=sum(1 for _ in overdue(folder, time.time())),
        authorities_killed=fate.killed,
        authorities_left=fate.left,
        epochs_due=min(LASTING, int((1 - BEFORE) * seconds / epochs.length) - 1),
        since_the_kill=[] if fate.epoch is None else await signed_since(folder, max(fate.epoch + 1, oldest), present),
        signatures=await _signatures(folder),
        nodes_ready=sum(bool(one.get("ready")) for one in figures),
        node_memory_mb=round(max(_number(one, "memory_bytes") for one in figures) / 1e6, 1),
    )


async def _signatures(folder: Path) -> int:
    """How many signed the document that is valid now; 0 if there is none."""
    try:
        return await count_signatures(folder)
    except Unavailable:
        return 0


def overdue(folder: Path, now: float) -> Iterator[Path]:
    """Files of keys that no node may have any more, or not yet, at `now` (seconds since the Unix epoch)."""
    epochs = Bootstrap.load(folder / BOOTSTRAP).epochs
    present = epochs.at(now)
    for path in folder.glob("*/keys/*"):
        if not present - 1 <= int(path.stem) <= present + AHEAD:
            yield path


def _number(figures: dict[str, Any], name: str) -> int:
    return int(figures.get(name) or 0)


if __name__ == "__main__":
    sys.exit(exit_status(app))
