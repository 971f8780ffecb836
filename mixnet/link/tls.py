"""TLS 1.3 without a socket: bytes in, bytes out (spec/03-links.md 3.2).

Promises: the key exchange is X25519MLKEM768 or the handshake fails, on both sides, before the initiator shows its own
certificate; each side shows a self-signed certificate of constant size, and the peer's key is pinned while the
handshake runs; nothing is ever resumed, and each message of the handshake has one size. Never: an alert to a peer that
failed.

The one cipher is ChaCha20-Poly1305: it takes constant time on every machine, and a key of it may seal as many records
as a link sends in its life, where AES-GCM would have to change its key after 2^24 (OpenSSL never does so by itself).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from OpenSSL import SSL, crypto

from mixnet.crypto import SigningKey, certificate_identity_untrusted, credentials
from mixnet.errors import RemoteError
from mixnet.link.handshake import GROUP, HandshakeRefused, HandshakeSide, WeakEncryption, WrongPeer
from mixnet.link.records import RecordCounter

Pin = Callable[[bytes], bool]  # whether a peer that shows this identity may go on

CIPHER = b"TLS_CHACHA20_POLY1305_SHA256"
RECORD_SIZE = 16384  # the most plaintext that a record has
RECORD_OVERHEAD = 22  # header 5, content type 1, tag 16
_READ_SIZE = 65536
_SMALL = 4096


class TlsIdentity:
    """An identity's certificate and all settings; makes any number of sessions, on either side."""

    def __init__(self, identity: SigningKey) -> None:
        key, shown = credentials(identity)
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_max_proto_version(SSL.TLS1_3_VERSION)
        context.set_tls13_ciphersuites(CIPHER)
        context.use_privatekey(key)
        context.use_certificate(shown)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
        # Without a cache and with stateful tickets, a ticket is a short number of constant size that opens nothing.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
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
        self._records = RecordCounter()
        self._whole: int | None = None  # records that have come and weren't opened; None: some of the handshake, too
        self._over = False  # the peer said goodbye: OpenSSL would keep what follows and never look at it
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

    def handshake_untrusted(self) -> bool:
        """Go on as far as the bytes allow; True once the handshake is done; RemoteError if it can't be."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error:
            raise (self._check.refusal or HandshakeRefused) from None
        return True

    def put(self, data: bytes) -> None:
        """Take bytes that came from the peer."""
        if data and not self._over:  # OpenSSL takes nothing for an error
            self._connection.bio_write(data)
            whole = self._records.completed_untrusted(data)
            if self._whole is not None:
                self._whole += whole

    def take(self, expected: int = _SMALL) -> bytes:
        """All bytes that must go to the peer now; `expected` is about how many, to get them in one piece."""
        try:
            taken = self._connection.bio_read(expected)
        except SSL.WantReadError:
            return b""
        return taken if len(taken) < expected else taken + self.take(expected)

    def seal_untrusted(self, plaintext: bytes) -> bytes:
        """The bytes that carry `plaintext`, with whatever else must go to the peer; RemoteError if the peer broke TLS.

        The buffer between OpenSSL and us grows as needed, so nothing can block in here.
        """
        try:
            self._connection.sendall(plaintext)
        except SSL.Error:
            raise RemoteError("a TLS connection that its peer broke") from None
        return self.take(len(plaintext) + RECORD_OVERHEAD * (len(plaintext) // RECORD_SIZE + 1) + 1024)

    def open_untrusted(self) -> bytes:
        """The plaintext of all complete records; RemoteError for anything but records that the peer sealed.

        Call `take` before: OpenSSL answers each of several requests for new keys at once, and where nobody sends, these
        answers would pile up. No peer of ours asks, so such a one is refused.
        """
        plaintext: list[bytes] = []
        try:
            while self._whole is None or len(plaintext) < self._whole:  # to try for more would cost a fifth of it all
                plaintext.append(self._connection.recv(_READ_SIZE))
        except (SSL.WantReadError, SSL.ZeroReturnError) as end:
            # Fewer than came: those of the handshake, or what is none of ours. After a goodbye the stream ends too.
            self._over = isinstance(end, SSL.ZeroReturnError)
            if self.take():
                raise RemoteError("requests for new keys") from None
        except SSL.Error:
            raise RemoteError("bytes that are no TLS records of this link") from None
        self._whole = 0
        return plaintext[0] if len(plaintext) == 1 else b"".join(plaintext)
