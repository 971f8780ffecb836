"""Sessions that an old copy of a profile broke, or a new installation ended: what is said, and how all goes on."""

import random

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mixnet.client.arq.acks import Ack, LaneReport, parse_untrusted
from mixnet.client.arq.delivery_tags import KEPT, agree, tag
from mixnet.client.contacts.renewal import INTERRUPTED, UNKNOWN
from mixnet.client.e2e.bodies import CHUNK_SIZE, Reason, Refuse
from mixnet.client.messenger.old_copies import OUTDATED
from mixnet.client.messenger.outbox import UNANSWERED
from mixnet.client.model.contact_states import WrongStep
from mixnet.client.model.errors import AlreadyContact, ContactBlocked, SameContact, UnknownContact
from mixnet.client.model.views import ContactState, MessageKind, MessageState
from mixnet.errors import RemoteError
from tests.client.worlds.acks import CHANNEL
from tests.client.worlds.channel import Channel
from tests.client.worlds.crashes import copy, restore
from tests.client.worlds.daemons import befriend as friends_of_daemons
from tests.client.worlds.daemons import play
from tests.client.worlds.friends import befriend, downloads, errors, write

DAY = 86_400


@pytest.fixture
def channel(tmp_path):
    made = Channel(tmp_path, seed=5)
    befriend(made)
    made.run(10)
    return made


def exchange(channel, rounds, word):
    """Texts both ways, one after the other."""
    for number in range(rounds):
        for me, other in (("alice", "bob"), ("bob", "alice")):
            channel[me].messenger.send_text(other, f"{word} {number} of {me}", channel.now)
            assert channel.run(120, channel.settled)
    channel.run(30)


def renew(channel, inviter="alice", acceptor="bob"):
    channel.introduce(inviter, acceptor)


def renewed(channel, one="alice", other="bob"):
    def done():
        return all(
            not known.renewing and known.state in (ContactState.ESTABLISHED, ContactState.VERIFIED)
            for name in (one, other)
            for known in channel[name].messenger.contacts()
        )

    return done


def texts(channel, name):
    """What came and counts, in order: without the notes about the session."""
    return [
        m.text
        for m in channel[name].messenger.messages()
        if not m.outgoing and m.kind is MessageKind.TEXT and m.state is not MessageState.FAILED
    ]


def test_an_old_copy_that_gives_numbers_again_is_never_told_that_all_arrived(channel):
    """More messages at once than the old copy is behind: their numbers look as if they were meant."""
    bob = channel["bob"]
    exchange(channel, 1, "before")
    saved = copy(bob)
    exchange(channel, 3, "later")
    restore(bob, saved)
    numbers = [bob.messenger.send_text("alice", f"new {n}", channel.now) for n in range(8)]
    channel.run(100)
    assert {bob.messenger.message(number).state for number in numbers} == {MessageState.SENT}
    assert errors(bob) == [OUTDATED]


@pytest.mark.parametrize("inviter", ["alice", "bob"])
@pytest.mark.parametrize("behind", [2, 12])
def test_after_a_renewal_everything_that_did_not_arrive_arrives_once(channel, inviter, behind):
    alice, bob = channel["alice"], channel["bob"]
    assert alice.messenger.people.verify("bob").verified
    exchange(channel, 1, "before")
    saved = copy(bob)
    exchange(channel, behind, "later")
    restore(bob, saved)
    numbers = [bob.messenger.send_text("alice", f"new {n}", channel.now) for n in range(8)]
    channel.run(60)
    renew(channel, inviter, "bob" if inviter == "alice" else "alice")
    alice.messenger.send_text("bob", "to the restored one", channel.now)
    assert channel.run(600, renewed(channel))
    alice.messenger.send_text("bob", "afterwards", channel.now)
    bob.messenger.send_text("alice", "afterwards too", channel.now)
    assert channel.run(600, channel.settled)
    channel.run(30)
    assert {bob.messenger.message(number).state for number in numbers} == {MessageState.DELIVERED}
    came = texts(channel, "alice")
    assert sorted(text for text in came if text.startswith("new")) == [f"new {n}" for n in range(8)]
    assert len(came) == len(set(came)) and came[-1] == "afterwards too"
    assert texts(channel, "bob")[-2:] == ["to the restored one", "afterwards"]
    (known,) = alice.messenger.contacts()
    assert (known.name, known.verified, known.renewing) == ("bob", True, False)
    for person in (alice, bob):
        assert person.store.all("SELECT * FROM stranded") == person.store.all("SELECT * FROM waiting") == []


