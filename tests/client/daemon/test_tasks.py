"""Whatever fails in one of the daemon's tasks: it goes on and counts that, or it ends and says why in its log.

The tasks are found by walking over those that run, so one that is new is tried too.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
import trio

from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.cli import daemon as commands
from mixnet.client.concurrency.lasting import FIRST, LONGEST, Lasting
from mixnet.client.daemon import daemon, process
from mixnet.client.model import paths
from mixnet.client.model.errors import DamagedStore, StoreUnavailable
from mixnet.client.storage.database import is_of_store
from mixnet.errors import RemoteError, Unavailable
from mixnet.faults import named
from tests.client.worlds.daemons import befriend, play
from tests.client.worlds.town import Town

ANEW = "PacketSender._keep_cover: KeyError at mixnet/client/traffic/packets.py:40"
AFTER = 6.0  # seconds after which all that was begun anew is at work again
NAMES = {  # who must be among those that are found
    *("Emitter.emit_slots", "PacketSender._keep_cover", "PacketSender._keep_messages", "PacketReceiver.take_packets"),
    *("ProviderLink.keep_up", "ProviderLink._send", "Link.end_after_silence", "DocumentFollower.follow"),
    *(
        "DocumentKeeper.run",
        "Codes.exchange_all",
        "Matching._visit_some",
        "sweep_regularly",
        "Submitter.find_witnesses",
    ),
    *("_serve_one_listener",),
}


class InjectedError(Exception):
    """A fault that nobody foresaw."""


def inject(task: trio.lowlevel.Task, error: Exception) -> bool:
    """Let what a task waits for raise an error; False if it waits for others only."""
    if "_nested_child_finished" in [frame.f_code.co_name for frame, _ in task.iter_await_frames()]:
        return False

    def fail() -> None:
        raise error

    task._attempt_abort(fail)
    return True


def label(task: trio.lowlevel.Task) -> str:
    """The outermost of its functions that does the work."""
    names = [frame.f_code.co_qualname for frame, _ in task.iter_await_frames()]
    return next(one for one in names if not one.startswith("Lasting."))


def below(root: trio.lowlevel.Task) -> dict[str, list[trio.lowlevel.Task]]:
    found: dict[str, list[trio.lowlevel.Task]] = {}
    rest = [root]
    while rest:
        children = [child for nursery in rest.pop().child_nurseries for child in nursery.child_tasks]
        rest += children
        for child in children:
            found.setdefault(label(child), []).append(child)
    return found


async def begin(town: Town, nursery: trio.Nursery, name: str, number: int, folder, told: list[str]):
    """A daemon with sockets, and its task."""
    found: list[trio.lowlevel.Task] = []

    async def live(task_status: trio.TaskStatus[object]) -> None:
        found.append(trio.lowlevel.current_task())
        await daemon.serve(
            replace(town.profile(name, number), directory=folder),
            network=town.network,
            clock=town.clock,
            rng=town.rng.child("client", name),
            engine=town.engine,
            store=town.store(name),
            tell=told.append,
            task_status=task_status,
        )

    return Connection(DirectChannel(await nursery.start(live))), found[0]


@pytest.mark.faults
def test_a_fault_in_any_task_is_counted_and_the_daemon_goes_on(tmp_path):
    tried: set[str] = set()
    told: list[str] = []

    async def program(town: Town, nursery: trio.Nursery) -> None:
        alice, root = await begin(town, nursery, "alice", 1, tmp_path, told)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        names = sorted(below(root))
        for name in names:
            before = (await alice.status())["dropped"]["faults"]
            hit = [inject(task, InjectedError("a secret")) for task in below(root)[name]]
            await trio.sleep(AFTER)
            if any(hit):
                tried.add(name)
                assert (await alice.status())["dropped"]["faults"] > before, name
            assert set(names) <= set(below(root)), name
        await alice.wait_delivered(await alice.send("bob", "after all that"))
        inject(root, InjectedError("a secret"))
        await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as ended:
        play(program)
    assert named(ended.value).startswith("InjectedError at mixnet/client/daemon/daemon.py:")
    assert tried >= NAMES, NAMES - tried
    assert all("InjectedError" in one and "secret" not in one for one in told)
    assert any(
        one.startswith("PacketReceiver.take_packets: InjectedError at mixnet/client/traffic/receiver.py:")
        for one in told
    )


class Failing:
    """A task that lasts a second before each of these errors, and then for ever."""

    def __init__(self, *errors: Exception) -> None:
        self.begun: list[float] = []
        self._errors = list(errors)

    async def live(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self.begun.append(trio.current_time())
        task_status.started()
        await trio.sleep(1.0)
        if self._errors:
            raise self._errors.pop(0)
        await trio.sleep_forever()


@pytest.mark.faults
async def test_a_task_that_fails_begins_anew_after_pauses_that_grow_and_says_so_once(autojump_clock):
    told: list[str] = []
    lasting, failing = Lasting(is_of_store, told.append), Failing(*[KeyError("secret")] * 14)
    with trio.move_on_after(400.0):
        await lasting.run(failing.live)
    pauses = [after - before - 1.0 for before, after in pairwise(failing.begun)]
    assert pauses == pytest.approx([min(FIRST * 2**n, LONGEST) for n in range(14)])
    assert lasting.faults == 14 and len(told) == 1
    assert re.fullmatch(r"Failing\.live: KeyError at mixnet/client/concurrency/lasting\.py:\d+", told[0])


@pytest.mark.faults
@pytest.mark.parametrize(
    ("error", "faults"), [(StoreUnavailable(), 0), (Unavailable("away"), 0), (RemoteError("a"), 1), (OSError("a"), 1)]
)
async def test_only_what_is_no_fault_of_the_program_is_not_counted(error, faults, nursery, autojump_clock):
    lasting, failing = Lasting(is_of_store), Failing(error)
    await lasting.start(nursery, failing.live)
    await trio.sleep(10.0)
    assert len(failing.begun) == 2 and lasting.faults == faults


@pytest.mark.parametrize("error", [DamagedStore(), MemoryError()])
async def test_what_leaves_nothing_to_be_stored_ends_the_daemon(error, autojump_clock):
    with pytest.raises(ExceptionGroup) as ended:
        await Lasting(is_of_store).run(Failing(error).live)
    assert error in ended.value.exceptions


@pytest.mark.faults
async def test_a_task_that_returns_begins_anew(autojump_clock):
    lasting = Lasting()
    with trio.move_on_after(10.0):
        await lasting.run(trio.lowlevel.checkpoint)
    assert lasting.faults > 5


async def test_what_fails_before_it_has_started_is_raised(nursery, autojump_clock):
    async def refused(task_status: trio.TaskStatus[None]) -> None:
        await trio.lowlevel.checkpoint()
        raise Unavailable("another daemon is here")

    lasting = Lasting()
    with pytest.raises(ExceptionGroup):
        await lasting.start(nursery, refused)
    assert not lasting.faults


def test_the_log_says_what_ended_a_daemon_and_what_began_anew(network, monkeypatch):
    async def failing(*_args, tell, task_status, **_kwargs) -> None:
        tell(ANEW)
        raise KeyError("secret")

    monkeypatch.setattr(process, "serve", failing)
    monkeypatch.setattr(process, "SWITCH", sys.getswitchinterval())
    trio.run(partial(commands.init, "alice", folder=network))
    folder = network / "clients" / "alice"
    with pytest.raises(ExceptionGroup):
        process.run(folder)
    log = (folder / paths.LOG).read_text()
    entries = [json.loads(line) for line in log.splitlines()]
    assert [one["event"] for one in entries] == ["started", "retrying", "failed"]
    assert entries[1]["problem"] == ANEW
    assert re.fullmatch(r"KeyError at mixnet/client/daemon/process\.py:\d+", entries[2]["problem"])
    assert "secret" not in log
