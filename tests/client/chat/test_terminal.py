"""`mixnet chat` as a process at a terminal of its own: the bytes that a terminal gets, drawn by an emulator."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios

import pyte
import pytest
import trio

from mixnet.client.model import paths
from mixnet.client.profile import lock
from tests.client.chat.screen import conversation, receive

ROWS, COLUMNS = 24, 80


class Terminal:
    """A terminal with a program in it."""

    def __init__(self, *command: str, **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        given = {"TERM": "xterm-256color", **environment}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | given, start_new_session=True
        )
        os.close(theirs)
        self.raw, self._screen = b"", pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    async def read(self) -> bool:
        try:
            data = await trio.to_thread.run_sync(os.read, self._ours, 65536, abandon_on_cancel=True)
        except OSError:  # the program has ended
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    async def until(self, shown: str) -> None:
        with trio.move_on_after(30) as late:
            while shown not in self.text and await self.read():
                pass
        assert shown in self.text, f"not shown: {shown} (late: {late.cancelled_caught})\n{self.text}"

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    async def end(self) -> int:
        while await self.read():
            pass
        return await trio.to_thread.run_sync(self.process.wait)


@pytest.fixture
def started():
    processes = []
    yield processes
    for one in processes:
        if one.poll() is None:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()


async def test_at_a_terminal_without_colours_one_reads_writes_and_leaves(tmp_path, started):
    folder = tmp_path / "clients" / "alice"
    folder.mkdir(parents=True)
    async with conversation(folder, "bob") as world:
        receive(world, "bob", "grüße 你好 \x1b[31mred")
        with lock.hold(folder / paths.LOCK):
            command = (sys.executable, "-m", "mixnet", "chat", "alice", "--dir", str(tmp_path))
            terminal = Terminal(*command, NO_COLOR="1")
            started.append(terminal.process)
            with trio.fail_after(60):
                await terminal.until("(1) bob")
                terminal.type("\r")
                await terminal.until(r"\x1b[31mred")
                terminal.type("\x1b[200~two\nlines\x1b[201~\nand \r")
                await terminal.until("you  queued")
                assert "two\n" in terminal.text and "and" in terminal.text
                terminal.type("\x11")
                assert await terminal.end() == 0
    assert b"\x1b[?1049h" in terminal.raw and b"\x1b[?1049l" in terminal.raw  # the user's screen is as it was
    assert b"\x1b[31mred" not in terminal.raw
