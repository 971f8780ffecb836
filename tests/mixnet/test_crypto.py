"""The primitives against their RFCs and against a second library; the secret types; the table of labels."""

import copy
import hashlib
import pickle

import nacl.bindings as sodium
import nacl.signing
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st

from mixnet import crypto
from mixnet.crypto import KemSecret, Label, Secret, SigningKey, SphinxSecret, SymmetricKey
from mixnet.errors import LocalError, RemoteError

SECRETS = [SymmetricKey, SigningKey, SphinxSecret, KemSecret]
KEYS = st.binary(min_size=32, max_size=32)
LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
]


# --- labels


def test_every_label_fits_blake2b():
    assert len(Label) > 20
    assert all(0 < len(label.value) <= hashlib.blake2b.PERSON_SIZE == 16 for label in Label)


def test_no_label_is_a_prefix_of_another():
    values = [member.value for member in Label.__members__.values()]
    clashes = [(a, b) for i, a in enumerate(values) for j, b in enumerate(values) if i != j and b.startswith(a)]
    assert clashes == []


def test_labels_stay_apart_when_padded_with_zeros():
    assert len({label.value.ljust(16, b"\0") for label in Label.__members__.values()}) == len(Label.__members__)
    assert not any(b"\0" in label.value for label in Label)


# --- secret types


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_prints_nothing_of_itself(kind):
    secret = kind(bytes(range(kind.SIZE)))
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret])):
        assert shown.strip("[]") == f"{kind.__name__}(<redacted>)"


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_can_be_neither_hashed_nor_copied_out(kind):
    secret = kind.generate()
    with pytest.raises(TypeError):
        hash(secret)
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(LocalError):
            leak(secret)


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_takes_one_length_only(kind):
    for length in (0, kind.SIZE - 1, kind.SIZE + 1):
        with pytest.raises(LocalError):
            kind(bytes(length))


def test_secrets_are_equal_by_type_and_bytes_in_constant_time(monkeypatch):
    compared = []
    genuine = crypto.hmac.compare_digest
    monkeypatch.setattr(crypto.hmac, "compare_digest", lambda a, b: compared.append(1) or genuine(a, b))
    raw = bytes(range(32))
    assert SymmetricKey(raw) == SymmetricKey(raw)
    assert SymmetricKey(raw) != SymmetricKey(raw[::-1])
    assert len(compared) == 2
    assert SymmetricKey(raw) != SphinxSecret(raw)
    assert SymmetricKey(raw) != raw


def test_a_secret_keeps_its_own_copy_and_gives_it_back():
    raw = bytearray(range(32))
    secret = Secret(raw)
    raw[0] = 255
    assert secret.expose() == bytes(range(32))


@pytest.mark.parametrize("kind", SECRETS)
def test_generated_secrets_differ(kind):
    assert kind.generate() != kind.generate()


# --- X25519


def test_x25519_rfc_7748_section_5_2():
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    point = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    expected = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    assert crypto.x25519(scalar, point).hex() == expected


def test_x25519_rfc_7748_section_6_1():
    bob = SphinxSecret(bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
    alice_public = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    assert bob.public.hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    shared = crypto.x25519(bob.expose(), alice_public)
    assert shared.hex() == "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"


@pytest.mark.parametrize("point", LOW_ORDER)
def test_a_point_of_low_order_is_refused(point):
    with pytest.raises(RemoteError):
        crypto.x25519(bytes(range(32)), point)


def test_an_all_zero_result_is_refused_even_if_the_library_lets_it_pass(monkeypatch):
    monkeypatch.setattr(sodium, "crypto_scalarmult", lambda scalar, point: bytes(32))
    with pytest.raises(RemoteError):
        crypto.x25519(bytes(range(32)), bytes(range(32)))


@pytest.mark.parametrize(("scalar", "point"), [(16, 32), (31, 32), (33, 32), (32, 0), (32, 31), (32, 33)])
def test_x25519_checks_lengths_before_c_sees_them(monkeypatch, scalar, point):
    monkeypatch.setattr(sodium, "crypto_scalarmult", lambda *_: pytest.fail("reached C"))
    with pytest.raises(LocalError):
        crypto.x25519(bytes(scalar), bytes(point))


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_x25519_base_checks_its_length_before_c_sees_it(monkeypatch, length):
    monkeypatch.setattr(sodium, "crypto_scalarmult_base", lambda *_: pytest.fail("reached C"))
    with pytest.raises(LocalError):
        crypto.x25519_base(bytes(length))


# --- ciphers and hashes


def test_chacha20_rfc_8439_appendix_a_1_block_1():
    keystream = (
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
        "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
    )
    assert crypto.chacha20(bytes(32), bytes(64)).hex() == keystream


@given(KEYS, st.binary(max_size=400))
def test_chacha20_undoes_itself(key, data):
    assert crypto.chacha20(key, crypto.chacha20(key, data)) == data


def test_aead_rfc_8439_section_2_8_2():
    key = bytes(range(0x80, 0xA0))
    nonce = bytes.fromhex("070000004041424344454647")
    associated = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    plaintext = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you "
        b"only one tip for the future, sunscreen would be it."
    )
    sealed = crypto.seal(key, nonce, plaintext, associated)
    assert sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"
    assert crypto.unseal_untrusted(key, nonce, sealed, associated) == plaintext


