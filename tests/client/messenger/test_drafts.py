"""Drafts stay on the device, and go with what they belong to."""

import pytest

from mixnet.client.e2e.bodies import TEXT_LIMIT
from mixnet.client.messenger.drafts import DRAFTS_LIMIT
from mixnet.client.model.errors import TextTooLong, TooManyDrafts, UnknownContact, UnusableText
from mixnet.client.model.views import ContactState
from tests.client.worlds.service import make_service

NOW = 1_800_000_000.0


@pytest.fixture
def alice():
    user = make_service().user
    for name in ("bob", "carol"):
        with user._core.change():
            user._core.contacts.add(name, name.encode().ljust(32), ContactState.ESTABLISHED, NOW)
    return user


def rows(user) -> int:
    return user._core.store.value(int, "SELECT count(*) FROM drafts")


def test_the_last_one_is_kept_and_an_empty_one_ends_it(alice):
    assert alice.drafts.get("bob") == ""
    for text in ("a", "b", "x" * TEXT_LIMIT, "grüße\n  👩\u200d👧"):
        alice.drafts.set("bob", text, NOW)
        assert alice.drafts.get("bob") == text
    assert [one.draft for one in alice.conversations()] == [True, False]
    alice.drafts.set("bob", "", NOW)
    alice.drafts.set("carol", "", NOW)
    assert rows(alice) == 0 and not any(one.draft for one in alice.conversations())


def test_what_can_not_be_kept_is_refused_and_leaves_the_one_before(alice):
    alice.drafts.set("bob", "good", NOW)
    for text, why in (("x" * (TEXT_LIMIT + 1), TextTooLong), ("\ud800", UnusableText)):
        with pytest.raises(why):
            alice.drafts.set("bob", text, NOW)
    with pytest.raises(UnknownContact):
        alice.drafts.set("dave", "hi", NOW)
    assert alice.drafts.get("bob") == "good"


def test_there_is_a_limit_to_their_number_but_not_to_changing_one(alice):
    core = alice._core
    with core.change():
        for number in range(DRAFTS_LIMIT + 1):
            core.contacts.add(f"c{number}", bytes([number]).ljust(32), ContactState.ESTABLISHED, NOW)
    for number in range(DRAFTS_LIMIT):
        alice.drafts.set(f"c{number}", "hi", NOW)
    alice.drafts.set("c0", "ho", NOW)
    with pytest.raises(TooManyDrafts):
        alice.drafts.set(f"c{DRAFTS_LIMIT}", "hi", NOW)
    assert rows(alice) == DRAFTS_LIMIT


@pytest.mark.parametrize(
    "what",
    [
        lambda user: user.delete_contact("bob"),
        lambda user: user.archive.clear("bob"),
        lambda user: (user.archive.retain("bob", 3600.0), user.archive.sweep(NOW + 3601)),
    ],
    ids=["contact", "conversation", "period"],
)
def test_one_goes_with_its_conversation_and_no_other_does(alice, what):
    for name in ("bob", "carol"):
        alice.drafts.set(name, "hi", NOW)
    what(alice)
    assert rows(alice) == 1 and alice.drafts.get("carol") == "hi"


def test_a_period_that_is_not_over_leaves_it(alice):
    alice.drafts.set("bob", "hi", NOW)
    alice.archive.retain("bob", 3600.0)
    alice.archive.sweep(NOW + 3599)
    assert alice.drafts.get("bob") == "hi"
