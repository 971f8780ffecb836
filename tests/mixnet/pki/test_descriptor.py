"""A descriptor is what its node signed."""

from __future__ import annotations

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.crypto import Label
from mixnet.errors import LocalError
from mixnet.network import Address
from mixnet.pki.descriptor import KEY_EPOCHS, MAX_DESCRIPTOR, Descriptor, NodeRole, check_address
from mixnet.pki.errors import Forged, Malformed, Oversized, Refused
from tests.mixnet.pki.builders import Town, key

TOWN = Town()
RAW = TOWN.descriptor("mix 0", 5)
KEYS = st.lists(st.binary(min_size=32, max_size=32), min_size=KEY_EPOCHS, max_size=KEY_EPOCHS).map(tuple)


@given(
    network=st.binary(min_size=32, max_size=32),
    role=st.sampled_from(NodeRole),
    port=st.integers(1, 65535),
    epoch=st.integers(0, 2**48 - 1),
    keys=KEYS,
)
def test_what_is_signed_comes_back(
    network: bytes, role: NodeRole, port: int, epoch: int, keys: tuple[bytes, ...]
) -> None:
    identity = key("any")
    descriptor = Descriptor(network, identity.public, role, f"mix.example:{port}", epoch, keys)
    raw = descriptor.sign(identity)
    assert Descriptor.parse_untrusted(raw) == descriptor
    assert len(raw) <= MAX_DESCRIPTOR


def test_every_changed_byte_is_refused() -> None:
    for position in range(len(RAW)):
        for flip in (1, 0x80, 0xFF):
            changed = bytearray(RAW)
            changed[position] ^= flip
            with pytest.raises(Refused):
                Descriptor.parse_untrusted(bytes(changed))


def test_every_cut_is_refused() -> None:
    for length in range(len(RAW)):
        with pytest.raises(Malformed):
            Descriptor.parse_untrusted(RAW[:length])


def test_a_signature_by_another_key_is_forged() -> None:
    version, body, _ = msgpack.unpackb(RAW)
    other = key("other").sign(Label.DESCRIPTOR, body)
    with pytest.raises(Forged):
        Descriptor.parse_untrusted(msgpack.packb([version, body, other]))


def test_a_signature_for_another_purpose_is_forged() -> None:
    version, body, _ = msgpack.unpackb(RAW)
    other = TOWN.nodes["mix 0"][0].sign(Label.VOTE, body)
    with pytest.raises(Forged):
        Descriptor.parse_untrusted(msgpack.packb([version, body, other]))


def test_another_version_is_malformed() -> None:
    _, body, signature = msgpack.unpackb(RAW)
    with pytest.raises(Malformed):
        Descriptor.parse_untrusted(msgpack.packb([2, body, signature]))


def test_a_large_one_is_oversized() -> None:
    with pytest.raises(Oversized):
        Descriptor.parse_untrusted(bytes(MAX_DESCRIPTOR + 1))


def test_nobody_signs_for_another() -> None:
    descriptor = Descriptor.parse_untrusted(RAW)
    with pytest.raises(LocalError):
        descriptor.sign(key("other"))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "a.example:65535", "[::1]:80", "localhost:7000"])
def test_addresses_that_can_be_dialled(address: str) -> None:
    check_address(address)
    assert str(Address.parse(address)) == address


@pytest.mark.parametrize(
    "address",
    ["", "host", "host:", ":80", "host:0", "host:65536", "host:080", "host:+1", "ho st:1", "[1.2.3.4]:1", "::1:80",
     "-host:1", "host:\uff11", "[::1:80", "a" * 60 + ":1"],
)  # fmt: skip
def test_addresses_that_cannot(address: str) -> None:
    with pytest.raises(LocalError):
        check_address(address)
    body = msgspec.msgpack.encode([TOWN.bootstrap.network_id, key("any").public, "mix", address, 0, [bytes(32)] * 3])
    raw = msgpack.packb([1, body, key("any").sign(Label.DESCRIPTOR, body)])
    with pytest.raises(Malformed):
        Descriptor.parse_untrusted(raw)
