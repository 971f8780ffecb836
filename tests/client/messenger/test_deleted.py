"""What is deleted is nowhere in a decrypted store: for each kind of message, at each of those who had it."""

import random
import re
from dataclasses import replace

import pytest

from mixnet.client.e2e.bodies import TEXT_LIMIT
from mixnet.client.e2e.group_bodies import GroupPost
from mixnet.client.groups import posts
from mixnet.client.messenger.archive import CLEAN_EVERY
from mixnet.client.model.address_entries import Entry
from mixnet.client.model.failures import EXPIRED
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.pairing.matching_store import MatchTable
from mixnet.client.storage import copies
from mixnet.client.storage.database import Store
from mixnet.client.storage.export_jsonl import Record
from mixnet.crypto import SymmetricKey
from tests.client.worlds.channel import Channel
from tests.client.worlds.circle import CLUB, Circle
from tests.client.worlds.crashes import copy, restore
from tests.client.worlds.devices import HOME, PHONE, Family

MARK = "zqvmarkerx"

# Each column that may hold text or bytes is in one of these. What somebody wrote, a text or a name, is seen there by
# the walk of that name, and then nowhere.
WALKED = {
    "text": {"messages.text", "waiting.body", "posted.body"},
    "stranded_text": {"stranded.body"},
    "file": {"messages.path", "sending.path"},
    "imported_text": {"messages.text"},
    "anonymous_text": {"messages.text", "waiting.body"},
    "edited_text": {"messages.text", "waiting.body", "posted.body"},
    "test_a_draft": {"drafts.text"},
    "test_the_own_name_in_a_request_for_another_session": {"copied.asked"},
    "test_a_text_in_a_group": {"group_posts.raw"},
    "test_a_text_in_a_group_that_was_left_before_it_could_be_shown": {"group_posts.raw"},
    "test_a_post_that_waits_for_a_change": {"group_held.body"},
    "test_the_name_of_a_member_who_was_a_contact": {"contacts.name", "group_messages.author", "group_reads.name"},
    "test_what_the_user_called_or_noted": {"contacts.name", "contacts.note"},
    "test_what_a_satellite_knows_of_a_contact": {"contacts.name", "contacts.note", "devices.problem"},
    "test_whom_the_user_looked_for": {"matching.address", "matching.label", "settings.value"},
    "test_the_name_of_a_device": {"devices.name", "device_invitations.name"},
    "test_a_long_text_of_a_satellite_that_was_deleted_when_it_had_left": {"device_pieces.content"},
    "test_a_file_of_a_satellite": {"device_outgoing.path", "device_incoming.name"},
}
# Titles and names of a group stay as long as the profile: docs/privacy-impact.md says so.
KEPT = {"group_changes.raw", "group_names.name", "mirrored_groups.title", "mirrored_groups.members"}
# Keys, digests, ciphertexts, words of our own, and addresses that only have keys.
NOTHING_SAID = set(
    """
    addresses.id addresses.channel addresses.text addresses.prekeys anonymous.role anonymous.address
    anonymous_blocks.surb anonymous_given.surb_id anonymous_given.keys anonymous_openings.digest
    anonymous_openings.address consensuses.name consensuses.content consents.rule contacts.identity contacts.state
    contacts.standing contacts.role contacts.read_receipts contacts.acknowledgements device_asks.kind
    device_cursors.kind device_incoming.partial device_incoming.digest device_log.kind device_outgoing.stamp
    device_outgoing.digest device_outgoing.request devices.role former_identities.identity group_awaited.member
    group_claims.author group_claims.mark group_claims.key group_claims.claimant group_held.author group_hops.target
    group_hops.onward group_hops.key group_leavers.key group_messages.writer group_names.key group_passes.source
    group_passes.target group_passes.sealed group_peers.key group_posts.author group_proofs.author
    group_proofs.first group_proofs.second group_reads.member group_receipts.receipts groups.identifier groups.state
    groups.key groups.agree imported.origin inbound.part invitations.channel invitations.secret
    invitations.transcript invitations.prekeys invitations.used matching.state matching.error matching.secret
    matching.progress messages.kind messages.state messages.error mirrored_groups.state receipts.event
    receipts.signature receiving.partial receiving.digest sealed.ciphertext sending.stamp sending.digest
    sessions.incoming sessions.incoming_key sessions.outgoing sessions.outgoing_key sessions.entry
    sessions.entry_key sessions.provider sessions.mailbox sessions.sphinx_public sessions.ratchet settings.name
    signed.statement signed.signature signed.chain signed.receipt stranded.tag submissions.salt submissions.witness
    submissions.signature submissions.consensus taken.tag used_names.look
    """.split()  # noqa: SIM905  # as a list, one a line
)


