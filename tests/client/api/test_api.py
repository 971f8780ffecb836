"""The local socket: its bytes, its bounds, and the Python API over it."""

import errno
import os
import stat

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixnet import client
from mixnet.client.api import archive, framing, messages, protocol, sockets
from mixnet.client.api.command import Command
from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.api.events import QUEUE, EventBus
from mixnet.client.api.messages import NotDelivered
from mixnet.client.api.pages import PAGE
from mixnet.client.api.server import CONNECTIONS, serve_api
from mixnet.client.api.sockets import DaemonEnded
from mixnet.client.concurrency.worker import InlineWorker
from mixnet.client.devices.devices import Devices
from mixnet.client.model import paths
from mixnet.client.model.errors import MalformedInvitation, StoreUnavailable, UnknownContact
from mixnet.client.model.paths import NoProfile
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.storage.database import Store
from mixnet.errors import LocalError, RemoteError, Unavailable
from tests.client.api.values import VALUES
from tests.client.worlds.archive import KEY, messenger_of
from tests.client.worlds.service import invitation, make_service, served

MAPS = st.dictionaries(st.text(max_size=8), VALUES, max_size=5)


@given(st.lists(MAPS, max_size=5), st.integers(1, 7))
def test_messages_come_out_as_they_went_in_whole_and_in_pieces(messages, size):
    stream = b"".join(framing.encode(message) for message in messages)
    assert framing.Decoder().feed_untrusted(stream) == messages
    decoder, found = framing.Decoder(), []
    for start in range(0, len(stream), size):
        found += decoder.feed_untrusted(stream[start : start + size])
    assert found == messages


@given(st.binary(max_size=200), st.integers(1, 5))
def test_any_bytes_are_messages_or_one_kind_of_error(data, size):
    outcomes = []
    for step in (len(data) or 1, size):
        decoder, found = framing.Decoder(), []
        try:
            for start in range(0, len(data), step):
                found += decoder.feed_untrusted(data[start : start + step])
            outcomes.append(found)
        except RemoteError:
            outcomes.append("refused")
    assert outcomes[0] == outcomes[1] or "refused" in outcomes


