"""What a peer that speaks perfect TLS can send beside frames: each is refused, after work that frames bound."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from mixnet.crypto import credentials
from mixnet.errors import RemoteError
from mixnet.link.frames import FRAME_SIZE, Frame, FrameKind
from mixnet.link.handshake import HandshakeSide
from mixnet.link.records import (
    MOST_HANDSHAKE_BYTES,
    MOST_HANDSHAKE_RECORDS,
    RECORD_OVERHEAD,
    RECORD_SIZE,
)
from mixnet.link.stream import READ_SIZE
from mixnet.link.tls import CIPHER
from tests.mixnet.link.ends import CLIENT_TLS, SERVER_TLS, STRANGER, given_to, raw_context, raw_session, step, taken
from tests.mixnet.link.forged import (
    ALERT,
    CCS,
    DATA,
    GOODBYE,
    HANDSHAKE,
    KEY_UPDATE,
    KEY_UPDATE_REQUESTED,
    TICKET,
    facing,
)

SIDES = ("initiator", "responder")  # which one the hostile peer is
PAD = Frame(FrameKind.PAD).encode()
MORE_THAN_IT_READS = 2 * READ_SIZE // (FRAME_SIZE + RECORD_OVERHEAD)


def certificate_request(context=b""):
    return b"\x0d\0\0" + bytes([len(context) + 3 + 8, len(context)]) + context + b"\0\x08\0\x0d\0\x04\0\x02\x08\x07"


OTHERS = {  # content and its type
    "new keys": (KEY_UPDATE, HANDSHAKE),
    "new keys on both sides": (KEY_UPDATE_REQUESTED, HANDSHAKE),
    "a hundred new keys": (KEY_UPDATE * 100, HANDSHAKE),
    "a ticket": (TICKET, HANDSHAKE),
    "a request for a certificate": (certificate_request(), HANDSHAKE),
    "the beginning of a message": (b"\x0b\x01\0\0", HANDSHAKE),
    "a greeting of TLS": (b"\x01\0\x01\0" + bytes(256), HANDSHAKE),
    "a warning": (b"\x01\x5a", ALERT),
    "a failure": (b"\x02\x28", ALERT),
    "a goodbye": (GOODBYE, ALERT),
    "another cipher": (b"\x01", CCS),
    "no data": (b"", DATA),
    "a byte": (b"x", DATA),
    "a frame without its last byte": (PAD[:-1], DATA),
    "another type": (b"x", 99),
}


def ours_of(side):
    """Our own session against a hostile peer that is the initiator, or the responder."""
    if side == "initiator":
        return SERVER_TLS.session(HandshakeSide.RESPONDER, lambda _identity: True)
    return CLIENT_TLS.session(HandshakeSide.INITIATOR, lambda _identity: True)


class Meter:
    """Counts what OpenSSL is asked for by a session, and what it is given."""

    def __init__(self, session):
        self._connection, self.calls, self.given = session._connection, 0, 0
        session._connection = self

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def recv(self, size):
        self.calls += 1
        return self._connection.recv(size)

    def bio_write(self, data):
        self.given += len(data)
        return self._connection.bio_write(data)

    def do_handshake(self):
        self.calls += 1
        return self._connection.do_handshake()


def refused(ours, data):
    """Whether `data` is refused once it is read as a link reads it."""
    try:
        for start in range(0, len(data), READ_SIZE):
            ours.put_untrusted(data[start : start + READ_SIZE])
            ours.open_untrusted()
    except RemoteError:
        return True
    return False


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("shape", ["as it is", "padded to a frame", "padded to five frames", "under its own type"])
@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_frames_is_refused_at_the_first_of_many(what, shape, side):
    content, kind = OTHERS[what]
    ours = ours_of(side)
    forger, _raw = facing(ours, side)
    opened = forger.record(PAD)
    ours.put_untrusted(opened)
    assert ours.open_untrusted() == PAD
    if shape == "under its own type":
        records = [bytes([kind]) + b"\x03\x03" + len(content).to_bytes(2) + content] * MORE_THAN_IT_READS
    elif shape == "as it is":
        records = [forger.record(content, kind) for _ in range(MORE_THAN_IT_READS)]
    else:
        size = FRAME_SIZE if shape == "padded to a frame" else RECORD_SIZE
        records = [forger.updated(forger.padded(content, kind, size)) for _ in range(MORE_THAN_IT_READS)]
    meter = Meter(ours)
    assert refused(ours, b"".join(records))
    assert meter.given <= READ_SIZE
    assert meter.calls <= 1
    if not shape.startswith("padded"):
        assert meter.given == 0  # refused by its header


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("kind", [KEY_UPDATE, KEY_UPDATE_REQUESTED, certificate_request(), b"", b"x"])
def test_in_the_place_of_a_ticket_there_is_no_other_message(kind, before):
    """Two records of an OpenSSL responder may be tickets: they may hold nothing else of their size."""
    ours = ours_of("responder")
    forger, _raw = facing(ours, "responder", tickets=False)
    sealed = b"".join(forger.record(TICKET, HANDSHAKE) for _ in range(before))
    sealed += forger.padded(kind, HANDSHAKE if len(kind) > 1 else DATA, len(TICKET))
    if kind in (KEY_UPDATE, KEY_UPDATE_REQUESTED):
        forger.updated(sealed)
    assert refused(ours, sealed + forger.record(PAD))


def test_tickets_may_come_with_the_frames_behind_them():
    ours = ours_of("responder")
    forger, _raw = facing(ours, "responder", tickets=False)
    sealed = b"".join([forger.record(TICKET, HANDSHAKE), forger.record(TICKET, HANDSHAKE), forger.record(PAD)])
    for cut in (1, 79, 81, 158, 160):
        ours.put_untrusted(sealed[:cut])
        assert ours.open_untrusted() == b""
        ours.put_untrusted(sealed[cut:])
        assert ours.open_untrusted() == PAD
        sealed = forger.record(PAD)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("padded", [False, True])
def test_what_follows_the_last_message_of_a_handshake_is_no_part_of_it(padded, side):
    def behind(forger):
        size = FRAME_SIZE if padded else len(KEY_UPDATE)
        return b"".join(forger.updated(forger.padded(KEY_UPDATE, HANDSHAKE, size)) for _ in range(2))

    ours = ours_of(side)
    with pytest.raises(RemoteError):
        facing(ours, side, behind=behind)
        ours.open_untrusted()


# --- before anybody has said who they are


def greeting():
    """The first flight of an ordinary initiator."""
    raw = raw_session(raw_context())
    step(raw)
    return raw, taken(raw)


def in_records(message, size):
    parts = (message[start : start + size] for start in range(0, len(message), size))
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in parts)


CHANGE = b"\x14\x03\x03\0\x01\x01"
EARLY = {
    "bytes of a greeting": lambda hello: in_records(hello[5:], 1),
    "pieces of a greeting": lambda hello: in_records(hello[5:], 80),
    "changes of the cipher": lambda hello: hello + CHANGE * 5000,
    "changes of the cipher first": lambda hello: CHANGE * 5000 + hello,
    "empty records": lambda hello: hello + b"\x16\x03\x03\0\0" * 5000,
    "empty sealed records": lambda hello: hello + b"\x17\x03\x03\0\0" * 5000,
    "sealed records": lambda hello: hello + (b"\x17\x03\x03\0\x20" + bytes(32)) * 2000,
    "warnings": lambda hello: hello + b"\x15\x03\x03\0\x02\x01\x5a" * 5000,
    "a long greeting": lambda _hello: in_records(b"\x01\0\xff\xfc" + bytes(65532), 16384),
    "greetings": lambda hello: hello * 40,
    "another protocol": lambda _hello: b"GET / HTTP/1.1\r\n" * 2000,
    "a record of frames": lambda hello: hello + b"\x17\x03\x03" + (FRAME_SIZE + 17).to_bytes(2) + bytes(60_000),
}


@pytest.mark.parametrize("cut", [READ_SIZE, 700])
@pytest.mark.parametrize("what", EARLY)
def test_a_handshake_gets_little_of_what_a_stranger_sends(what, cut):
    ours = ours_of("initiator")
    meter = Meter(ours)
    data = EARLY[what](greeting()[1])
    with pytest.raises(RemoteError):
        for start in range(0, len(data), cut):
            ours.put_untrusted(data[start : start + cut])
            assert not ours.handshake_untrusted()
            assert len(ours._handshake.rest) <= MOST_HANDSHAKE_BYTES
    assert meter.calls <= MOST_HANDSHAKE_RECORDS + 1
    assert meter.given <= MOST_HANDSHAKE_BYTES


def test_an_ordinary_greeting_in_a_few_pieces_is_taken():
    ours = ours_of("initiator")
    _raw, hello = greeting()
    ours.put_untrusted(in_records(hello[5:], 400))
    assert not ours.handshake_untrusted()
    assert ours.take()


def test_a_hostile_responder_s_flight_is_bounded_too():
    ours = ours_of("responder")
    assert not ours.handshake_untrusted()
    raw = raw_session(raw_context(), server=True)
    given_to(raw, ours.take())
    step(raw)
    flight = taken(raw)
    for hostile in (CHANGE * 5000 + flight, flight[:-1] + bytes([flight[-1] ^ 1]) + CHANGE * 5000):
        fresh = ours_of("responder")
        fresh.handshake_untrusted()
        meter = Meter(fresh)
        fresh.put_untrusted(hostile)
        with pytest.raises(RemoteError):
            fresh.handshake_untrusted()
        assert meter.calls <= MOST_HANDSHAKE_RECORDS + 1


@pytest.mark.parametrize("server", [False, True])
def test_a_long_certificate_is_refused_before_openssl_takes_its_keys_apart(server):
    """Ten keys of explicit curves took 25 ms, in one call."""
    context = raw_context()
    context.set_tls13_ciphersuites(CIPHER)
    for _ in range(9):
        context.add_extra_chain_cert(credentials(STRANGER)[1])
    raw = raw_session(context, server=server)
    ours = ours_of("responder" if server else "initiator")
    meter = Meter(ours)
    sent = b""
    with pytest.raises(RemoteError, match="longer than ours"):
        for _ in range(3):
            ours.handshake_untrusted()
            given_to(raw, ours.take())
            step(raw)
            flight = taken(raw)
            ours.put_untrusted(flight)
            sent += flight
    assert meter.given < sent.index(b"\x17\x03\x03") + 300  # nothing of the certificates


def test_no_initiator_offers_to_take_a_certificate_apart():
    """A compressed certificate (RFC 8879) could grow without a bound of ours."""
    ours = ours_of("responder")
    ours.handshake_untrusted()
    hello = ours.take()
    at = 5 + 4 + 2 + 32
    for size in (1, 2, 1):  # session identifier, cipher suites, compression methods
        at += size + int.from_bytes(hello[at : at + size])
    kinds, at = [], at + 2
    while at < len(hello):
        kinds.append(int.from_bytes(hello[at : at + 2]))
        at += 4 + int.from_bytes(hello[at + 2 : at + 4])
    assert at == len(hello)
    assert 51 in kinds  # key_share
    assert 27 not in kinds


# --- sequences

moves = st.sampled_from([*OTHERS, "frames"])


@given(st.lists(st.tuples(moves, st.sampled_from(["as it is", "padded"])), max_size=5), st.sampled_from(SIDES))
@settings(max_examples=60, deadline=None)
def test_any_sequence_gives_the_frames_before_the_first_offence_and_no_more(sequence, side):
    ours = ours_of(side)
    forger, _raw = facing(ours, side)
    got = b""
    clean = len(list(itertools.takewhile(lambda move: move[0] == "frames", sequence)))
    try:
        for what, shape in sequence:
            content, kind = (PAD * 2, DATA) if what == "frames" else OTHERS[what]
            if shape == "padded" and what != "frames":
                sealed = forger.padded(content, kind, FRAME_SIZE * 2)
            else:
                sealed = forger.record(content, kind)
            ours.put_untrusted(sealed)
            got += ours.open_untrusted()
    except RemoteError:
        assert clean < len(sequence)
    else:
        assert clean == len(sequence)
    assert got == PAD * 2 * clean


def test_a_forger_s_records_are_those_of_tls():
    """Else each test here would pass by a broken seal: OpenSSL itself takes them, new keys and all."""
    ours = ours_of("initiator")
    forger, _raw = facing(ours, "initiator")
    ours.put_untrusted(forger.record(PAD * 3))
    assert ours.open_untrusted() == PAD * 3
    connection = ours._connection
    connection.bio_write(forger.updated(forger.record(KEY_UPDATE, HANDSHAKE)) + forger.record(b"x", padding=70))
    assert connection.recv(100) == b"x"
    connection.bio_write(forger.record(GOODBYE, ALERT))
    with pytest.raises(SSL.ZeroReturnError):
        connection.recv(100)