def test_a_copy_from_before_the_contact_makes_it_a_new_one_here_and_the_same_one_there(tmp_path):
    channel = Channel(tmp_path, seed=6)
    alice, bob = channel["alice"], channel["bob"]
    saved = copy(bob)
    befriend(channel)
    exchange(channel, 2, "before")
    restore(bob, saved)
    assert bob.messenger.contacts() == []
    lost = alice.messenger.send_text("bob", "where are you?", channel.now)
    channel.run(60)
    assert alice.messenger.message(lost).state is MessageState.SENT
    renew(channel)
    assert channel.run(600, channel.settled)
    channel.run(30)
    assert texts(channel, "bob") == ["where are you?"]
    assert [c.name for c in alice.messenger.contacts()] == ["bob"]
    assert len(alice.messenger.messages()) == 5, "the archive stays"


@settings(max_examples=6)
@given(st.integers(0, 1 << 32))
@example(66051)  # an older session is settled when files have begun again already: they are offered twice
def test_whatever_is_under_way_when_a_working_session_is_renewed_arrives_once_in_order(tmp_path_factory, seed):
    rng = random.Random(seed)
    channel = Channel(tmp_path_factory.mktemp("renewal"), seed=seed, loss=rng.choice([0.0, 0.3]), duplication=0.2)
    befriend(channel)
    sent: dict[str, list[str]] = {"alice": [], "bob": []}
    files: set[str] = set()
    for step in range(25):
        me, other = rng.choice([("alice", "bob"), ("bob", "alice")])
        action = rng.random()
        if action < 0.6:
            text = f"{step} " + "x" * rng.choice([1, 3000, 20_000])
            channel[me].messenger.send_text(other, text, channel.now)
            sent[me].append(text)
        elif action < 0.7:
            path = write(channel, rng.randrange(3 * CHUNK_SIZE), f"{step}.bin", step)
            channel["alice"].messenger.send_file("bob", path, channel.now)
            files.add(path.name)
        elif action < 0.85:
            renew(channel, me, other)
        else:
            channel[rng.choice(["alice", "bob"])].crash()
        channel.run(rng.expovariate(2.0))
    assert channel.run(600, channel.settled)
    assert channel.run(300, renewed(channel))
    channel.run(60)
    for me, other in (("alice", "bob"), ("bob", "alice")):
        came = [
            m.text
            for m in channel[other].messenger.messages()
            if not m.outgoing and m.kind is MessageKind.TEXT and m.state is not MessageState.FAILED
        ]
        assert came == sent[me]
        assert set(channel[me].states()) <= {"delivered"}
        assert errors(channel[me]) in ([], [INTERRUPTED] * len(errors(channel[me])))
        assert channel[me].store.all("SELECT * FROM stranded") == []
    assert set(downloads(channel)) == files, "each file once, and no partial one"
    for name, content in downloads(channel).items():
        assert content == (channel.tmp / name).read_bytes()


def test_both_renew_at_the_same_time(channel):
    alice, bob = channel["alice"], channel["bob"]
    channel.loss = 0.3
    invitations = {me: channel[me].messenger.create_invitation(me, channel.now).encode() for me in ("alice", "bob")}
    for n in range(3):
        alice.messenger.send_text("bob", f"a{n}", channel.now)
        bob.messenger.send_text("alice", f"b{n}", channel.now)
    alice.messenger.accept_invitation(invitations["bob"], None, channel.now)
    bob.messenger.accept_invitation(invitations["alice"], None, channel.now)
    assert channel.run(400, renewed(channel))
    for n in range(3, 6):
        alice.messenger.send_text("bob", f"a{n}", channel.now)
        bob.messenger.send_text("alice", f"b{n}", channel.now)
    assert channel.run(400, channel.settled)
    assert texts(channel, "bob") == [f"a{n}" for n in range(6)]
    assert texts(channel, "alice") == [f"b{n}" for n in range(6)]


