"""TLS records made by hand (RFC 8446 section 5.2), as a hostile peer makes them whose OpenSSL would not."""

import hashlib
import hmac
import struct

from OpenSSL import SSL

from mixnet.crypto import seal
from mixnet.link.tls import CIPHER
from tests.mixnet.link.ends import given_to, raw_context, raw_session, step, taken

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
KEY_UPDATE = b"\x18\0\0\x01\0"  # RFC 8446 section 4.6.3: update_not_requested
KEY_UPDATE_REQUESTED = b"\x18\0\0\x01\x01"
TICKET = b"\x04\0\0\x35" + bytes(8) + b"\x08" + bytes(8) + b"\0\x20" + bytes(32) + b"\0\0"  # 57 bytes, as OpenSSL's
GOODBYE = b"\x01\0"
KEY_LOG = {"responder": b"SERVER_TRAFFIC_SECRET_0", "initiator": b"CLIENT_TRAFFIC_SECRET_0"}


def expand(secret, label, size):
    """HKDF-Expand-Label of RFC 8446 section 7.1, for SHA-256 and one block."""
    named = b"tls13 " + label
    info = struct.pack(">HB", size, len(named)) + named + b"\0"
    return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()[:size]


class Forger:
    """Seals records under a traffic secret."""

    def __init__(self, secret, number=0):
        self._secret, self._number = secret, number

    def record(self, content, content_type=DATA, *, padding=0, header_type=23):
        """One record, with `padding` zeros behind its content."""
        nonce = (int.from_bytes(expand(self._secret, b"iv", 12), "big") ^ self._number).to_bytes(12, "big")
        self._number += 1
        inner = content + bytes([content_type]) + bytes(padding)
        header = bytes([header_type]) + b"\x03\x03" + struct.pack(">H", len(inner) + 16)
        return header + seal(expand(self._secret, b"key", 32), nonce, inner, header)

    def padded(self, content, content_type, size):
        """One record whose plaintext and padding have `size` bytes together, as a record of frames has."""
        return self.record(content, content_type, padding=size - len(content))

    def updated(self, sealed):
        """What was sealed with a message that changes the keys; later records are under the new ones."""
        self._secret, self._number = expand(self._secret, b"traffic upd", 32), 0
        return sealed


def facing(ours, side, *, tickets=True, behind=None):
    """(a forger, its OpenSSL) after a handshake with `ours`, which the forger's side, such as "initiator", plays.

    What `behind(forger)` gives goes out in one piece with the side's last message of the handshake.
    """
    keys = {}
    context = raw_context()
    context.set_tls13_ciphersuites(CIPHER)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET)  # its tickets have the size of ours
    context.set_keylog_callback(lambda _connection, line: keys.update([line.split()[::2]]))
    raw = raw_session(context, server=side == "responder")
    done = [False, False]
    while not all(done):
        done[0] = ours.handshake_untrusted()
        given_to(raw, ours.take())
        done[1] = step(raw)
        flight = taken(raw)
        if behind and KEY_LOG[side] in keys:
            flight, behind = flight + behind(Forger(bytes.fromhex(keys[KEY_LOG[side]].decode()))), None
        if tickets or not (side == "responder" and done[1]):  # the last flight of a responder is its tickets
            ours.put_untrusted(flight)
    sent = 2 if tickets and side == "responder" else 0
    return Forger(bytes.fromhex(keys[KEY_LOG[side]].decode()), sent), raw
