"""Anonymous messages through the hostile network: answers, restarts, expiry, floods, and what they tell of a writer."""

import random
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.bucket import TokenBucket
from mixnet.client.anonymous.address_owner import EXPIRED, HELD, OPEN_AT_ONCE, OPENINGS, REMEMBERED
from mixnet.client.anonymous.anonymous import LANE
from mixnet.client.arq.fragments import Fragment, FragmentToSend, PlaintextKind, ReplyBlock, Unverified, spans
from mixnet.client.core.outgoing import OutgoingFragment, OutgoingReply
from mixnet.client.e2e import anonymous_bodies
from mixnet.client.e2e.anonymous_bodies import LETTER_LIMIT, AnonymousText, Opening, Supply
from mixnet.client.e2e.public_address import PublicAddress
from mixnet.client.e2e.ratchet import Session
from mixnet.client.e2e.x3dh import start_untrusted
from mixnet.client.model.durations import DAY
from mixnet.client.model.errors import (
    AddressOfOtherNetwork,
    AnonymousOnly,
    AnonymousTextTooLong,
    BadLifetime,
    ConversationEnded,
    ExpiredAddress,
    MalformedAddress,
    NoLongerReached,
    NotAnonymous,
    OwnAddress,
    StoreUnavailable,
    TooManyAddresses,
    UnknownAddress,
)
from mixnet.client.model.views import MessageState, Role
from mixnet.client.storage.reply_blocks import EACH_EPOCH, STOCK
from mixnet.crypto import KEM_CIPHERTEXT_SIZE, SymmetricKey
from mixnet.errors import RemoteError
from mixnet.sphinx import GEOMETRY
from tests.client.worlds.channel import BLOCK_LIFE, START, Channel


def at(channel, name):
    return channel[name].messenger


def published(channel, name="alice"):
    return at(channel, name).anonymous.create_address(channel.now).text


def write(channel, text="who am I?", address=None, **how):
    """Let bob send alice a first anonymous text: its number, and the conversation's names on his side and on hers."""
    number = at(channel, "bob").send_anonymous(address or published(channel), text, channel.now, **how)
    assert settle(channel, "bob", number) is MessageState.DELIVERED
    return number, at(channel, "bob").message(number).contact, at(channel, "alice").messages()[-1].contact


def settle(channel, name, number, seconds=300):
    """What becomes of a message, at the latest in so many seconds."""
    changed = channel[name].events
    changed.clear()
    channel.run(
        seconds,
        lambda: (
            any(getattr(one, "message", None) and one.message.id == number for one in changed)
            and at(channel, name).message(number).state in (MessageState.DELIVERED, MessageState.FAILED)
        ),
    )
    return at(channel, name).message(number).state


def send(channel, name, contact, text):
    return at(channel, name).send_text(contact, text, channel.now)


def answered(channel, text, ours):
    return settle(channel, "alice", send(channel, "alice", ours, text))


def skip(channel, seconds, step=BLOCK_LIFE / 4, busy=8.0):
    """Let much time pass: nothing happens but in the last `busy` seconds of each step."""
    end = channel.now + seconds
    while channel.now < end:
        idle = max(0.0, min(step, end - channel.now) - busy)
        channel._queue = [(when + idle, *rest) for when, *rest in channel._queue]
        channel.now += idle
        channel.run(min(busy, end - channel.now))


@pytest.fixture
def channel(tmp_path):
    return Channel(tmp_path, seed=5)


# a conversation


