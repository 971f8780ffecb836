"""Profiles: whole or not at all, private, and opened by the right key only."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixnet.client.model.errors import DamagedStore, WrongPassphrase
from mixnet.client.model.paths import NoProfile
from mixnet.client.profile import lock, profile
from mixnet.client.profile.keys import Keys, load_keys, save_keys
from mixnet.client.profile.profile import BrokenProfile, Lock, PassphraseNeeded, ProfileExists, create, load, open_store
from mixnet.client.storage.database import Store
from mixnet.crypto import SigningKey, SphinxSecret, SymmetricKey
from mixnet.errors import LocalError
from mixnet.pki.bootstrap import AuthorityInfo, BadBootstrap, Bootstrap


@pytest.fixture
def bootstrap(tmp_path):
    path = tmp_path / "network.json"
    Bootstrap(1e9, 1200.0, (AuthorityInfo(SigningKey.generate().public, "127.0.0.1:4000"),)).save(path)
    return path


@pytest.fixture
def cheap_passphrases(monkeypatch):
    """Argon2id takes a second on purpose; what it is made of is tested with the primitives."""
    monkeypatch.setattr(profile, "password_key", lambda words, salt: SymmetricKey((words + salt + bytes(32))[:32]))


def test_a_profile_comes_back_as_it_was_made(tmp_path, bootstrap):
    made = create(tmp_path / "alice", name="alice", bootstrap=bootstrap, source="127.0.9.1", provider=bytes(32))
    assert load(tmp_path / "alice") == made
    assert (made.name, made.source, made.provider, made.lock) == ("alice", "127.0.9.1", bytes(32), Lock.KEY_FILE)
    assert made.bootstrap == Bootstrap.load(bootstrap)
    open_store(made).close()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=30))
def test_any_name_is_kept_exactly_or_refused_before_anything_is_made(tmp_path, bootstrap, name):
    directory = tmp_path / os.urandom(8).hex()
    try:
        made = create(directory, name=name, bootstrap=bootstrap)
    except LocalError:
        assert not directory.exists()
    else:
        assert load(directory).name == name == made.name


def test_only_the_owner_can_read_it(tmp_path, bootstrap):
    create(tmp_path / "alice", name="alice", bootstrap=bootstrap)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "alice").iterdir()}
    assert stat.S_IMODE((tmp_path / "alice").stat().st_mode) == 0o700
    assert found == {
        "profile.toml": 0o600,
        "bootstrap.json": 0o600,
        "key": 0o600,
        "store.db": 0o600,
        "downloads": 0o700,
    }


def test_a_second_profile_of_the_same_name_is_refused_and_the_first_unharmed(tmp_path, bootstrap):
    create(tmp_path / "alice", name="alice", bootstrap=bootstrap)
    before = (tmp_path / "alice" / "key").read_bytes()
    with pytest.raises(ProfileExists):
        create(tmp_path / "alice", name="alice", bootstrap=bootstrap)
    assert (tmp_path / "alice" / "key").read_bytes() == before


@pytest.mark.parametrize("step", ["write_new", "_make_store", "_encode"])
def test_a_failure_at_any_step_leaves_nothing(tmp_path, bootstrap, monkeypatch, step):
    def fail(*_arguments, **_named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(profile, step, fail)
    with pytest.raises(OSError, match="No space"):
        create(tmp_path / "people" / "alice", name="alice", bootstrap=bootstrap)
    assert list((tmp_path / "people").iterdir()) == []


def test_without_a_bootstrap_file_nothing_is_made(tmp_path):
    with pytest.raises(BadBootstrap):
        create(tmp_path / "people" / "alice", name="alice", bootstrap=tmp_path / "none.json")
    assert not (tmp_path / "people").exists()


def test_a_passphrase_opens_the_store_and_another_does_not(tmp_path, bootstrap, cheap_passphrases):
    made = create(tmp_path / "alice", name="alice", bootstrap=bootstrap, passphrase=b"right")
    assert made.lock is Lock.PASSPHRASE
    open_store(made, b"right").close()
    with pytest.raises(WrongPassphrase):
        open_store(made, b"wrong")
    with pytest.raises(PassphraseNeeded):
        open_store(made)
    assert not any(b"right" in path.read_bytes() for path in (tmp_path / "alice").iterdir() if path.is_file())


DAMAGE = {
    "settings": lambda folder: (folder / "profile.toml").write_text("name = 5\n"),
    "no settings": lambda folder: (folder / "profile.toml").write_bytes(b""),
    "short key": lambda folder: (folder / "key").write_bytes(b"short"),
    "empty key": lambda folder: (folder / "key").write_bytes(b""),
    "no key": lambda folder: (folder / "key").unlink(),
    "no store": lambda folder: (folder / "store.db").unlink(),
    "empty store": lambda folder: (folder / "store.db").write_bytes(b""),
    "a folder": lambda folder: ((folder / "store.db").unlink(), (folder / "store.db").mkdir()),
    "short store": lambda folder: os.truncate(folder / "store.db", 100),
    "half a store": lambda folder: os.truncate(folder / "store.db", (folder / "store.db").stat().st_size // 2),
    "zeros": lambda folder: (folder / "store.db").write_bytes(bytes((folder / "store.db").stat().st_size)),
    "another's": lambda folder: Store.open(fresh(folder / "store.db"), SymmetricKey(b"o" * 32)).close(),
    "anybody's": lambda folder: plain_database(fresh(folder / "store.db")),
}


def fresh(path: Path) -> Path:
    path.unlink()
    return path


def plain_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE messages (text)")


def without_tables(folder: Path) -> None:
    """A database that opens with the right key and was made by something else."""
    key = profile.store_key(folder, load(folder).lock, b"right")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mixnet.client.storage.database.MIGRATIONS", ())
        Store.open(fresh(folder / "store.db"), key).close()


DAMAGE["without tables"] = without_tables


@pytest.mark.parametrize("words", [None, b"right"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_said_and_never_a_new_identity(tmp_path, bootstrap, cheap_passphrases, damage, words):
    folder = tmp_path / "alice"
    create(folder, name="alice", bootstrap=bootstrap, passphrase=words)
    DAMAGE[damage](folder)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises((BrokenProfile, WrongPassphrase), match=r"restore|correct it") as caught:
        open_store(load(folder), words)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in before} == before


def test_a_journal_of_a_store_that_is_lost_stays(tmp_path, bootstrap):
    made = create(tmp_path / "alice", name="alice", bootstrap=bootstrap)
    store = open_store(made)
    store.set_setting("a", b"1")
    journal = (tmp_path / "alice/store.db-wal").read_bytes()
    store.close()
    (tmp_path / "alice/store.db-wal").write_bytes(journal)
    (tmp_path / "alice/store.db").write_bytes(b"")
    with pytest.raises(BrokenProfile, match="is empty"):
        open_store(made)
    assert (tmp_path / "alice/store.db-wal").read_bytes() == journal


def test_a_part_of_a_profile_is_said_to_be_one(tmp_path, bootstrap):
    create(tmp_path / "alice", name="alice", bootstrap=bootstrap)
    (tmp_path / "alice/profile.toml").unlink()
    with pytest.raises(NoProfile, match=r"only a part of a profile \(store.db, key, bootstrap.json\)"):
        load(tmp_path / "alice")


def test_a_profile_has_its_identity_from_the_beginning(tmp_path, bootstrap):
    store = open_store(create(tmp_path / "alice", name="alice", bootstrap=bootstrap))
    assert store.setting("mailbox identity") == load_keys(store).mailbox.expose()


@pytest.mark.parametrize("lost", ["mailbox identity", "sphinx secret"])
def test_keys_that_are_lost_are_not_made_anew(lost):
    store = Store.open(":memory:", SymmetricKey(bytes(32)))
    load_keys(store)
    store.delete_setting(lost)
    with pytest.raises(DamagedStore):
        load_keys(store)


def test_no_profile_says_how_to_make_one(tmp_path):
    with pytest.raises(NoProfile, match="mixnet client init"):
        load(tmp_path / "nobody")


def test_keys_are_made_once_and_stay():
    store = Store.open(":memory:", SymmetricKey(bytes(32)))
    first = load_keys(store)
    assert load_keys(store) == first
    assert first.mailbox != SigningKey.generate()
    other = Keys(SigningKey(b"m" * 32), SphinxSecret(b"s" * 32))
    save_keys(store, other)
    assert load_keys(store) == other
    assert "m" * 8 not in repr(other)


def test_one_daemon_holds_the_lock_and_gives_it_back(tmp_path):
    path = tmp_path / "daemon.lock"
    assert lock.holder(path) is None
    with lock.hold(path):
        assert lock.holder(path) == os.getpid()
        with pytest.raises(lock.AlreadyRunning), lock.hold(path):
            pass
        assert lock.holder(path) == os.getpid()
    assert lock.holder(path) is None
    with lock.hold(path):
        pass
