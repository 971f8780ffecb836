"""What devices say to each other: its bytes, what is unknown in it, and the order in which it is taken."""

import random
from typing import get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixnet.client.core.outgoing import MessengerSettings
from mixnet.client.devices import bodies, changelog, contacts
from mixnet.client.devices.bodies import (
    MESSAGE_SIZE,
    PIECE_SIZE,
    DeviceRequest,
    DeviceResponse,
    GoneRecord,
    GroupMemberRecord,
    GroupMessageRecord,
    GroupRecord,
    MessageRecord,
    Revoked,
    Sync,
    Welcome,
    decode_untrusted,
    encode,
    raw,
    records_untrusted,
    request_untrusted,
    split,
)
from mixnet.client.devices.changelog import ChangeFeed
from mixnet.client.devices.contacts import ContactRecord
from mixnet.client.devices.devices import Devices
from mixnet.client.devices.replica import Replica
from mixnet.client.e2e.bodies import BODY_LIMIT, EDITS_LIMIT, PERIOD_LIMIT, DevicePiece, MessageEvent
from mixnet.client.e2e.bodies import encode as encode_body
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.contact_states import ContactVerdict, Standing
from mixnet.client.model.destination import Destination, Home
from mixnet.client.model.errors import NameTaken
from mixnet.client.model.group_views import GroupState
from mixnet.client.model.views import AckChoice, ContactState, DeviceRole, MessageKind, MessageState, ReadReceiptChoice
from mixnet.client.storage.database import Store
from mixnet.client.storage.messages import NewMessage
from mixnet.crypto import SymmetricKey
from mixnet.errors import LocalError, RemoteError

DIGESTS = st.binary(min_size=32, max_size=32)
NUMBERS = st.integers(0, (1 << 62) - 1)
TIMES = st.floats(0, 1e10, allow_nan=False)
PERIODS = st.none() | st.floats(60, 1e9)
NAMES = st.text(min_size=1, max_size=20)
TEXTS = st.text(max_size=50)
LATER = (st.integers(0, EDITS_LIMIT), st.booleans(), st.integers(0, PERIOD_LIMIT), st.none() | TIMES)
RECORDS = st.one_of(
    st.builds(ContactRecord, DIGESTS, NAMES, st.sampled_from(ContactState), st.sampled_from(Standing), TIMES, PERIODS),
    st.builds(
        MessageRecord,
        *(NUMBERS, DIGESTS, st.booleans(), st.sampled_from(MessageKind), st.sampled_from(MessageState), TEXTS),
        *(NUMBERS, NUMBERS, TEXTS, TIMES, TIMES, TIMES, TIMES, st.booleans(), *LATER),
    ),
    st.builds(GoneRecord, NUMBERS),
    st.builds(contacts.GoneContactRecord, DIGESTS),
    st.builds(
        GroupRecord,
        *(DIGESTS, NAMES, NAMES, st.sampled_from(GroupState), TIMES, PERIODS),
        st.lists(st.builds(GroupMemberRecord, NAMES, st.booleans(), st.booleans(), st.booleans())).map(tuple),
    ),
    st.builds(
        GroupMessageRecord,
        *(NUMBERS, DIGESTS, st.booleans(), st.sampled_from(MessageKind), st.sampled_from(MessageState), TEXTS),
        *(NUMBERS, NUMBERS, TEXTS, TIMES, TIMES, TIMES, TIMES, st.booleans(), *LATER, TEXTS, NUMBERS, NUMBERS),
        st.lists(TEXTS, max_size=3).map(tuple),
    ),
)
REQUEST_FIELDS = {
    bodies.SendText: (DIGESTS, TEXTS, st.none() | TIMES),
    bodies.MarkRead: (st.lists(NUMBERS, max_size=3).map(tuple),),
    contacts.Rename: (DIGESTS, NAMES),
    contacts.Verify: (DIGESTS,),
    contacts.Block: (DIGESTS, st.booleans()),
    bodies.Accept: (DIGESTS, TEXTS, st.none() | NAMES),
    bodies.Cancel: (NUMBERS, NUMBERS),
    bodies.Delete: (NUMBERS,),
    bodies.Clear: (DIGESTS,),
    bodies.Retain: (DIGESTS, PERIODS),
    bodies.SendFile: (DIGESTS, st.none() | TIMES),
    bodies.Fetch: (NUMBERS,),
    bodies.GroupCreate: (NAMES,),
    bodies.GroupInvite: (DIGESTS, DIGESTS),
    bodies.GroupDo: (DIGESTS, st.sampled_from(bodies.GroupVerb), TEXTS),
    contacts.Annotate: (DIGESTS, TEXTS),
    contacts.TellReading: (DIGESTS, st.sampled_from(ReadReceiptChoice)),
    bodies.EditText: (NUMBERS, NUMBERS, TEXTS),
    bodies.WithdrawMessage: (NUMBERS, NUMBERS),
    bodies.LetDisappear: (DIGESTS, st.integers(0, PERIOD_LIMIT)),
    contacts.Acknowledge: (DIGESTS, st.sampled_from(AckChoice)),
}
REQUESTS = st.one_of(*(st.builds(kind, *fields) for kind, fields in REQUEST_FIELDS.items()))
SYNCS = st.builds(lambda h, n, rs: Sync(h, n, tuple(raw(r) for r in rs)), st.booleans(), NUMBERS, st.lists(RECORDS))
MESSAGES = st.one_of(
    SYNCS,
    st.builds(lambda n, f, r: DeviceRequest(n, f, raw(r)), NUMBERS, NUMBERS, REQUESTS),
    st.builds(DeviceResponse, NUMBERS, TEXTS, NUMBERS),
    st.builds(Welcome, NUMBERS),
    st.just(Revoked()),
)