@pytest.mark.parametrize(("loss", "duplication"), [(0.0, 0.0), (0.2, 0.2)])
def test_three_texts_each_way_with_crashes_between(tmp_path, loss, duplication):
    channel = Channel(tmp_path, seed=8, loss=loss, duplication=duplication)
    _, theirs, ours = write(channel)
    came = at(channel, "alice").messages()[0]
    assert ours.startswith("anonymous-") and came.text == "who am I?"
    assert channel.now < came.answer_until <= channel.now + 3 * BLOCK_LIFE
    for turn in range(3):
        for author, contact in (("alice", ours), ("bob", theirs)):
            number = send(channel, author, contact, f"{author} {turn}")
            assert settle(channel, author, number) is MessageState.DELIVERED
            channel["alice"].crash()
            channel["bob"].crash()
    assert channel["bob"].inbox() == [f"alice {turn}" for turn in range(3)]
    assert channel["alice"].inbox() == ["who am I?"] + [f"bob {turn}" for turn in range(3)]
    assert channel.reused == 0
    assert at(channel, "alice").contacts() == at(channel, "bob").contacts() == []


def test_long_texts_are_whole_and_in_order_and_longer_ones_refused(tmp_path):
    channel = Channel(tmp_path, seed=3, loss=0.1)
    long = "é" * (LETTER_LIMIT // 2)
    _, theirs, ours = write(channel, long)
    skip(channel, 100)
    numbers = [send(channel, "alice", ours, text) for text in (long, "short")]
    skip(channel, 2 * BLOCK_LIFE)
    assert [at(channel, "alice").message(number).state for number in numbers] == [MessageState.DELIVERED] * 2
    assert channel["bob"].inbox() == [long, "short"] and channel["alice"].inbox() == [long]
    for name, contact in (("alice", ours), ("bob", theirs)):
        with pytest.raises(AnonymousTextTooLong):
            send(channel, name, contact, long + "x")
        with pytest.raises(AnonymousOnly):
            at(channel, name).send_file(contact, channel.tmp / "any", channel.now)
        with pytest.raises(AnonymousOnly):
            at(channel, name).people.verify(contact)
        with pytest.raises(AnonymousOnly, match="list of contacts"):
            at(channel, name).people.note(contact, "nobody would ever show it")


def test_the_receiver_answers_over_days_while_the_sender_listens(channel):
    """Reply blocks are renewed each epoch; the number that is out is bounded, and so is what an epoch gives in all."""
    _, _, ours = write(channel)
    for hour in range(4):
        skip(channel, 3600)
        assert answered(channel, f"hour {hour}", ours) is MessageState.DELIVERED
    row = "SELECT until, count(*), count(keys) FROM anonymous_given WHERE until > ? GROUP BY until"
    out = channel["bob"].store.all(row, channel.now)
    assert len(out) == 3
    assert all(unused <= STOCK and given <= EACH_EPOCH for _, given, unused in out)
    held = channel["alice"].store.one("SELECT count(*) FROM anonymous_blocks WHERE expires > ?", channel.now)
    assert 0 < held[0] <= 3 * STOCK


def test_a_burst_of_answers_uses_no_more_blocks_than_an_epoch_gives(channel):
    _, _, ours = write(channel)
    for number in range(40):
        send(channel, "alice", ours, str(number))
    skip(channel, START + BLOCK_LIFE - channel.now - 1, step=60.0)
    rows = channel["bob"].store.all("SELECT count(*) - count(keys) FROM anonymous_given GROUP BY until")
    assert sum(used for (used,) in rows) <= EACH_EPOCH
    assert EACH_EPOCH // 2 < len(channel["bob"].inbox()) <= EACH_EPOCH
    skip(channel, 4 * BLOCK_LIFE, step=60.0, busy=4.0)
    assert channel["bob"].inbox() == [str(number) for number in range(40)]


def test_reading_tells_nobody(channel):
    _, theirs, ours = write(channel)
    channel.run(60)
    before = channel["alice"].replies
    at(channel, "alice").mark_read(at(channel, "alice").messages(ours)[0].id, channel.now)
    channel.run(60)
    assert channel["alice"].replies == before
    assert at(channel, "bob").messages(theirs)[0].state is MessageState.DELIVERED


# how long


def test_without_the_sender_the_blocks_expire_and_it_is_said(channel):
    _, _, ours = write(channel)
    channel.run(60)
    channel["bob"].online = False
    until = at(channel, "alice").messages()[0].answer_until
    late = send(channel, "alice", ours, "waits for him in the mailbox")
    channel.run(60)
    assert at(channel, "alice").message(late).state is MessageState.SENT
    numbers = [send(channel, "alice", ours, str(number)) for number in range(20)]
    skip(channel, until - channel.now + 5)
    states = [at(channel, "alice").message(number) for number in numbers]
    assert states[-1].state is MessageState.FAILED and states[-1].error == EXPIRED
    assert "can no longer be reached" in EXPIRED
    assert at(channel, "alice").message(late).state is MessageState.SENT
    assert at(channel, "alice").messages()[0].answer_until == 0.0
    with pytest.raises(NoLongerReached):
        send(channel, "alice", ours, "too late")
    channel["bob"].online = True
    assert settle(channel, "alice", late) is MessageState.DELIVERED
    assert channel["bob"].inbox()[0] == "waits for him in the mailbox"
    channel.run(60)
    assert answered(channel, "with fresh blocks", ours) is MessageState.DELIVERED


def test_answers_are_taken_for_as_long_as_the_user_said_and_then_everything_ends(channel):
    _, theirs, ours = write(channel, answers=3600.0)
    (known,) = at(channel, "bob").anonymous.correspondents()
    assert known.role is Role.WRITER and known.listens_until == pytest.approx(START + 3600)
    skip(channel, 3600 + 3 * BLOCK_LIFE)
    with pytest.raises(ConversationEnded):
        send(channel, "bob", theirs, "too late")
    with pytest.raises(NoLongerReached):
        send(channel, "alice", ours, "too late")
    skip(channel, 3 * DAY, step=DAY / 4)
    for name in ("alice", "bob"):
        (known,) = at(channel, name).anonymous.correspondents()
        assert not known.open and known.answer_until == known.listens_until == 0.0
        for table in ("sessions", "outbound", "sealed", "inbound", "anonymous_given", "anonymous_blocks"):
            assert channel[name].store.all(f"SELECT * FROM {table}") == []
        assert len(at(channel, name).messages()) == 1
        assert at(channel, name).wake_at() is None
    with pytest.raises(BadLifetime):
        at(channel, "bob").send_anonymous(published(channel), "x", channel.now, answers=30 * DAY)


def test_either_side_ends_a_conversation_at_once(channel):
    _, theirs, ours = write(channel)
    with pytest.raises(NotAnonymous):
        channel.introduce()
        channel.run(60)
        at(channel, "alice").anonymous.end("bob")
    number = send(channel, "alice", ours, "x")
    at(channel, "alice").anonymous.end(ours)
    at(channel, "alice").anonymous.end(ours)
    assert at(channel, "alice").message(number).state is MessageState.FAILED
    number = send(channel, "bob", theirs, "to nobody")
    channel.run(60)
    assert at(channel, "bob").message(number).state is MessageState.SENT
    assert channel["alice"].inbox() == ["who am I?"]
    channel["alice"].crash()
    assert [one.open for one in at(channel, "alice").anonymous.correspondents()] == [False]


# addresses


def test_addresses_that_take_nothing_more(channel):
    anonymous = at(channel, "alice").anonymous
    kept, gone = anonymous.create_address(channel.now), anonymous.create_address(channel.now, 600.0)
    assert anonymous.retire_address(kept.id).retired
    with pytest.raises(UnknownAddress):
        anonymous.retire_address("nothing")
    number = at(channel, "bob").send_anonymous(kept.text, "x", channel.now)
    assert settle(channel, "bob", number, 20) is MessageState.SENT
    skip(channel, 600)
    with pytest.raises(ExpiredAddress):
        at(channel, "bob").send_anonymous(gone.text, "x", channel.now)
    assert channel["alice"].store.all("SELECT 1 FROM addresses WHERE prekeys IS NOT NULL") == []
    assert channel["alice"].inbox() == []
    with pytest.raises(OwnAddress):
        at(channel, "alice").send_anonymous(kept.text, "x", channel.now)
    with pytest.raises(TooManyAddresses):
        for _ in range(9):
            published(channel)
    other = replace(PublicAddress.parse_untrusted(kept.text), network_id=b"O" * 32)
    with pytest.raises(AddressOfOtherNetwork):
        at(channel, "bob").send_anonymous(other.encode(), "x", channel.now)


def test_an_address_shows_no_identity_and_two_share_nothing_but_the_way(channel):
    one, two = (PublicAddress.parse_untrusted(published(channel)) for _ in range(2))
    assert not set(one.keys.fields()) & set(two.keys.fields())
    assert at(channel, "alice").identity not in one.keys.fields()
    assert one.destination == two.destination == channel["alice"].home.destination


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return published(Channel(tmp_path_factory.mktemp("address"), names=("alice",)))


@given(st.data())
@settings(max_examples=100)
def test_any_change_of_an_address_is_refused(address, data):
    place = data.draw(st.integers(0, len(address) - 1))
    letter = data.draw(st.characters(min_codepoint=32, max_codepoint=300))
    changed = address[:place] + letter + address[place + 1 :]
    if "".join(changed.split()) == address:
        return
    with pytest.raises(MalformedAddress):
        PublicAddress.parse_untrusted(changed)


def test_an_address_comes_back(address):
    read = PublicAddress.parse_untrusted("\n ".join(address[at : at + 60] for at in range(0, len(address), 60)))
    assert read.encode() == address and len(address) < 2300
    with pytest.raises(MalformedAddress):
        PublicAddress.parse_untrusted(
            replace(read, destination=replace(read.destination, sphinx_public=bytes(32))).encode()
        )


# hostile bytes

BLOCKS = st.binary(min_size=408, max_size=408)
BODIES = st.one_of(
    st.builds(Opening, st.lists(BLOCKS, max_size=2).map(tuple)),
    st.builds(AnonymousText, st.text(min_size=1, max_size=50)),
    st.builds(
        Supply,
        st.lists(BLOCKS, max_size=5).map(tuple),
        st.integers(0, 100),
        st.lists(st.tuples(st.integers(0, 15), st.integers(0, (1 << 24) - 1)), max_size=16).map(tuple),
    ),
)


@given(BODIES)
def test_bodies_come_back(body):
    assert anonymous_bodies.decode_untrusted(anonymous_bodies.encode(body)) == body


@given(st.one_of(st.binary(max_size=100), BODIES.map(anonymous_bodies.encode)), st.data())
def test_any_bytes_are_a_body_or_one_kind_of_error(raw, data):
    raw = bytearray(raw)
    if raw:
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(0, 255))
    try:
        body = anonymous_bodies.decode_untrusted(bytes(raw))
    except RemoteError:
        return
    assert anonymous_bodies.decode_untrusted(anonymous_bodies.encode(body)) == body