def text_columns(store, tables=None):
    """(table, column) of all that may hold text or bytes; the search index is looked for in the whole image."""
    found = store.all("SELECT name FROM sqlite_master WHERE type = 'table' AND NOT name GLOB 'found*'")
    for table in {name for (name,) in found if not name.startswith("sqlite_")} & (tables or {n for (n,) in found}):
        for _, column, kind, *_ in store.all(f"PRAGMA table_info({table})"):
            if kind not in ("INTEGER", "REAL"):
                yield table, column


def test_each_column_is_walked_or_holds_nothing_that_anybody_wrote():
    store = Store.open(":memory:", SymmetricKey(b"k" * 32))
    there = {f"{table}.{column}" for table, column in text_columns(store)}
    assert there == set().union(*WALKED.values()) | KEPT | NOTHING_SAID
    assert not NOTHING_SAID & (KEPT | set().union(*WALKED.values()))


@pytest.fixture(autouse=True)
def seen(request, monkeypatch):
    """Where the mark was written: a walk must have seen it in its columns, and none where nobody writes."""
    original, write, columns = Store.run, posts.write, set()
    KEYS.clear()

    def run(store, statement, *values):
        original(store, statement, *values)
        said = [value.encode() if isinstance(value, str) else value for value in values]
        for mark in (MARK.encode(), *KEYS):
            if any(isinstance(value, bytes) and mark in value for value in said):
                tables = set(re.findall(r"(?:INTO|UPDATE) (\w+)", statement))
                for table, column in text_columns(store, tables):
                    if store.has(f"SELECT 1 FROM {table} WHERE instr(CAST({column} AS BLOB), ?)", mark):
                        columns.add(f"{table}.{column}")

    def written(*args, **said):
        post = write(*args, **said)
        if MARK in post.text:
            KEYS.append(posts._SIGNED.decode(post.raw).key)
        return post

    monkeypatch.setattr(posts, "write", written)
    monkeypatch.setattr(Store, "run", run)
    yield columns
    kind = getattr(request.node, "callspec", None) and request.node.callspec.params.get("kind")
    stands_for = WALKED.get(kind.__name__ if kind else request.node.originalname, set())
    assert stands_for - columns == set()
    assert columns & NOTHING_SAID == set()


KEYS = []  # of the group posts that say the mark: whoever has one reads it


def holds(person):
    """Whether a piece of the mark is in any page, free ones too, or an older page is still in the journal."""
    journal = person.folder / "store.db-wal"
    image = person.store._connection.serialize("main")
    pieces = [MARK[at : at + 7].encode() for at in range(len(MARK) - 6)] + [key[:12] for key in KEYS]
    return any(piece in image for piece in pieces) or journal.stat().st_size > 0


def delete_all(person, user=None):
    messenger = user or person.messenger
    for message in person.messenger.messages():
        if MARK in message.text:
            messenger.archive.delete(message.id)


def conversations(person):
    anonymous = person.messenger.anonymous.correspondents()
    return [one.name for one in (*person.messenger.contacts(), *anonymous)]


def delete_contacts(person, _now):
    for contact in person.messenger.contacts():
        person.messenger.delete_contact(contact.name)
    delete_all(person)  # nobody anonymous is a contact


