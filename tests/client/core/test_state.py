"""A change happens whole or not at all: on disk, in memory, and in what is told."""

from __future__ import annotations

import pytest

from client.core.conversation import Parcel
from client.core.state import Core
from client.e2e.bodies import Confirm, Text, encode
from client.model.contact_states import Verdict
from client.model.views import ContactState, MessageKind, MessageState
from client.storage.messages import Entry
from tests.client.worlds.channel import Channel


class Refused(Exception):
    """What goes wrong in the middle of a change."""


@pytest.fixture
def channel(tmp_path) -> Channel:
    """Two contacts with nothing under way."""
    made = Channel(tmp_path, seed=4)
    made.introduce()
    made.run(60)
    assert all(made[name].messenger.contacts()[0].state is ContactState.ESTABLISHED for name in ("alice", "bob"))
    return made


@pytest.fixture
def core(channel) -> Core:
    made = channel["alice"].messenger._core
    made.take_events()
    return made


def contact_of(core: Core) -> int:
    return next(iter(core.routes))


def memory(core: Core) -> dict[str, object]:
    """What `reload` makes from the store, in a form that can be compared."""
    return {
        "conversations": {
            number: (one.contact, one.session.serialize(), [one.sender.next_number(lane) for lane in (0, 1)])
            for number, one in core.conversations.items()
        },
        "channels": (set(core.by_incoming), set(core.by_outgoing)),
        "routes": {contact: one.id for contact, one in core.routes.items()},
        "waiting": set(core.waiting),
        "files": set(core.files),
        "blocked": set(core.blocked),
        "expiry": core.next_expiry,
    }


def everything_in(core: Core, now: float) -> int:
    """Change each kind of thing that memory has beside the store; the number of a message that was told of."""
    contact = contact_of(core)
    number = core.messages.add(Entry(contact, MessageKind.TEXT, MessageState.QUEUED, "hi"), now)
    core.enqueue(contact, 1, Text(number, "hi"), None, now, lifetime=5.0)
    core.routes[contact].post(Parcel(0, encode(Confirm()), None, False, 0, now + 9))
    core.fail_message(number, "it went wrong")
    core.contacts.judge(core.contacts.get(contact), Verdict.BLOCK)
    core.blocked.add(contact)
    core.files.add(contact)
    core.leave(core.routes[contact])
    return number


def test_after_a_failure_memory_is_what_the_store_says(channel, core):
    before, rows = memory(core), core.store.all("SELECT * FROM sessions")
    with pytest.raises(Refused), core.change():
        everything_in(core, channel.now)
        assert memory(core) != before
        raise Refused
    assert core.store.all("SELECT * FROM sessions") == rows
    assert memory(core) == before
    core.reload()
    assert memory(core) == before


def test_after_a_failure_the_next_text_arrives_once_and_in_its_place(channel, core):
    """A conversation whose ratchet or numbers went on in memory alone would write what nobody can read."""
    with pytest.raises(Refused), core.change():
        core.routes[contact_of(core)].post(Parcel(0, encode(Text(1, "never")), None, False, 0, channel.now + 90))
        raise Refused
    channel["alice"].messenger.send_text("bob", "after it", channel.now)
    assert channel.run(60, channel.settled)
    assert channel["bob"].inbox() == ["after it"]


def test_who_keeps_more_in_memory_is_told_of_a_failure(core):
    told: list[bool] = []
    core.on_reload.append(lambda: told.append(core.changing))
    with core.change():
        pass
    assert told == []
    with pytest.raises(Refused), core.change():
        raise Refused
    assert len(told) == 1


def test_a_failed_change_tells_of_nothing_and_keeps_what_was_told_before(channel, core):
    core.warn(contact_of(core), "first", channel.now)
    with pytest.raises(Refused), core.change():
        everything_in(core, channel.now)
        raise Refused
    (kept,) = core.take_events()
    assert kept.message.error == "first"
    assert core.take_events() == []


def test_a_change_inside_a_change_fails_with_the_outer_one(channel, core):
    before = memory(core)
    with pytest.raises(Refused), core.change():
        with core.change():
            everything_in(core, channel.now)
        assert core.changing
        raise Refused
    assert memory(core) == before and core.take_events() == [] and not core.changing


def test_a_change_is_kept_on_disk_in_memory_and_in_what_is_told(channel, core):
    with core.change():
        number = everything_in(core, channel.now)
        changed = memory(core)
    assert core.messages.get(number).state is MessageState.FAILED
    assert [event.message.id for event in core.take_events()] == [number]
    assert changed["blocked"] == {core.messages.contact_of(number)}
    core.reload()
    kept = memory(core)
    assert all(kept[what] == changed[what] for what in ("blocked", "waiting", "expiry"))


def test_each_change_has_a_version_of_its_own_failed_or_not(core):
    first = core.version
    with core.change(), core.change():
        pass
    assert core.version == first + 1
    with pytest.raises(Refused), core.change():
        raise Refused
    assert core.version == first + 2
