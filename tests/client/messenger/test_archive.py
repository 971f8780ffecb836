"""Search, export and import, retention and deletion: what is found, what is past, and what is really gone."""

import mailbox
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixnet.client.model.errors import SearchTooLong, StillUnderWay, UnknownMessage
from mixnet.client.model.views import ContactState, MessageKind, MessageState
from mixnet.client.storage import schema
from mixnet.client.storage.database import Store
from mixnet.client.storage.export_jsonl import read_untrusted, settled
from mixnet.client.storage.retention import BadPeriod, period, shown
from mixnet.client.storage.search import Filter, expression
from mixnet.errors import LocalError, RemoteError
from tests.client.worlds.archive import KEY, NOW, access, file, messenger_of

SECRET = "zqsecretword"


@pytest.fixture
def alice():
    return messenger_of(Store.open(":memory:", KEY))


def test_a_search_takes_words_phrases_and_beginnings_and_filters(alice):
    file(alice, "see you at eight", when=NOW + 3)
    file(alice, "you see eighteen", when=NOW + 2, state=MessageState.RECEIVED)
    file(alice, "see you.pdf", when=NOW + 1, contact=2, kind=MessageKind.FILE)

    def found(words, **where):
        return [message.text for message in alice.search(words, -1, Filter(**where))]

    assert found("see you") == ["see you at eight", "you see eighteen", "see you.pdf"]
    assert found('"see you"') == ["see you at eight", "see you.pdf"]
    assert found("eigh*") == ["see you at eight", "you see eighteen"]
    assert found("eigh") == found("see OR nothing") == found("eight NOT you") == found("text:see") == []
    assert found("see", contact="carol") == found("see", kind=MessageKind.FILE) == ["see you.pdf"]
    assert found("see", outgoing=False) == ["you see eighteen"]
    assert found("see", since=NOW + 2, until=NOW + 3) == ["you see eighteen"]


@given(st.text(max_size=60) | st.text(alphabet='"*^():-+ ANDORNT{}', max_size=60))
def test_whatever_is_typed_is_no_error_of_the_index(text):
    store = Store.open(":memory:", KEY)
    store.all("SELECT rowid FROM found WHERE found MATCH ?", expression(text) or '""')


def test_a_search_is_bounded():
    for text in ("a " * 33, "a" * 1001):
        with pytest.raises(SearchTooLong):
            expression(text)


def test_what_is_deleted_is_nowhere_in_the_decrypted_store(tmp_path):
    store = Store.open(tmp_path / "s.db", KEY)
    alice = messenger_of(store)
    for number in range(400):
        file(alice, f"kept number{number} " + "w" * (number % 50))
        file(alice, f"{SECRET}{number} {SECRET} " + SECRET * (number % 300), contact=2)
    assert SECRET.encode() in store._connection.serialize("main")
    number = alice.search(SECRET, 1)[0].id
    alice.archive.delete(number)
    with pytest.raises(UnknownMessage):
        alice.message(number)
    assert alice.archive.clear("carol") == (399, 0)
    assert (tmp_path / "s.db-wal").stat().st_size == 0
    for _ in range(2):
        assert SECRET.encode() not in store._connection.serialize("main")
        assert store.all("SELECT rowid FROM found WHERE found MATCH ?", SECRET + "*") == []
        assert store.one("SELECT count(*) FROM messages") == (400,)
        store.run("INSERT INTO found (found) VALUES ('integrity-check')")
        store.close()
        store = Store.open(tmp_path / "s.db", KEY)


def test_what_is_under_way_is_neither_deleted_nor_too_old(alice):
    number = alice.send_text("bob", "on its way", NOW)
    alice.archive.retain("bob", 60.0)
    with pytest.raises(StillUnderWay):
        alice.archive.delete(number)
    assert not alice.archive.sweep(NOW + 1e6)
    assert alice.archive.clear("bob") == (0, 1)
    assert alice.message(number).text == "on its way"


def test_only_what_is_past_its_period_goes_and_only_there(alice):
    old, new, other = file(alice, "old"), file(alice, "new", when=NOW + 50), file(alice, "other", contact=2)
    alice.archive.retain("bob", 60.0)
    alice.archive.sweep(NOW + 61)
    assert [message.id for message in alice.messages()] == [new, other]
    assert old not in [message.id for message in alice.search("old")]
    alice.archive.retain("bob", None)
    alice.archive.sweep(NOW + 1e9)
    assert len(alice.messages()) == 2


def test_periods():
    assert [period(text) for text in ("1m", "12h", "7d", "off")] == [60.0, 43_200.0, 604_800.0, None]
    assert [shown(period(text)) for text in ("90m", "24h", "7d", "off")] == ["90m", "1d", "1w", "off"]
    for text in ("", "7", "0d", "-1d", "7 d", "99999999w", "1y"):
        with pytest.raises(BadPeriod):
            period(text)