def retain_nothing(person, now):
    for name in conversations(person):
        person.messenger.archive.retain(name, 60.0)
    while person.messenger.archive.sweep(now + 10_000):
        pass


def clear_all(person):
    for name in conversations(person):
        person.messenger.archive.clear(name)


WAYS = {
    "delete": lambda person, _now: delete_all(person),
    "clear": lambda person, _now: clear_all(person),
    "retention": retain_nothing,
    "contact": delete_contacts,
}


def text(channel):
    channel["alice"].messenger.send_text("bob", f"{MARK} one", channel.now)


def signed_text(channel):
    channel["alice"].messenger.send_text("bob", f"{MARK} two", channel.now, signed=True)


def cancelled_text(channel):
    channel["bob"].online = False
    number = channel["alice"].messenger.send_text("bob", f"{MARK} three", channel.now)
    channel.run(5)
    channel["alice"].messenger.cancel(number, channel.now)
    channel["bob"].online = True


def expired_text(channel):
    channel["bob"].online = False
    channel["alice"].messenger.send_text("bob", f"{MARK} four", channel.now, 30.0)
    channel.run(60)
    channel["bob"].online = True


def file(channel, *, signed=False):
    path = channel.tmp / f"{MARK}.txt"
    path.write_bytes(b"x" * 100_000)
    channel["alice"].messenger.send_file("bob", path, channel.now, signed=signed)


def signed_file(channel):
    file(channel, signed=True)


def cancelled_file(channel):
    file(channel)
    channel.run(1)
    channel["alice"].messenger.cancel(channel["alice"].messenger.messages()[-1].id, channel.now)


def edited_text(channel):
    text(channel)
    channel.run(60)
    channel["alice"].messenger.revisions.edit(1, f"{MARK} nine", channel.now)


def stranded_text(channel):
    """It is lost for so long that a new session comes before it goes out again."""
    channel.loss = 1.0
    channel["alice"].messenger.send_text("bob", f"{MARK} five", channel.now)
    channel.run(60)
    channel.loss = 0.0
    channel.introduce("bob", "alice")


def imported_text(channel):
    for name in ("alice", "bob"):
        messenger = channel[name].messenger
        (other,) = messenger._core.contacts.all()
        head = ("ab" * 32, 7, other.identity.hex(), other.name, True, MessageKind.TEXT, MessageState.DELIVERED)
        messenger.archive.take_in([Record(*head, f"{MARK} six", 0, 0, "", 1.0, 1.0, 0.0, 0.0)])


def anonymous_text(channel):
    address = channel["bob"].messenger.anonymous.create_address(channel.now).text
    channel["alice"].messenger.send_anonymous(address, f"{MARK} seven", channel.now)
    channel.run(60)
    (bobs,) = channel["bob"].messenger.anonymous.correspondents()
    channel["bob"].messenger.send_text(bobs.name, f"{MARK} eight", channel.now)


@pytest.mark.parametrize(
    "kind",
    [
        *(text, signed_text, cancelled_text, expired_text, stranded_text, imported_text, anonymous_text),
        *(file, signed_file, cancelled_file, edited_text),
    ],
    ids=lambda k: k.__name__,
)
def test_a_message_to_a_contact(tmp_path, kind):
    channel = Channel(tmp_path, seed=3)
    channel.introduce()
    channel.run(30)
    kind(channel)
    channel.run(120)
    assert MARK.encode() in channel["alice"].store._connection.serialize("main"), "it was there"
    for name in ("alice", "bob"):
        before = copy(channel[name])
        for way, get_rid in WAYS.items():
            restore(channel[name], before)
            get_rid(channel[name], channel.now)
            assert not holds(channel[name]), (name, way)


def edit(user, number, now):
    user.revisions.edit(number, "another text", now)


def withdraw(user, number, now):
    user.revisions.withdraw(number, now)


def let_disappear(user, number, now):
    """Nothing: it was said with the text."""