@given(st.lists(st.tuples(BLOCKS, st.integers(0, 5)), max_size=5))
def test_blocks_for_odd_times_are_dropped(blocks):
    ends = frozenset({100, 200})
    raw = tuple(ReplyBlock(block[:404], end * 50).serialize() for block, end in blocks)
    assert [block.until for block in anonymous_bodies.blocks_untrusted(raw, ends)] == [
        e * 50 for _, e in blocks if e in (2, 4)
    ]


def test_altered_bytes_change_nothing(tmp_path):
    """Whatever bit is flipped on the way, to or from the writer, the packet is as good as lost."""
    channel, rng = Channel(tmp_path, seed=4), random.Random(4)
    flipped = []

    def tamper(plaintext):
        if rng.random() > 0.3:
            return plaintext
        place = rng.randrange(len(plaintext))
        flipped.append(place)
        return plaintext[:place] + bytes([plaintext[place] ^ 1 << rng.randrange(8)]) + plaintext[place + 1 :]

    channel.tamper = tamper
    _, _, ours = write(channel)
    channel.run(60)
    assert answered(channel, "an answer", ours) is MessageState.DELIVERED
    assert channel["bob"].inbox() == ["an answer"] and channel["alice"].inbox() == ["who am I?"]
    assert len(flipped) > 10
    assert channel["alice"].refused + channel["bob"].refused == len(flipped)


