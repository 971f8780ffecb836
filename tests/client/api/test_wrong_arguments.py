"""What is wrong with one call costs that call: at both ends of the socket, for every request and every argument."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixnet import client
from mixnet.client.api import framing, protocol
from mixnet.client.api.command import Command
from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.api.framing import WrongArguments
from mixnet.client.api.sockets import ConnectionLost, DaemonEnded, DaemonReplaced, NotReached
from mixnet.client.model import paths
from mixnet.client.profile import lock
from mixnet.errors import LocalError, MixnetError, RemoteError
from tests.client.api.values import VALUES
from tests.client.worlds.recorded import WIRE, plain
from tests.client.worlds.service import make_service, served

ARGUMENTS = [
    (kind, field)
    for kind in protocol.COMMANDS
    for field in kind.__struct_fields__
    if field != "id" and kind.__struct_config__.tag != "stop"
]
NEVER: list[Any] = [  # of no kind that any argument has
    b"bytes",
    bytearray(b"x"),
    object(),
    datetime.now(UTC),
    Decimal(1),
    {"a": 1},
    1 << 70,
    float("nan"),
    float("inf"),
    [[[]]],
    protocol,
]
ANYTHING = st.one_of(
    VALUES,
    st.sampled_from(NEVER),
    st.floats(),
    st.text(st.characters(categories=["Cs"]), min_size=1),
    st.just("x" * framing.MESSAGE_LIMIT),
    st.just(Path("there")),
    st.integers(),
)


def asked(kind: type[Command[Any]], **fields: Any) -> Command[Any]:
    """The recorded request with other arguments."""
    return msgspec.structs.replace(protocol.command_untrusted(plain(WIRE[kind.__struct_config__.tag][0])), **fields)


@pytest.mark.parametrize("value", NEVER, ids=lambda value: type(value).__name__)
async def test_no_argument_of_any_request_takes_what_it_can_not_be_and_nothing_is_sent(value):
    me = Connection(DirectChannel(make_service()))
    for kind, field in ARGUMENTS:
        with pytest.raises(WrongArguments):
            await me.ask(asked(kind, **{field: value}))


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.tuples(st.sampled_from(ARGUMENTS), ANYTHING), min_size=20, max_size=40))
async def test_whatever_a_program_asks_its_connection_is_as_good_as_before(tmp_path, calls):
    async with served(tmp_path), client.connect(tmp_path) as me:
        for (kind, field), value in calls:
            try:
                await me.ask(asked(kind, **{field: value}))
            except MixnetError as error:
                assert not isinstance(error, ConnectionLost), (kind, field, value)
            assert (await me.status())["role"] == "client"


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["id", "op", "contact", "text", "number"]), VALUES), min_size=10, max_size=20
    )
)
async def test_whatever_map_another_program_sends_is_answered_and_the_next_request_too(tmp_path, maps):
    async with served(tmp_path), await trio.open_unix_socket(tmp_path / paths.API_SOCKET) as stream:
        decoder, answers = framing.Decoder(), []
        for number, one in enumerate(maps):
            await stream.send_all(framing.encode(one) + framing.encode({"id": number, "op": "contacts"}))
        with trio.fail_after(10):
            while len(answers) < 2 * len(maps):
                answers += decoder.feed_untrusted(bytes(await stream.receive_some()))
        for number, (first, second) in enumerate(zip(answers[::2], answers[1::2], strict=True)):
            assert first["kind"] == "local" and "another" not in second
            assert second == {"id": number, "ok": []}


async def test_a_request_of_a_newer_program_is_refused_with_what_to_do(tmp_path):
    async with served(tmp_path), await trio.open_unix_socket(tmp_path / paths.API_SOCKET) as stream:
        for request in ({"op": "levitate"}, {"op": "send", "contact": "b", "text": "t", "colour": 1}, {"op": "send"}):
            await stream.send_all(framing.encode({"id": 7, **request}))
            (answer,) = framing.Decoder().feed_untrusted(bytes(await stream.receive_some()))
            assert answer["id"] == 7 and answer["kind"] == "local"
            assert "`mixnet client stop PROFILE`" in answer["error"]


async def test_what_is_no_message_is_answered_before_the_connection_ends(tmp_path):
    async with served(tmp_path), await trio.open_unix_socket(tmp_path / paths.API_SOCKET) as stream:
        await stream.send_all(b"\0\0\0\x01\xc1")
        (answer,) = framing.Decoder().feed_untrusted(bytes(await stream.receive_some()))
        assert answer["id"] is None and "malformed" in answer["error"]
        assert await stream.receive_some() == b""


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (7, None, DaemonEnded),
        (None, None, DaemonEnded),
        (7, 8, DaemonReplaced),
        (7, 7, ConnectionLost),
    ],
    ids=["ended", "ended before we looked", "started again", "only the connection"],
)
async def test_a_lost_connection_is_told_as_what_it_is(tmp_path, monkeypatch, autojump_clock, before, after, told):
    holder = [before]
    monkeypatch.setattr(lock, "holder", lambda _path: holder[0])
    async with served(tmp_path) as world:
        async with client.connect(tmp_path) as me:
            await me.next_change()
            holder[0] = after
            world.nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True), pytest.raises(ConnectionLost) as lost:
                await me.contacts()
            assert type(lost.value) is told
            with trio.CancelScope(shield=True), pytest.raises(told):
                await me.contacts()  # not only who waited just then
        await trio.lowlevel.checkpoint()


async def test_an_answer_that_nobody_can_read_does_not_end_the_daemon_in_words(tmp_path, monkeypatch):
    async def strange(_command, _daemon):
        await trio.lowlevel.checkpoint()
        return [[]] * 20_000  # more than a message may have

    async with served(tmp_path), client.connect(tmp_path) as me:
        monkeypatch.setattr(protocol.messages.MessagePage, "run", strange)
        with pytest.raises(RemoteError, match="another version"):
            await me.page(None, 0)


async def test_a_daemon_without_its_socket_is_not_said_to_be_absent(tmp_path):
    (tmp_path / paths.SETTINGS).touch()
    with lock.hold(tmp_path / paths.LOCK), pytest.raises(NotReached, match="can't be reached"):
        async with client.connect(tmp_path):
            pass


def test_a_text_says_which_argument_is_wrong():
    with pytest.raises(LocalError, match="wrong arguments for `send`: contact: Expected `str`, got `int`"):
        framing.request(asked(protocol.messages.Send, contact=5))