@pytest.mark.parametrize("way", [edit, withdraw, let_disappear], ids=lambda way: way.__name__)
@pytest.mark.parametrize("signed", [False, True])
def test_what_its_author_changed_or_took_back(tmp_path, way, signed):
    channel = Channel(tmp_path, seed=3)
    channel.introduce()
    channel.run(30)
    alice, bob = channel["alice"].messenger, channel["bob"].messenger
    if way is let_disappear:
        alice.revisions.let_disappear("bob", 60, channel.now)
    number = alice.send_text("bob", f"{MARK} ten", channel.now, signed=signed)
    assert channel.run(60, channel.settled)
    assert holds(channel["alice"]) and holds(channel["bob"])
    bob.mark_read(bob.messages()[-1].id, channel.now)
    way(alice, number, channel.now)
    channel.run(120)
    for person in channel.people.values():
        while person.messenger.archive.sweep(channel.now + 3600):
            pass
        assert not any(MARK in one.text for one in person.messenger.messages())
        assert not holds(person)


DRAFT_ENDS = {
    "ended": lambda user, now: user.drafts.set("bob", "", now),
    "written over": lambda user, now: user.drafts.set("bob", "hi", now),
    "cleared": lambda user, _now: user.archive.clear("bob"),
    "period": lambda user, _now: user.archive.retain("bob", 60.0),
    "contact": lambda user, _now: user.delete_contact("bob"),
}


@pytest.mark.parametrize("end", DRAFT_ENDS)
def test_a_draft(tmp_path, end):
    channel = Channel(tmp_path, seed=3)
    channel.introduce()
    channel.run(30)
    alice = channel["alice"].messenger
    alice.archive.sweep(channel.now)
    alice.drafts.set("bob", MARK, channel.now)
    alice.archive.sweep(channel.now + CLEAN_EVERY)  # nothing of before is left for the next one to do
    assert holds(channel["alice"])
    DRAFT_ENDS[end](alice, channel.now)
    alice.archive.sweep(channel.now + 2 * CLEAN_EVERY)
    assert not holds(channel["alice"])


@pytest.mark.parametrize("end", ["renewed", "contact"])
def test_the_own_name_in_a_request_for_another_session(tmp_path, end):
    channel = Channel(tmp_path, seed=5)
    channel.introduce()
    channel.run(30)
    person = channel["alice"]
    copies.mark(person.store, channel.now, channel.now)
    person.crash()
    person.messenger._core.home = replace(person.messenger._core.home, name=MARK)
    channel["bob"].online = end == "renewed"
    channel.run(5)
    if end == "renewed":
        assert channel.run(200, channel.settled)
        assert not person.store.has("SELECT 1 FROM copied")
        person.store.forget_remnants()
    else:
        assert MARK.encode() in person.store.value(bytes, "SELECT asked FROM copied")
        person.messenger.delete_contact("bob")
    assert not holds(person)


@pytest.mark.parametrize("when", ["while copies wait", "when all have it"])
@pytest.mark.parametrize("way", ["delete", "clear"])
def test_a_text_in_a_group(tmp_path, way, when):
    """Bob passes it on to those who are behind him; they are away at first."""
    circle = Circle(tmp_path, 6, seed=5)
    circle.found()
    waiting = when == "while copies wait"
    away = ("dave", "erin", "frank") if waiting else ()
    for name in away:
        circle[name].online = False
    number = circle.send("alice", f"{MARK} to all")
    assert circle.run(60, lambda: all(circle.texts(name) for name in ("bob", "carol")))
    if waiting:
        bring_to_bob_for(circle, number, away)
    circle.run(5)
    copies = "SELECT 1 FROM group_hops UNION ALL SELECT 1 FROM waiting UNION ALL SELECT 1 FROM posted"
    assert not waiting or circle["bob"].store.one(copies)

    def delete(name):
        delete_all(circle[name]) if way == "delete" else circle[name].messenger.archive.clear(CLUB)
        assert not holds(circle[name]), name

    delete("bob")
    delete("carol")
    circle["bob"].crash()
    for name in away:
        circle[name].online = True
    assert circle.run(600, lambda: circle.delivered("alice", number)), "it is passed on all the same"
    for name in sorted({*circle.names} - {"bob", "carol"}):
        delete(name)
    assert not any(MARK.encode() in circle[name].store._connection.serialize("main") for name in circle.names)