# who wrote


def seen(channel):
    """All plaintexts that reach alice, from now on."""
    plaintexts = []
    channel.watch = lambda name, _what, plaintext: plaintexts.append(plaintext) if name == "alice" else None
    return plaintexts


DECODE = anonymous_bodies.decode_untrusted


def decrypted(channel, monkeypatch):
    """All contents that alice decrypts, from now on; what an earlier call gave gets no more of them."""
    bodies = []

    def keep(raw):
        bodies.append(raw)
        return DECODE(raw)

    for module in ("mixnet.client.anonymous.address_owner", "mixnet.client.e2e.anonymous_bodies"):
        monkeypatch.setattr(f"{module}.decode_untrusted", keep)
    return bodies


def pieces(raw, size=8):
    return {raw[at : at + size] for at in range(len(raw) - size + 1)} - {bytes(size)}


def test_nothing_of_the_writer_is_in_what_the_receiver_gets(channel, monkeypatch):
    plaintexts, bodies = seen(channel), decrypted(channel, monkeypatch)
    write(channel)
    skip(channel, 2000)
    home = channel["bob"].home
    secrets = (home.destination.mailbox, home.destination.sphinx_public, at(channel, "bob").identity)
    assert len(plaintexts) > 4 and len(bodies) > 3
    for raw in (*plaintexts, *bodies):
        for secret in secrets:
            assert not pieces(secret) & pieces(raw)
        assert home.name.encode() not in raw or len(home.name) < 4
    allowed = (Opening, AnonymousText, Supply)
    assert {type(DECODE(raw)) for raw in bodies} == set(allowed)


