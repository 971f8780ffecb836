"""The codec without public keys does what the real engine does, and no node can be given it."""

import ast
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mixnode.config
from mixnet.benchmarks.simulation.codec import PlainEngine, codec
from mixnet.crypto import SphinxSecret
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import (
    GEOMETRY,
    Command,
    Deliver,
    Drop,
    Forward,
    Hop,
    Kind,
    Mailbox,
    Reply,
    SphinxEngine,
    engine_by_name,
)

ENGINES = [PlainEngine(), SphinxEngine()]
SECRETS = [SphinxSecret(bytes([number]) * 32) for number in range(1, 7)]


def route(count, last, target=bytes(32)):
    """Hops through `count` of the secrets: forwards, a mailbox if there is room, and the command `last`."""
    commands = [Command(Kind.FORWARD, bytes([n]) * 32, 1000 * n) for n in range(count - 1)]
    if count > 2:
        commands[-1] = Command(Kind.DELIVER_MAILBOX, b"m" * 32)
    return [
        Hop(secret.public, command)
        for secret, command in zip(SECRETS, [*commands, Command(last, target)], strict=False)
    ]


def journey(engine, packet, count):
    """What each hop makes of a packet, up to the last."""
    for secret in SECRETS[:count]:
        peeled = engine.peel_untrusted(secret, packet)
        yield peeled
        packet = getattr(peeled, "packet", b"")


def outline(peeled):
    """All of a peeled packet that must not depend on the engine."""
    match peeled:
        case Forward():
            return ("forward", peeled.next_hop, peeled.delay, len(peeled.packet))
        case Mailbox():
            return ("mailbox", peeled.mailbox, len(peeled.packet))
        case Deliver():
            return ("deliver", peeled.message)
        case Reply():
            return ("reply", peeled.surb_id, len(peeled.body))
        case Drop():
            return ("drop",)


@settings(max_examples=60)
@given(
    st.integers(1, 6),
    st.sampled_from([Kind.DELIVER, Kind.DROP]),
    st.binary(max_size=200) | st.just(bytes(GEOMETRY.message_size)),
    st.binary(min_size=32, max_size=32),
)
def test_both_engines_give_the_same_outcomes_at_every_hop(count, last, message, seed):
    seen = []
    for engine in ENGINES:
        packet = engine.create(route(count, last), message, seed=seed)
        assert len(packet) == GEOMETRY.packet_size
        hops = list(journey(engine, packet, count))
        seen.append([outline(hop) for hop in hops])
        assert len({hop.tag for hop in hops}) == count
    assert seen[0] == seen[1]


@settings(max_examples=30)
@given(st.integers(1, 6), st.binary(max_size=300), st.binary(min_size=64, max_size=64))
def test_replies_come_back_through_a_reply_block(count, message, seed):
    for engine in ENGINES:
        surb, keys = engine.create_surb(b"f" * 32, route(count, Kind.REPLY, b"s" * 32), seed=seed)
        *_, reply = journey(engine, engine.use_surb(surb, message), count)
        assert isinstance(reply, Reply)
        assert reply.surb_id == b"s" * 32
        assert engine.open_reply_untrusted(keys, reply.body) == message


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@settings(max_examples=60)
@given(position=st.integers(0, GEOMETRY.packet_size - 1), bit=st.integers(0, 7))
def test_no_flipped_bit_is_ever_delivered(engine, position, bit):
    packet = bytearray(engine.create(route(4, Kind.DELIVER), b"hello", seed=bytes(32)))
    assert [*journey(engine, bytes(packet), 4)][-1].message == b"hello"
    packet[position] ^= 1 << bit
    with pytest.raises(RemoteError):
        list(journey(engine, bytes(packet), 4))


def test_another_key_and_another_size_are_refused():
    packet = PlainEngine().create(route(3, Kind.DELIVER), b"", seed=bytes(32))
    for secret, raw in [(SECRETS[1], packet), (SECRETS[0], packet[:-1]), (SECRETS[0], packet + b"\0")]:
        with pytest.raises(RemoteError):
            PlainEngine().peel_untrusted(secret, raw)


def test_every_hop_sees_fresh_bytes():
    packet = PlainEngine().create(route(5, Kind.DELIVER), b"hello", seed=os.urandom(32))
    packets = [packet, *(hop.packet for hop in journey(PlainEngine(), packet, 5) if hasattr(hop, "packet"))]
    assert len(packets) == 5
    pieces = [{raw[at : at + 8] for at in range(len(raw) - 7)} for raw in packets]
    assert all(not pieces[i] & pieces[j] for i in range(5) for j in range(i))


def test_no_configuration_can_name_it(tmp_path):
    assert codec("plain").name == "plain"
    for name in ["plain", "mixnet.benchmarks.simulation.codec", "PlainEngine"]:
        with pytest.raises(LocalError):
            engine_by_name(name)
    config = tmp_path / "node.toml"
    settings_ = 'role="mix"\naddress="127.0.1.1:1"\nbootstrap="b"\nkey_file="k"\ndata_dir="d"\nengine="plain"\n'
    config.write_text(settings_)
    with pytest.raises(LocalError):
        engine_by_name(mixnode.config.load_config(config).engine)


def test_no_part_of_the_product_imports_benchmarks():
    root = Path(__file__).parents[3]
    sources = [path for room in ["mixnet", "mixnode", "directory", "client"] for path in (root / room).rglob("*.py")]
    assert len(sources) > 20
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "benchmarks" for name in names), source
