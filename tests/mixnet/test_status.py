"""The status socket: private, one answer a question, taken over from the dead and never from the living."""

import socket
import stat
from functools import partial
from pathlib import Path

import pytest
import trio

from mixnet import sockets
from mixnet.errors import LocalError, Unavailable
from mixnet.status import _METRICS, ANSWER_LIMIT, _ask, _bound, process_figures, read_status, serve_status

SNAPSHOT = {"role": "mix", "layer": 1, "ready": True, "dropped": {"replayed": 3}}


async def test_it_answers_status_and_metrics(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_status, metrics=lambda: "figures 10\n"), path, lambda: SNAPSHOT)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await read_status(path) == SNAPSHOT
        assert await _ask(path, _METRICS) == b"figures 10\n"
        nursery.cancel_scope.cancel()
    assert not path.exists()


async def test_it_works_in_a_folder_too_deep_for_a_socket_address(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 90) / ("b" * 90)
    folder.mkdir(parents=True)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_status, folder / "status.sock", lambda: SNAPSHOT)
        assert await read_status(folder / "status.sock") == SNAPSHOT
        nursery.cancel_scope.cancel()


async def test_a_second_process_in_the_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_status, path, lambda: SNAPSHOT)
        with pytest.raises(Unavailable, match="already runs"):
            await serve_status(path, lambda: {})
        assert await read_status(path) == SNAPSHOT
        nursery.cancel_scope.cancel()


async def test_a_second_process_is_refused_before_the_first_one_listens(tmp_path: Path) -> None:
    """Between the moments at which a process binds and listens, a connection to its socket is refused."""
    path = tmp_path / "status.sock"
    with _bound(path):
        path.unlink()
        with pytest.raises(Unavailable, match="already runs"):
            await serve_status(path, lambda: {})
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_status, path, lambda: SNAPSHOT)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [(b"", Unavailable, "about to end"), (b"\x81", LocalError, "belong"), (b"\xc1", LocalError, "belong")],
)
async def test_a_process_that_ends_within_its_answer_is_no_traceback(
    tmp_path: Path, answer: bytes, error: type[Exception], words: str
) -> None:
    path = tmp_path / "status.sock"

    async def cut_short(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some(16)
            await stream.send_all(answer)

    with sockets.listening(path) as made:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(made))
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, cut_short, [listener])
            with pytest.raises(error, match=words):
                await read_status(path)
            nursery.cancel_scope.cancel()


async def test_what_a_dead_process_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(Unavailable, match="not running"):
        await read_status(path)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_status, path, lambda: SNAPSHOT)
        assert await read_status(path) == SNAPSHOT
        nursery.cancel_scope.cancel()


async def test_no_socket_is_unavailable_and_a_strange_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await read_status(tmp_path / "status.sock")
    with pytest.raises(Unavailable):
        await read_status(tmp_path / ("x" * 120) / "status.sock")
    async with trio.open_nursery() as nursery:
        await nursery.start(
            partial(serve_status, metrics=lambda: "x" * (ANSWER_LIMIT + 1)), tmp_path / "s", lambda: SNAPSHOT
        )
        with pytest.raises(LocalError, match="does not belong"):
            await _ask(tmp_path / "s", _METRICS)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("question", [b"", b"\n", b"metricsandmore", b"\x00" * 4096])
async def test_odd_questions_harm_nothing(tmp_path: Path, question: bytes) -> None:
    path = tmp_path / "status.sock"
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_status, path, lambda: SNAPSHOT)
        async with await trio.open_unix_socket(path) as stream:
            await stream.send_all(question)
        assert await read_status(path) == SNAPSHOT
        nursery.cancel_scope.cancel()


async def test_figures_that_cannot_be_told_cost_the_answer_alone(tmp_path: Path) -> None:
    told: list[dict[str, object]] = []
    path = tmp_path / "status.sock"
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_status, path, lambda: told[0])
        with pytest.raises(Unavailable):
            await read_status(path)
        told.append(SNAPSHOT)
        assert await read_status(path) == SNAPSHOT
        nursery.cancel_scope.cancel()


def test_the_figures_of_this_process_are_plausible() -> None:
    figures = process_figures()
    assert 5e6 < figures["memory_bytes"] < 5e9
    assert figures["cpu_seconds"] > 0
    assert process_figures()["uptime_seconds"] >= figures["uptime_seconds"] >= 0
