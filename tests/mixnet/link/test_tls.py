"""TLS without a socket: what is required of a peer, and what an observer sees of a handshake."""

import base64
import datetime
import ssl
from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL, crypto

from mixnet.crypto import SigningKey, certificate, credentials
from mixnet.errors import RemoteError
from mixnet.link import tls
from mixnet.link.frames import FRAME_SIZE
from mixnet.link.handshake import GROUP, TLS_VERSION, HandshakeRefused, HandshakeSide, WeakEncryption, WrongPeer
from mixnet.link.tls import TlsIdentity, _verify
from tests.mixnet.link.ends import (
    CLIENT,
    CLIENT_TLS,
    SERVER,
    SERVER_TLS,
    STRANGER,
    given_to,
    raw_context,
    raw_session,
    step,
    taken,
)

RECORD_HEADER = 5
ONCE = b"once" * (FRAME_SIZE // 4)
VERSION_OF_THE_FIRST_RECORD = (1, 2)  # TLS 1.3 ignores it


def accept_any(_identity):
    return True


def initiator(pin=accept_any):
    return CLIENT_TLS.session(HandshakeSide.INITIATOR, pin)


def responder(pin=accept_any):
    return SERVER_TLS.session(HandshakeSide.RESPONDER, pin)


def shake_hands(left, right):
    """Drive two of our sessions to the end; the bytes of each flight."""
    flights = []
    done = [False, False]
    while not all(done):
        for number, (one, other) in enumerate([(left, right), (right, left)]):
            done[number] = one.handshake_untrusted()
            flights.append(one.take())
            other.put_untrusted(flights[-1])
    return flights


def against_raw(ours, raw):
    """Drive one of our sessions against OpenSSL as it comes; RemoteError if ours refuses, SSL.Error if the other."""
    done = [False, False]
    for _ in range(4):
        done[0] = ours.handshake_untrusted()
        given_to(raw, ours.take())
        done[1] = step(raw)
        ours.put_untrusted(taken(raw))
    assert all(done)


# --- between peers of ours


def test_both_ends_learn_the_identity_of_the_other():
    left, right = initiator(), responder()
    shake_hands(left, right)
    assert (left.identity, right.identity) == (SERVER.public, CLIENT.public)
    assert (left.version, right.version) == (TLS_VERSION, TLS_VERSION)
    assert (left.group, right.group) == (GROUP, GROUP)


@given(st.lists(st.integers(0, 13), min_size=1, max_size=4), st.binary(min_size=1), st.integers(1, 50_000))
@settings(max_examples=25)
def test_what_is_sealed_is_opened_in_any_pieces(numbers, text, piece):
    messages = [(text * FRAME_SIZE)[: number * FRAME_SIZE] for number in numbers]
    left, right = initiator(), responder()
    shake_hands(left, right)
    for one, other in ((left, right), (right, left)):
        sealed = b"".join(one.seal_untrusted(message) for message in messages)
        opened = b""
        for start in range(0, len(sealed), piece):
            other.put_untrusted(sealed[start : start + piece])
            opened += other.open_untrusted()
        assert opened == b"".join(messages)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
@settings(max_examples=10)
def test_every_handshake_has_the_same_sizes(one, other):
    left = TlsIdentity(SigningKey(one)).session(HandshakeSide.INITIATOR, accept_any)
    right = TlsIdentity(SigningKey(other)).session(HandshakeSide.RESPONDER, accept_any)
    assert [len(flight) for flight in shake_hands(left, right)] == [1387, 1724, 404, 158]


def test_a_pin_that_refuses_ends_the_handshake_on_either_side():
    left, right = initiator(lambda identity: identity != SERVER.public), responder()
    with pytest.raises(WrongPeer):
        shake_hands(left, right)
    left, right = initiator(), responder(lambda identity: identity != CLIENT.public)
    with pytest.raises(WrongPeer):
        shake_hands(left, right)


def test_a_pin_is_asked_before_the_initiator_shows_itself():
    left, right = initiator(lambda _identity: False), responder()
    left.handshake_untrusted()
    right.put_untrusted(left.take())
    right.handshake_untrusted()
    left.put_untrusted(right.take())
    with pytest.raises(WrongPeer):
        left.handshake_untrusted()
    right.put_untrusted(left.take())  # an alert, which the link would not even send
    with pytest.raises(RemoteError):
        right.handshake_untrusted()
    assert right.identity == b""


# --- against others


def test_an_ordinary_peer_that_meets_all_requirements_is_accepted():
    server = raw_context()
    server.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    server.set_options(SSL.OP_NO_TICKET)
    for ours, raw in (
        (initiator(), raw_session(server, server=True)),
        (responder(), raw_session(raw_context())),
    ):
        against_raw(ours, raw)
        assert ours.identity == STRANGER.public


def only_p256():
    context = raw_context()
    context.set_tmp_ecdh(ec.SECP256R1())
    return context


def only_tls12():
    context = raw_context()
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    return context


def only_aes():
    context = raw_context()
    context.set_tls13_ciphersuites(b"TLS_AES_256_GCM_SHA384")
    return context


@pytest.mark.parametrize("server", [False, True])
@pytest.mark.parametrize("weak", [only_p256, only_tls12, only_aes])
def test_weaker_settings_are_refused(weak, server):
    ours = initiator() if server else responder()
    raw = raw_session(weak(), server=server)
    with pytest.raises(HandshakeRefused):
        try:
            against_raw(ours, raw)
        except SSL.Error:  # the other side gives up first, and says so
            ours.put_untrusted(taken(raw))
            ours.handshake_untrusted()


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO >= (3, 5), reason="this Python's own ssl module has the hybrid group")
def test_a_classical_key_exchange_is_refused(tmp_path):
    private, shown = certificate(STRANGER)
    key = base64.encodebytes(private).decode()
    chain = tmp_path / "chain.pem"
    chain.write_text(f"-----BEGIN PRIVATE KEY-----\n{key}-----END PRIVATE KEY-----\n" + ssl.DER_cert_to_PEM_cert(shown))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(chain)
    ours, incoming, outgoing = responder(), ssl.MemoryBIO(), ssl.MemoryBIO()
    classical = context.wrap_bio(incoming, outgoing)
    with pytest.raises(HandshakeRefused):
        for _ in range(3):
            with suppress(ssl.SSLWantReadError):
                classical.do_handshake()
            ours.put_untrusted(outgoing.read())
            ours.handshake_untrusted()
            incoming.write(ours.take())