@pytest.mark.parametrize(
    "data",
    [
        (framing.MESSAGE_LIMIT + 1).to_bytes(4, "big"),
        b"\0\0\0\x01\xc1",
        b"\0\0\0\x01\x01",
        b"\0\0\0\x03\x81\x01\x02",
        b"\0\0\0\x05\xdd\xff\xff\xff\xff",
        len(b"\x91" * 5000).to_bytes(4, "big") + b"\x91" * 5000,
    ],
    ids=["too long", "no msgpack", "no map", "key no text", "endless array", "deep"],
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(RemoteError):
        framing.Decoder().feed_untrusted(data)


def test_a_message_that_would_be_refused_is_not_sent():
    with pytest.raises(LocalError):
        framing.encode({"text": "x" * framing.MESSAGE_LIMIT})


@pytest.mark.parametrize(
    "kind", [LocalError, RemoteError, Unavailable, UnknownContact, MalformedInvitation, StoreUnavailable]
)
def test_an_error_crosses_the_socket_as_what_it_is(kind):
    error = framing.error_of(framing.error_reply(1, kind("what to do")))
    assert str(error) == "what to do"
    assert isinstance(error, next(base for base in (LocalError, RemoteError, Unavailable) if issubclass(kind, base)))
    assert error.exit_status == kind.exit_status


@pytest.mark.parametrize("status", [None, "1", 0, 4, True, -1, 2**70])
def test_a_status_that_is_none_of_a_failed_command_is_not_taken(status):
    reply = {"error": "what to do", "kind": "unavailable", "exit": status}
    assert framing.error_of(reply).exit_status == Unavailable.exit_status


def test_a_full_disk_of_the_daemon_is_something_not_done():
    reply = framing.error_reply(1, OSError(errno.ENOSPC, "full"))
    assert (framing.error_of(reply).exit_status, StoreUnavailable.exit_status) == (1, 1)


@given(MAPS | st.fixed_dictionaries({"id": VALUES, "op": st.sampled_from(["send", "messages", "stop"])}))
def test_any_map_is_a_command_or_refused(message):
    try:
        command = protocol.command_untrusted(message)
    except RemoteError:
        return
    assert isinstance(command, Command)


async def test_the_python_api_over_the_socket(tmp_path):
    async with served(tmp_path), client.connect(tmp_path) as me:
        assert (await me.status())["role"] == "client"
        contact = await me.accept(await invitation("bob"), "bob")
        assert await me.contacts() == [contact]
        number = await me.send("bob", "hello")
        message = await me.message(number)
        assert (message.text, message.kind, message.state) == ("hello", MessageKind.TEXT, MessageState.QUEUED)
        assert [one async for one in me.messages()] == [message]
        assert await me.search("hello") == [message]
        assert [one async for one in me.messages(after=number)] == []
        (tmp_path / "file").write_bytes(b"content")
        file = await me.message(await me.send_file("bob", tmp_path / "file"))
        assert (file.kind, file.text, file.size) == (MessageKind.FILE, "file", 7)
        assert (await me.invite()).startswith("mixnet1:")


async def test_errors_of_the_daemon_are_raised_at_the_caller_and_not_in_a_group(tmp_path):
    async with served(tmp_path):
        with pytest.raises(LocalError, match="carol"):
            async with client.connect(tmp_path) as me:
                await me.send("carol", "hi")
        async with client.connect(tmp_path) as me:
            with pytest.raises(RemoteError):
                await me.accept("mixnet1:nonsense")
            with pytest.raises(LocalError):
                await me.message(12345)
            assert await me.contacts() == []  # the connection is as good as before


async def test_no_profile_and_no_daemon_are_told_apart(tmp_path):
    with pytest.raises(NoProfile):
        async with client.connect(tmp_path):
            pass
    (tmp_path / paths.SETTINGS).touch()
    with pytest.raises(sockets.NotRunning):
        async with client.connect(tmp_path):
            pass


async def test_only_the_owner_can_connect_and_nothing_is_left(tmp_path):
    path = tmp_path / paths.API_SOCKET
    async with served(tmp_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_folder_with_a_long_path_works(tmp_path):
    long = tmp_path / ("x" * 120)
    long.mkdir()
    async with served(long), client.connect(long) as me:
        assert await me.contacts() == []


async def test_a_socket_left_by_a_dead_daemon_is_replaced(tmp_path):
    (tmp_path / paths.API_SOCKET).touch()
    async with served(tmp_path), client.connect(tmp_path) as me:
        assert await me.contacts() == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.lists(st.binary(min_size=1, max_size=100), min_size=1, max_size=5), tail=st.binary(max_size=50))
async def test_garbage_is_cut_off_and_harms_nobody_else(tmp_path, garbage, tail):
    async with served(tmp_path), client.connect(tmp_path) as me:
        async with await trio.open_unix_socket(tmp_path / paths.API_SOCKET) as stream:
            with trio.fail_after(10):
                try:
                    for part in [*garbage, tail, b"\xff\xff\xff\xff"]:
                        await stream.send_all(part)
                    await stream.send_eof()
                    while await stream.receive_some():
                        pass
                except trio.BrokenResourceError:
                    pass
        assert await me.contacts() == []


@pytest.mark.parametrize(
    "request_",
    [
        {"op": "message", "number": 2**64 - 1},
        {"op": "messages", "after": 2**63},
        {"op": "mark_read", "number": -1},
        {"op": "send_file", "contact": "bob", "path": "/tmp/\0"},
        {"op": "send_file", "contact": "bob", "path": "relative"},
        {"op": "search", "words": "a " * 200_000},
        {"op": "search", "words": '" * NEAR( ^ : \0 ' * 4},
        {"op": "send", "contact": "b\0b", "text": "\0"},
        {"op": "accept", "invitation": "x" * 500_000, "name": "y" * 100_000},
    ],
    ids=lambda request: request["op"],
)
async def test_a_request_that_makes_no_sense_harms_nobody_else(tmp_path, request_):
    async with served(tmp_path), client.connect(tmp_path) as me:
        await me.accept(await invitation("bob"), "bob")
        async with await trio.open_unix_socket(tmp_path / paths.API_SOCKET) as stream:
            await stream.send_all(framing.encode({"id": 1, **request_}))
            await stream.send_eof()
            with trio.fail_after(30):
                while await stream.receive_some():
                    pass
        assert len(await me.contacts()) == 1


async def test_a_named_pipe_is_no_file_and_nobody_waits_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    async with served(tmp_path), client.connect(tmp_path) as me:
        await me.accept(await invitation("bob"), "bob")
        with pytest.raises(LocalError, match="not a file"):
            await me.send_file("bob", tmp_path / "pipe")
        with pytest.raises(LocalError, match="broken letters"):
            await me.send_file("bob", tmp_path / os.fsdecode(b"\xff"))


@pytest.mark.faults
async def test_a_fault_of_the_program_is_an_error_of_that_request_and_the_daemon_lives(tmp_path, monkeypatch):
    def fail(*_given):
        raise KeyError("a secret")

    async with served(tmp_path), client.connect(tmp_path) as me:
        with monkeypatch.context() as patch:
            patch.setattr("mixnet.client.messenger.messenger.Messenger.contacts", fail)
            with pytest.raises(LocalError, match="KeyError") as told:
                await me.contacts()
            assert "secret" not in str(told.value)
        assert await me.contacts() == []


async def test_an_answer_that_is_too_long_is_an_error_and_the_daemon_lives(tmp_path, monkeypatch):
    async with served(tmp_path) as _, client.connect(tmp_path) as me:

        async def too_long(_command, _daemon):
            await trio.lowlevel.checkpoint()
            return ["x" * framing.MESSAGE_LIMIT]

        monkeypatch.setattr(messages.MessagePage, "run", too_long)
        with pytest.raises(LocalError, match="1 MiB"):
            await me.page(None, 0)
        assert await me.contacts() == []


async def test_connections_are_bounded(tmp_path):
    async with served(tmp_path), trio.open_nursery() as nursery:
        streams = [await trio.open_unix_socket(tmp_path / paths.API_SOCKET) for _ in range(CONNECTIONS)]
        await trio.testing.wait_all_tasks_blocked()
        extra = await trio.open_unix_socket(tmp_path / paths.API_SOCKET)
        with trio.fail_after(10):
            (said,) = framing.Decoder().feed_untrusted(bytes(await extra.receive_some()))
            assert said["id"] is None and "32 programs" in said["error"]
            assert await extra.receive_some() == b""
        with pytest.raises(Unavailable, match="32 programs"):
            async with client.connect(tmp_path) as me:
                await me.status()
        for stream in [*streams, extra]:
            await stream.aclose()
        nursery.cancel_scope.cancel()


async def test_a_waiting_program_learns_that_the_daemon_ended(tmp_path):
    (tmp_path / paths.SETTINGS).touch()
    service = make_service()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_api, tmp_path / paths.API_SOCKET, service)
        async with client.connect(tmp_path) as me:
            await me.accept(await invitation("bob"), "bob")
            number = await me.send("bob", "hello")
            async with trio.open_nursery() as waiters:

                async def wait() -> None:
                    with pytest.raises(DaemonEnded):
                        await me.wait_delivered(number)

                async def end_when_waiting() -> None:
                    await trio.testing.wait_all_tasks_blocked()
                    nursery.cancel_scope.cancel()

                waiters.start_soon(wait)
                with trio.CancelScope(shield=True):
                    await end_when_waiting()


