"""Forged transcripts verify; if messages were signed, or the ratchet knew its sender, the check would say so."""

from unittest.mock import patch

import pytest

from mixnet.benchmarks.threats import deniability
from mixnet.benchmarks.threats.deniability import _conversation, _first, _forged_hello, _forged_message, _later
from mixnet.client.e2e.ratchet import Session
from mixnet.client.e2e.x3dh import Prekeys
from mixnet.errors import RemoteError


def test_the_receiver_forges_what_its_own_client_believes():
    found = deniability.deniability()
    assert found.credible
    assert found.figures[0].estimate.value == 0


def test_a_forgery_looks_like_what_was_sent():
    talk = _conversation()
    forged = _forged_message(talk, deniability._FORGED)
    assert len(forged) == len(talk.message)
    assert forged[:40] == talk.message[:40]  # the header
    assert forged != talk.message
    assert _later(talk, forged) == deniability._FORGED


def test_a_forged_conversation_goes_on():
    """Whoever is said to have written can be made to write more."""
    talk = _conversation()
    hello = _forged_hello(talk.prekeys, talk.sender, b"first")
    answered = Prekeys.restore(talk.prekeys.serialize()).answer_untrusted(hello, deniability._INVITATION)
    assert (answered.identity, answered.plaintext) == (talk.sender, b"first")
    assert answered.session.encrypt(b"more").message


def test_messages_that_prove_their_sender_would_show():
    """Break: the receiver's code asks for something that only the sender could have made."""

    def refuse(*_args):
        raise RemoteError("not signed by the sender")

    with patch.object(Session, "decrypt_untrusted", refuse), pytest.raises(RemoteError):
        deniability.deniability()
    genuine = deniability._conversation()
    with (
        patch.object(deniability, "_conversation", lambda: genuine),
        patch.object(Session, "decrypt_untrusted", refuse),
    ):
        found = deniability.deniability()
    assert found.figures[0].estimate.value == 0.5
    with patch.object(Prekeys, "answer_untrusted", refuse), patch.object(deniability, "_conversation", lambda: genuine):
        found = deniability.deniability()
    assert found.figures[0].estimate.value == 0.5


def test_a_verification_that_accepts_everything_proves_nothing():
    with patch.object(deniability, "_first", lambda talk, _hello: (talk.sender, deniability._FORGED)):
        assert not deniability.deniability().credible


def test_first_messages_of_strangers_are_refused():
    talk, other = _conversation(), _conversation()
    assert _first(talk, _forged_hello(other.prekeys, talk.sender, b"x")) is None