@given(MESSAGES)
def test_a_message_comes_out_of_its_pieces_as_it_went_in(message):
    pieces = split(message)
    assert [piece.left for piece in pieces] == list(reversed(range(len(pieces))))
    assert encode(decode_untrusted(b"".join(piece.content for piece in pieces))) == encode(message)


@given(st.lists(RECORDS, max_size=5))
def test_records_are_read_as_they_were_written(records):
    assert records_untrusted(Sync(False, 0, tuple(raw(r) for r in records))) == (records, 0)


def test_every_request_is_tried():
    assert REQUEST_FIELDS.keys() == set(get_args(bodies.DeviceVerb))


@given(REQUESTS)
def test_a_request_is_read_as_it_was_written(request):
    assert request_untrusted(DeviceRequest(1, 1, raw(request))) == request


@given(st.binary(max_size=300) | MESSAGES.map(encode), st.data())
def test_any_bytes_are_a_message_or_one_kind_of_error(content, data):
    changed = bytearray(content)
    if changed:
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(0, 255))
    try:
        message = decode_untrusted(bytes(changed))
    except RemoteError:
        return
    if isinstance(message, Sync):
        known, unknown = records_untrusted(message)
        assert len(known) + unknown == len(message.records)
    if isinstance(message, DeviceRequest):
        request_untrusted(message)


@given(st.lists(RECORDS, max_size=3), st.integers(3, 127), st.lists(NUMBERS, max_size=3), st.integers(0, 3))
def test_a_record_of_a_newer_version_is_passed_over_alone(records, tag, fields, place):
    raws = [raw(record) for record in records]
    raws.insert(place, msgspec.Raw(msgspec.msgpack.encode([tag, *fields])))
    assert records_untrusted(Sync(False, 0, tuple(raws))) == (records, 1)


@given(RECORDS)
def test_what_a_newer_version_adds_to_a_record_is_passed_over(record):
    longer = [*msgspec.msgpack.decode(raw(record)), "more"]
    assert records_untrusted(Sync(False, 0, (msgspec.Raw(msgspec.msgpack.encode(longer)),))) == ([record], 0)


def test_a_piece_fits_into_a_body_and_a_message_into_its_pieces():
    assert len(encode_body(DevicePiece(1, 2, bytes(PIECE_SIZE)))) <= BODY_LIMIT
    with pytest.raises(LocalError):
        split(Sync(False, 0, (msgspec.Raw(msgspec.msgpack.encode(bytes(MESSAGE_SIZE))),)))


# order


def profile(name: str) -> Messenger:
    store = Store.open(":memory:", SymmetricKey(bytes(32)))
    home = Home(name, bytes(32), Destination(bytes(32), name.ljust(32).encode(), bytes(31) + b"\x09"))
    return Messenger(store, MessengerSettings(), random.Random(1), home, None, pauses=random.Random(2))


VERBS = ("write", "come", "step", "delete", "rename", "swap", "block", "tell", "meet", "lose", "found", "say")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(VERBS),
        st.integers(0, 9),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.integers(0, 6))