def bring_to_bob_for(circle, number, others):
    """One more tree of a text of alice's, in which bob passes it on to these."""
    alice, group = circle["alice"], circle.groups("alice")._registry.named(CLUB)
    (raw,) = alice.store.one("SELECT raw FROM group_posts WHERE message = ?", number)
    members = circle.groups("alice")._registry.roster(group)
    key = {member.name: key for key, member in members.members.items()}
    onward = bytes(members.order().index(key[name]) for name in others)
    contact = circle.groups("alice")._registry.peers(group)[key["bob"]].contact
    alice.messenger._core.enqueue(contact, 0, GroupPost(bytes(raw), 40, onward, 0), None, circle.now)


def test_a_text_in_a_group_that_was_left_before_it_could_be_shown(tmp_path):
    circle = Circle(tmp_path, 3, seed=5)
    circle.found()
    bob = circle["bob"]
    bob.store.run("UPDATE group_peers SET expected = NULL")
    circle.send("alice", f"{MARK} to all")
    circle.run(30)
    assert circle.texts("bob") == []
    circle.groups("bob").leave(CLUB, circle.now)
    bob.store.forget_remnants()
    assert not holds(bob)


def test_messages_of_all_devices(tmp_path):
    family = Family(tmp_path, 4, satellites=(PHONE,))
    family.meet()
    family.link_all()
    family[HOME].messenger.send_text("bob", f"{MARK} of home", family.now)
    family.user(PHONE).send_text("carol", f"{MARK} of phone", family.now)
    assert family.run(300, family.calm)
    delete_all(family[PHONE], family.user(PHONE))
    assert family.run(300, family.calm)
    for name in (HOME, PHONE):
        family[name].store.forget_remnants()
        assert not holds(family[name]), name


def test_a_text_of_home_that_waits_for_a_satellite(tmp_path):
    family = Family(tmp_path, 4, satellites=(PHONE,))
    family.meet()
    family.link_all()
    family[PHONE].online = False
    number = family[HOME].messenger.send_text("bob", f"{MARK} of home", family.now)
    assert family.run(60, lambda: family[HOME].messenger.message(number).state is MessageState.DELIVERED)
    family.run(10)
    delete_all(family[HOME])
    assert not holds(family[HOME])
    family[PHONE].online = True
    assert family.run(300, family.calm)
    assert not [m for m in family[PHONE].messenger.messages() if MARK in m.text]


def test_a_text_of_a_satellite_that_its_home_never_took_over(tmp_path):
    family = Family(tmp_path, 4, satellites=(PHONE,))
    family.meet()
    family.link_all()
    family[HOME].online = False
    for turn in range(30):  # more than are encrypted ahead
        family.user(PHONE).send_text("bob", f"{MARK} {turn}", family.now, 60.0)
    family.run(120)
    phone = family[PHONE]
    assert MARK.encode() in b"".join(bytes(row[0]) for row in phone.store.all("SELECT body FROM waiting"))
    delete_all(phone, family.user(PHONE))
    assert not holds(phone)
    family[HOME].online = True
    assert family.run(600, family.calm)
    assert [m for m in family["bob"].messenger.messages() if MARK in m.text] == []