async def test_a_message_that_failed_is_said_to_have_failed(monkeypatch):
    service = make_service()
    me = Connection(DirectChannel(service))
    await me.accept(await invitation("bob"), "bob")
    number = await me.send("bob", "hello")
    real = await me.message(number)

    async def failed(_command, _daemon):
        await trio.lowlevel.checkpoint()
        values = {name: getattr(real, name) for name in type(real).__slots__}
        return type(real)(**(values | {"state": MessageState.FAILED, "error": "expired"}))

    monkeypatch.setattr(messages.Message, "run", failed)
    with pytest.raises(NotDelivered, match="expired"):
        await me.wait_delivered(number)


async def test_pages_are_bounded_and_all_messages_come_once_in_order():
    service = make_service()
    me = Connection(DirectChannel(service))
    await me.accept(await invitation("bob"), "bob")
    sent = [await me.send("bob", f"{number} " + "z" * 4000) for number in range(PAGE + 30)]
    assert len(await me.page(None, 0)) < PAGE
    assert [message.id async for message in me.messages()] == sent


async def test_a_slow_follower_misses_events_and_blocks_nobody():
    event_bus = EventBus()
    with event_bus.follow() as events:
        event_bus.publish([object()] * (QUEUE + 50))  # type: ignore[list-item]
        assert events.statistics().current_buffer_used == QUEUE
    event_bus.publish([object()])  # type: ignore[list-item]


class _CutOff(InlineWorker):
    """As a worker thread: a call is done to its end, though its caller was cancelled meanwhile."""

    scope: trio.CancelScope

    async def call(self, function, *args, **kwargs):
        done = await super().call(function, *args, **kwargs)
        self.scope.cancel()
        return done


@pytest.mark.parametrize("what", ["sign", "retain", "import"])
async def test_what_is_done_takes_effect_though_its_program_is_cut_off_meanwhile(tmp_path, what):
    messenger = messenger_of(Store.open(tmp_path / "store.db", KEY))
    daemon, stirred = make_service(), []
    daemon.open(Devices(messenger), lambda: stirred.append(1), dict)
    daemon._worker = worker = _CutOff()
    command = {
        "sign": messages.Send(contact="bob", text="I owe you ten", signed=True),
        "retain": archive.Retain(contact="bob", seconds=60.0),
        "import": archive.Import(records=[]),
    }[what]
    wakeup = (daemon.signed if what == "sign" else daemon.retention_changed).listen()
    with trio.CancelScope() as worker.scope:
        await command.run(daemon)
    assert wakeup.is_set(), "nobody would look before the next command or the next start"
    assert stirred


def test_every_command_says_what_it_answers():
    kinds = protocol.COMMANDS
    assert len(kinds) == len({kind.__struct_config__.tag for kind in kinds}) > 50
    assert all((kind.__doc__ or "").startswith("->") for kind in kinds)
