"""The handshake's table, walked; and the greeting."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.errors import LocalError, RemoteError
from mixnet.link.frames import Frame, FrameKind
from mixnet.link.handshake import (
    GROUP,
    TLS_VERSION,
    TRANSITIONS,
    Action,
    Handshake,
    HandshakeEvent,
    HandshakeRefused,
    HandshakeSide,
    Peer,
    Role,
    State,
    WeakEncryption,
    WrongNetwork,
    WrongPeer,
    hello,
    parse_hello_untrusted,
)

NETWORK_ID = bytes(range(32))
IDENTITY = b"i" * 32
PEER_HELLO = hello(Role.CLIENT, NETWORK_ID)
OUR_HELLO = hello(Role.NODE, NETWORK_ID)
SIDES = list(HandshakeSide)


def machine(side, judge=lambda _identity, _role: True):
    return Handshake(side, role=Role.NODE, network_id=NETWORK_ID, judge=judge)


def secured(side, **settings):
    handshake = machine(side, **settings)
    handshake.secured_untrusted(IDENTITY, TLS_VERSION, GROUP)
    return handshake


def cause(handshake, event):
    """Make an event happen through the public calls; the frames to send."""
    if event is HandshakeEvent.SECURED:
        return handshake.secured_untrusted(IDENTITY, TLS_VERSION, GROUP)
    if event is HandshakeEvent.GREETED:
        return handshake.greeted_untrusted(PEER_HELLO)
    with pytest.raises(RemoteError):
        if handshake.state is State.SECURING:
            handshake.secured_untrusted(IDENTITY, TLS_VERSION, "x25519")
        else:
            handshake.greeted_untrusted(Frame(FrameKind.PAD))
    return []


def reach(side, state):
    """A machine in `state`, along the shortest way that the table offers."""
    ways = {State.SECURING: []}
    while state not in ways:
        ways |= {
            after: [*ways[before], event]
            for (for_side, before, event), (after, _) in TRANSITIONS.items()
            if for_side is side and before in ways and after not in ways
        }
    handshake = machine(side)
    for event in ways[state]:
        cause(handshake, event)
    assert handshake.state is state
    return handshake


@pytest.mark.parametrize(("side", "state", "event"), list(product(HandshakeSide, State, HandshakeEvent)))
def test_the_machine_does_what_the_table_says_and_nothing_else(side, state, event):
    handshake = reach(side, state)
    step = TRANSITIONS.get((side, state, event))
    if step is None:
        with pytest.raises(LocalError):
            cause(handshake, event)
        assert handshake.state is state
    else:
        after, action = step
        assert cause(handshake, event) == ([OUR_HELLO] if action is Action.SEND_HELLO else [])
        assert handshake.state is after


@pytest.mark.parametrize("side", SIDES)
def test_open_takes_security_and_a_greeting_in_this_order(side):
    ways_in = {
        (before, event)
        for (one, before, event), (after, _) in TRANSITIONS.items()
        if one is side and after is State.OPEN
    }
    assert ways_in == {(State.GREETING, HandshakeEvent.GREETED)}
    assert {
        before for (one, before, _), (after, _) in TRANSITIONS.items() if one is side and after is State.GREETING
    } == {State.SECURING}


@pytest.mark.parametrize("side", SIDES)
def test_every_offence_ends_in_refusal_and_nothing_leaves_the_ends(side):
    for state in (State.SECURING, State.GREETING):
        assert TRANSITIONS[side, state, HandshakeEvent.OFFENDED] == (State.REFUSED, Action.NOTHING)
    assert not [key for key in TRANSITIONS if key[1] in (State.OPEN, State.REFUSED)]


def test_each_side_greets_once_and_the_responder_last():
    greetings = [(side, state) for (side, state, _), (_, action) in TRANSITIONS.items() if action is Action.SEND_HELLO]
    assert sorted(greetings, key=str) == [
        (HandshakeSide.INITIATOR, State.SECURING),
        (HandshakeSide.RESPONDER, State.GREETING),
    ]


@pytest.mark.parametrize("side", SIDES)
def test_the_peer_is_known_once_the_link_is_open(side):
    handshake = secured(side)
    with pytest.raises(LocalError):
        _ = handshake.peer
    handshake.greeted_untrusted(PEER_HELLO)
    assert handshake.peer == Peer(IDENTITY, Role.CLIENT)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("identity", "version", "group"),
    [
        (IDENTITY, "TLSv1.2", GROUP),
        (IDENTITY, None, GROUP),
        (IDENTITY, TLS_VERSION, "x25519"),
        (IDENTITY, TLS_VERSION, None),
        (b"", TLS_VERSION, GROUP),
    ],
)
def test_weak_encryption_is_refused(side, identity, version, group):
    handshake = machine(side)
    with pytest.raises(WeakEncryption):
        handshake.secured_untrusted(identity, version, group)
    assert handshake.state is State.REFUSED


@pytest.mark.parametrize("side", SIDES)
def test_another_network_is_refused(side):
    handshake = secured(side)
    with pytest.raises(WrongNetwork):
        handshake.greeted_untrusted(hello(Role.CLIENT, b"o" * 32))
    assert handshake.state is State.REFUSED


@pytest.mark.parametrize("side", SIDES)
def test_the_judge_hears_identity_and_role_and_decides(side):
    heard = []
    handshake = secured(side, judge=lambda *what: bool(heard.append(what)))
    with pytest.raises(WrongPeer):
        handshake.greeted_untrusted(PEER_HELLO)
    assert heard == [(IDENTITY, Role.CLIENT)]
    assert handshake.state is State.REFUSED


@pytest.mark.parametrize("role", list(Role))
def test_greetings_survive_their_bytes(role):
    raw = hello(role, NETWORK_ID).encode()
    assert parse_hello_untrusted(Frame.decode_untrusted(raw)) == (role, NETWORK_ID, b"")


def test_the_bytes_of_a_greeting():
    assert hello(Role.NODE, NETWORK_ID).body == b"\x01\x01" + NETWORK_ID
    assert hello(Role.CLIENT, NETWORK_ID).body == b"\x01\x02" + NETWORK_ID
    assert hello(Role.AUTHORITY, NETWORK_ID).body == b"\x01\x03" + NETWORK_ID


def test_a_network_identifier_has_32_bytes():
    with pytest.raises(LocalError):
        hello(Role.NODE, b"short")


WRONG = {
    "another frame": Frame(FrameKind.REQUEST, PEER_HELLO.body),
    "another version": Frame(FrameKind.HELLO, b"\x02" + PEER_HELLO.body[1:]),
    "unknown role": Frame(FrameKind.HELLO, b"\x01\x04" + NETWORK_ID),
    "role zero": Frame(FrameKind.HELLO, b"\x01\x00" + NETWORK_ID),
    "too short": Frame(FrameKind.HELLO, PEER_HELLO.body[:-1]),
    "version alone": Frame(FrameKind.HELLO, b"\x01"),
    "too long": Frame(FrameKind.HELLO, PEER_HELLO.body + b"\0"),
    "half a claim": Frame(FrameKind.HELLO, PEER_HELLO.body + bytes(16)),
    "a node's claim": Frame(FrameKind.HELLO, OUR_HELLO.body + bytes(17)),
    "a claim of another kind": Frame(FrameKind.HELLO, PEER_HELLO.body + b"\2" + bytes(16)),
    "numbered": Frame(FrameKind.HELLO, PEER_HELLO.body, sequence=1),
    "acknowledging": Frame(FrameKind.HELLO, PEER_HELLO.body, acknowledged=1),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_greetings_are_refused(name):
    with pytest.raises(HandshakeRefused):
        parse_hello_untrusted(WRONG[name])


@given(st.one_of(st.binary(min_size=1, max_size=40), st.binary(min_size=1, max_size=60).map(PEER_HELLO.body.__add__)))
def test_no_other_bytes_greet(body):
    try:
        role, network_id, claim = parse_hello_untrusted(Frame(FrameKind.HELLO, body))
    except RemoteError:
        return
    assert hello(role, network_id, claim).body == body
