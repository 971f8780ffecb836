"""Ours against sphinxmix, both ways, byte for byte at every hop (spec/02-sphinx.md 2.9)."""

from unittest import mock

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet import crypto
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import GEOMETRY, Kind, SphinxEngine, Surb, SurbKeys, engine, engine_by_name, header, keys, payload
from tests.mixnet.sphinx.oracle import require_sphinxmix
from tests.mixnet.sphinx.strategies import identities, messages, raw_routes, routes, scalars, secrets, seeds, surb_seeds

require_sphinxmix()

from sphinxmix import SphinxClient, SphinxException, SphinxNode  # noqa: E402

from mixnet.sphinx import reference  # noqa: E402
from mixnet.sphinx.reference import Parameters, ReferenceEngine  # noqa: E402

OURS, THEIRS = SphinxEngine(), ReferenceEngine()
MESSAGE_AND_MARK = GEOMETRY.body_size - GEOMETRY.gamma_size


def test_msgpack_survived_the_installation_of_sphinxmix():
    assert msgpack.version >= (1, 0)


# --- the format itself: any 37 bytes as commands, and sphinxmix' own functions called as they are


def both_peel(secret, packet):
    """One hop's layer, by both; equal in every byte."""
    parts, body = reference.split_header(packet), packet[GEOMETRY.header_size :]
    tag, command, (next_parts, next_body), key = SphinxNode.sphinx_process(Parameters(), secret.expose(), parts, body)
    ours = engine.unwrap_untrusted(secret, packet)
    assert ours == (tag, command, b"".join(next_parts), next_body, key)
    return ours


def pad(hops):
    return st.binary(min_size=GEOMETRY.padding_size(hops), max_size=GEOMETRY.padding_size(hops))


def our_header(route, scalar, padding):
    alpha, shared = keys.establish(scalar, route.publics)
    beta, gamma = header.build(shared, route.commands, padding)
    return (alpha, beta, gamma), [secret.expose() for secret in shared]


def their_header(route, scalar, padding):
    """sphinxmix draws the scalar from its group and the padding from os.urandom: both are put into its hands."""
    names = [b"", *route.commands[:-1]]
    with mock.patch.object(SphinxClient, "urandom", lambda size: padding[:size]):
        return SphinxClient.create_header(Parameters(scalar), names, route.publics, route.commands[-1])


@given(raw_routes(), scalars, st.data())
def test_headers_are_equal(route, scalar, data):
    padding = data.draw(pad(len(route.publics)))
    assert our_header(route, scalar, padding) == their_header(route, scalar, padding)


@pytest.mark.parametrize("make", [our_header, their_header])
@given(route=raw_routes(), scalar=scalars, message=messages, data=st.data())
def test_packets_of_either_are_peeled_alike_by_both(make, route, scalar, message, data):
    parts, shared = make(route, scalar, data.draw(pad(len(route.publics))))
    pi_keys = [Parameters.hpi(secret) for secret in shared]
    padded = SphinxClient.pad_body(MESSAGE_AND_MARK, message)
    packet = b"".join(parts) + payload.permute_all(reversed(pi_keys), Parameters.mu(pi_keys[-1], padded) + padded)
    for secret, command in zip(route.secrets, route.commands, strict=True):
        layer = both_peel(secret, packet)
        assert layer.command == command
        packet = layer.header + layer.body
    assert SphinxClient.unpad_body(layer.body[16:]) == payload.unpack_untrusted(layer.key, layer.body) == message
    assert payload.pack(layer.key, message) == layer.body


@pytest.mark.parametrize("make", [our_header, their_header])
@given(route=raw_routes(), scalar=scalars, key=st.binary(min_size=16, max_size=16), message=messages, data=st.data())
def test_replies_of_either_are_opened_alike_by_both(make, route, scalar, key, message, data):
    parts, shared = make(route, scalar, data.draw(pad(len(route.publics))))
    hop_keys = [Parameters.hpi(secret) for secret in shared]
    _, body = SphinxClient.package_surb(Parameters(), (b"", parts, key), message)
    packet = OURS.use_surb(Surb(bytes(32), b"".join(parts), key), message)
    assert packet == b"".join(parts) + body
    for secret in route.secrets:
        layer = both_peel(secret, packet)
        packet = layer.header + layer.body
    opened = SphinxClient.receive_surb(Parameters(), [key, *hop_keys], layer.body)
    assert opened == OURS.open_reply_untrusted(SurbKeys.join(key, hop_keys), layer.body) == message


# --- the two engines


def same_padding(seed):
    """Let sphinxmix draw the padding that our engine takes from the seed."""
    stream = crypto.chacha20(seed[:32], bytes(32 + GEOMETRY.padding_size(1)))[32:]
    return mock.patch.object(SphinxClient, "urandom", lambda size: stream[:size])


@given(routes(Kind.DELIVER, Kind.DROP), messages, seeds)
def test_engines_make_the_same_packet(route, message, seed):
    with same_padding(seed):
        assert THEIRS.create(route.hops, message, seed=seed) == OURS.create(route.hops, message, seed=seed)


