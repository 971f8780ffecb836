"""The handshake as a table of states and events (spec/03-links.md 3.4). Pure.

Promises: a link opens only between two peers that proved their identities in TLS 1.3 with the hybrid group, name one
network, and accept each other; every other course ends in `State.REFUSED`, which nothing leaves. The responder stays
silent until it has accepted the initiator. Never: a word to the peer about why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum

from mixnet.crypto import KEY_SIZE
from mixnet.errors import LocalError, RemoteError
from mixnet.link.frames import Frame, FrameKind

LINK_VERSION = 1
TLS_VERSION = "TLSv1.3"
GROUP = "X25519MLKEM768"
HELLO_SIZE = 2 + KEY_SIZE  # version, role, network id
CLAIM_SIZE = 17  # of a client whose profile was restored: 1 to take its mailbox over or 0, then whose it is (16)


class HandshakeRefused(RemoteError):
    """The peer's handshake is not that of this network."""


class WeakEncryption(HandshakeRefused):
    """The peer did not use TLS 1.3 with hybrid post-quantum key exchange."""


class WrongPeer(HandshakeRefused):
    """The peer is not who it should be: its identity or role is not accepted here."""


class WrongNetwork(HandshakeRefused):
    """The peer belongs to another network, or speaks another version: compare the bootstrap files."""


class Role(StrEnum):
    """What a peer says that it is; what it may do follows from the role and the identity together."""

    NODE = "node"
    CLIENT = "client"
    AUTHORITY = "authority"


_ROLE_NUMBERS = {Role.NODE: 1, Role.CLIENT: 2, Role.AUTHORITY: 3}
_ROLES = {number: role for role, number in _ROLE_NUMBERS.items()}


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end: the 32-byte Ed25519 key that its certificate shows, and its role.

    `claim`: of several copies of a client, which one it is (spec/06-providers.md 6.1).
    """

    identity: bytes
    role: Role
    claim: bytes = b""


Judge = Callable[[bytes, Role], bool]  # whether a peer with this identity and role is accepted


class HandshakeSide(Enum):
    """Which end of the link this is."""

    INITIATOR = "initiator"
    RESPONDER = "responder"


class State(Enum):
    """How far the handshake is."""

    SECURING = "securing"  # TLS is under way
    GREETING = "greeting"  # the peer's hello is awaited
    OPEN = "open"
    REFUSED = "refused"


class HandshakeEvent(Enum):
    """What the peer did."""

    SECURED = "secured"  # TLS is done, as strong as required, and shows an identity
    GREETED = "greeted"  # a hello that is accepted
    OFFENDED = "offended"  # anything else


class Action(Enum):
    """What to do on a transition."""

    NOTHING = "nothing"
    SEND_HELLO = "send hello"


TRANSITIONS: dict[tuple[HandshakeSide, State, HandshakeEvent], tuple[State, Action]] = {
    (HandshakeSide.INITIATOR, State.SECURING, HandshakeEvent.SECURED): (State.GREETING, Action.SEND_HELLO),
    (HandshakeSide.INITIATOR, State.SECURING, HandshakeEvent.OFFENDED): (State.REFUSED, Action.NOTHING),
    (HandshakeSide.INITIATOR, State.GREETING, HandshakeEvent.GREETED): (State.OPEN, Action.NOTHING),
    (HandshakeSide.INITIATOR, State.GREETING, HandshakeEvent.OFFENDED): (State.REFUSED, Action.NOTHING),
    (HandshakeSide.RESPONDER, State.SECURING, HandshakeEvent.SECURED): (State.GREETING, Action.NOTHING),
    (HandshakeSide.RESPONDER, State.SECURING, HandshakeEvent.OFFENDED): (State.REFUSED, Action.NOTHING),
    (HandshakeSide.RESPONDER, State.GREETING, HandshakeEvent.GREETED): (State.OPEN, Action.SEND_HELLO),
    (HandshakeSide.RESPONDER, State.GREETING, HandshakeEvent.OFFENDED): (State.REFUSED, Action.NOTHING),
}


def hello(role: Role, network_id: bytes, claim: bytes = b"") -> Frame:
    """The greeting of `role` in the network with the 32-byte identifier `network_id`; `claim` as `Peer` has it."""
    if len(network_id) != KEY_SIZE or len(claim) not in (0, CLAIM_SIZE):
        raise LocalError(f"a network's identifier has {KEY_SIZE} bytes, and a claim {CLAIM_SIZE}")
    return Frame(FrameKind.HELLO, bytes((LINK_VERSION, _ROLE_NUMBERS[role])) + network_id + claim)


def parse_hello_untrusted(frame: Frame) -> tuple[Role, bytes, bytes]:
    """(role, 32-byte network identifier, claim) that a frame greets with; RemoteError if it is no such greeting."""
    body = frame.body
    if frame.kind is not FrameKind.HELLO or frame.sequence or frame.acknowledged:
        raise HandshakeRefused
    if body[0] != LINK_VERSION:
        raise WrongNetwork
    claim = body[HELLO_SIZE:]
    if len(body) not in (HELLO_SIZE, HELLO_SIZE + CLAIM_SIZE) or body[1] not in _ROLES:
        raise HandshakeRefused
    if claim and (claim[0] > 1 or _ROLES[body[1]] is not Role.CLIENT):
        raise HandshakeRefused
    return _ROLES[body[1]], body[2:HELLO_SIZE], claim


class Handshake:
    """One side of one handshake: tell it what the peer did, send the frames that it returns."""

    def __init__(self, side: HandshakeSide, *, role: Role, network_id: bytes, judge: Judge, claim: bytes = b"") -> None:
        """`role` and `claim` are our own; `judge` is asked once the peer's identity and role are known."""
        self.state = State.SECURING
        self._side = side
        self._network_id = network_id
        self._judge = judge
        self._hello = hello(role, network_id, claim)
        self._identity = self._claim = b""
        self._role: Role | None = None

    @property
    def peer(self) -> Peer:
        """Who is at the other end; LocalError before the link is open."""
        if self.state is not State.OPEN or self._role is None:
            raise LocalError("a peer is known once its link is open")
        return Peer(self._identity, self._role, self._claim)

    def secured_untrusted(self, identity: bytes, version: str | None, group: str | None) -> list[Frame]:
        """TLS is done: what to send now. RemoteError unless it was TLS 1.3 with the required group."""
        if version != TLS_VERSION or group != GROUP or len(identity) != KEY_SIZE:
            self._move(HandshakeEvent.OFFENDED)
            raise WeakEncryption
        self._identity = identity
        return self._move(HandshakeEvent.SECURED)

    def greeted_untrusted(self, frame: Frame) -> list[Frame]:
        """The peer's first frame is here: what to send now. RemoteError if it greets wrongly or is not accepted."""
        try:
            role, network_id, claim = parse_hello_untrusted(frame)
            if network_id != self._network_id:
                raise WrongNetwork
            if not self._judge(self._identity, role):
                raise WrongPeer
        except RemoteError:
            self._move(HandshakeEvent.OFFENDED)
            raise
        self._role, self._claim = role, claim
        return self._move(HandshakeEvent.GREETED)

    def _move(self, event: HandshakeEvent) -> list[Frame]:
        step = TRANSITIONS.get((self._side, self.state, event))
        if step is None:
            raise LocalError(f"a handshake that is {self.state.value} can't be {event.value}")
        self.state, action = step
        return [self._hello] if action is Action.SEND_HELLO else []