@given(st.data())
def test_an_altered_ciphertext_is_refused(data):
    key, nonce = bytes(range(32)), bytes(12)
    sealed = bytearray(crypto.seal(key, nonce, b"a message", b"its context"))
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8
    with pytest.raises(RemoteError):
        crypto.unseal_untrusted(key, nonce, bytes(sealed), b"its context")


@pytest.mark.parametrize("size", range(16))
def test_a_ciphertext_shorter_than_its_tag_is_refused(size):
    with pytest.raises(RemoteError):
        crypto.unseal_untrusted(bytes(32), bytes(12), bytes(size), b"")


def test_blake2b_rfc_7693_appendix_a():
    expected = (
        "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
        "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"
    )
    assert crypto.hashlib.blake2b(b"abc").hexdigest() == expected


@given(st.sampled_from(Label), st.binary(max_size=300), st.integers(16, 64))
def test_derived_keys_are_those_of_libsodium(label, secret, size):
    expected = sodium.crypto_generichash_blake2b_salt_personal(secret, size, person=label.value.ljust(16, b"\0"))
    assert crypto.derive(label, secret, size) == expected
    assert crypto.deriver(label, size)(secret) == expected


@given(st.binary(min_size=16, max_size=64), st.binary(max_size=3000))
def test_macs_and_keyed_hashes_are_those_of_libsodium(key, data):
    assert crypto.mac(key, data) == sodium.crypto_generichash_blake2b_salt_personal(data, 16, key=key)
    assert crypto.keyed_hash(key, data) == sodium.crypto_generichash_blake2b_salt_personal(data, 32, key=key)


def test_a_prepared_deriver_remembers_nothing():
    derived = crypto.deriver(Label.PI)
    assert [derived(b"one"), derived(b"two"), derived(b"one")] == [
        crypto.derive(Label.PI, secret) for secret in (b"one", b"two", b"one")
    ]


@given(st.binary(max_size=64), st.data())
def test_xor(left, data):
    right = data.draw(st.binary(min_size=len(left), max_size=len(left)))
    assert crypto.xor(left, right) == bytes(a ^ b for a, b in zip(left, right, strict=True))


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_digests_tell_lists_of_parts_apart(left, right):
    assert (crypto.digest(Label.DOCUMENT, *left) == crypto.digest(Label.DOCUMENT, *right)) == (left == right)


def test_digests_of_two_purposes_differ():
    assert crypto.digest(Label.DOCUMENT, b"x") != crypto.digest(Label.DESCRIPTOR, b"x")


def test_equal():
    assert crypto.equal(b"same", b"same")
    assert not crypto.equal(b"same", b"sane")
    assert not crypto.equal(b"same", b"same ")


# --- signatures


def test_ed25519_public_key_rfc_8032_section_7_1():
    key = SigningKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert key.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


@given(KEYS, st.sampled_from(Label), st.binary(max_size=100))
def test_signatures_are_those_of_libsodium_on_label_and_message(seed, label, message):
    key = SigningKey(seed)
    signature = key.sign(label, message)
    expected = nacl.signing.SigningKey(seed).sign(label.value.ljust(16, b"\0") + message).signature
    assert signature == expected
    crypto.verify_untrusted(key.public, label, message, signature)


def test_a_signature_for_another_purpose_message_or_key_is_refused():
    key, other = SigningKey(bytes(range(32))), SigningKey(bytes(32))
    signature = key.sign(Label.VOTE, b"yes")
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    for public, label, message, shown in (
        (key.public, Label.COMMIT, b"yes", signature),
        (key.public, Label.VOTE, b"no", signature),
        (other.public, Label.VOTE, b"yes", signature),
        (key.public, Label.VOTE, b"yes", flipped),
        (key.public, Label.VOTE, b"yes", signature[:-1]),
        (key.public[:-1], Label.VOTE, b"yes", signature),
        (b"", Label.VOTE, b"yes", b""),
    ):
        with pytest.raises(RemoteError):
            crypto.verify_untrusted(public, label, message, shown)


