"""A change happens whole or not at all: on disk, in memory, and in what is told."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import apsw
import pytest

from mixnet.client.core.conversation import Parcel
from mixnet.client.core.state import BACKLOG, Core
from mixnet.client.e2e.bodies import Confirm, MessageEvent, Text, encode
from mixnet.client.model.contact_states import ContactVerdict
from mixnet.client.model.errors import BadLifetime, DamagedStore, StoreUnavailable
from mixnet.client.model.views import ContactChanged, ContactState, DeviceRole, MessageKind, MessageState
from mixnet.client.storage.messages import NewMessage
from mixnet.errors import LocalError, RemoteError
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
        "waiting": dict(core.waiting),
        "files": set(core.files),
        "blocked": set(core.blocked),
        "expiry": core.next_expiry,
    }


def everything_in(core: Core, now: float) -> int:
    """Change each kind of thing that memory has beside the store; the number of a message that was told of."""
    contact = contact_of(core)
    number = core.messages.add(NewMessage(contact, MessageKind.TEXT, MessageState.QUEUED, "hi"), now)
    core.enqueue(contact, 1, Text(number, "hi"), None, now, lifetime=5.0)
    core.routes[contact].post(Parcel(0, encode(Confirm()), None, False, 0, now + 9))
    core.fail_message(number, "it went wrong")
    core.contacts.judge(core.contacts.get(contact), ContactVerdict.BLOCK)
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
    told: list[str] = []
    memory = SimpleNamespace(
        remember=lambda: lambda: told.append("as it was"), reload=lambda: told.append("from the store")
    )
    core.memories.append(memory)
    with core.change():
        pass
    assert told == []
    with pytest.raises(Refused), core.change():
        raise Refused
    assert told == ["as it was"]
    with pytest.raises(StoreUnavailable), core.change():
        raise StoreUnavailable
    assert told == ["as it was", "from the store"]


@pytest.mark.faults
@pytest.mark.parametrize("error", [Refused, RemoteError, LocalError, KeyError, OverflowError, RecursionError, OSError])
def test_what_is_refused_is_taken_back_whole_and_what_is_around_it_stays(channel, core, error):
    contact = contact_of(core)

    def refused():
        everything_in(core, channel.now)
        raise error("no")

    with core.change():
        core.enqueue(contact, 0, Text(1, "before"), None, channel.now)
        core.warn(contact, "before", channel.now)
        before, others = memory(core), dict(core.conversations)
        assert isinstance(core.attempt(refused), RemoteError)
        assert memory(core) == before
        core.enqueue(contact, 0, Text(2, "after"), None, channel.now)
        assert core.attempt(lambda: core.warn(contact, "too", channel.now)) is None
    assert core.backlog(contact) == 2
    assert [event.message.error for event in core.take_events()] == ["before", "too"]
    assert core.conversations.keys() == others.keys()
    assert (core.refused, core.faults) == (1, int(error is not RemoteError))
    seen = memory(core)
    core.reload()
    assert memory(core) == seen


@pytest.mark.faults
def test_a_refusal_leaves_conversations_alone_that_it_did_not_change(channel, core):
    """To make all again would cost every contact its timers: nobody can order that."""
    before = dict(core.conversations)

    def refused():
        core.enqueue(contact_of(core), 0, Text(1, "never"), None, channel.now)
        raise Refused

    assert core.attempt(refused) is not None
    assert all(core.conversations[number] is one for number, one in before.items())


@pytest.mark.parametrize("error", [StoreUnavailable, DamagedStore, MemoryError, apsw.FullError, apsw.NoMemError])
def test_a_failure_of_the_store_is_no_refusal(core, error):
    def fails():
        raise error

    with pytest.raises(error):
        core.attempt(fails)
    with pytest.raises(error), core.refusing():
        fails()
    assert core.refused == 0


@pytest.mark.faults
def test_values_that_the_store_refuses_are_a_peers_fault(core):
    for values in ((1 << 63,), (None,), ("x" * 10,)):
        query = "INSERT INTO device_asks (kind, message, contact, expires) VALUES (?, 1, 1, 1.0)"
        refused = core.attempt(lambda v=values, q=query: core.store.run(q, *v))
        assert refused is not None or values == ("x" * 10,)


class Broken:
    """A part that fails as long as it is told to."""

    def __init__(self) -> None:
        self.fails, self.fed = True, 0

    def feed(self, now: float) -> None:
        self.fed += 1
        if self.fails:
            raise KeyError

    def wake_at(self) -> float:
        return 0.0


@pytest.mark.faults
def test_a_part_that_fails_is_left_alone_for_longer_and_longer_and_stops_no_other(core):
    broken, sound = Broken(), Broken()
    sound.fails = False
    core.feeders.add(broken)
    core.feeders.add(sound)
    for second in range(100):
        core.feeders.feed(float(second))
    assert sound.fed == 100
    assert 5 <= broken.fed <= 8
    assert max(core.feeders.due()) > 100.0
    broken.fails = False
    core.feeders.feed(1000.0)
    core.feeders.feed(1000.1)
    assert broken.fed >= 7 and max(core.feeders.due()) == 0.0


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


# What waits, and until when.


def texts_of(core: Core, contact: int) -> list[tuple[int, float]]:
    return core.store.all("SELECT lane, expires FROM waiting WHERE contact = ? ORDER BY id", contact)


def test_a_body_waits_as_long_as_the_network_says_or_shorter(channel, core):
    contact, most = contact_of(core), core.settings.message_lifetime
    core.next_expiry = None
    with core.change():
        core.enqueue(contact, 1, Confirm(), None, channel.now)
        assert core.next_expiry == channel.now + most
        core.enqueue(contact, 0, Confirm(), None, channel.now, lifetime=5.0)
        core.enqueue(contact, 0, Confirm(), None, channel.now, lifetime=9.0)
    assert texts_of(core, contact) == [(1, channel.now + most), (0, channel.now + 5), (0, channel.now + 9)]
    assert core.waiting.keys() == {(contact, 0), (contact, 1)}
    assert core.next_expiry == channel.now + 5
    core.reload()
    assert core.next_expiry == channel.now + 5 and core.waiting.keys() == {(contact, 0), (contact, 1)}


def test_only_what_is_no_message_of_the_user_counts_as_backlog(channel, core):
    contact = contact_of(core)
    number = core.messages.add(NewMessage(contact, MessageKind.TEXT, MessageState.QUEUED, "hi"), channel.now)
    assert core.backlog(contact) == 0 and not core.crowded(contact)
    with core.change():
        core.enqueue(contact, 0, Text(number, "hi"), number, channel.now)
        for _ in range(BACKLOG - 1):
            core.enqueue(contact, 0, Confirm(), None, channel.now)
        assert core.backlog(contact) == BACKLOG - 1 and not core.crowded(contact)
        core.enqueue(contact, 0, Confirm(), None, channel.now)
    assert core.backlog(contact) == BACKLOG and core.crowded(contact)
    assert core.backlog(contact + 1) == 0 and not core.crowded(contact + 1)


def test_a_time_is_refused_that_is_none_or_longer_than_the_network_s(core):
    most = core.settings.message_lifetime
    for good in (None, 0.001, most):
        core.check_lifetime(good)
    for bad in (0.0, -1.0, most + 0.001, float("nan")):
        with pytest.raises(BadLifetime, match="at most 1w:"):
            core.check_lifetime(bad)


def test_a_message_that_fails_is_withdrawn_wherever_it_is(channel, core):
    contact = contact_of(core)
    channel["bob"].online = False
    failing, other = (channel["alice"].messenger.send_text("bob", text, channel.now) for text in ("no", "yes"))
    assert channel.run(30, lambda: core.store.one("SELECT count(*) FROM outbound WHERE message IS NOT NULL")[0] == 2)
    with core.change():
        core.enqueue(contact, 1, Text(failing, "no"), failing, channel.now)
        assert core.fail_message(failing, "because")
        assert not core.fail_message(failing, "again")
    assert core.store.all("SELECT DISTINCT message FROM outbound WHERE message IS NOT NULL") == [(other,)]
    assert texts_of(core, contact) == []
    assert core.messages.get(failing).state is MessageState.FAILED
    channel["bob"].online = True
    assert channel.run(120, lambda: core.messages.get(other).state is MessageState.DELIVERED)
    assert channel["bob"].inbox()[-1:] == ["yes"]


# Sessions.


def test_a_session_that_is_left_has_nothing_under_way_and_no_way_out(channel, core):
    contact = contact_of(core)
    conversation = core.routes[contact]
    with core.change():
        conversation.post(Parcel(0, encode(Confirm()), None, False, 0, channel.now + 9))
        core.leave(conversation)
    for table in ("outbound", "sealed", "posted", "taken", "inbound"):
        assert core.store.one(f"SELECT count(*) FROM {table} WHERE session = ?", conversation.id) == (0,)
    assert (core.conversations, core.by_incoming, core.by_outgoing, core.routes) == ({}, {}, {}, {})
    assert core.contacts.get(contact).session is None


def greeted(core, contact):
    return core.store.value(int, "SELECT greeted FROM group_peers WHERE contact = ?", contact)


def greet(core, contact):
    columns = "grp, key, first, contact, greeted"
    core.store.run(f"INSERT INTO group_peers ({columns}) VALUES (1, x'00', 0, ?, 1)", contact)


def test_in_another_session_a_member_of_groups_is_greeted_again(channel, core):
    contact = contact_of(core)
    conversation = core.routes[contact]
    greet(core, contact)
    with core.change():
        core.contacts.use(contact, None)
        core.routes.clear()
        core.route(conversation)
    assert greeted(core, contact) == 0 and core.routes == {contact: conversation}
    assert core.contacts.get(contact).session == conversation.id


def test_an_answer_opens_a_route_only_where_there_is_none_and_nothing_is_held(channel, core):
    contact = contact_of(core)
    conversation = core.routes[contact]
    greet(core, contact)
    core.establish(conversation)
    assert greeted(core, contact) == 1
    core.contacts.use(contact, None)
    core.establish(conversation)
    assert greeted(core, contact) == 0 and not core.holds(contact)
    assert core.take_events() == []  # established already: no news


def test_a_warning_stands_where_the_contact_s_messages_are(channel, core):
    contact = contact_of(core)
    core.warn(contact, "look at this", channel.now)
    (event,) = core.take_events()
    shown = event.message
    assert (shown.contact, shown.outgoing, shown.state, shown.error) == (
        "bob",
        False,
        MessageState.FAILED,
        "look at this",
    )
    assert (shown.text, shown.received_at) == ("", channel.now)
    assert core.messages.get(shown.id) == shown


def test_a_step_of_a_message_is_told_once(channel, core):
    contact = contact_of(core)
    number = core.messages.add(NewMessage(contact, MessageKind.TEXT, MessageState.QUEUED, "hi"), channel.now)
    assert core.step_message(number, MessageEvent.SEND) and not core.step_message(number, MessageEvent.SEND)
    assert [event.message.state for event in core.take_events()] == [MessageState.SENT]


def test_names_are_quoted_in_what_a_user_is_told_to_type(core):
    core.home = replace(core.home, name="my phone")
    contact = replace(core.contacts.get(contact_of(core)), name="bob's")
    assert core.unblock_first(contact) == (
        "you blocked \"bob's\": unblock it first with `mixnet contacts 'my phone' --unblock 'bob'\"'\"'s'`"
    )


def test_a_new_store_gets_an_identity_that_it_keeps(channel, core):
    before = core.identity_public
    channel["alice"].crash()
    assert channel["alice"].messenger._core.identity_public == before
    assert not channel["alice"].messenger._core.satellite and channel["bob"].messenger._core.identity_public != before


def test_a_contact_s_change_is_told_to_the_user_and_a_device_s_to_its_keeper(core, monkeypatch):
    contact, told = contact_of(core), []
    monkeypatch.setattr(core.own_devices, "changed", told.append)
    core.contact_changed(contact)
    (event,) = core.take_events()
    assert isinstance(event, ContactChanged) and event.contact == core.contacts.info(contact) and told == []
    core.siblings.add(contact)
    core.contact_changed(contact)
    assert told == [contact] and core.take_events() == []


@pytest.mark.parametrize("role", [DeviceRole.SATELLITE, DeviceRole.HOME])
def test_other_devices_have_their_routes_and_a_satellite_speaks_for_its_home(channel, core, role):
    contact = contact_of(core)
    own, conversation = core.identity_public, core.routes[contact]
    with core.change():
        core.device_table.add(contact, "laptop", role, channel.now)
    core.routes.clear()
    core.load_devices()
    assert core.siblings == {contact} and core.routes == {contact: conversation}
    home = role is DeviceRole.HOME
    assert core.satellite is home
    assert core.identity_public == (core.contacts.get(contact).identity if home else own)
    assert ("'laptop'" in str(core.home_only())) is home
    core.contacts.use(contact, None)
    core.routes.clear()
    core.load_devices()
    assert core.routes == {}