def test_a_store_of_the_version_before_opens(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("mixnet.client.storage.database.MIGRATIONS", schema.MIGRATIONS[:1])
        store = Store.open(tmp_path / "s.db", KEY)
        store.run("INSERT INTO contacts VALUES (1, 'bob', zeroblob(32), 'established', 0, NULL)")
        store.run(
            "INSERT INTO messages VALUES (1, 1, 1, 'text', 'read', ?, '', 0, 0, '', 1.0, 1.0, 0.0, 0.0, NULL)", SECRET
        )
        store.close()
    alice = messenger_of(Store.open(tmp_path / "s.db", KEY))
    assert [message.text for message in alice.search(SECRET)] == [SECRET]
    alice.archive.delete(1)
    assert SECRET.encode() not in alice._core.store._connection.serialize("main")


MESSAGES = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
        st.sampled_from([MessageState.DELIVERED, MessageState.READ, MessageState.QUEUED, MessageState.RECEIVED]),
        st.sampled_from([1, 2]),
        st.floats(0, 2e9),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=MESSAGES)
async def test_export_import_export_gives_the_same_and_twice_changes_nothing(tmp_path_factory, messages):
    tmp = tmp_path_factory.mktemp("archive")
    first, second = (messenger_of(Store.open(":memory:", KEY)) for _ in range(2))
    for text, state, contact, when in messages:
        file(first, text, when=when, contact=contact, state=state)
    assert await access(first).export(tmp / "a") == len(messages)
    assert (tmp / "a").stat().st_mode & 0o777 == 0o600
    for added in (len(messages), 0):
        done = await access(second).import_file(tmp / "a")
        assert (done.added, done.skipped) == (added, len(messages) - added)
    assert (await access(first).import_file(tmp / "a")).added == 0
    await access(second).export(tmp / "b")
    with (tmp / "a").open("rb") as a, (tmp / "b").open("rb") as b:
        assert [settled(record) for record in read_untrusted(a)] == list(read_untrusted(b))
    assert second.next_outgoing(NOW) is None
    assert sorted(path.name for path in tmp.iterdir()) == ["a", "b"]
    with pytest.raises(FileExistsError):
        await access(first).export(tmp / "a")


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[:-20],
        lambda raw: raw.replace(b'"delivered"', b'"received"'),
        lambda raw: raw.replace(b'"size":0', b'"size":-1'),
        lambda raw: raw.replace(b'"kind":"text"', b'"kind":"text","extra":1'),
        lambda raw: raw.replace(b"hello", b"\\ud800"),
        lambda raw: raw.replace(b"hello", b"x" * (1 << 20)),
        lambda raw: raw.replace(b"archive/1", b"archive/9"),
        lambda raw: b"\n".join(raw.split(b"\n")[1:]),
        lambda raw: raw + raw,
        lambda raw: b"\xff" + raw,
        lambda raw: b"[" * 100_000,
        lambda raw: b"",
    ],
)
async def test_a_file_that_is_not_whole_is_refused_and_nothing_is_taken(tmp_path, alice, damage):
    for _ in range(3):
        file(alice, "hello")
    await access(alice).export(tmp_path / "a")
    (tmp_path / "a").write_bytes(damage((tmp_path / "a").read_bytes()))
    other = messenger_of(Store.open(":memory:", KEY))
    with pytest.raises(RemoteError, match="nothing was taken"):
        await access(other).import_file(tmp_path / "a")
    assert other.messages() == []


async def test_strangers_are_refused_or_left_out_and_nobody_is_told_of_the_past(tmp_path, alice):
    file(alice, "mine", state=MessageState.RECEIVED)
    alice._core.contacts.add("dave", b"d" * 32, ContactState.ESTABLISHED, NOW)
    file(alice, "dave's", contact=3)
    await access(alice).export(tmp_path / "a")
    other = messenger_of(Store.open(":memory:", KEY))
    with pytest.raises(LocalError, match=r"dave.*--known-only"):
        await access(other).import_file(tmp_path / "a")
    assert other.messages() == []
    assert (await access(other).import_file(tmp_path / "a", known_only=True)).unknown == 1
    other.mark_read(other.messages()[0].id, NOW)
    assert other._core.store.one("SELECT count(*) FROM waiting") == (0,)


async def test_mail_programs_read_an_mbox(tmp_path, alice):
    texts = ["hello\nFrom me\n>From you", "x" * 3000, "naïve ☃", "a\0b"]
    for text in texts:
        file(alice, text)
    file(alice, "to: evil\nBcc: all", kind=MessageKind.FILE)
    assert await access(alice).export(tmp_path / "m", "mbox") == 5
    with closing(mailbox.mbox(tmp_path / "m", create=False)) as box:
        letters = list(box)
    assert len(letters) == 5
    bodies = [letter.get_payload(decode=True).decode() for letter in letters]
    assert bodies[0].rstrip("\n") == "hello\n>From me\n>>From you"
    assert [body.rstrip("\n") for body in bodies[1:4]] == texts[1:]
    assert all(letter["Bcc"] is None and "bob" in letter["To"] for letter in letters)