def test_one_who_is_offline_finds_two_renewals_and_uses_the_last(channel):
    """The inviter made another invitation while the first renewal had not got through."""
    alice, bob = channel["alice"], channel["bob"]
    first = bob.messenger.create_invitation("bob", channel.now).encode()
    bob.online = False
    alice.messenger.accept_invitation(first, None, channel.now)
    second = alice.messenger.create_invitation("alice", channel.now).encode()
    bob.messenger.accept_invitation(second, None, channel.now)
    alice.messenger.send_text("bob", "hello", channel.now)
    channel.run(20)
    bob.online = True
    assert channel.run(400, channel.settled)
    assert channel.run(400, renewed(channel))
    bob.messenger.send_text("alice", "hi", channel.now)
    assert channel.run(400, channel.settled)
    assert (texts(channel, "bob"), texts(channel, "alice")) == (["hello"], ["hi"])


def test_a_renewal_that_nobody_answers_leaves_the_old_session_and_says_so(channel):
    alice, bob = channel["alice"], channel["bob"]
    text = alice.messenger.create_invitation("alice", channel.now).encode()
    alice.store.run("DELETE FROM invitations")
    bob.messenger.accept_invitation(text, None, channel.now)
    with pytest.raises(AlreadyContact, match="accepted this invitation already"):
        bob.messenger.accept_invitation(text, None, channel.now)
    assert bob.messenger.contacts()[0].renewing
    exchange(channel, 1, "meanwhile")
    bob.messenger.expire(channel.now + 8 * DAY)
    assert errors(bob) == [UNANSWERED] and not bob.messenger.contacts()[0].renewing
    exchange(channel, 1, "still")
    assert texts(channel, "bob") == ["meanwhile 0 of alice", "still 0 of alice"]


def test_what_nobody_can_tell_has_failed_with_that_reason(channel):
    """The old copy is more messages behind than tags are kept."""
    alice, bob = channel["alice"], channel["bob"]
    saved = copy(bob)
    exchange(channel, 2, "later")
    restore(bob, saved)
    number = bob.messenger.send_text("alice", "did this arrive?", channel.now)
    channel.run(30)
    alice.store.run("DELETE FROM taken WHERE lane = 0 AND number < 3")
    renew(channel)
    assert channel.run(600, renewed(channel))
    assert (bob.messenger.message(number).state, bob.messenger.message(number).error) == (MessageState.FAILED, UNKNOWN)


def test_a_renewal_forgets_receipts_and_refusals_of_before(channel):
    """Numbers that an old copy gives again must not be called read, or refused, because of what had them before."""
    alice, bob = channel["alice"], channel["bob"]
    saved = copy(bob)
    bob.messenger.send_text("alice", "first life", channel.now)
    assert channel.run(60, channel.settled)
    core = alice.messenger._core
    core.enqueue(core.contacts.named("bob").id, 0, Refuse(99, Reason.NO_ROOM), None, channel.now)
    restore(bob, saved)
    renew(channel)
    assert channel.run(600, renewed(channel))
    again = bob.messenger.send_text("alice", "second life", channel.now)
    for message in alice.messenger.messages():
        if message.text == "first life":
            alice.messenger.mark_read(message.id, channel.now)
    channel.run(60)
    assert bob.messenger.message(again).state is MessageState.DELIVERED
    assert alice.store.all("SELECT * FROM waiting") == []


# a new installation


@pytest.fixture
def reinstalled(channel):
    """Bob has lost his profile, and is a stranger with a new one; both became contacts again."""
    channel["alice"].messenger.people.verify("bob")
    exchange(channel, 1, "before")
    channel["bob"].online = False
    for number in range(2):
        channel["alice"].messenger.send_text("bob", f"undelivered {number}", channel.now)
    channel["alice"].messenger.send_file("bob", write(channel, CHUNK_SIZE + 7), channel.now)
    channel.run(20)
    channel.join("bobby")
    channel["bobby"].home = channel["bobby"].messenger._core.home
    befriend(channel, "alice", "bobby")
    return channel


def test_the_user_may_say_that_a_new_contact_is_the_old_one(reinstalled):
    alice, bobby = reinstalled["alice"], reinstalled["bobby"]
    bobby.messenger.send_text("alice", "it is me", reinstalled.now)
    assert reinstalled.run(60, lambda: "delivered" in bobby.states())
    new = next(c for c in alice.messenger.contacts() if c.name == "bobby")
    linked = alice.messenger.relink("bob", "bobby", reinstalled.now)
    assert (linked.name, linked.safety_number, linked.verified) == ("bob", new.safety_number, False)
    assert [c.name for c in alice.messenger.contacts()] == ["bob"]
    assert {m.contact for m in alice.messenger.messages()} == {"bob"}
    alice.messenger.send_text("bob", "welcome back", reinstalled.now)
    alice.crash()
    del reinstalled.people["bob"]
    reinstalled._queue = [one for one in reinstalled._queue if "bob" not in one]
    assert reinstalled.run(600, reinstalled.settled)
    assert texts(reinstalled, "bobby")[:3] == ["undelivered 0", "undelivered 1", "welcome back"]
    assert downloads(reinstalled, "bobby") == {"file.bin": (reinstalled.tmp / "file.bin").read_bytes()}
    bobby.messenger.send_text("alice", "thanks", reinstalled.now)
    assert reinstalled.run(60, reinstalled.settled)
    assert texts(reinstalled, "alice")[-1] == "thanks"


