import base64
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.e2e.invitation import PREFIX, Invitation, _checksum
from mixnet.client.e2e.x3dh import Prekeys
from mixnet.client.model.destination import Destination
from mixnet.client.model.errors import MalformedInvitation
from mixnet.crypto import SymmetricKey

PREKEYS = Prekeys.generate(SymmetricKey(b"i" * 32)).public

KEY = SymmetricKey(b"x" * 32)


def made(name="Alice", expires=2_000_000_000.0) -> Invitation:
    where = Destination(b"p" * 32, b"m" * 32, b"s" * 32)
    return Invitation(name, b"n" * 32, where, PREKEYS, KEY, expires)


@given(st.sampled_from(["Alice", "Zoë 2", "名前"]), st.floats(0, 1e12))
def test_an_invitation_comes_back(name, expires):
    invitation = made(name, expires)
    text = invitation.encode()
    assert text.startswith(PREFIX) and text.isascii() and len(text) < 2300
    assert Invitation.parse_untrusted(text) == invitation
    wrapped = "\n  ".join(text[at : at + 60] for at in range(0, len(text), 60))
    assert Invitation.parse_untrusted(wrapped).transcript == invitation.transcript


@given(st.data())
@settings(max_examples=200)
def test_any_change_is_refused(data):
    text = made().encode()
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(min_codepoint=32, max_codepoint=300))
    changed = text[:at] + letter + text[at + 1 :]
    if "".join(changed.split()) == text:
        return
    with pytest.raises(MalformedInvitation):
        Invitation.parse_untrusted(changed)


def test_the_letters_are_those_that_encoding_gives():
    """The last letter has bits that mean nothing: only zeros are taken there."""
    text = made().encode()
    for last in set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") - {text[-1]}:
        with pytest.raises(MalformedInvitation):
            Invitation.parse_untrusted(text[:-1] + last)
    with pytest.raises(MalformedInvitation):
        Invitation.parse_untrusted(text + "=")


def test_a_key_for_which_no_packet_can_be_made_is_refused():
    for point in (bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"):
        with pytest.raises(MalformedInvitation):
            Invitation.parse_untrusted(
                Invitation("Alice", b"n" * 32, Destination(b"p" * 32, b"m" * 32, point), PREKEYS, KEY, 2e9).encode()
            )


def test_any_cut_is_refused():
    text = made().encode()
    for at in range(len(text)):
        with pytest.raises(MalformedInvitation):
            Invitation.parse_untrusted(text[:at])
    with pytest.raises(MalformedInvitation):
        Invitation.parse_untrusted(text * 3)


@given(st.text(max_size=200))
def test_garbage_is_refused(text):
    with pytest.raises(MalformedInvitation, match="copy the whole text"):
        Invitation.parse_untrusted(text)
    with pytest.raises(MalformedInvitation):
        Invitation.parse_untrusted(PREFIX + text)


@given(st.binary(max_size=100))
def test_garbage_with_a_right_checksum_is_refused(body):
    with pytest.raises(MalformedInvitation):
        Invitation.parse_untrusted(PREFIX + base64.urlsafe_b64encode(body + _checksum(body)).decode())


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 65])
def test_a_hostile_name_is_refused(name):
    with pytest.raises(MalformedInvitation):
        Invitation.parse_untrusted(made(name).encode())


@pytest.mark.parametrize("expires", [-1.0, float("inf"), float("nan")])
def test_an_impossible_time_is_refused(expires):
    with pytest.raises(MalformedInvitation):
        Invitation.parse_untrusted(made(expires=expires).encode())


def test_nothing_secret_prints():
    assert "xxxx" not in repr(made()) and "redacted" not in repr(made())


def test_a_packed_invitation_comes_back_and_is_for_contacts_only():
    invitation = made()
    assert Invitation.unpack_untrusted(invitation.pack()) == invitation
    assert len(invitation.pack()) < len(invitation.encode()) * 0.8
    for raw in (b"", invitation.pack()[:-1], invitation.pack() + b"x", b"x" * 50):
        with pytest.raises(MalformedInvitation):
            Invitation.unpack_untrusted(raw)
    with pytest.raises(MalformedInvitation):  # what a device's text says is no packed invitation
        Invitation.unpack_untrusted(_body_and_sum(replace(invitation, device=True)))


def _body_and_sum(invitation: Invitation) -> bytes:
    letters = invitation.encode().partition(":")[2]
    return base64.urlsafe_b64decode(letters + "=" * (-len(letters) % 4))
