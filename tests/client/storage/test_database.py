from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from mixnet.client.model.errors import DamagedStore, StoreUnavailable, WrongPassphrase
from mixnet.client.model.views import ContactState
from mixnet.client.storage.contacts import ContactTable
from mixnet.client.storage.database import Store
from mixnet.client.storage.messages import MessageTable
from mixnet.client.storage.schema import _PARTS, MIGRATIONS
from mixnet.client.storage.search import separated
from mixnet.crypto import SymmetricKey, password_key

KEY = SymmetricKey(b"k" * 32)
MARKER = "a-marker-nobody-else-writes"


def test_what_is_stored_is_there_again(tmp_path):
    store = Store.open(tmp_path / "store.db", KEY)
    store.set_setting("a", b"1")
    store.set_setting("a", b"2")
    store.close()
    store = Store.open(tmp_path / "store.db", KEY)
    assert store.setting("a") == b"2"
    store.delete_setting("a")
    assert store.setting("a") is None


def test_nothing_in_clear_on_disk(tmp_path):
    path = tmp_path / "store.db"
    store = Store.open(path, KEY)
    store.run("CREATE TABLE t (x)")
    for _ in range(200):
        store.run("INSERT INTO t VALUES (?)", MARKER)
    while_open = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert any(name.endswith("-wal") for name in while_open)
    store.close()
    for content in (*while_open.values(), path.read_bytes()):
        assert MARKER.encode() not in content
        assert b"SQLite format" not in content
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_key_is_a_wrong_passphrase(tmp_path):
    path = tmp_path / "store.db"
    Store.open(path, password_key(b"right", b"s" * 16)).close()
    with pytest.raises(WrongPassphrase, match="check it and try again") as caught:
        Store.open(path, password_key(b"wrong", b"s" * 16))
    assert "\n" not in str(caught.value)
    Store.open(path, password_key(b"right", b"s" * 16)).close()


def test_a_newer_store_is_refused(tmp_path):
    store = Store.open(tmp_path / "store.db", KEY)
    assert store.one("PRAGMA user_version") == (len(MIGRATIONS),)
    store.run("PRAGMA user_version = 1000")
    store.close()
    with pytest.raises(DamagedStore):
        Store.open(tmp_path / "store.db", KEY)


TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND NOT name GLOB 'found*'"


def fill(store):
    """A row of made-up values in each table, of any version; each references a row that is there."""
    tables = store.all(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND NOT name GLOB 'found*' ORDER BY rootpage"
    )
    for (table,) in tables:
        if table.startswith("sqlite_"):
            continue
        links = {row[3] for row in store.all(f"PRAGMA foreign_key_list({table})")}
        columns = {row[1]: row[2] for row in store.all(f"PRAGMA table_info({table})") if row[4] is None}  # no default
        made = [_made(column, kind, linked=column in links) for column, kind in columns.items()]
        names, marks = ", ".join(columns), ", ".join("?" * len(made))
        store.run(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", *made)


def _made(column, kind, *, linked):
    if kind == "INTEGER":
        return 1
    if linked or kind == "BLOB":
        return b"i" * 32
    return {"state": "verified", "role": "contact", "standing": "open"}.get(column, "bob") if kind == "TEXT" else 1.5


def rows(store):
    """How many rows each table has."""
    return {table: store.one(f"SELECT count(*) FROM {table}")[0] for (table,) in store.all(TABLES)}


DIES = "INSERT INTO nowhere VALUES (1);"
FORGOTTEN = {"group_hops", "group_held", "group_posts"}  # copies in an encoding that nobody sends any more


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_store_of_an_older_version_opens_with_all_it_holds(tmp_path, monkeypatch, version):
    """Also if the process dies at the end of the next script, before its version counts."""
    path = tmp_path / "store.db"
    with monkeypatch.context() as patch:
        patch.setattr("mixnet.client.storage.database.MIGRATIONS", MIGRATIONS[:version])
        store = Store.open(path, KEY)
        assert store.one("PRAGMA user_version") == (version,)
        fill(store)
        before = rows(store)
        assert [table for table, count in before.items() if not count] == []
        store.close()
    with monkeypatch.context() as patch:
        patch.setattr("mixnet.client.storage.database.MIGRATIONS", (*MIGRATIONS[:version], MIGRATIONS[version] + DIES))
        with pytest.raises(apsw.SQLError, match="no such table: nowhere"):
            Store.open(path, KEY)
        patch.setattr("mixnet.client.storage.database.MIGRATIONS", MIGRATIONS[:version])
        store = Store.open(path, KEY)
        assert rows(store) == before
        store.close()
    for _ in range(2):
        store = Store.open(path, KEY)
        assert store.one("PRAGMA user_version") == (len(MIGRATIONS),)
        assert store.all("PRAGMA foreign_key_check") == [] and store.one("PRAGMA integrity_check") == ("ok",)
        after = rows(store)
        assert {table for table, count in before.items() if after[table] < count} <= FORGOTTEN
        contact = ContactTable(store, b"o" * 32).get(1)
        assert (contact.name, contact.state, contact.blocked) == ("bob", ContactState.VERIFIED, False)
        store.close()


def test_a_damaged_store_is_named(tmp_path):
    path = tmp_path / "store.db"
    store = Store.open(path, KEY)
    store.run("CREATE TABLE t (x)")
    for _ in range(2000):
        store.run("INSERT INTO t VALUES (zeroblob(100))")
    store.close()
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 :] = bytes(len(raw) - len(raw) // 2)
    path.write_bytes(raw)
    with pytest.raises(DamagedStore):
        Store.open(path, KEY).all("SELECT sum(length(x)) FROM t")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreUnavailable, match="can't be opened"):
        Store.open(tmp_path / "nowhere" / "store.db", KEY)