@given(routes(Kind.REPLY), identities, surb_seeds, messages)
def test_engines_make_and_use_the_same_reply_block(route, first_hop, seed, message):
    with same_padding(seed):
        theirs = THEIRS.create_surb(first_hop, route.hops, seed=seed)
    ours = OURS.create_surb(first_hop, route.hops, seed=seed)
    assert theirs == ours
    assert THEIRS.use_surb(ours[0], message) == OURS.use_surb(ours[0], message)


@given(routes(Kind.DELIVER, Kind.DROP), messages, seeds, st.lists(st.booleans(), min_size=7, max_size=7))
def test_nodes_of_both_kinds_share_a_route(route, message, seed, choices):
    """Whoever makes the packet and whoever peels it at each hop, all see the same."""
    makers = [THEIRS if choice else OURS for choice in choices]
    packet = makers[-1].create(route.hops, message, seed=seed)
    for secret, peeler in zip(route.secrets, makers, strict=False):
        peeled = peeler.peel_untrusted(secret, packet)
        assert peeled == OURS.peel_untrusted(secret, packet) == THEIRS.peel_untrusted(secret, packet)
        packet = getattr(peeled, "packet", b"")
    assert getattr(peeled, "message", message) == message


@given(routes(Kind.REPLY), messages, surb_seeds, st.lists(st.booleans(), min_size=9, max_size=9))
def test_nodes_of_both_kinds_bring_a_reply_back(route, message, seed, choices):
    makers = [THEIRS if choice else OURS for choice in choices]
    surb, surb_keys = makers[-1].create_surb(bytes(32), route.hops, seed=seed)
    packet = makers[-2].use_surb(surb, message)
    for secret, peeler in zip(route.secrets, makers, strict=False):
        peeled = peeler.peel_untrusted(secret, packet)
        packet = getattr(peeled, "packet", b"")
    assert makers[-3].open_reply_untrusted(surb_keys, peeled.body) == message
    assert THEIRS.open_reply_untrusted(surb_keys, peeled.body) == OURS.open_reply_untrusted(surb_keys, peeled.body)


# --- what the wrapper adds: one kind of error


@given(routes(Kind.DELIVER), seeds, st.integers(0, GEOMETRY.packet_size * 8 - 1))
@settings(max_examples=200)
def test_engines_refuse_the_same_flipped_bits(route, seed, bit):
    packet = bytearray(OURS.create(route.hops, b"message", seed=seed))
    packet[bit // 8] ^= 1 << bit % 8
    assert outcome(OURS, route.secrets[0], bytes(packet)) == outcome(THEIRS, route.secrets[0], bytes(packet))


@given(secrets, st.binary(max_size=100), st.sampled_from([0, 355, 356, 3071, 3072, 3073]))
def test_engines_refuse_garbage(secret, start, size):
    garbage = (start + bytes(size))[:size]
    assert outcome(OURS, secret, garbage) == outcome(THEIRS, secret, garbage) == "refused"


def outcome(chosen, secret, packet):
    try:
        return chosen.peel_untrusted(secret, packet)
    except RemoteError:
        return "refused"


@pytest.mark.parametrize("mistake", [SphinxException("any"), AssertionError("any")])
def test_every_failure_inside_sphinxmix_is_the_peers(monkeypatch, mistake):
    monkeypatch.setattr(reference, "sphinx_process", mock.Mock(side_effect=mistake))
    with pytest.raises(RemoteError):
        THEIRS.peel_untrusted(crypto.SphinxSecret.generate(), bytes(3072))


@given(routes(Kind.REPLY), surb_seeds, st.integers(0, GEOMETRY.body_size * 8 - 1))
def test_engines_refuse_the_same_replies(route, seed, bit):
    surb, surb_keys = OURS.create_surb(bytes(32), route.hops, seed=seed)
    packet = OURS.use_surb(surb, b"reply")
    for secret in route.secrets:
        peeled = OURS.peel_untrusted(secret, packet)
        packet = getattr(peeled, "packet", b"")
    changed = bytearray(peeled.body)
    changed[bit // 8] ^= 1 << bit % 8
    for wrong in (bytes(changed), peeled.body[1:], b""):
        for chosen in (OURS, THEIRS):
            with pytest.raises(RemoteError):
                chosen.open_reply_untrusted(surb_keys, wrong)


def test_a_reply_without_an_end_is_refused_although_sphinxmix_takes_it():
    key, hop_key = bytes(16), bytes(range(32))
    padded = b"\xff" * MESSAGE_AND_MARK
    body = payload.unpermute(hop_key, payload.permute(key, crypto.mac(key, padded) + padded))
    assert SphinxClient.receive_surb(Parameters(), [key, hop_key], body) == b""
    for chosen in (OURS, THEIRS):
        with pytest.raises(RemoteError):
            chosen.open_reply_untrusted(SurbKeys.join(key, [hop_key]), body)


def test_misuse_is_ours():
    for attempt in (
        lambda: THEIRS.create([], b"", seed=bytes(32)),
        lambda: THEIRS.create_surb(bytes(32), [], seed=bytes(64)),
        lambda: THEIRS.use_surb(Surb(bytes(32), bytes(356), bytes(16)), bytes(2700)),
    ):
        with pytest.raises(LocalError):
            attempt()


def test_the_engine_is_chosen_by_name():
    assert isinstance(engine_by_name("sphinxmix"), ReferenceEngine)
    assert engine_by_name("sphinxmix").name == "sphinxmix"
