import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from mixnet.deploy.processes import Child, ProcessId, age, alive, end, identify, send

SLEEP = ("-c", "import time; time.sleep(600)")


@pytest.fixture
async def child(tmp_path: Path):
    child = Child(SLEEP, tmp_path / "log", tmp_path)
    yield child
    await child.end(0.0)


async def test_a_process_is_known_while_it_runs_and_afterwards_never_again(child: Child) -> None:
    assert alive(child.id)
    assert 0 <= age(child.id) < 60
    await child.end()
    assert not alive(child.id)
    assert identify(child.id.pid) is None


async def test_a_zombie_counts_as_ended(child: Child) -> None:
    send(child.id, signal.SIGKILL)
    with trio.fail_after(30):
        while alive(child.id):
            await trio.sleep(0.01)
    assert await child.wait() == -signal.SIGKILL


async def test_a_process_that_got_the_number_of_another_is_left_alone(child: Child) -> None:
    stranger = ProcessId(child.id.pid, child.id.started - 1)
    assert not alive(stranger)
    send(stranger, signal.SIGKILL)
    await end([stranger], patience=0.1)
    assert alive(child.id)


async def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    child = Child(("-c", deaf), tmp_path / "log", tmp_path)
    with trio.fail_after(30):
        while not (tmp_path / "log").read_bytes():
            await trio.sleep(0.01)
    await child.end(patience=0.1)
    assert await child.wait() == -signal.SIGKILL


async def test_output_goes_to_the_end_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    child = Child(
        ("-c", "import sys; print('out'); sys.stdout.flush(); sys.stderr.write('err')"), tmp_path / "log", tmp_path
    )
    assert await child.wait() == 0
    assert (tmp_path / "log").read_text() == "before\nout\nerr"


async def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    parent = """
import sys, time
from pathlib import Path
from mixnet.deploy.processes import Child
child = Child(("-c", "import time; time.sleep(600)"), Path("log"), Path("."))
print(child.id.pid, child.id.started, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", parent], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        pid, started = process.stdout.readline().split()
        orphan = ProcessId(int(pid), int(started))
        assert alive(orphan)
        process.kill()
    with trio.fail_after(30):
        while alive(orphan):
            await trio.sleep(0.01)


async def test_our_own_process_is_alive() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert alive(me)
