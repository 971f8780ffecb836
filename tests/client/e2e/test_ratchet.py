import random

import doubleratchet
import pytest
import x3dh as x3dh_package
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.e2e import ratchet, x3dh
from mixnet.client.e2e.ratchet import MAX_SKIPPED, OVERHEAD, Session, result_of
from mixnet.client.e2e.x3dh import Prekeys, PublicKeys, identity_public, invitation_channel, start_untrusted
from mixnet.crypto import KEM_PUBLIC_SIZE, TAG_SIZE, SymmetricKey
from mixnet.errors import LocalError, RemoteError

INVITER, ACCEPTOR = SymmetricKey(b"i" * 32), SymmetricKey(b"a" * 32)


def pair() -> tuple[Session, Session]:
    prekeys = Prekeys.generate(INVITER)
    started = start_untrusted(ACCEPTOR, prekeys.public, b"invitation", b"hello")
    return started.session, prekeys.answer_untrusted(started.hello, b"invitation").session


def test_both_sides_agree():
    prekeys = Prekeys.restore(Prekeys.generate(INVITER).serialize())
    started = start_untrusted(ACCEPTOR, prekeys.public, b"invitation", b"hello")
    answered = prekeys.answer_untrusted(started.hello, b"invitation")
    assert answered.plaintext == b"hello"
    assert answered.identity == identity_public(ACCEPTOR)
    assert prekeys.public.identity == identity_public(INVITER)
    assert answered.channels.incoming == started.channels.outgoing
    assert answered.channels.outgoing == started.channels.incoming
    assert answered.channels.outgoing != answered.channels.incoming


