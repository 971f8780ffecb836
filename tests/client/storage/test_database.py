from contextlib import suppress
from pathlib import Path

import pytest

from client.model.errors import DamagedStore, StoreUnavailable, WrongPassphrase
from client.model.views import ContactState
from client.storage.contacts import ContactTable
from client.storage.database import Store
from client.storage.schema import MIGRATIONS
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


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_store_of_an_older_version_opens_with_all_it_holds(tmp_path, monkeypatch, version):
    path = tmp_path / "store.db"
    with monkeypatch.context() as patch:
        patch.setattr("client.storage.database.MIGRATIONS", MIGRATIONS[:version])
        store = Store.open(path, KEY)
        assert store.one("PRAGMA user_version") == (version,)
        store.run(
            "INSERT INTO contacts (name, identity, state, added_at) VALUES ('bob', ?, 'verified', 1.5)", b"i" * 32
        )
        store.close()
    for _ in range(2):
        store = Store.open(path, KEY)
        assert store.one("PRAGMA user_version") == (len(MIGRATIONS),)
        (contact,) = ContactTable(store, b"o" * 32).all()
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