@pytest.mark.parametrize("end", ["left", "contact"])
def test_a_post_that_waits_for_a_change(tmp_path, end):
    """Of alice's, whom bob knows; it builds on what nobody has."""
    circle = Circle(tmp_path, 3, seed=5)
    circle.found()
    bob, club = circle["bob"].messenger, circle.groups("alice")._registry.named(CLUB)
    made = posts.write(club.key, club.identifier, club.next_number, 0, (bytes(32),), text=f"{MARK} held")
    contact = bob.groups._registry.peers(bob.groups._registry.named(CLUB))[club.me].contact
    with bob._core.change():
        bob.groups.handle_untrusted(contact, GroupPost(made.raw, 40, b"", 0), circle.now)
    if end == "left":
        bob.groups.leave(CLUB, circle.now)
        circle["bob"].store.forget_remnants()
    else:
        circle["bob"].store.run(
            "UPDATE groups SET state = 'left'"
        )  # else she stays a member, and what she says is heard
        bob.delete_contact("alice")
    assert not holds(circle["bob"])


def test_what_the_user_called_or_noted(tmp_path):
    channel = Channel(tmp_path, seed=3)
    channel.introduce()
    channel.run(30)
    alice, people = channel["alice"], channel["alice"].messenger.people
    people.note("bob", f"{MARK} of Oslo")
    people.note("bob", "of Oslo")
    assert not holds(alice)
    people.rename("bob", MARK)
    people.rename(MARK, "robert")
    assert not holds(alice)
    people.note("robert", MARK)
    people.rename("robert", f"{MARK} 2")
    alice.messenger.delete_contact(f"{MARK} 2")
    assert not holds(alice)


def test_the_name_of_a_member_who_was_a_contact(tmp_path):
    circle = Circle(tmp_path, 3, seed=5)
    circle.found()
    alice = circle["alice"].messenger
    alice.people.rename("bob", MARK)
    circle.send("bob", "hi")
    number = circle.send("alice", "hey")
    circle.run(60)
    circle["bob"].messenger.mark_read(circle["bob"].messenger.messages(CLUB)[-1].id, circle.now)
    assert circle.run(900, lambda: alice.groups.reading.readers(number) == [MARK])
    alice.delete_contact(MARK)
    assert not holds(circle["alice"])
    (called,) = {one.name for one in alice.groups.show(CLUB).members} - {"alice", "carol"}
    assert [author for author, text in circle.heard("alice") if text == "hi"] == [called]
    assert alice.groups.reading.readers(number) == [called]


def test_what_a_satellite_knows_of_a_contact(tmp_path):
    """Its home refuses what would need the name twice, and says which: that is forgotten, too."""
    family = Family(tmp_path, 4, satellites=(PHONE,))
    family.meet()
    family.link_all()
    family.user(PHONE).people.note("bob", MARK)
    family.run(60, family.calm)
    family[PHONE].online = False
    family[HOME].messenger.people.rename("bob", MARK)
    family.user(PHONE).people.rename("carol", MARK)
    family[PHONE].online = True
    assert family.run(300, family.calm)
    assert MARK in family[PHONE].devices.all()[0].problem
    family[HOME].messenger.delete_contact(MARK)
    assert family.run(300, family.calm)
    for name in (HOME, PHONE):
        family[name].store.truncate_journal()
        assert not holds(family[name]), name


def test_whom_the_user_looked_for(tmp_path):
    channel = Channel(tmp_path, seed=3)
    table = MatchTable(channel["alice"].store)
    table.begin(f"{MARK}@example.org", [Entry(f"{MARK}x@example.org", f"{MARK} label")])
    table.end()
    assert not holds(channel["alice"])


def test_the_name_of_a_device(tmp_path):
    family = Family(tmp_path, 4, satellites=(PHONE,), contacts=())
    text = family[HOME].devices.linking.invite(MARK, family.now).encode()
    family[PHONE].devices.linking.accept(text, family.now)
    assert family.run(300, lambda: bool(family[HOME].devices.all()))
    family[HOME].devices.rename(MARK, "phone")
    family[HOME].store.truncate_journal()
    assert not holds(family[HOME])
    family[HOME].devices.rename("phone", MARK)
    family[HOME].devices.linking.revoke(MARK, family.now)
    assert family.run(300, lambda: family[HOME].devices.all() == [])
    family[HOME].store.truncate_journal()
    assert not holds(family[HOME])


