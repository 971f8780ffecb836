"""`mixnet ui` as a process at a terminal of its own."""

import os
import pty
import re
import signal
import sys

import trio

from mixnet.client.model import paths
from mixnet.client.profile import lock
from tests.client.chat.screen import conversation
from tests.client.ui.visit import Visitor

LINK = re.compile(r"http://127\.[0-9.]+:[0-9]+/enter\?token=[\w-]{43}")


async def test_it_prints_a_link_and_another_one_after_enter_and_ends_with_ctrl_c(tmp_path):
    folder = tmp_path / "clients" / "alice"
    folder.mkdir(parents=True)
    async with conversation(folder, "bob"):
        with lock.hold(folder / paths.LOCK), trio.fail_after(60):
            command = [sys.executable, "-m", "mixnet", "ui", "alice", "--dir", str(tmp_path)]
            ours, theirs = pty.openpty()
            process = await trio.lowlevel.open_process(command, stdin=theirs, stdout=theirs, stderr=theirs)
            said = ""
            while "Ctrl-C ends" not in said:
                said += (await trio.to_thread.run_sync(os.read, ours, 65536)).decode()
            (first,) = LINK.findall(said)
            os.write(ours, b"\n")
            while len(LINK.findall(said)) < 2:
                said += (await trio.to_thread.run_sync(os.read, ours, 65536)).decode()
            second = LINK.findall(said)[1]
            for link in (first, second):
                visitor = Visitor(link.split("/")[2])
                assert (await visitor.enter(link)).status == 303
                assert b'"bob"' in (await visitor.get("/overview")).body
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
            os.close(ours)
            os.close(theirs)
    assert "Traceback" not in said