def test_two_conversations_of_one_writer_have_no_bytes_in_common(channel, monkeypatch):
    """Eight bytes of each place in what the receiver sees, but those that all writers of one time share."""
    address = published(channel)
    everything = []
    for text in ("first of all", "quite another"):
        plaintexts, bodies = seen(channel), decrypted(channel, monkeypatch)
        number = at(channel, "bob").send_anonymous(address, text, channel.now)
        assert settle(channel, "bob", number) is MessageState.DELIVERED
        channel.run(60)
        everything.append((plaintexts, bodies))
        at(channel, "bob").anonymous.end(at(channel, "bob").message(number).contact)
    # What all writers share: the address' channel, the ends of epochs, and small numbers, which start from 0 each time.
    entry = bytes([PlaintextKind.FRAGMENT_WITH_SURB]) + PublicAddress.parse_untrusted(address).channel.channel
    ends = [int(START + BLOCK_LIFE * n).to_bytes(4, "big")[:3] for n in range(1, 5)]
    for one, two in zip(*everything, strict=True):
        # Without the entry, since the byte behind it is the same in both once in 256 times.
        first, second = (set().union(*(pieces(raw.removeprefix(entry)) for raw in part)) for part in (one, two))
        left = {piece for piece in first & second if piece.count(0) < 3 and not any(end in piece for end in ends)}
        assert len(one) > 2 and not left
    for plaintexts, _ in everything:
        assert sorted({number for _, number in map(place_of, plaintexts) if number is not None})[:2] == [0, 1]


def place_of(plaintext):
    """(lane, message number) of a fragment: they stand behind the prefix and the reply block."""
    at_ = 37 + (408 if plaintext[0] == PlaintextKind.FRAGMENT_WITH_SURB else 0)
    if plaintext[0] == PlaintextKind.PROBE:
        return None, None
    return plaintext[at_], int.from_bytes(plaintext[at_ + 1 : at_ + 5], "big")