@pytest.mark.parametrize(
    ("old", "new", "kept"), [("", "his new phone", "his new phone"), ("met in Oslo", "new", "met in Oslo")]
)
def test_a_note_about_the_new_contact_is_not_lost_where_the_old_one_has_none(reinstalled, old, new, kept):
    alice = reinstalled["alice"].messenger
    alice.people.note("bob", old)
    alice.people.note("bobby", new)
    assert alice.relink("bob", "bobby", reinstalled.now).note == kept


def test_what_can_t_be_linked_says_why(reinstalled):
    alice = reinstalled["alice"].messenger
    for names, error in [
        (("bob", "bob"), SameContact),
        (("nobody", "bob"), UnknownContact),
        (("bob", "nobody"), UnknownContact),
    ]:
        with pytest.raises(error):
            alice.relink(*names, reinstalled.now)
    reinstalled.join("carol")
    alice.accept_invitation(
        reinstalled["carol"].messenger.create_invitation("carol", reinstalled.now).encode(), None, reinstalled.now
    )
    with pytest.raises(WrongStep, match="has not answered yet"):
        alice.relink("bob", "carol", reinstalled.now)
    alice.people.block("bob", reinstalled.now)
    with pytest.raises(ContactBlocked):
        alice.relink("bob", "bobby", reinstalled.now)
    assert sorted(c.name for c in alice.contacts()) == ["bob", "bobby", "carol"]


# tags


@given(st.integers(0, 40), st.lists(st.binary(min_size=1, max_size=3), max_size=20))
def test_tags_tell_of_the_messages_right_below(number, ciphertexts):
    tags = [tag(one) for one in ciphertexts]
    next_number = len(tags) + 10
    said = agree(tag(b"x"), number, next_number, tags)
    inside = 10 <= number < next_number
    assert said is (ciphertexts[number - 10] == b"x" if inside else None)


def test_an_answer_with_more_tags_than_messages_is_refused():
    good = Ack(1, 0.0, (LaneReport(2, {}, (b"a" * 8, b"b" * 8)), LaneReport(0, {})))
    assert parse_untrusted(good.encode(CHANNEL), CHANNEL) == good
    for lane in (LaneReport(1, {}, (b"a" * 8,) * 2), LaneReport(99, {}, (b"a" * 8,) * 17)):
        with pytest.raises(RemoteError):
            parse_untrusted(Ack(1, 0.0, (lane, LaneReport(0, {}))).encode(CHANNEL), CHANNEL)


def test_tags_are_bounded_and_skipped_ones_match_nothing(channel):
    conversation = next(iter(channel["bob"].messenger._core.conversations.values()))
    history = conversation.history
    for number in (5, 6, 8, *range(9, KEPT + 20)):
        history.delivered(1, number, b"%d" % number)
    assert len(history.tags(1, KEPT + 20)) == KEPT
    assert history.tags(1, 10, 3) == (), "what is older is forgotten"
    assert conversation._store.one("SELECT count(*) FROM taken WHERE lane = 1")[0] <= KEPT


def test_a_whole_daemon_goes_on_with_a_contact_who_began_anew():
    async def program(town, nursery):
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await friends_of_daemons(alice, bob)
        await alice.send("bob", "to the old one", wait=True)
        again = await town.start(nursery, "bobby", 3)
        await again.accept(await alice.invite(), "alice")
        await again.wait_established("alice")
        linked = await alice.relink("bob", "bobby")
        assert (linked.name, linked.state) == ("bob", "established")
        with trio.fail_after(60):
            await alice.send("bob", "same person", wait=True)
            await again.send("alice", "yes", wait=True)
        assert [message.text async for message in again.messages()] == ["same person", "yes"]

    play(program)
