"""TLS records made by hand (RFC 8446 section 5.2), as a hostile peer makes them whose OpenSSL would not. Pure."""

from __future__ import annotations

import hashlib
import hmac
import struct

from mixnet.crypto import seal

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
KEY_UPDATE = b"\x18\0\0\x01\0"  # RFC 8446 section 4.6.3: update_not_requested


def expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label of RFC 8446 section 7.1, for SHA-256 and one block."""
    named = b"tls13 " + label
    info = struct.pack(">HB", size, len(named)) + named + b"\0"
    return hmac.digest(secret, info + b"\x01", hashlib.sha256)[:size]


class Forger:
    """Seals records under a traffic secret (32 bytes), of which `number` records were sealed before."""

    def __init__(self, secret: bytes, number: int = 0) -> None:
        """Go on where that secret's owner is."""
        self._secret, self._number = secret, number

    def record(self, content: bytes, content_type: int = DATA, *, padding: int = 0, header_type: int = DATA) -> bytes:
        """One record, with `padding` zeros behind its content."""
        nonce = (int.from_bytes(expand(self._secret, b"iv", 12)) ^ self._number).to_bytes(12)
        self._number += 1
        inner = content + bytes([content_type]) + bytes(padding)
        header = bytes([header_type]) + b"\x03\x03" + struct.pack(">H", len(inner) + 16)
        return header + seal(expand(self._secret, b"key", 32), nonce, inner, header)

    def padded(self, content: bytes, content_type: int, size: int) -> bytes:
        """One record whose plaintext and padding have `size` bytes together, as a record of frames has."""
        return self.record(content, content_type, padding=size - len(content))

    def updated(self, sealed: bytes) -> bytes:
        """What was sealed with a message that changes the keys; later records are under the new ones."""
        self._secret, self._number = expand(self._secret, b"traffic upd", 32), 0
        return sealed