def test_no_text_bears_a_number_of_its_writer():
    """One that counted all his messages would tell which conversations are his."""
    assert AnonymousText.__struct_fields__ == ("text",)


def befriended(channel):
    channel.introduce("bob", "alice")
    assert channel.run(60, lambda: at(channel, "alice").contacts()[0].state == "established")
    channel.run(30)


def taken(channel, name="alice"):
    """Each packet that a messenger has to send now."""
    found = []
    while (outgoing := at(channel, name).next_outgoing(channel.now)) is not None:
        found.append(outgoing)
    return found


def test_an_answer_that_comes_without_a_block_says_nothing(channel):
    """Alice suspects bob, whom she knows by name, and puts the answer into his mailbox."""
    _, _, ours = write(channel)
    channel.run(60)
    send(channel, "alice", ours, "is it you?")
    (answer,) = taken(channel)
    assert isinstance(answer, OutgoingReply)
    before = at(channel, "bob").wake_at()
    with pytest.raises(RemoteError):
        at(channel, "bob").delivered_untrusted(answer.message, channel.now)
    assert channel["bob"].inbox() == [] and at(channel, "bob").wake_at() == before


def test_a_block_of_another_conversation_says_nothing(channel):
    """She uses a block that bob gave under his name: for the anonymous answer, and for its acknowledgement."""
    befriended(channel)
    number = at(channel, "bob").send_anonymous(published(channel), "who am I?", channel.now)
    replies = []

    def hold(what, name, plaintext, *through):
        if name == "bob" and what != "delivered":
            replies.append((what, plaintext, through))
        else:
            Channel._arrive(channel, what, name, plaintext, *through)

    channel._arrive = hold
    channel.run(20)
    named = at(channel, "bob")._core.contacts.named("alice").session
    acks = [plaintext for what, plaintext, (session,) in replies if what == "replied" and session != named]
    assert acks
    for plaintext in acks:
        for wrong in (named, None):
            with pytest.raises(RemoteError, match="another conversation"):
                at(channel, "bob").replied_untrusted(plaintext, channel.now, wrong)
    assert at(channel, "bob").message(number).state is MessageState.SENT
    for plaintext, (session,) in [(p, t) for w, p, t in replies if w == "replied"][:1]:
        at(channel, "bob").replied_untrusted(plaintext, channel.now, session)  # control: through its own it counts
    ours = at(channel, "alice").messages()[-1].contact
    send(channel, "alice", ours, "is it you?")
    channel.run(10)
    answers = [plaintext for what, plaintext, _ in replies if what == "came_back"]
    with pytest.raises(RemoteError):
        at(channel, "bob").replied_untrusted(answers[0], channel.now, named)
    assert channel["bob"].inbox() == []


def test_a_reply_block_of_the_readers_making_is_refused(channel):
    """Used, it would show through which provider the writer's packets enter."""
    _, _, ours = write(channel)
    channel.run(60)
    alice = at(channel, "alice")
    conversation = alice._core.routes[alice._core.contacts.named(ours).id]
    surb_id = channel["bob"].store.one("SELECT surb_id FROM anonymous_given WHERE keys IS NOT NULL")[0]
    fragment = Fragment(LANE, 0, 0, 0, 4, b"trap")
    trap = FragmentToSend(conversation.outgoing, 1, fragment).encode(ReplyBlock(bytes(GEOMETRY.surb_size), 2**32 - 1))
    assert trap[0] == PlaintextKind.FRAGMENT_WITH_SURB
    with pytest.raises(RemoteError, match="an answer that is none"):
        at(channel, "bob").came_back_untrusted(surb_id + trap, channel.now)


# who writes too much


def opening(channel, address, tail=b""):
    """A stranger's first message, made by hand: a plaintext."""
    it = PublicAddress.parse_untrusted(address)
    hello = (
        start_untrusted(SymmetricKey.generate(), it.keys, it.transcript, anonymous_bodies.encode(Opening(()))).hello
        + tail
    )
    return FragmentToSend(it.channel, 1, Fragment(LANE, 0, 0, 0, len(hello), hello)).encode(None)