@pytest.mark.parametrize("before", [0, 1], ids=["whole", "in two pieces"])
def test_a_long_text_of_a_satellite_that_was_deleted_when_it_had_left(tmp_path, before):
    """More than are encrypted ahead wait for the home, which is away; each is two pieces."""
    family = Family(tmp_path, 4, satellites=(PHONE,))
    family.meet()
    family.link_all()
    family[HOME].online = False
    phone, user = family[PHONE], family.user(PHONE)
    for turn in range(before):
        user.send_text("carol", f"{turn}", family.now)
    for _ in range(10):
        user.send_text("bob", f"{MARK} " * (TEXT_LIMIT // 11), family.now, 60.0)
    family.run(120)
    assert MARK.encode() in b"".join(bytes(row[0]) for row in phone.store.all("SELECT body FROM waiting"))
    delete_all(phone, user)
    assert not holds(phone)
    family[HOME].online = True
    assert family.run(900, family.calm)
    for name in (HOME, PHONE):
        family[name].store.truncate_journal()
        assert not holds(family[name]), name
        assert family[name].devices.all()[0].problem in ("", EXPIRED.unsent)
    assert family["bob"].inbox() == [] and family["carol"].inbox() == ["0"][:before]


def test_a_file_of_a_satellite(tmp_path):
    family = Family(tmp_path, 4, satellites=(PHONE,))
    family.meet()
    family.link_all()
    path = tmp_path / f"{MARK}.txt"
    path.write_bytes(b"x" * 50_000)
    number = family.user(PHONE).send_file("bob", path, family.now)
    done = MessageState.DELIVERED
    assert family.run(300, lambda: family[PHONE].messenger.message(number).state is done and family.calm())
    delete_all(family[PHONE], family.user(PHONE))
    assert family.run(300, family.calm)
    for name in (HOME, PHONE):
        family[name].store.truncate_journal()
        assert not holds(family[name]), name


def tens_of_letters(image):
    runs = [run.decode() for run in re.findall(rb"[a-z]{10,}", image)]
    return {run[at : at + 10] for run in runs for at in range(len(run) - 9)}


def test_rows_that_moved_before_they_were_deleted():
    """SQLite leaves copies of rows where they were before their page was divided, whatever `secure_delete` says."""
    rng = random.Random(1)
    store = Store.open(":memory:", SymmetricKey(b"k" * 32))
    store.run("INSERT INTO contacts (id, name, identity, state, added_at) VALUES (1, 'bob', x'01', 'verified', 0)")
    live, gone = {}, []
    for _ in range(3000):
        if live and rng.random() < 0.45:
            number = rng.choice(list(live))
            gone += live.pop(number)
            store.run("DELETE FROM messages WHERE id = ?", number)
            continue
        sizes = rng.choice([1, 2, 5, 20, 200])
        words = ["".join(rng.choice("bcdfghjkmnpqrstvwxz") for _ in range(10)) for _ in range(sizes)]
        query = (
            "INSERT INTO messages (contact, outgoing, kind, state, text, path, size, done, error, created_at, sent_at,"
            " drawn_delay, received_at) VALUES (1, 1, 'text', 'delivered', ?, '', 0, 0, '', 0, 0, 0, 0)"
        )
        live[store.insert(query, " ".join(words))] = words
        if rng.random() < 0.5:  # a row that grows makes its page divide
            values = rng.random(), "e" * rng.randrange(200), rng.choice(list(live))
            store.run("UPDATE messages SET state = 'read', sent_at = ?, error = ? WHERE id = ?", *values)
    image = store._connection.serialize("main")
    left = set(gone) & tens_of_letters(image)
    assert left, "otherwise this shows nothing"
    store.forget_remnants()
    image = store._connection.serialize("main")
    assert not set(gone) & tens_of_letters(image)
    assert dict(store.all("SELECT id, text FROM messages")) == {one: " ".join(words) for one, words in live.items()}
    store.run("INSERT INTO found (found) VALUES ('integrity-check')")
