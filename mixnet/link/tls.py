"""TLS 1.3 without a socket: bytes in, bytes out (spec/03-links.md 3.2).

Promises: the key exchange is X25519MLKEM768 or the handshake fails, on both sides, before the initiator shows its own
certificate; each side shows a self-signed certificate of constant size, and the peer's key is pinned while the
handshake runs; nothing is ever resumed, and each message of the handshake has one size. Each record holds one to five
whole frames, and nothing else is accepted after the handshake: no new keys, no alert, no empty or padded record. So the
work is bounded by the number of frames, whatever a peer sends. Never: an alert to a peer that failed.

The one cipher is ChaCha20-Poly1305: it takes constant time on every machine, and a key of it may seal as many records
as a link sends in its life, where AES-GCM would have to change its key after 2^24 (OpenSSL never does so by itself).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from OpenSSL import SSL, crypto

from mixnet.crypto import SigningKey, certificate_identity_untrusted, credentials
from mixnet.errors import LocalError, RemoteError
from mixnet.link.handshake import GROUP, HandshakeRefused, HandshakeSide, WeakEncryption, WrongPeer
from mixnet.link.records import (
    MOST_TICKETS,
    RECORD_OVERHEAD,
    RECORD_SIZE,
    FrameRecords,
    HandshakeRecords,
)

Pin = Callable[[bytes], bool]  # whether a peer that shows this identity may go on

CIPHER = b"TLS_CHACHA20_POLY1305_SHA256"
_READ_SIZE = 16384  # the most plaintext that a record of TLS can have
_SMALL = 4096
_OPEN = b"SSL negotiation finished successfully"  # states of OpenSSL
_TICKET = b"SSLv3/TLS read server session ticket"


def _allow_one_group(context: SSL.Context) -> None:
    """Neither offer nor take another key exchange: with ffdhe3072 a greeting costs six times as much before we refuse.

    pyOpenSSL has a call for classical curves only, so this is OpenSSL's own.
    """
    library = SSL._lib  # type: ignore[attr-defined]  # it is not meant for others
    if library.SSL_CTX_set1_curves_list(context._context, GROUP.encode()) != 1:
        raise LocalError(f"this OpenSSL has no {GROUP}: install a newer `cryptography`")


class TlsIdentity:
    """An identity's certificate and all settings; makes any number of sessions, on either side."""

    def __init__(self, identity: SigningKey) -> None:
        key, shown = credentials(identity)
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_max_proto_version(SSL.TLS1_3_VERSION)
        context.set_tls13_ciphersuites(CIPHER)
        _allow_one_group(context)
        context.use_privatekey(key)
        context.use_certificate(shown)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
        # Without a cache and with stateful tickets, a ticket is a short number of constant size that opens nothing.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_info_callback(_watch)
        self._context = context

    def session(self, side: HandshakeSide, pin: Pin) -> TlsSession:
        """A new session, in which `pin` judges the identity that the peer shows."""
        return TlsSession(self._context, side, pin)


@dataclass(slots=True)
class _Check:
    """What the verify callback needs of a session, and what it found."""

    pin: Pin
    identity: bytes = b""
    refusal: type[HandshakeRefused] | None = None
    secured: bool = False  # the handshake is done
    tickets: int = 0  # that came after it
    disturbed: bool = False  # by another message to OpenSSL itself


def _watch(connection: SSL.Connection, _where: int, _value: int) -> None:
    """Notice tickets, new keys and all other messages after the handshake, which OpenSSL hides from who reads."""
    check = connection.get_app_data()
    if check.secured and (state := connection.get_state_string()) != _OPEN:
        check.tickets += state == _TICKET
        check.disturbed |= state != _TICKET


def _verify(connection: SSL.Connection, shown: crypto.X509, _error: int, depth: int, _ok: int) -> bool:
    """Accept a certificate for its key alone: no authority signs it, and possession is what TLS proves.

    On the initiator's side this runs before its own certificate leaves, so the group is checked here already.
    """
    check = connection.get_app_data()
    if connection.get_group_name() != GROUP:
        check.refusal = WeakEncryption
        return False
    if depth != 0:
        return False  # a chain: our certificates have none
    try:
        identity = certificate_identity_untrusted(crypto.dump_certificate(crypto.FILETYPE_ASN1, shown))
    except RemoteError:
        return False
    if not check.pin(identity):
        check.refusal = WrongPeer
        return False
    check.identity = identity
    return True