@pytest.mark.parametrize("group", ["X25519", "P-256", "P-521", "X448", "ffdhe2048", "ffdhe3072", "SecP256r1MLKEM768"])
def test_no_other_key_exchange_is_begun(group):
    """Some cost six times as much as ours, and a stranger could choose."""
    context = raw_context()
    assert SSL._lib.SSL_CTX_set1_curves_list(context._context, group.encode()) == 1
    raw, ours = raw_session(context), responder()
    step(raw)
    ours.put_untrusted(taken(raw))
    with pytest.raises(HandshakeRefused):
        ours.handshake_untrusted()
    assert len(ours.take()) < RECORD_HEADER + 32  # an alert, which nobody is sent, and no key
    left = initiator()
    left.handshake_untrusted()
    server = raw_session(context, server=True)
    server.bio_write(left.take())
    with pytest.raises(SSL.Error):  # it isn't offered
        server.do_handshake()


def test_a_key_exchange_that_lost_its_setting_is_refused_all_the_same(monkeypatch):
    """The group is looked at again when the peer shows its certificate."""
    monkeypatch.setattr(tls, "_allow_one_group", lambda _context: None)
    loose = TlsIdentity(SERVER)
    for ours, server in (
        (loose.session(HandshakeSide.INITIATOR, accept_any), True),
        (loose.session(HandshakeSide.RESPONDER, accept_any), False),
    ):
        with pytest.raises(WeakEncryption):
            against_raw(ours, raw_session(only_p256(), server=server))


def test_the_initiator_shows_nothing_over_a_weak_key_exchange(monkeypatch):
    seen = []
    context = only_p256()
    context.set_verify(SSL.VERIFY_PEER, lambda *what: bool(seen.append(what)) or True)
    monkeypatch.setattr(tls, "_allow_one_group", lambda _context: None)
    ours = TlsIdentity(CLIENT).session(HandshakeSide.INITIATOR, accept_any)
    with pytest.raises(WeakEncryption):
        against_raw(ours, raw_session(context, server=True))
    assert not seen