def test_a_mirror_ends_as_its_home_is_however_telling_and_changing_follow_each_other(steps, before):
    """Each step changes something at home or tells a message of it; "lose" undoes a telling that was not stored."""
    home, phone = profile("home"), profile("phone")
    core, there = home._core, phone._core
    there.contacts.add("\0home", home.identity, ContactState.ESTABLISHED, 1.0)
    there.device_table.add(1, "home", DeviceRole.HOME, 1.0)
    there.load_devices()
    feed, replica = ChangeFeed(core, home.groups), Replica(there)
    told: list[Sync] = []
    now = 10.0

    def change(what: str, number: int) -> None:
        known = core.contacts.all()
        contact = known[number % len(known)] if known else None
        numbers = [m.id for m in home.messages()]
        match what:
            case "meet":
                name = core.free_name(f"c{len(known)}")
                core.contacts.add(name, bytes([len(known)]) * 32, ContactState.ESTABLISHED, now)
            case "found" if len(home.groups.list()) < 3:
                home.groups.create(f"g{number}", now)
            case "say" if home.groups.list():
                groups = home.groups.list()
                group = home.groups._registry.named(groups[number % len(groups)].name)
                home.groups._dispatch.write(group, now, text=f"s{now}")  # nobody else is there: `send` would refuse
            case "write" if contact:
                core.messages.add(NewMessage(contact.id, MessageKind.TEXT, MessageState.QUEUED, f"w{now}"), now)
            case "come" if contact:
                entry = NewMessage(
                    contact.id, MessageKind.TEXT, MessageState.RECEIVED, f"c{now}", received_at=now, remote=7
                )
                core.messages.add(entry, now)
            case "step" if numbers:
                core.messages.step(numbers[number % len(numbers)], list(MessageEvent)[number % len(MessageEvent)])
            case "delete" if numbers:
                core.store.run("DELETE FROM messages WHERE id = ?", numbers[number % len(numbers)])
            case "rename" if contact:
                try:
                    core.contacts.rename(contact, f"c{number}")
                except NameTaken:
                    return
            case "swap" if len(known) > 1:
                first, second = known[0], known[number % (len(known) - 1) + 1]
                for one, name in ((first, "tmp"), (second, first.name), (core.contacts.get(first.id), second.name)):
                    core.contacts.rename(one, name)
            case "block" if contact:
                core.contacts.judge(contact, list(ContactVerdict)[number % 2])

    def tell(device: int) -> None:
        current = core.device_table.get(device)
        assert current is not None
        if feed.due(current):
            feed.tell_next(current)
        while told:
            with there.change():
                replica.apply(1, told.pop(0))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changelog, "tell", lambda _core, _device, message: told.append(message))
        patch.setattr(changelog, "has_room", lambda _core, _device, _lane: True)
        patch.setattr(changelog, "RECORDS", 2)
        for number in range(before):
            change("meet" if number % 3 == 0 else "write", number)
        device = core.contacts.add("\0phone", b"P" * 32, ContactState.ESTABLISHED, 1.0).id
        core.device_table.add(device, "phone", DeviceRole.SATELLITE, now, before + 1)
        core.load_devices()
        replica.welcome(1, Welcome(before))
        for contact in core.contacts.all():
            feed.touch("contact", contact.id)
        for what, number in steps:
            now += 1.0
            if what == "tell":
                tell(device)
            elif what == "lose":
                with pytest.raises(ZeroDivisionError), core.change():
                    current = core.device_table.get(device)
                    if feed.due(current):
                        feed.tell_next(current)
                    told.clear()
                    raise ZeroDivisionError
            else:
                with core.change():
                    change(what, number)
        while feed.due(core.device_table.get(device)):
            tell(device)
    numbers = dict(there.store.all("SELECT message, number FROM mirrored"))
    here = [(numbers[m.id], m.contact, m.text, m.state, m.received_at) for m in phone.messages()]
    there_now = [(m.id, m.contact, m.text, m.state, m.received_at) for m in home.messages()]
    assert here == there_now  # in the same order, too
    assert Devices(phone).user.groups.list() == home.groups.list()
    assert sorted((c.name, c.blocked, c.added_at) for c in phone.contacts()) == sorted(
        (c.name, c.blocked, c.added_at) for c in home.contacts()
    )
    assert core.store.one("SELECT 1 FROM device_log") is None
    assert core.device_table.get(device).history == there.device_table.get(1).history == 0
