"""Links: authenticated, post-quantum encrypted, and made of frames of one size (spec/03-links.md)."""

from mixnet.link.connect import accept_untrusted, connect
from mixnet.link.doorstep import KnockLimits
from mixnet.link.frames import FRAME_HEADER_SIZE, FRAME_SIZE, Frame, FrameKind, FrameReader
from mixnet.link.handshake import HandshakeRefused, Peer, Role, WeakEncryption, WrongNetwork, WrongPeer
from mixnet.link.messages import MESSAGE_LIMIT, Assembler, split
from mixnet.link.places import Acquaintances, Standing
from mixnet.link.requests import answer_requests, ask, send_message
from mixnet.link.server import LinkEvent, LinkLimits, serve_links
from mixnet.link.stream import Link, LinkLost
from mixnet.link.tls import TlsIdentity

__all__ = [
    "FRAME_HEADER_SIZE",
    "FRAME_SIZE",
    "MESSAGE_LIMIT",
    "Acquaintances",
    "Assembler",
    "Frame",
    "FrameKind",
    "FrameReader",
    "HandshakeRefused",
    "KnockLimits",
    "Link",
    "LinkEvent",
    "LinkLimits",
    "LinkLost",
    "Peer",
    "Role",
    "Standing",
    "TlsIdentity",
    "WeakEncryption",
    "WrongNetwork",
    "WrongPeer",
    "accept_untrusted",
    "answer_requests",
    "ask",
    "connect",
    "send_message",
    "serve_links",
    "split",
]