def refused(channel, plaintext):
    try:
        at(channel, "alice").delivered_untrusted(plaintext, channel.now)
    except RemoteError:
        return True
    return False


def count(channel, table):
    return channel["alice"].store.one(f"SELECT count(*) FROM {table}")[0]


def test_a_copy_of_a_first_message_opens_nothing(channel, monkeypatch):
    address, started = published(channel), []
    original = Session.start
    monkeypatch.setattr(Session, "start", lambda *given: started.append(given) or original(*given))
    first = opening(channel, address)
    monkeypatch.undo()
    assert not refused(channel, first)
    assert not refused(channel, first)  # its acknowledgement may have been lost
    it = PublicAddress.parse_untrusted(address)
    part = Unverified.parse_untrusted(first).verify_untrusted(it.channel).content.part
    # One that opens as well as the first, made from the same secrets by whoever has them.
    secret, prekey, transcript, _ = started[0]
    head = part[: 64 + KEM_CIPHERTEXT_SIZE]
    other = head + original(secret, prekey, transcript, anonymous_bodies.encode(Opening((bytes(408),)))).message
    for changed in (other, part[:-1] + bytes([part[-1] ^ 1]), part + b"x"):
        again = FragmentToSend(it.channel, 9, Fragment(LANE, 0, 0, 0, len(changed), changed)).encode(None)
        refused(channel, again)
    assert count(channel, "sessions") == count(channel, "anonymous") == 1
    at(channel, "alice").anonymous.end(at(channel, "alice").anonymous.correspondents()[0].name)
    assert refused(channel, first)
    channel["alice"].crash()
    assert refused(channel, first)
    assert count(channel, "sessions") == count(channel, "anonymous") == count(channel, "contacts") == 0


def test_a_flood_of_first_messages_is_bounded_and_leaves_contacts_alone(channel):
    befriended(channel)
    address = published(channel)
    rounds = 2
    for _ in range(rounds):
        outcomes = [refused(channel, opening(channel, address)) for _ in range(OPENINGS[0] + 20)]
        assert outcomes.count(False) <= OPENINGS[0] + 1
        skip(channel, OPENINGS[1], step=OPENINGS[1])
    assert count(channel, "anonymous") <= OPEN_AT_ONCE
    assert count(channel, "anonymous_openings") <= min(REMEMBERED, rounds * (OPENINGS[0] + 1))
    assert count(channel, "contacts") <= OPEN_AT_ONCE + 1
    number = send(channel, "bob", "alice", "among friends")
    assert settle(channel, "bob", number, 60) is MessageState.DELIVERED
    skip(channel, 3 * DAY, step=DAY / 4)
    assert count(channel, "anonymous") == 0 and count(channel, "contacts") == 1


def stranger(channel, address):
    """A writer of whom we have the conversation in hand."""
    number = at(channel, "bob").send_anonymous(address, "hello", channel.now)
    assert settle(channel, "bob", number) is MessageState.DELIVERED
    bob = at(channel, "bob")
    return bob._core.routes[bob._core.contacts.named(bob.message(number).contact).id]


def test_what_a_stranger_can_make_us_hold_is_bounded(channel):
    conversation = stranger(channel, published(channel))
    channel.run(60)
    first = conversation.sender.next_number(LANE)  # some may be refused before it: they are beyond the window
    size = anonymous_bodies.MESSAGE_LIMIT
    part = bytes(GEOMETRY.message_size)
    outcomes = []
    for number in range(first, first + 16):
        for index, (start, end) in list(enumerate(spans(size)))[:-1]:  # never whole
            fragment = Fragment(LANE, number, first, index, size, part[start % 7 : start % 7 + end - start])
            outcomes.append(refused(channel, FragmentToSend(conversation.outgoing, 7, fragment).encode(None)))
    held = channel["alice"].store.one("SELECT sum(length(part)) FROM inbound")[0]
    assert True in outcomes and False in outcomes and held <= HELD + size
    too_long = Fragment(LANE, first, first, 0, size + 3000, part[: spans(size + 3000)[0][1]])
    files = Fragment(1, 0, 0, 0, 4, b"file")
    for fragment in (too_long, files):
        assert refused(channel, FragmentToSend(conversation.outgoing, 8, fragment).encode(None))


