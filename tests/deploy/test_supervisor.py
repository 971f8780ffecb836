import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from mixnet.deploy import supervisor
from mixnet.deploy.folders import LOG, RUN, SOCKET, NetworkAlreadyRunning, read_running
from mixnet.deploy.processes import ProcessId, alive, end, send
from mixnet.deploy.supervisor import NodeFailed, Program, last_words, open_crew

FAKE = Path(__file__).with_name("fake_node.py")


def program(folder: Path, name: str, behaviour: str = "fine") -> Program:
    (folder / name).mkdir(exist_ok=True)
    return Program(name, (str(FAKE), behaviour), folder / name)


def unwrap(group: pytest.ExceptionInfo) -> BaseException:
    error = group.value
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    return error


async def until(condition) -> None:
    with trio.fail_after(60):
        while not condition():
            await trio.sleep(0.02)


async def test_all_are_ready_reported_recorded_and_ended_with_the_block(tmp_path: Path) -> None:
    ready = []
    async with open_crew(tmp_path) as crew:
        await crew.start([program(tmp_path, "a"), program(tmp_path, "b")], ready.append)
        found = read_running(tmp_path)
        assert found is not None
        assert found.supervisor.pid == os.getpid()
        assert sorted(ready) == sorted(found.nodes) == ["a", "b"]
        assert all(alive(process) for process in found.nodes.values())
    assert not any(alive(process) for process in found.nodes.values())
    assert not (tmp_path / RUN).exists()
    assert not list(tmp_path.glob(f"*/{SOCKET}"))


async def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    async with open_crew(tmp_path) as crew:
        await crew.start([program(tmp_path, "a"), program(tmp_path, "b")], lambda name: None)
        other, before = crew.process("b"), crew.process("a")
        for count in (1, 2):
            send(crew.process("a"), signal.SIGKILL)
            await until(lambda count=count: crew.restarts().get("a") == count)
        assert crew.process("a") != before
        assert alive(crew.process("a"))
        assert crew.process("b") == other
    assert "killed by SIGKILL" in (tmp_path / "supervisor.log").read_text()


async def test_a_process_that_does_not_start_ends_the_others_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(BaseExceptionGroup) as failure:
        async with open_crew(tmp_path) as crew:
            await crew.start([program(tmp_path, "good")], lambda name: None)
            good = crew.process("good")
            await crew.start([program(tmp_path, "bad", "fails")], lambda name: None)
    error = unwrap(failure)
    assert isinstance(error, NodeFailed)
    assert str(error) == "bad did not start: port 1234 is in use: stop the other program"
    assert not alive(good)
    assert not (tmp_path / RUN).exists()


async def test_a_process_that_is_never_ready_is_given_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(supervisor, "START_LIMIT", 0.5)
    with pytest.raises(BaseExceptionGroup) as failure:
        async with open_crew(tmp_path) as crew:
            await crew.start([program(tmp_path, "slow", "silent")], lambda name: None)
    assert "slow is not ready, and has not got on for 0.5 seconds" in str(unwrap(failure))


async def test_one_that_ignores_the_signal_is_killed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(supervisor.Child.end, "__defaults__", (0.2,))
    async with open_crew(tmp_path) as crew:
        await crew.start([program(tmp_path, "a", "stubborn")], lambda name: None)
        process = crew.process("a")
    assert not alive(process)


async def test_a_folder_has_one_crew(tmp_path: Path) -> None:
    async with open_crew(tmp_path):
        with pytest.raises(NetworkAlreadyRunning):
            async with open_crew(tmp_path):
                pass


async def test_processes_that_outlived_a_killed_supervisor_are_ended_first(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    script = f"""
import sys, trio
from pathlib import Path
from mixnet.deploy.supervisor import Program, open_crew
async def main():
    async with open_crew(Path({str(tmp_path)!r})) as crew:
        await crew.start([Program("a", ({str(FAKE)!r}, "stubborn"), Path({str(tmp_path / "a")!r}))], print)
        sys.stdout.flush()
        await trio.sleep_forever()
trio.run(main)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as first:
        first.stdout.readline()
        first.kill()
    found = read_running(tmp_path)
    assert found is not None
    orphan: ProcessId = found.nodes["a"]
    assert alive(orphan)  # it is deaf to the kernel's SIGTERM
    try:
        async with open_crew(tmp_path):
            assert not alive(orphan)
    finally:
        await end([orphan], patience=0.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("one\n\n  two  \n\n", "two"),
        ('{"event": "failed", "problem": "no disk"}\n', "failed, no disk"),
        ("[1]\n", "[1]"),
        ("  | ValueError: no key\n  +------\n", "ValueError: no key"),
        ("x" * 100_000 + "\nlast", "last"),
    ],
)
def test_the_last_words_of_a_log(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / LOG).write_text(text)
    assert last_words(tmp_path / LOG) == words


def test_a_log_that_is_not_there_has_no_words(tmp_path: Path) -> None:
    assert last_words(tmp_path / LOG) == ""


async def test_the_log_has_a_line_of_fixed_fields_for_each_event(tmp_path: Path) -> None:
    async with open_crew(tmp_path) as crew:
        await crew.start([program(tmp_path, "a")], lambda name: None)
        send(crew.process("a"), signal.SIGKILL)
        await until(lambda: crew.restarts().get("a") == 1)
    ended, again = (json.loads(line) for line in (tmp_path / "supervisor.log").read_text().splitlines())
    assert list(ended) == ["node", "how", "event", "level", "timestamp"]
    assert ended.pop("timestamp").endswith("Z")
    assert ended == {"node": "a", "how": "killed by SIGKILL", "event": "ended", "level": "warning"}
    assert list(again) == ["node", "event", "level", "timestamp"]