class TlsSession:
    """One end of one TLS connection, on memory buffers. After a RemoteError it must be thrown away, buffers and all."""

    def __init__(self, context: SSL.Context, side: HandshakeSide, pin: Pin) -> None:
        self._check = _Check(pin)
        self._connection = SSL.Connection(context, None)
        self._connection.set_app_data(self._check)
        self._handshake = HandshakeRecords()
        self._started = False
        # Without a setting to send none, OpenSSL's server sends two tickets, which nobody uses.
        self._records = FrameRecords(tickets=MOST_TICKETS if side is HandshakeSide.INITIATOR else 0)
        self._whole: list[int] = []  # the plaintexts' sizes of the records that have come and weren't opened
        if side is HandshakeSide.INITIATOR:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()

    @property
    def identity(self) -> bytes:
        """The 32-byte key that the peer showed; empty before."""
        return self._check.identity

    @property
    def version(self) -> str:
        """The protocol's name, such as TLSv1.3."""
        return self._connection.get_protocol_version_name()

    @property
    def group(self) -> str | None:
        """The name of the group of the key exchange."""
        return self._connection.get_group_name()

    @property
    def missing(self) -> int:
        """How many bytes must come before there can be anything to do."""
        return (self._records if self._check.secured else self._handshake).missing

    def handshake_untrusted(self) -> bool:
        """Go on as far as the bytes allow; True once the handshake is done; RemoteError if it can't be."""
        while not self._check.secured:
            if self._started:
                record = self._handshake.take_untrusted()
                if record is None:
                    return False
                self._connection.bio_write(record)  # one by one: what follows the handshake's last is no part of it
            self._started = True
            try:
                self._connection.do_handshake()
            except SSL.WantReadError:
                continue
            except SSL.Error:
                raise (self._check.refusal or HandshakeRefused) from None
            self._check.secured = True
            self.put_untrusted(self._handshake.rest)
        return True

    def put_untrusted(self, data: bytes) -> None:
        """Take bytes that came from the peer; RemoteError if, after the handshake, a record holds no whole frames."""
        if not self._check.secured:
            self._handshake.put(data)
        elif data:  # OpenSSL takes nothing for an error
            self._whole += self._records.completed_untrusted(data)
            self._connection.bio_write(data)

    def take(self, expected: int = _SMALL) -> bytes:
        """All bytes that must go to the peer now; `expected` is about how many, to get them in one piece."""
        try:
            taken = self._connection.bio_read(expected)
        except SSL.WantReadError:
            return b""
        return taken if len(taken) < expected else taken + self.take(expected)

    def seal_untrusted(self, frames: bytes) -> bytes:
        """The bytes that carry whole frames, at most five in a record; RemoteError if the peer broke TLS.

        The buffer between OpenSSL and us grows as needed, so nothing can block in here.
        """
        try:
            for start in range(0, len(frames), RECORD_SIZE):
                self._connection.sendall(frames[start : start + RECORD_SIZE])
        except SSL.Error:
            raise RemoteError("a TLS connection that its peer broke") from None
        return self.take(len(frames) + RECORD_OVERHEAD * (len(frames) // RECORD_SIZE + 1) + 1024)

    def open_untrusted(self) -> bytes:
        """The frames of all complete records; RemoteError for all but records that the peer sealed, full of data."""
        frames: list[bytes] = []
        try:
            for size in self._whole:
                opened = self._connection.recv(_READ_SIZE)
                if len(opened) != size or self._check.disturbed or self._check.tickets != self._records.tickets:
                    raise RemoteError("a record of which a part is no data")
                frames.append(opened)
        except SSL.Error:
            raise RemoteError("bytes that are no TLS records of this link") from None
        self._whole = []
        return frames[0] if len(frames) == 1 else b"".join(frames)
