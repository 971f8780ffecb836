"""T3, tampering: whatever byte of a packet, reply, fragment or message is changed, it is never delivered modified."""

import os

import pytest

from mixnet.client.arq.fragments import ChannelKey, Fragment, FragmentToSend, Unverified
from mixnet.crypto import SphinxSecret, SymmetricKey
from mixnet.errors import RemoteError
from mixnet.sphinx import GEOMETRY, Command, Deliver, Forward, Hop, Kind, Reply, SphinxEngine, payload

ENGINE = SphinxEngine()
SECRETS = [SphinxSecret.generate() for _ in range(6)]
MESSAGE = b"pay 10 to bob"


def route(last, target=bytes(32)):
    """Five hops that forward and one that reads."""
    hops = [Hop(secret.public, Command(Kind.FORWARD, os.urandom(32), 0)) for secret in SECRETS[:-1]]
    return [*hops, Hop(SECRETS[-1].public, Command(last, target))]


def outcome(packet, secrets=SECRETS):
    """What the last hop gets, or None if a hop refused the packet (or was sent somewhere else)."""
    peeled = None
    for secret in secrets:
        try:
            peeled = ENGINE.peel_untrusted(secret, packet)
        except RemoteError:
            return None
        packet = peeled.packet if isinstance(peeled, Forward) else b""
    return peeled.message if isinstance(peeled, Deliver) else None


def flipped(data, position):
    changed = bytearray(data)
    changed[position] ^= 1 << position % 8
    return bytes(changed)


def test_no_flipped_byte_of_a_packet_is_delivered():
    packet = ENGINE.create(route(Kind.DELIVER), MESSAGE, seed=os.urandom(32))
    assert outcome(packet) == MESSAGE
    assert {outcome(flipped(packet, at)) for at in range(GEOMETRY.packet_size)} <= {None, MESSAGE}


def test_the_one_bit_without_a_meaning_gives_the_same_packet():
    """X25519 ignores the top bit of alpha (RFC 7748): no message changes, and the replay tag is the same."""
    packet = ENGINE.create(route(Kind.DELIVER), MESSAGE, seed=os.urandom(32))
    changed = bytearray(packet)
    changed[GEOMETRY.alpha_size - 1] ^= 0x80
    accepted = []
    for raw in (packet, bytes(changed)):
        try:
            accepted.append(ENGINE.peel_untrusted(SECRETS[0], raw))
        except RemoteError:
            continue
    assert all(peeled == accepted[0] for peeled in accepted)


@pytest.mark.parametrize("links", range(1, 6))
def test_nor_one_that_is_flipped_on_a_later_link(links):
    packet = ENGINE.create(route(Kind.DELIVER), MESSAGE, seed=os.urandom(32))
    for secret in SECRETS[:links]:
        packet = ENGINE.peel_untrusted(secret, packet).packet
    rest = SECRETS[links:]
    assert outcome(packet, rest) == MESSAGE
    assert {outcome(flipped(packet, at), rest) for at in range(0, GEOMETRY.packet_size, 7)} <= {None, MESSAGE}


def test_without_the_macs_tampering_would_be_delivered(monkeypatch):
    """Control: with every comparison of MACs saying yes, a changed packet arrives, changed."""
    packet = ENGINE.create(route(Kind.DELIVER), MESSAGE, seed=os.urandom(32))
    for module in ("mixnet.sphinx.payload.equal", "mixnet.sphinx.engine.equal"):
        monkeypatch.setattr(module, lambda *_: True)
    monkeypatch.setattr(payload, "unpermute", lambda key, body: body)
    monkeypatch.setattr(payload, "_MARKER", b"")
    monkeypatch.setattr(payload, "_FILL", b"")
    delivered = [outcome(flipped(packet, at)) for at in range(GEOMETRY.header_size + 16, GEOMETRY.packet_size, 97)]
    assert len({*delivered} - {None, MESSAGE}) > 20


def test_no_flipped_byte_of_a_reply_is_opened():
    surb, keys = ENGINE.create_surb(os.urandom(32), route(Kind.REPLY, b"s" * 32), seed=os.urandom(64))
    packet = ENGINE.use_surb(surb, MESSAGE)

    def reply(raw):
        for secret in SECRETS:
            peeled = ENGINE.peel_untrusted(secret, raw)
            raw = getattr(peeled, "packet", b"")
        assert isinstance(peeled, Reply)
        return ENGINE.open_reply_untrusted(keys, peeled.body)

    assert reply(packet) == MESSAGE
    for position in range(0, GEOMETRY.packet_size, 11):
        with pytest.raises(RemoteError):
            reply(flipped(packet, position))


def test_no_flipped_byte_of_a_fragment_is_taken():
    """A contact's own fragments carry a MAC too: a recipient refuses them before they touch any state."""
    channel = ChannelKey(os.urandom(16), SymmetricKey.generate())
    fragment = Fragment(0, 3, 1, 0, len(MESSAGE), MESSAGE)
    plaintext = FragmentToSend(channel, 7, fragment).encode(None)

    def taken(raw):
        return Unverified.parse_untrusted(raw).verify_untrusted(channel).content

    assert taken(plaintext) == fragment
    for position in range(len(plaintext)):
        with pytest.raises(RemoteError):
            taken(flipped(plaintext, position))
