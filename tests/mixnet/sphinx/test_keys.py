"""The running product against plain iterated blinding, and the key schedule against BLAKE2b itself."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mixnet import crypto
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import keys
from mixnet.sphinx.keys import SharedSecret, establish
from tests.mixnet.sphinx.strategies import scalars, secrets

_PRIME = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493


def iterate(scalar, publics):
    """The paper's way: multiply each point by every scalar so far, one after the other."""
    factors, shared, alphas = [scalar], [], []
    for public in publics:
        point, alpha = public, crypto.x25519_base(factors[0])
        for factor in factors:
            point = crypto.x25519(factor, point)
        for factor in factors[1:]:
            alpha = crypto.x25519(factor, alpha)
        shared.append(point)
        alphas.append(alpha)
        factors.append(hashlib.blake2b(point, digest_size=32, person=b"mixnet/1 blind").digest())
    return alphas, shared


@given(scalars, st.lists(secrets, min_size=1, max_size=9))
@example(bytes(32), [crypto.SphinxSecret(bytes(32))] * 6)
@example(b"\xff" * 32, [crypto.SphinxSecret(b"\xff" * 32)] * 6)
def test_the_running_product_equals_plain_iteration(scalar, hop_secrets):
    alphas, shared = iterate(scalar, [secret.public for secret in hop_secrets])
    alpha, ours = establish(scalar, [secret.public for secret in hop_secrets])
    assert alpha == alphas[0]
    assert [secret.expose() for secret in ours] == shared
    for secret, point, expected in zip(hop_secrets, alphas, shared, strict=True):
        assert crypto.x25519(secret.expose(), point) == expected  # what the hop itself computes


def on_curve(x):
    """Euler's criterion for y**2 = x**3 + 486662 x**2 + x: everything else lies on the twist."""
    return pow(x**3 + 486662 * x**2 + x, (_PRIME - 1) // 2, _PRIME) == 1


@given(scalars, st.lists(st.integers(2, _PRIME - 2).filter(on_curve), min_size=1, max_size=4))
def test_the_running_product_holds_outside_the_prime_order_subgroup_too(scalar, points):
    """Seven of eight such keys have a part of order 2, 4 or 8, as only a dishonest hop's key has."""
    publics = [x.to_bytes(32, "little") for x in points]
    assert [secret.expose() for secret in establish(scalar, publics)[1]] == iterate(scalar, publics)[1]


@given(st.integers(1, _ORDER - 1))
@example(1)
@example(_ORDER - 1)
@example(8)
@example((2**254 - 8) % _ORDER)
@example(2**254 % _ORDER)
def test_a_product_becomes_a_scalar_that_clamping_leaves_alone(product):
    raw = keys._as_scalar(product * pow(8, -1, _ORDER) % _ORDER)
    value = int.from_bytes(raw, "little")
    assert len(raw) == 32
    assert value % _ORDER in (product, _ORDER - product)
    if value < 2**255:  # beyond lie only 2**128 of 2**252 products, which nobody meets by chance
        assert keys._clamped(raw) == value


@given(scalars)
def test_clamping_is_that_of_x25519(scalar):
    clamped = bytes([scalar[0] & 248]) + scalar[1:31] + bytes([scalar[31] & 127 | 64])
    assert keys._clamped(scalar) == int.from_bytes(clamped, "little")


@given(scalars)
def test_the_key_schedule(raw):
    shared = SharedSecret(raw)
    expected = {
        "blind": (b"mixnet/1 blind", 32),
        "rho": (b"mixnet/1 rho", 32),
        "mu": (b"mixnet/1 mu", 32),
        "pi": (b"mixnet/1 pi", 32),
        "tau": (b"mixnet/1 tau", 16),
    }
    for name, (label, size) in expected.items():
        assert getattr(shared, name)() == hashlib.blake2b(raw, digest_size=size, person=label).digest()


@pytest.mark.parametrize("hops", range(1, 7))
def test_one_multiplication_a_hop_and_one_for_alpha(monkeypatch, hops):
    counted = []
    multiply, multiply_base = keys.x25519, keys.x25519_base
    monkeypatch.setattr(keys, "x25519", lambda *args: counted.append("hop") or multiply(*args))
    monkeypatch.setattr(keys, "x25519_base", lambda *args: counted.append("alpha") or multiply_base(*args))
    establish(bytes(range(32)), [crypto.SphinxSecret.generate().public for _ in range(hops)])
    assert sorted(counted) == ["alpha"] + ["hop"] * hops


def test_a_key_of_low_order_or_another_length_is_refused():
    good = crypto.SphinxSecret.generate().public
    with pytest.raises(RemoteError):
        establish(bytes(range(32)), [good, bytes(32)])
    with pytest.raises(LocalError):
        establish(bytes(range(32)), [good, good[:31]])


def test_a_shared_secret_does_not_print_itself():
    assert repr(SharedSecret(bytes(range(32)))) == "SharedSecret(<redacted>)"
