"""A public address comes back as it was written, and nothing that differs in anything is read."""

import base64
from dataclasses import replace

import msgspec
import pytest

from mixnet.client.e2e.public_address import PREFIX, PublicAddress
from mixnet.client.e2e.x3dh import Prekeys
from mixnet.client.model.destination import Destination
from mixnet.client.model.errors import MalformedAddress
from mixnet.crypto import Label, SymmetricKey, digest, x25519_base

WHERE = Destination(b"P" * 32, b"M" * 32, x25519_base(b"s" * 32))
ADDRESS = PublicAddress(b"N" * 32, WHERE, Prekeys.generate(SymmetricKey(b"i" * 32)).public, 1_900_000_000.0)


def text_of(body: bytes, checksum: bytes | None = None) -> str:
    """An address with any body, whose checksum is right unless another one is given."""
    whole = body + (digest(Label.ADDRESS, b"checksum", body)[:8] if checksum is None else checksum)
    return PREFIX + base64.urlsafe_b64encode(whole).decode().rstrip("=")


def body_with(**fields: object) -> bytes:
    """The body of ADDRESS, some fields of which, by their places, are others."""
    whole = list(msgspec.msgpack.decode(ADDRESS._body()))
    for name, value in fields.items():
        whole[int(name.removeprefix("at"))] = value
    return msgspec.msgpack.encode(whole)


def test_an_address_comes_back_with_white_space_anywhere():
    text = ADDRESS.encode()
    assert text == text_of(ADDRESS._body()) and text.startswith("mixnet-address1:")
    for way in (text, f"  {text[:40]}\n{text[40:90]}\t {text[90:]}\n"):
        assert PublicAddress.parse_untrusted(way) == ADDRESS
    never = replace(ADDRESS, expires=0.0)
    assert PublicAddress.parse_untrusted(never.encode()) == never


def test_an_address_has_a_name_and_keys_of_its_own():
    other = replace(ADDRESS, expires=0.0)
    assert ADDRESS.transcript != other.transcript and ADDRESS.channel.channel != other.channel.channel
    assert ADDRESS.id == ADDRESS.transcript.hex()[:8] and len(ADDRESS.id) == 8
    assert ADDRESS.channel.key != other.channel.key != SymmetricKey(other.transcript)


def test_any_character_changed_or_cut_is_refused():
    text = ADDRESS.encode()
    for at in range(0, len(text), 7):
        for wrong in (text[:at], text[:at] + ("B" if text[at] != "B" else "C") + text[at + 1 :]):
            with pytest.raises(MalformedAddress):
                PublicAddress.parse_untrusted(wrong)


@pytest.mark.parametrize(
    "spoil", [lambda t: t + "=", lambda t: t + "A", lambda t: "x" + t, lambda t: t + "ä", str.upper]
)
def test_another_writing_of_the_same_bytes_is_refused(spoil):
    with pytest.raises(MalformedAddress):
        PublicAddress.parse_untrusted(spoil(ADDRESS.encode()))


@pytest.mark.parametrize("at", range(9))
def test_a_field_of_another_size_is_refused(at):
    whole = msgspec.msgpack.decode(ADDRESS._body())
    for value in (whole[at][:-1], whole[at] + b"x", b"", 7):
        with pytest.raises(MalformedAddress):
            PublicAddress.parse_untrusted(text_of(body_with(**{f"at{at}": value})))


@pytest.mark.parametrize("expires", [-1.0, float("inf"), float("nan"), 1_900_000_000, "never", None])
def test_an_impossible_end_is_refused(expires):
    with pytest.raises(MalformedAddress):
        PublicAddress.parse_untrusted(text_of(body_with(at9=expires)))


def test_a_point_of_low_order_a_wrong_checksum_and_a_field_too_many_are_refused():
    for text in (
        text_of(body_with(at3=bytes(32))),
        text_of(ADDRESS._body(), b"checksum"),
        text_of(ADDRESS._body()[:1].replace(b"\x9a", b"\x9b") + ADDRESS._body()[1:] + b"\x00"),
        PREFIX,
        "",
    ):
        with pytest.raises(MalformedAddress):
            PublicAddress.parse_untrusted(text)