def test_texts_a_day_are_bounded(channel, monkeypatch):
    monkeypatch.setattr("mixnet.client.anonymous.address_owner.TEXTS", (5, DAY))
    channel["alice"].crash()
    _, theirs, _ = write(channel, "0")
    numbers = [send(channel, "bob", theirs, str(number)) for number in range(1, 8)]
    channel.run(60)
    assert 5 <= len(channel["alice"].inbox()) < 7
    assert at(channel, "bob").message(numbers[-1]).state is not MessageState.DELIVERED
    skip(channel, DAY, step=DAY / 16, busy=20.0)
    assert at(channel, "bob").message(numbers[-1]).state is MessageState.DELIVERED
    assert channel["alice"].inbox() == [str(number) for number in range(8)]


def test_strangers_take_one_turn_among_a_contacts_lanes(tmp_path):
    """Many strangers who ask for acknowledgements at every packet don't keep a text to a contact waiting."""
    channel = Channel(tmp_path, seed=6)
    befriended(channel)
    address = published(channel)
    for number in range(6):
        at(channel, "bob").send_anonymous(address, str(number), channel.now)
    channel.run(30)
    alice = at(channel, "alice")
    for one in alice.anonymous.correspondents():
        for number in range(4):
            alice.send_text(one.name, str(number), channel.now)
    alice.send_text("bob", "to a friend" * 2000, channel.now)
    kinds = []
    for _ in range(12):
        outgoing = alice.next_outgoing(channel.now)
        kinds.append(isinstance(outgoing, OutgoingFragment))
    assert kinds.count(True) >= 6 and kinds.count(False) >= 3


@given(st.integers(1, 5), st.lists(st.floats(0, 50), min_size=1, max_size=60))
def test_an_allowance_gives_no_more_than_it_says(burst, pauses):
    allowance, now, given = TokenBucket(burst / 100.0, burst, -inf), 0.0, []
    for pause in pauses:
        now += pause
        if allowance.take(1, now):
            given.append(now)
    assert given
    for at_ in given:
        assert sum(at_ <= one < at_ + 100.0 for one in given) <= 2 * burst


def test_a_blocked_stranger_is_heard_no_more_and_finds_nobody_there(channel):
    _, theirs, ours = write(channel)
    at(channel, "alice").people.block(ours, channel.now)
    left = channel["alice"].fragments, channel["alice"].replies
    number = send(channel, "bob", theirs, "hello?")
    assert settle(channel, "bob", number) is MessageState.SENT
    assert channel["alice"].inbox() == ["who am I?"]
    assert (channel["alice"].fragments, channel["alice"].replies) == left


def test_a_full_disk_is_no_missing_key(channel, monkeypatch):
    """Reply blocks that can't be stored: neither a conversation nor a supply begins without them."""
    address, given = published(channel), at(channel, "bob").anonymous._senders.given
    kept = at(channel, "bob").send_anonymous(address, "first", channel.now)

    def full(*_values):
        raise StoreUnavailable

    with monkeypatch.context() as now:
        now.setattr(given, "add", full)
        before = channel["bob"].store.all("SELECT * FROM anonymous")
        with pytest.raises(StoreUnavailable):
            at(channel, "bob").send_anonymous(address, "second", channel.now)
        later = channel.now + BLOCK_LIFE
        with pytest.raises(StoreUnavailable):
            for _ in range(20):
                at(channel, "bob").next_outgoing(later)
        assert channel["bob"].store.all("SELECT * FROM anonymous") == before
    assert settle(channel, "bob", kept) is MessageState.DELIVERED
