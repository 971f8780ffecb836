"""Two days of ten people with two devices each: everybody ends with the same history. `make fortnight` plays more."""

import pytest

from mixnet.client.core.state import Core
from mixnet.client.devices.replica import Replica
from mixnet.client.files import receiver
from mixnet.client.groups.ordering import Filing
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.storage.messages import MessageTable
from tests.client.days.plan import DAY, HOME, PHONE, CallContact, Down, Hand, Kill, Off, Plan, Read, Split, Write, draw
from tests.client.days.player import play

SEED = 1  # of the story in the suite: `python -m tests.client.days --days 2 --seed SEED` plays it alone


@pytest.mark.long
@pytest.mark.timeout(900)
def test_after_two_days_everybody_has_the_same_history(tmp_path):
    player, complaints = play(draw(SEED, 2.0), tmp_path)
    assert not complaints, f"seed {SEED}: " + "; ".join(complaints)
    assert len(player.meant) > 110 and player.village.lost > 200
    assert sum(device.deaths for device in player.devices.values()) > 20


def test_a_plan_has_every_kind_of_deed_and_fault_and_follows_from_its_seed():
    plan = draw(SEED, 2.0)
    assert plan == draw(SEED, 2.0) != draw(SEED + 1, 2.0)
    assert {type(deed).__name__ for deed in plan.deeds} == {
        *("Write", "Hand", "Read", "CallContact", "Retitle", "Remove", "Leave")
    }
    assert {type(fault).__name__ for fault in plan.faults} == {"Kill", "Off", "Down", "Cut", "Split"}
    writes = [deed for deed in plan.deeds if isinstance(deed, Write)]
    assert any(deed.expires for deed in writes) and any(deed.cancel for deed in writes)
    assert {deed.device for deed in writes} == {HOME, PHONE}
    assert any(fault.writes for fault in plan.faults if isinstance(fault, Kill))


@pytest.mark.parametrize("days", [0.5, 2.0, 3.0, 14.0])
def test_all_that_happens_in_a_plan_begins_before_its_end(days):
    plan = draw(SEED, days)
    assert all(one.at < days * DAY for one in (*plan.deeds, *plan.faults))
    assert any(isinstance(fault, Down) for fault in plan.faults) and any(isinstance(f, Split) for f in plan.faults)


def small(*, group: bool = False) -> Plan:
    """Two people, or a group of three, for a few hours."""
    deeds = [Write(600.0 * n, "alice", n % 2, "bob", f"a{n}") for n in range(6)]
    deeds += [Write(600.0 * n, "bob", HOME, "alice", f"b{n}") for n in range(6)]
    deeds += [Hand(900.0, "alice", HOME, "bob", "f0"), Read(10_000.0, "bob", PHONE)]
    deeds += [CallContact(2000.0, "alice", PHONE, "bob", "the builder")]
    pairs = (("alice", "bob"),)
    groups = {}
    if group:
        pairs, groups = (("alice", "bob"), ("alice", "carol")), {"club": ("alice", "bob", "carol")}
        deeds += [Write(700.0 * n, who, HOME, "club", f"{who} {n}") for who in ("alice", "bob") for n in range(4)]
    faults = [Kill(3000.0, "bob", HOME, 7, 60.0), Off(4000.0, "alice", PHONE, 6000.0)]
    faults += [Down(5000.0, 0, 6000.0), Split(7000.0, 8000.0)]
    deeds.sort(key=lambda deed: deed.at)
    return Plan(3, 0.15, pairs, groups, 0.03, 0.03, {}, deeds, faults)


def test_a_few_hours_of_three_people(tmp_path):
    player, complaints = play(small(group=True), tmp_path)
    assert not complaints
    assert len(player.meant) == 6 + 6 + 1 + 8


def lose(patch):
    """A text is acknowledged and not filed."""
    received = Core.received_text

    def receiving_text(self, contact, text, remote, now, period):
        if text != "a2":
            received(self, contact, text, remote, now, period)

    patch.setattr(Core, "received_text", receiving_text)


def double(patch):
    """A text is filed twice."""
    add = MessageTable.add

    def adding(self, entry, now):
        if entry.text == "b3" and entry.state is MessageState.RECEIVED:
            add(self, entry, now)
        return add(self, entry, now)

    patch.setattr(MessageTable, "add", adding)


def lose_in_group(patch):
    """A post is acknowledged and not filed by one member."""
    file = Filing._file
    lost = []

    def filing(self, group, post, now):
        if post.text == "alice 1" and not lost:
            lost.append(post)
        else:
            file(self, group, post, now)

    patch.setattr(Filing, "_file", filing)


def spoil(patch):
    """A file arrives with other bytes."""
    finish = receiver.finish

    def finishing(*args):
        path = finish(*args)
        path.write_bytes(b"else")
        return path

    patch.setattr(receiver, "finish", finishing)


def forget_on_satellite(patch):
    """What the home tells of one message is passed over."""
    message = Replica._message

    def replica(self, home, record, *, history):
        if record.text != "b1":
            message(self, home, record, history=history)

    patch.setattr(Replica, "_message", replica)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (lose, "alice to bob: 'a2' is lost"),
        (double, "bob to alice: 'b3' is there 2 times"),
        (lose_in_group, "alice in club for"),
        (forget_on_satellite, "alice: the satellite has not"),
        (spoil, "alice to bob: the file f0 is another one"),
    ],
)
def test_what_is_lost_doubled_or_spoilt_is_noticed(tmp_path, monkeypatch, broken, complaint):
    broken(monkeypatch)
    _, complaints = play(small(group=broken is lose_in_group), tmp_path)
    assert any(one.startswith(complaint) for one in complaints), complaints


def test_a_deed_that_died_half_way_is_done_once(tmp_path):
    """The sender's own process dies in the write of each of its messages."""
    deeds = [Write(900.0 * n, "alice", HOME, "bob", f"a{n}") for n in range(8)]
    faults = [Kill(900.0 * n - 1, "alice", HOME, 1 + n, 30.0) for n in range(1, 8)]
    player, complaints = play(Plan(5, 0.15, (("alice", "bob"),), {}, 0.0, 0.0, {}, deeds, faults), tmp_path)
    assert not complaints and player.devices["alice", HOME].deaths >= 5
    assert {one.kind for one in player.meant} == {MessageKind.TEXT}