@pytest.mark.parametrize("path", [":memory:", "file"])
def test_a_failed_transaction_never_happened(tmp_path, path):
    store = Store.open(path if path == ":memory:" else Path(tmp_path / "s.db"), KEY)
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.set_setting("a", b"1")
        with store.transaction():
            store.set_setting("b", b"1")
        1 / 0  # noqa: B018
    assert store.setting("a") is None and store.setting("b") is None
    with store.transaction():
        store.set_setting("a", b"1")
    assert store.setting("a") == b"1"


def test_a_full_disk_changes_nothing_and_passes(tmp_path):
    store = Store.open(tmp_path / "store.db", KEY)
    pages = store.one("PRAGMA page_count")[0]
    store.run(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(StoreUnavailable), store.transaction():
        store.set_setting("small", b"1")
        store.set_setting("large", bytes(1 << 20))
    assert store.setting("small") is None
    store.run(f"PRAGMA max_page_count = {pages + 10_000}")
    store.set_setting("large", bytes(1 << 20))
    assert len(store.setting("large")) == 1 << 20


def test_what_a_full_disk_has_ended_is_not_stored_in_parts_by_who_passes_over_it(tmp_path):
    """SQLite may end a transaction by itself: what follows in the block would be stored alone, and at once."""
    store = Store.open(tmp_path / "store.db", KEY)
    with pytest.raises(StoreUnavailable), store.transaction():
        store.set_setting("before", b"1")
        store._connection.execute("ROLLBACK")
        with suppress(StoreUnavailable):
            store.set_setting("after", b"1")
    assert store.setting("before") is None and store.setting("after") is None
    with pytest.raises(StoreUnavailable), store.transaction():
        store.set_setting("before", b"1")
        store._connection.execute("ROLLBACK")  # and nothing follows
    with store.transaction():
        store.set_setting("after", b"1")
    assert store.setting("after") == b"1"


OLD_TEXTS = ("前言你好世界", "すべての人間は尊厳と権利とについて平等", "ห้องสมุดอยู่ที่ไหน", "Grüße aus Köln")


def _version_before(script, path, monkeypatch, count=0):
    """A store of the version before `script`, with the texts, and `count` more."""
    with monkeypatch.context() as patch:
        patch.setattr("mixnet.client.storage.database.MIGRATIONS", MIGRATIONS[: MIGRATIONS.index(script)])
        store = Store.open(path, KEY)
    store.run("INSERT INTO contacts (name, identity, state, added_at) VALUES ('bob', ?, 'verified', 1.5)", b"i" * 32)
    insert = (
        "INSERT INTO messages (contact, outgoing, kind, state, text, path, size, done, error,"
        " created_at, sent_at, drawn_delay, received_at) VALUES (1, 0, 'text', ?, ?, '', 0, 0, '', 0, 0, 0, 0)"
    )
    with store.transaction():
        for text in (*OLD_TEXTS, *map(str, range(count))):
            store.run(insert, "received", text)
    return store


def _found(store, words):
    return [message.text for message in MessageTable(store).search(words, -1)]


def test_old_messages_are_found_by_parts_after_an_update_that_was_killed_in_between(tmp_path, monkeypatch):
    path = tmp_path / "store.db"
    _version_before(_PARTS, path, monkeypatch, count=1500).close()
    said = []

    def killed(progress):
        said.append(progress)
        if "50 %" in progress:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Store.open(path, KEY, killed)
    assert said[-1] == "making the search index of 1504 messages anew: 50 %"
    said.clear()
    store = Store.open(path, KEY, said.append)
    assert [line.split()[-2] for line in said] == [f"{tenth}0" for tenth in range(11)]
    for words, text in zip(("你好", "権利", "สมุด", "KÖLN"), OLD_TEXTS, strict=True):
        assert _found(store, words) == [text]
    assert len(store.all("SELECT 1 FROM messages")) == 1504
    store.run("DELETE FROM messages")
    assert all(_found(store, words) == [] for words in ("你", "権", "ส", "grüße", "17"))
    store.close()
    said.clear()
    Store.open(path, KEY, said.append).close()
    assert said == []  # it is done once


def test_an_index_of_before_leaves_nothing_of_what_is_deleted(tmp_path, monkeypatch):
    store = _version_before(_PARTS, tmp_path / "store.db", monkeypatch)
    store.close()
    store = Store.open(tmp_path / "store.db", KEY)
    with store.transaction():
        store.run("DELETE FROM messages")
        store.forget_remnants()
    letters = [
        separated(letter).strip().encode() for text in OLD_TEXTS for letter in text if separated(letter) != letter
    ]
    index = b"".join(bytes(block) for (block,) in store.all("SELECT block FROM found_data"))
    assert letters and not [one for one in (*letters, b"koln") if one in index]
