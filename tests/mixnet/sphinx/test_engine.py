"""Our engine by itself: what a route's hops see, what it refuses, and what that costs."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet import crypto
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
    SurbKeys,
    engine,
    engine_by_name,
    header,
    keys,
    payload,
)
from tests.mixnet.sphinx.strategies import messages, routes, secrets, seeds, surb_seeds

ENGINE = SphinxEngine()
ALL_HOPS = GEOMETRY.max_hops


def travel(route, packet):
    """Peel at every hop; what each one got."""
    seen = []
    for secret in route.secrets:
        assert len(packet) == GEOMETRY.packet_size
        seen.append(ENGINE.peel_untrusted(secret, packet))
        packet = getattr(seen[-1], "packet", b"")
    return seen


def check_passage(route, seen):
    """Each hop but the last was told what the sender wrote for it, and all tags differ."""
    for hop, peeled in zip(route.hops[:-1], seen[:-1], strict=True):
        if hop.command.kind is Kind.FORWARD:
            assert isinstance(peeled, Forward)
            assert (peeled.next_hop, peeled.delay) == (hop.command.target, hop.command.delay)
        else:
            assert isinstance(peeled, Mailbox)
            assert peeled.mailbox == hop.command.target
    tags = [peeled.tag for peeled in seen]
    assert len(set(tags)) == len(tags)
    assert {len(tag) for tag in tags} == {16}


@given(routes(Kind.DELIVER), messages, seeds)
def test_a_message_arrives(route, message, seed):
    seen = travel(route, ENGINE.create(route.hops, message, seed=seed))
    check_passage(route, seen)
    assert isinstance(seen[-1], Deliver)
    assert seen[-1].message == message


@given(routes(Kind.DROP), messages, seeds)
def test_a_drop_is_dropped(route, message, seed):
    seen = travel(route, ENGINE.create(route.hops, message, seed=seed))
    check_passage(route, seen)
    assert isinstance(seen[-1], Drop)


@given(routes(Kind.REPLY), messages, surb_seeds)
def test_a_reply_comes_back(route, message, seed):
    surb, surb_keys = ENGINE.create_surb(bytes(range(32)), route.hops, seed=seed)
    assert surb.first_hop == bytes(range(32))
    seen = travel(route, ENGINE.use_surb(surb, message))
    check_passage(route, seen)
    assert isinstance(seen[-1], Reply)
    assert seen[-1].surb_id == route.hops[-1].command.target
    assert ENGINE.open_reply_untrusted(SurbKeys(surb_keys.expose()), seen[-1].body) == message


@given(routes(Kind.DELIVER, Kind.DROP), messages, seeds, seeds)
def test_the_seed_decides(route, message, seed, other):
    packet = ENGINE.create(route.hops, message, seed=seed)
    assert packet == ENGINE.create(route.hops, message, seed=seed)
    assert (packet == ENGINE.create(route.hops, message, seed=other)) == (seed == other)


@given(routes(Kind.DELIVER), seeds)
def test_no_part_of_a_packet_survives_a_hop(route, seed):
    """Bitwise unlinkable: nothing a hop sends out stands anywhere in what it got."""
    packet = ENGINE.create(route.hops, b"", seed=seed)
    windows = {packet[at : at + 8] for at in range(len(packet) - 7)}
    for peeled in travel(route, packet)[:-1]:
        assert not windows & {peeled.packet[at : at + 8] for at in range(0, len(packet) - 7)}
        windows |= {peeled.packet[at : at + 8] for at in range(len(packet) - 7)}


# --- misuse


def hops(*kinds):
    return [Hop(SphinxSecret(bytes([i]) * 32).public, Command(kind)) for i, kind in enumerate(kinds, 1)]


@pytest.mark.parametrize(
    "route",
    [
        [],
        hops(*[Kind.FORWARD] * 6, Kind.DELIVER),
        hops(Kind.FORWARD),
        hops(Kind.DELIVER_MAILBOX),
        hops(Kind.REPLY),
        hops(Kind.DELIVER, Kind.DELIVER),
        hops(Kind.FORWARD, Kind.DROP, Kind.DELIVER),
        hops(Kind.FORWARD, Kind.FORWARD),
    ],
)
def test_a_route_that_leads_nowhere_is_refused(route):
    with pytest.raises(LocalError):
        ENGINE.create(route, b"", seed=bytes(32))


@pytest.mark.parametrize("route", [[], hops(Kind.DELIVER), hops(Kind.FORWARD), hops(Kind.REPLY, Kind.REPLY)])
def test_a_reply_route_that_leads_nowhere_is_refused(route):
    with pytest.raises(LocalError):
        ENGINE.create_surb(bytes(32), route, seed=bytes(64))


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_seed_of_another_size_is_refused(size):
    with pytest.raises(LocalError):
        ENGINE.create(hops(Kind.DELIVER), b"", seed=bytes(size))


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_a_reply_seed_of_another_size_is_refused(size):
    with pytest.raises(LocalError):
        ENGINE.create_surb(bytes(32), hops(Kind.REPLY), seed=bytes(size))


def test_a_message_that_does_not_fit_is_refused():
    surb, _ = ENGINE.create_surb(bytes(32), hops(Kind.REPLY), seed=bytes(64))
    for attempt in (
        lambda: ENGINE.create(hops(Kind.DELIVER), bytes(2700), seed=bytes(32)),
        lambda: ENGINE.use_surb(surb, bytes(2700)),
    ):
        with pytest.raises(LocalError):
            attempt()


def test_a_header_takes_its_exact_padding():
    shared = [keys.SharedSecret(bytes(32))]
    for padding, commands in ((b"", [bytes(37)]), (bytes(270), []), (bytes(270), [bytes(37), bytes(37)])):
        with pytest.raises(LocalError):
            header.build(shared, commands, padding)


def test_engines_are_chosen_by_name():
    assert isinstance(engine_by_name("mixnet"), SphinxEngine)
    assert engine_by_name("mixnet").name == "mixnet"
    with pytest.raises(LocalError, match="sphinxmix"):
        engine_by_name("sphynx")


def test_nothing_of_a_packet_is_printed():
    route = hops(Kind.FORWARD, Kind.DELIVER)
    packet = ENGINE.create(route, b"a message", seed=bytes(32))
    peeled = ENGINE.peel_untrusted(SphinxSecret(bytes([1]) * 32), packet)
    layer = engine.unwrap_untrusted(SphinxSecret(bytes([1]) * 32), packet)
    assert repr(peeled) == "Forward(delay=0.0)"
    assert repr(layer) == "Layer(<redacted>)"
    assert "public" not in repr(route[0])


# --- hostile bytes


@given(secrets, st.binary(max_size=64), st.integers(0, 2**32))
def test_garbage_of_the_right_size_is_refused(secret, start, seed):
    with pytest.raises(RemoteError):
        ENGINE.peel_untrusted(secret, start + hashlib.shake_256(seed.to_bytes(8)).digest(3072 - len(start)))


@given(secrets, st.binary(max_size=4000))
def test_garbage_of_any_size_is_refused(secret, garbage):
    with pytest.raises(RemoteError):
        ENGINE.peel_untrusted(secret, garbage)


@given(routes(Kind.DELIVER), seeds, st.integers(0, GEOMETRY.header_size * 8 - 1))
def test_any_flipped_bit_of_a_header_is_refused_at_once(route, seed, bit):
    """Any but alpha's topmost, which X25519 ignores: that packet is the same packet, with the same tag."""
    packet = bytearray(ENGINE.create(route.hops, b"message", seed=seed))
    packet[bit // 8] ^= 1 << bit % 8
    if bit == 255:
        original = ENGINE.create(route.hops, b"message", seed=seed)
        assert ENGINE.peel_untrusted(route.secrets[0], bytes(packet)) == ENGINE.peel_untrusted(
            route.secrets[0], original
        )
    else:
        with pytest.raises(RemoteError):
            ENGINE.peel_untrusted(route.secrets[0], bytes(packet))


@given(routes(Kind.DELIVER), seeds, st.integers(GEOMETRY.header_size * 8, GEOMETRY.packet_size * 8 - 1), st.data())
def test_a_body_altered_at_any_hop_is_refused_by_the_last(route, seed, bit, data):
    where = data.draw(st.integers(0, len(route.secrets) - 1))
    packet = ENGINE.create(route.hops, b"message", seed=seed)
    for hop, secret in enumerate(route.secrets[:-1]):
        packet = flip(packet, bit) if hop == where else packet
        packet = ENGINE.peel_untrusted(secret, packet).packet
    packet = flip(packet, bit) if where == len(route.secrets) - 1 else packet
    with pytest.raises(RemoteError):
        ENGINE.peel_untrusted(route.secrets[-1], packet)


@given(routes(Kind.REPLY), surb_seeds, st.integers(0, GEOMETRY.body_size * 8 - 1))
def test_an_altered_reply_is_refused(route, seed, bit):
    surb, surb_keys = ENGINE.create_surb(bytes(32), route.hops, seed=seed)
    body = travel(route, ENGINE.use_surb(surb, b"reply"))[-1].body
    for wrong in (flip(body, bit), body[:-1], body + b"\0", b""):
        with pytest.raises(RemoteError):
            ENGINE.open_reply_untrusted(surb_keys, wrong)


@given(routes(Kind.DELIVER), seeds, secrets)
def test_the_wrong_key_is_refused(route, seed, secret):
    packet = ENGINE.create(route.hops, b"message", seed=seed)
    if crypto.x25519_base(secret.expose()) != route.hops[0].public:
        with pytest.raises(RemoteError):
            ENGINE.peel_untrusted(secret, packet)


def flip(raw, bit):
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# --- the same work


@pytest.fixture
def work(monkeypatch):
    """Counts every call of a primitive, by name and bytes of its input."""
    counted = Counter()
    for module, names in (
        (engine, ["x25519", "mac", "equal"]),
        (header, ["chacha20"]),
        (payload, ["chacha20", "keyed_hash"]),
        (keys, ["blind", "rho", "mu", "pi", "tau"]),
    ):
        for name in names:
            monkeypatch.setattr(module, name, counting(counted, name, getattr(module, name)))
    return counted


def counting(counted, name, genuine):
    def wrapped(*args):
        result = genuine(*args)
        counted[name, tuple(len(arg) for arg in args)] += 1
        return result

    return wrapped


def test_a_peel_takes_two_multiplications_and_a_refusal_the_same_work(work):
    route = hops(*[Kind.FORWARD] * 5, Kind.DELIVER)
    secret = SphinxSecret(bytes([1]) * 32)
    packet = ENGINE.create(route, b"message", seed=bytes(32))
    work.clear()
    ENGINE.peel_untrusted(secret, packet)
    genuine = Counter(work)
    assert genuine["x25519", (32, 32)] == 2
    assert genuine["equal", (16, 16)] == 1
    refused = {
        "alpha": flip(packet, 0),
        "beta": flip(packet, 32 * 8),
        "gamma": flip(packet, 340 * 8),
        "low order": bytes(32) + packet[32:],
        "garbage": hashlib.shake_256(b"garbage").digest(3072),
        "no command of ours": forge_command(route[0].public, bytes([255]) + bytes(36)),
        "no length of ours": forge_command(route[0].public, bytes(37), length=36),
    }
    for name, wrong in refused.items():
        work.clear()
        with pytest.raises(RemoteError):
            ENGINE.peel_untrusted(secret, wrong)
        assert work == genuine, name


def forge_command(public, command, length=37):
    """A packet of one hop with an authentic header that says what no engine would."""
    alpha, (shared,) = keys.establish(bytes(range(32)), [public])
    beta = crypto.chacha20(shared.rho(), bytes([length]) + command + bytes(270))
    return alpha + beta + crypto.mac(shared.mu(), beta) + bytes(GEOMETRY.body_size)
