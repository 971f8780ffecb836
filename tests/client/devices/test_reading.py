"""What is read on one device is read on all; what is begun on one is on no other."""

import pytest

from mixnet.client.model.views import MessageState
from tests.client.worlds.channel import Channel
from tests.client.worlds.devices import HOME, LAPTOP, PHONE, Family


@pytest.fixture
def family(tmp_path) -> Family:
    family = Family(tmp_path, contacts=("bob",))
    family.meet()
    family.link_all()
    for text in ("a", "b", "c"):
        family.user("bob").send_text("alice", text, family.now)
    assert family.run(240, lambda: all(counts(family)[one] == 3 for one in (HOME, PHONE, LAPTOP)))
    return family


def counts(family: Family) -> dict[str, int]:
    return {one: family.user(one).count("bob")[0] for one in (HOME, PHONE, LAPTOP)}


def numbers(family: Family, who: str, *texts: str) -> list[int]:
    return [one.id for one in family.user(who).messages() if one.text in texts]


@pytest.mark.parametrize("who", [HOME, PHONE])
def test_exactly_what_was_shown_on_one_is_read_on_all_and_told_once(family, who):
    family.user(who).mark_shown(numbers(family, who, "a", "c"), family.now)
    assert counts(family)[who] == 1  # at once, though nothing has left
    assert family.run(3600, lambda: set(counts(family).values()) == {1})

    def told() -> list[str]:
        return [one.text for one in family.user("bob").messages() if one.state is MessageState.READ]

    assert family.run(7200, lambda: len(told()) == 2)
    assert told() == ["a", "c"]
    family.user(who).mark_read(numbers(family, who, "c")[0], family.now)
    assert family.run(7200, lambda: len(told()) == 3)
    assert set(counts(family).values()) == {0}


def test_what_was_read_here_stays_so_though_the_home_tells_of_it_once_more(family):
    """As it does if it has not heard of it yet."""
    core = family[HOME].messenger._core
    number = numbers(family, HOME, "a")[0]
    family.user(PHONE).mark_shown(numbers(family, PHONE, "a"), family.now)
    core.store.run("UPDATE messages SET received_at = received_at + 1 WHERE id = ?", number)
    seen = []
    Channel.run(family, 60, lambda: seen.append(family.user(PHONE).count("bob")[0]))  # after each event
    assert set(seen) == {2} and family.run(600, family.calm)
    assert set(counts(family).values()) == {2}


def test_a_failure_is_news_on_all_devices_until_one_has_shown_it_and_nobody_is_told(family):
    for one in (HOME, PHONE):
        family.user(one).mark_shown(numbers(family, one, "a", "b", "c"), family.now)
        assert family.run(3600, family.calm)
    core = family[HOME].messenger._core
    core.warn(core.contacts.named("bob").id, "this does not open", family.now)
    assert family.run(600, lambda: set(counts(family).values()) == {1})
    number = next(one.id for one in family.user(LAPTOP).messages() if one.unread)
    family.user(LAPTOP).mark_shown([number], family.now)
    family.user(LAPTOP).mark_shown([number, 10**6], family.now)
    assert family.run(600, lambda: set(counts(family).values()) == {0})
    assert family.user(LAPTOP).message(number).state is MessageState.FAILED
    to_bob = "SELECT count(*) FROM waiting WHERE contact = ?"
    assert core.store.value(int, to_bob, core.contacts.named("bob").id) == 0


def test_a_device_that_was_revoked_marks_its_own_copy(family):
    family[HOME].devices.linking.revoke(PHONE, family.now)
    assert family.run(600, lambda: family[PHONE].devices.all()[0].state.value == "revoked")
    family.user(PHONE).mark_shown(numbers(family, PHONE, "a", "b"), family.now)
    assert counts(family)[PHONE] == 1
    family.run(600)
    assert counts(family) == {HOME: 3, PHONE: 1, LAPTOP: 3}


def test_a_draft_is_told_to_no_device_and_not_to_the_contact(family):
    assert family.run(3600, family.calm)
    for who in (HOME, PHONE):
        family.user(who).drafts.set("bob", f"at {who}", family.now)
    assert all(family[one].messenger.next_outgoing(family.now) is None for one in (HOME, PHONE))
    assert [family.user(one).drafts.get("bob") for one in (HOME, PHONE, LAPTOP)] == [f"at {HOME}", f"at {PHONE}", ""]