@given(st.data())
@settings(max_examples=60)
def test_a_changed_first_message_does_not_open(data):
    prekeys = Prekeys.generate(INVITER)
    hello = bytearray(start_untrusted(ACCEPTOR, prekeys.public, b"invitation", b"hello").hello)
    hello[data.draw(st.integers(0, len(hello) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RemoteError):
        prekeys.answer_untrusted(bytes(hello), b"invitation")


@given(st.binary(max_size=1300))
@settings(max_examples=40)
def test_garbage_is_no_first_message(raw):
    with pytest.raises(RemoteError):
        Prekeys.generate(INVITER).answer_untrusted(raw, b"invitation")
    with pytest.raises(RemoteError):
        pair()[1].decrypt_untrusted(raw)


def test_another_invitation_or_another_kem_key_gives_another_secret():
    prekeys = Prekeys.generate(INVITER)
    hello = start_untrusted(ACCEPTOR, prekeys.public, b"invitation", b"hello").hello
    with pytest.raises(RemoteError):
        prekeys.answer_untrusted(hello, b"another")
    p = prekeys.public
    swapped = PublicKeys(p.identity, p.prekey, p.signature, p.one_time, Prekeys.generate(INVITER).public.kem)
    with pytest.raises(RemoteError):
        prekeys.answer_untrusted(start_untrusted(ACCEPTOR, swapped, b"invitation", b"hello").hello, b"invitation")


def test_a_key_is_hashed_with_its_format_before_it():
    """What both ends would change alike, and what other versions would not understand."""
    agreed = x3dh_package.IdentityKeyFormat.CURVE_25519
    assert x3dh._State._encode_public_key(x3dh_package.IdentityKeyFormat.ED_25519, b"k" * 32) == b"\x01" + b"k" * 32
    assert x3dh._State._encode_public_key(agreed, b"k" * 32) == b"\x00" + b"k" * 32


@pytest.mark.parametrize("spoilt", range(5))
def test_unusable_keys_of_an_invitation_are_refused(spoilt):
    fields = list(Prekeys.generate(INVITER).public.fields())
    fields[spoilt] = b"\xff" * len(fields[spoilt]) if spoilt == 4 else bytes(len(fields[spoilt]))
    keys = PublicKeys(*fields)
    assert len(keys.kem) == KEM_PUBLIC_SIZE
    with pytest.raises(RemoteError):
        start_untrusted(ACCEPTOR, keys, b"invitation", b"hello")


@given(st.integers(0, 1 << 32))
@settings(max_examples=25)
def test_messages_open_once_in_any_order_and_after_any_restart(seed):
    rng = random.Random(seed)
    sides = list(pair())
    flying: list[tuple[int, bytes, bytes]] = []
    for step in range(40):
        to = rng.randrange(2)
        if rng.random() < 0.5:
            sealed = sides[1 - to].encrypt(plaintext := f"{step}".encode())
            sides[1 - to] = sealed.session
            flying.append((to, plaintext, sealed.message))
        elif flying:
            to, plaintext, message = flying.pop(rng.randrange(len(flying)))
            opened = sides[to].decrypt_untrusted(message)
            assert opened.plaintext == plaintext
            assert sides[to].decrypt_untrusted(message).plaintext == plaintext, "the old session has not changed"
            sides[to] = opened.session
            with pytest.raises(RemoteError):
                sides[to].decrypt_untrusted(message)
        if rng.random() < 0.3:
            sides[to] = Session.restore(sides[to].serialize())


@given(st.data())
@settings(max_examples=60)
def test_a_changed_message_costs_nothing(data):
    alice, bob = pair()
    message = alice.encrypt(b"text").message
    changed = bytearray(message)
    changed[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    before = bob.serialize()
    with pytest.raises(RemoteError):
        bob.decrypt_untrusted(bytes(changed))
    assert bob.serialize() == before
    assert bob.decrypt_untrusted(message).plaintext == b"text"


HEADER_BITS = 8 * (OVERHEAD - TAG_SIZE)


def with_bit(message: bytes, bit: int) -> bytes:
    changed = bytearray(message)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("begins", [False, True], ids=["in a chain", "first of a chain"])
def test_a_message_with_any_bit_of_its_header_changed_does_not_open(begins: bool):
    """Some bits change no key: in a chain the length of the chain before it, else also the top bit of the point."""
    alice, bob = pair()
    if begins:
        answer = bob.encrypt(b"answer")
        alice, bob = alice.decrypt_untrusted(answer.message).session, answer.session
    message = alice.encrypt(b"text").message
    for bit in range(HEADER_BITS):
        with pytest.raises(RemoteError):
            bob.decrypt_untrusted(with_bit(message, bit))
    assert bob.decrypt_untrusted(message).plaintext == b"text"


def test_the_whole_header_is_in_what_the_cipher_authenticates():
    header = doubleratchet.Header(b"k" * 32, 1, 2)
    others = [doubleratchet.Header(*fields) for fields in ((b"K" * 32, 1, 2), (b"k" * 32, 3, 2), (b"k" * 32, 1, 3))]
    bound = ratchet._Ratchet._build_associated_data(b"session", header)
    assert bound.endswith(b"session") and len(bound) == HEADER_BITS // 8 + len(b"session")
    assert len({bound, *(ratchet._Ratchet._build_associated_data(b"session", other) for other in others)}) == 4


def test_a_session_opens_nothing_that_was_made_for_another_pair():
    alice, bob = pair()
    message = alice.encrypt(b"text").message
    with pytest.raises(RemoteError):
        Session(bob._ratchet, b"another pair").decrypt_untrusted(message)


def skipping(session: Session, count: int) -> Session:
    for _ in range(count):
        session = session.encrypt(b"").session
    return session


def test_as_many_messages_may_be_skipped_as_promised_and_not_one_more():
    alice, bob = pair()
    first = alice.encrypt(b"first of all")
    alice = skipping(first.session, MAX_SKIPPED - 1)
    last = alice.encrypt(b"just in time")
    opened = bob.decrypt_untrusted(last.message)
    assert opened.plaintext == b"just in time"
    assert opened.session.decrypt_untrusted(first.message).plaintext == b"first of all"
    with pytest.raises(RemoteError):
        bob.decrypt_untrusted(last.session.encrypt(b"too late").message)


@pytest.mark.parametrize("heard", [0, 3])
def test_as_many_messages_of_a_chain_that_ended_may_be_skipped_and_not_one_more(heard: int):
    """The chain's length counts from what has come of it, and the message that says it begins a new chain."""
    alice, bob = pair()
    for _ in range(heard):
        sealed = alice.encrypt(b"heard")
        alice, bob = sealed.session, bob.decrypt_untrusted(sealed.message).session
    first = alice.encrypt(b"first that was skipped")
    answer = bob.encrypt(b"answer")
    bob = answer.session
    alice = skipping(first.session, MAX_SKIPPED - 1)
    for_good, too_many = (
        it.decrypt_untrusted(answer.message).session.encrypt(b"new chain").message for it in (alice, skipping(alice, 1))
    )
    opened = bob.decrypt_untrusted(for_good)
    assert opened.plaintext == b"new chain"
    assert opened.session.decrypt_untrusted(first.message).plaintext == b"first that was skipped"
    with pytest.raises(RemoteError, match="skips"):
        bob.decrypt_untrusted(too_many)


def test_the_overhead_is_constant_and_nothing_prints_a_key():
    alice, _ = pair()
    sealed = alice.encrypt(b"x" * 100)
    assert len(sealed.message) == 100 + OVERHEAD
    assert repr(alice) == "Session(<redacted>)"
    assert "redacted" in repr(sealed.session)


def test_one_message_key_gives_one_key_and_nonce():
    key, nonce = ratchet._Aead._key_and_nonce(b"m" * 32)
    assert (len(key), len(nonce)) == (32, 12)
    sealed = result_of(ratchet._Aead.encrypt(b"text", b"m" * 32, b"ad"))
    assert result_of(ratchet._Aead.decrypt(sealed, b"m" * 32, b"ad")) == b"text"
    with pytest.raises(doubleratchet.AuthenticationFailedException):
        result_of(ratchet._Aead.decrypt(sealed, b"m" * 32, b"other"))


def test_a_coroutine_that_waits_is_a_bug():
    class Waits:
        def __await__(self):
            yield

    async def waits():
        await Waits()

    with pytest.raises(LocalError):
        result_of(waits())


def test_an_invitation_s_channel_is_its_own():
    one, other = invitation_channel(SymmetricKey(b"1" * 32)), invitation_channel(SymmetricKey(b"2" * 32))
    assert one == invitation_channel(SymmetricKey(b"1" * 32)) and one.channel != other.channel and one.key != other.key
