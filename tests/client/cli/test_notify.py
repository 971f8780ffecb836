"""`mixnet notify` before a real D-Bus daemon, with a service that notes what it is asked to show."""

import asyncio
import os
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager

import anyio
import pytest
import trio
from dbus_fast import Message
from dbus_fast.aio import MessageBus

from mixnet.client.cli import notices, notify
from tests.client.chat.screen import conversation, receive

if shutil.which("dbus-daemon") is None:
    assert "CI" not in os.environ, "`make test` installs dbus-daemon"
    pytest.skip("dbus-daemon isn't installed: notices on a real bus are not tried", allow_module_level=True)
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""


class Desktop:
    """org.freedesktop.Notifications, in a thread of its own."""

    def __init__(self) -> None:
        self.shown: list[tuple] = []
        self.closed: list[int] = []
        self.ready = threading.Event()

    def run(self, stop: threading.Event) -> None:
        asyncio.run(self._serve(stop))

    async def _serve(self, stop: threading.Event) -> None:
        bus = await MessageBus().connect()

        def handle(asked: Message) -> Message | None:
            match asked.member:
                case "GetServerInformation":
                    return Message.new_method_return(asked, "ssss", ["test", "test", "1", "1.2"])
                case "Notify":
                    app, replaces, _icon, title, text, actions, hints, _timeout = asked.body
                    told = {key: value.value for key, value in hints.items()}
                    self.shown.append((app, replaces, title, text, actions, told))
                    return Message.new_method_return(asked, "u", [replaces or 40 + len(self.shown)])
                case "CloseNotification":
                    self.closed.append(asked.body[0])
                    return Message.new_method_return(asked)
            return None

        bus.add_message_handler(handle)
        await bus.request_name("org.freedesktop.Notifications")
        self.ready.set()
        await asyncio.to_thread(stop.wait)
        bus.disconnect()
        await bus.wait_for_disconnect()


@contextmanager
def bus(tmp_path, monkeypatch):
    """A session bus of the test's own."""
    path = tmp_path / "bus"
    (tmp_path / "bus.conf").write_text(BUS.format(path))
    daemon = subprocess.Popen(
        ["dbus-daemon", f"--config-file={tmp_path / 'bus.conf'}", "--nofork", "--print-address"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it asks for more open files than a container gives
    )
    assert daemon.stdout is not None
    with daemon, daemon.stdout:
        assert daemon.stdout.readline()
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={path}")
        try:
            yield
        finally:
            daemon.terminate()


@contextmanager
def desktop():
    made, stop = Desktop(), threading.Event()
    thread = threading.Thread(target=made.run, args=(stop,))
    thread.start()
    assert made.ready.wait(10)
    try:
        yield made
    finally:
        stop.set()
        thread.join()


async def test_a_notice_says_how_many_asks_not_to_be_kept_is_replaced_and_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("mixnet.client.cli.notices.SETTLE", 0.01)
    folder = tmp_path / "clients" / "alice"
    folder.mkdir(parents=True)
    began, done = threading.Event(), threading.Event()

    class Tally(notices.Tally):
        def __init__(self, found) -> None:
            super().__init__(found)
            began.set()

    monkeypatch.setattr(notices, "Tally", Tally)

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(notify._follow, "alice", tmp_path, False, 0.05)
            await asyncio.to_thread(done.wait)
            group.cancel_scope.cancel()

    async def until(what) -> None:
        with trio.fail_after(60):
            while not what():
                await trio.sleep(0.02)

    with bus(tmp_path, monkeypatch), desktop() as shows:
        async with conversation(folder, "bob") as world, trio.open_nursery() as nursery:
            receive(world, "bob", "old")
            nursery.start_soon(trio.to_thread.run_sync, lambda: anyio.run(run, backend="asyncio"))
            try:
                await until(began.is_set)
                receive(world, "bob", "a secret text")
                await until(lambda: shows.shown)
                number = receive(world, "bob", "another")
                await until(lambda: len(shows.shown) == 2)
                world.service.user.mark_read(number, 1e9)
                world.event_bus.publish(world.service.user.take_events())
                await until(lambda: shows.closed)
            finally:
                done.set()
    hints = {"transient": True, "category": "im.received"}
    assert shows.shown == [
        ("mixnet", 0, "mixnet", "1 new message", [], hints),
        ("mixnet", 41, "mixnet", "2 new messages", [], hints),
    ]
    assert shows.closed == [41]


@pytest.mark.parametrize("there", ["no desktop", "no bus", "no service", "no answer"])
def test_without_anything_that_shows_notices_it_says_so(tmp_path, monkeypatch, there):
    async def reach() -> None:
        with pytest.raises(notify.NoNotices, match="mixnet chat PROFILE --bell"):
            await notify.Desktop.reach()

    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path / 'bus'}")
    match there:
        case "no desktop":
            for name in ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "XDG_RUNTIME_DIR"):
                monkeypatch.delenv(name, raising=False)
            anyio.run(reach, backend="asyncio")
        case "no bus":
            anyio.run(reach, backend="asyncio")
        case "no service":
            with bus(tmp_path, monkeypatch):
                anyio.run(reach, backend="asyncio")
        case "no answer":
            monkeypatch.setattr(notify, "PATIENCE", 0.05)
            with socket.socket(socket.AF_UNIX) as silent:
                silent.bind(str(tmp_path / "bus"))
                silent.listen()
                anyio.run(reach, backend="asyncio")