def stranger_s_certificate(key, **changes):
    """A certificate as anybody might make one."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, changes.get("name", "mixnet"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(changes.get("serial", 1))
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC))
    )
    return key, builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256())


@pytest.mark.parametrize("server", [False, True])
@pytest.mark.parametrize(
    "shows",
    [
        lambda: stranger_s_certificate(ec.generate_private_key(ec.SECP256R1())),
        lambda: stranger_s_certificate(ed25519.Ed25519PrivateKey.generate(), name="another"),
        lambda: stranger_s_certificate(ed25519.Ed25519PrivateKey.generate(), serial=2**64),
    ],
    ids=["another kind of key", "another name", "another number"],
)
def test_other_certificates_are_refused(shows, server):
    ours = initiator() if server else responder()
    with pytest.raises(HandshakeRefused):
        against_raw(ours, raw_session(raw_context(shows=shows()), server=server))


def test_certificates_beside_the_peer_s_own_are_never_looked_at():
    """Otherwise one could add somebody else's certificate to one's own and pass for them."""
    context = raw_context()
    context.add_extra_chain_cert(credentials(SERVER)[1])
    asked = []
    with pytest.raises(WrongPeer):
        against_raw(
            initiator(lambda identity: asked.append(identity) or identity == SERVER.public),
            raw_session(context, server=True),
        )
    assert asked == [STRANGER.public]


def test_a_certificate_above_the_peer_s_own_is_refused():
    ours = responder()
    raw = raw_session(raw_context())
    connection = ours._connection
    step(raw)
    ours.put_untrusted(taken(raw))
    ours.handshake_untrusted()
    above = crypto.X509.from_cryptography(credentials(SERVER)[1])
    assert _verify(connection, above, 0, 0, 0)
    assert not _verify(connection, above, 0, 1, 0)


def test_a_client_without_a_certificate_is_refused():
    context = SSL.Context(SSL.TLS_METHOD)
    with pytest.raises(HandshakeRefused):
        against_raw(responder(), raw_session(context))


class ResumingServer:
    """A server such as OpenSSL makes by itself, with the calls of one of our sessions."""

    def __init__(self, context):
        self._raw = raw_session(context, server=True)

    def handshake_untrusted(self):
        return step(self._raw)

    def take(self):
        return taken(self._raw)

    def put_untrusted(self, data):
        given_to(self._raw, data)


def certificates_shown_when_resuming(make_server):
    """How many a client sees that comes a second time, with the ticket of the first."""
    shown, kept = [], []
    context = raw_context(verify=lambda _c, certificate, *_: bool(shown.append(certificate)) or True)
    for _ in range(2):
        raw, server = raw_session(context), make_server()
        if kept:
            raw.set_session(kept[0][0].get_session())
            shown.clear()
        against_raw(server, raw)
        with pytest.raises(SSL.WantReadError):
            raw.recv(1)  # takes the tickets
        kept.append((raw, server))  # OpenSSL forgets the session of a connection that is dropped
    return len(shown)


def test_nothing_is_resumed():
    assert certificates_shown_when_resuming(responder) > 0


def test_resuming_would_be_noticed():
    context = raw_context(SERVER)
    context.set_session_id(b"any")
    assert certificates_shown_when_resuming(lambda: ResumingServer(context)) == 0


def test_all_that_waits_is_taken():
    left, right = initiator(), responder()
    shake_hands(left, right)
    left._connection.sendall(bytes(20_000))
    assert len(left.take()) > 20_000
    assert left.take() == b""


# --- hostile bytes


@given(st.binary(min_size=1, max_size=3000), st.integers(0, 2))
@settings(max_examples=60)
def test_garbage_in_a_handshake_raises_nothing_but_remote_errors(garbage, flights):
    left, right = initiator(), responder()
    sides = [(left, right), (right, left)]
    for flight in range(flights):
        one, other = sides[flight % 2]
        one.handshake_untrusted()
        other.put_untrusted(one.take())
    receiver = sides[flights % 2][0]
    receiver.put_untrusted(garbage)
    for _ in range(2):
        try:
            receiver.handshake_untrusted()
        except RemoteError:
            return


@given(st.data())
@settings(max_examples=60)
def test_an_altered_handshake_is_refused_or_waits(data):
    left, right = initiator(), responder()
    sides = [(left, right), (right, left), (left, right)]
    where = data.draw(st.integers(0, 2))
    try:
        for number, (one, other) in enumerate(sides):
            one.handshake_untrusted()
            flight = bytearray(one.take())
            if number == where:
                position = data.draw(st.integers(0, len(flight) - 1))
                flight[position] ^= data.draw(st.integers(1, 255))
            other.put_untrusted(bytes(flight))
        done = left.handshake_untrusted() and right.handshake_untrusted()
    except RemoteError:
        return
    assert not done or position in VERSION_OF_THE_FIRST_RECORD


@given(st.data())
@settings(max_examples=40)
def test_altered_records_are_refused(data):
    left, right = initiator(), responder()
    shake_hands(left, right)
    sealed = bytearray(left.seal_untrusted(bytes(FRAME_SIZE)))
    sealed[data.draw(st.integers(RECORD_HEADER, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    right.put_untrusted(bytes(sealed))
    with pytest.raises(RemoteError):
        right.open_untrusted()


def test_a_repeated_record_is_refused():
    left, right = initiator(), responder()
    shake_hands(left, right)
    sealed = left.seal_untrusted(ONCE)
    right.put_untrusted(sealed)
    assert right.open_untrusted() == ONCE
    right.put_untrusted(sealed)
    with pytest.raises(RemoteError):
        right.open_untrusted()