# --- key encapsulation and passwords


def test_ml_kem_768_public_key_of_the_lamps_example():
    """The example of the IETF's "ML-KEM in certificates", whose seed counts from 0 to 63."""
    public = KemSecret(bytes(range(64))).public
    assert public[:32].hex() == "298aa10d423c8dda069d02bc59e6cdf03a096b8b3da4cab9b80ca4a14907672c"
    assert len(public) == crypto.KEM_PUBLIC_SIZE


def test_encapsulation_and_its_inverse():
    secret = KemSecret.generate()
    shared, ciphertext = crypto.encapsulate_untrusted(secret.public)
    assert len(shared) == 32
    assert len(ciphertext) == crypto.KEM_CIPHERTEXT_SIZE
    assert secret.decapsulate_untrusted(ciphertext) == shared
    altered = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    assert secret.decapsulate_untrusted(altered) != shared  # implicit rejection: FIPS 203 section 6.3


@pytest.mark.parametrize("size", [0, crypto.KEM_CIPHERTEXT_SIZE - 1, crypto.KEM_CIPHERTEXT_SIZE + 1])
def test_an_encapsulation_of_another_size_is_refused(size):
    with pytest.raises(RemoteError):
        KemSecret.generate().decapsulate_untrusted(bytes(size))


@pytest.mark.parametrize("public", [b"", bytes(1183), bytes(1185), b"\xff" * 1184])
def test_a_malformed_encapsulation_key_is_refused(public):
    with pytest.raises(RemoteError):
        crypto.encapsulate_untrusted(public)


def test_argon2id_rfc_9106_section_5_3_checks_the_second_library():
    function = Argon2id(
        salt=bytes([2]) * 16,
        length=32,
        iterations=3,
        lanes=4,
        memory_cost=32,
        ad=bytes([4]) * 12,
        secret=bytes([3]) * 8,
    )
    expected = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
    assert function.derive(bytes([1]) * 32).hex() == expected


def test_password_keys_are_those_of_the_second_library():
    salt = bytes(range(16))
    expected = Argon2id(salt=salt, length=32, iterations=3, lanes=1, memory_cost=256 * 1024).derive(b"correct horse")
    assert crypto.password_key(b"correct horse", salt) == SymmetricKey(expected)


# --- certificates


def test_certificates_show_the_identity_and_have_one_size():
    keys = [SigningKey.generate() for _ in range(8)]
    shown = [crypto.certificate(key) for key in keys]
    assert [crypto.certificate_identity_untrusted(der) for _, der in shown] == [key.public for key in keys]
    assert len({(len(private), len(der)) for private, der in shown}) == 1


def test_one_identity_has_one_certificate():
    key = SigningKey(bytes(range(32)))
    assert crypto.certificate(key) == crypto.certificate(key)


@given(st.binary(max_size=300))
def test_garbage_is_no_certificate(garbage):
    with pytest.raises(RemoteError):
        crypto.certificate_identity_untrusted(garbage)


def test_a_certificate_with_any_other_byte_outside_key_and_signature_is_refused():
    key = SigningKey(bytes(range(32)))
    der = crypto.certificate(key)[1]
    start = der.index(key.public)
    for position in range(len(der)):
        altered = der[:position] + bytes([der[position] ^ 1]) + der[position + 1 :]
        if start <= position < start + 32:
            assert crypto.certificate_identity_untrusted(altered) != key.public
        elif position < len(der) - crypto.SIGNATURE_SIZE:
            with pytest.raises(RemoteError):
                crypto.certificate_identity_untrusted(altered)


@pytest.mark.parametrize("change", [lambda der: der[:-1], lambda der: der + b"\0", lambda der: b""])
def test_a_certificate_of_another_size_is_refused(change):
    with pytest.raises(RemoteError):
        crypto.certificate_identity_untrusted(change(crypto.certificate(SigningKey.generate())[1]))


def test_a_certificate_is_one_that_x509_reads():
    key = SigningKey.generate()
    parsed = x509.load_der_x509_certificate(crypto.certificate(key)[1])
    assert parsed.public_key().public_bytes_raw() == key.public
    parsed.verify_directly_issued_by(parsed)
