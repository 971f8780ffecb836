"""Backups: all of a profile in one encrypted file, which is used whole or not at all."""

import errno
import os
import shutil
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixnet.client.model import paths
from mixnet.client.profile import backup, lock, profile, sealed_file
from mixnet.client.profile.backup import BackupExists, NoRoom, back_up, restore
from mixnet.client.profile.profile import Lock, PassphraseNeeded, ProfileExists, create, load, open_store
from mixnet.client.profile.sealed_file import BadBackup
from mixnet.client.storage.copies import Contents, Place, copy_of, recognise
from mixnet.crypto import SymmetricKey
from mixnet.errors import LocalError
from tests.client.worlds.town import Town

SECRET = b"a passphrase"


def _cheap(words, salt):
    return SymmetricKey((words + salt + bytes(32))[:32])


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch):
    """Argon2id takes a second on purpose; what it is made of is tested with the primitives."""
    for module in (profile, sealed_file):
        monkeypatch.setattr(module, "password_key", _cheap)


@pytest.fixture
def alice(tmp_path):
    Town().bootstrap.save(tmp_path / "bootstrap.json")
    made = create(
        tmp_path / "alice", name="alice", bootstrap=tmp_path / "bootstrap.json", source="127.0.9.1", provider=bytes(32)
    )
    store = open_store(made)
    with store.transaction():
        store.run(
            "INSERT INTO contacts (name, identity, state, added_at) VALUES ('bob of long ago', ?, 'verified', 5.0)",
            bytes(32),
        )
        for used in (None, bytes(8)):
            store.run(
                "INSERT INTO invitations (channel, secret, transcript, prekeys, expires, used)"
                " VALUES (?, x'', x'', ?, 1e10, ?)",
                *(os.urandom(16), None if used else b"keys", used),
            )
        store.run(
            "INSERT INTO sessions VALUES (1, 1, x'01', x'', x'02', x'', NULL, NULL, x'', x'', x'', x'', 4, 0, 7, 0)"
        )
    store.close()
    (tmp_path / "alice" / paths.DOWNLOADS / "sent").mkdir()
    (tmp_path / "alice" / paths.DOWNLOADS / "sent" / "letter.txt").write_bytes(b"dear alice " * 20_000)
    (tmp_path / "alice" / paths.DOWNLOADS / ".half").write_bytes(b"still coming")
    return made


def _all(store):
    tables = [name for (name,) in store.all("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return {name: store.all(f"SELECT * FROM {name}") for name in tables if not name.startswith("found")}


@pytest.mark.parametrize("runs", [False, True])
def test_a_restored_profile_is_the_one_of_the_backup_and_knows_that_it_is_a_copy(alice, tmp_path, runs):
    file, before = tmp_path / "alice.backup", open_store(alice)
    known = _all(before)
    if runs:
        with lock.hold(alice.file(paths.LOCK)), before.transaction():
            before.run("UPDATE contacts SET note = 'not committed yet'")
            done = back_up(alice, file, SECRET, downloads=True)
    else:
        done = back_up(alice, file, SECRET, downloads=True)
    before.close()
    assert (done.contents, done.downloads, done.size) == (Contents(1, 0, 1), 1, file.stat().st_size)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not [one for one in alice.directory.iterdir() if one.name.startswith(".")], "nothing is left beside it"

    made = restore(file, lambda name: tmp_path / f"{name}2", SECRET)
    assert (made.contents, made.downloads, made.made) == (Contents(1, 0, 1), 1, done.made)
    assert (made.profile.name, made.profile.provider, made.profile.source) == ("alice", bytes(32), None)
    assert made.profile.lock is Lock.KEY_FILE
    assert (made.profile.downloads / "sent" / "letter.txt").read_bytes() == b"dear alice " * 20_000
    assert made.profile.file(paths.KEY).read_bytes() != alice.file(paths.KEY).read_bytes(), "its key is its own"
    store = open_store(made.profile)
    after, copy = _all(store), copy_of(store)
    store.close()
    assert copy is not None
    assert (copy.made, copy.settled) == (done.made, False)
    assert [row[:2] for row in after.pop("copied")] == [(1, 1)]
    assert [row for row in known.pop("invitations") if row[4] is None] == after.pop("invitations"), "open ones are void"
    assert set(known.pop("settings")) < set(after.pop("settings"))
    known.pop("copied")
    assert {name: rows for name, rows in known.items() if name != "sqlite_sequence"} == {
        name: rows for name, rows in after.items() if name != "sqlite_sequence"
    }
    for path in [made.profile.directory, *made.profile.directory.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_nothing_of_the_profile_is_in_clear_in_the_file(alice, tmp_path):
    back_up(alice, tmp_path / "one", SECRET, downloads=True)
    raw = (tmp_path / "one").read_bytes()
    for word in (b"alice", b"bob of long ago", b"letter", b"SQLite", alice.file(paths.KEY).read_bytes()):
        assert word not in raw
    back_up(alice, tmp_path / "two", SECRET, downloads=True)
    assert (tmp_path / "two").read_bytes()[100:200] != raw[100:200], "each file has a key of its own"


def test_a_file_is_replaced_only_if_that_is_asked_for(alice, tmp_path):
    file = tmp_path / "kept"
    file.write_bytes(b"the user's")
    with pytest.raises(BackupExists):
        back_up(alice, file, SECRET)
    assert file.read_bytes() == b"the user's"
    back_up(alice, file, SECRET, force=True)
    assert restore(file, lambda _: tmp_path / "again", SECRET).profile.name == "alice"
    with pytest.raises(ProfileExists):
        restore(file, lambda _: tmp_path / "again", SECRET)


def test_a_full_disk_leaves_nothing(alice, tmp_path, monkeypatch):
    back_up(alice, tmp_path / "whole", SECRET)
    there = sorted(tmp_path.rglob("*"))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(backup.SealedWriter, "finish", full)
    with pytest.raises(NoRoom):
        back_up(alice, tmp_path / "other", SECRET)
    monkeypatch.setattr(backup.SealedReader, "finish", full)
    with pytest.raises(NoRoom):
        restore(tmp_path / "whole", lambda _: tmp_path / "again", SECRET)
    assert sorted(tmp_path.rglob("*")) == there


def test_a_locked_profile_stays_locked_unless_the_user_says_otherwise(tmp_path):
    Town().bootstrap.save(tmp_path / "bootstrap.json")
    made = create(tmp_path / "alice", name="alice", bootstrap=tmp_path / "bootstrap.json", passphrase=b"mine")
    back_up(made, tmp_path / "file", SECRET, passphrase=b"mine")
    with pytest.raises(PassphraseNeeded):
        restore(tmp_path / "file", lambda _: tmp_path / "one", SECRET)
    assert not (tmp_path / "one").exists()
    restore(tmp_path / "file", lambda _: tmp_path / "one", SECRET, passphrase=b"another")
    open_store(load(tmp_path / "one"), b"another").close()
    restore(tmp_path / "file", lambda _: tmp_path / "two", SECRET, unlocked=True)
    open_store(load(tmp_path / "two")).close()


def test_a_recovery_key_opens_however_it_is_typed(alice, tmp_path):
    key = sealed_file.recovery_key()
    assert len(key) == 29
    back_up(alice, tmp_path / "file", key.encode())
    typed = key.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    restore(tmp_path / "file", lambda _: tmp_path / "again", f" {typed}\n".encode())


# What is wrong with a file, and the words of the sentence that says so.
_HEADER, _PART = 56, 17
_WRONG = {
    "nothing": (lambda raw, _: b"", "is no backup"),
    "another kind of file": (lambda raw, _: b"\x89PNG" + raw, "is no backup"),
    "a newer one": (lambda raw, _: raw.replace(b"backup/1", b"backup/2", 1), "newer version"),
    "a changed salt": (lambda raw, _: _changed(raw, 20), "beginning"),
    "a changed check": (lambda raw, _: _changed(raw, 35), "beginning"),
    "a changed proof": (lambda raw, _: _changed(raw, 50), "does not open"),
    "only a beginning": (lambda raw, _: raw[:40], "cut off"),
    "no parts": (lambda raw, _: raw[:_HEADER], "cut off"),
    "half a part": (lambda raw, _: raw[:-40], "cut off"),
    "no last part": (lambda raw, _: b"".join(_parts(raw)[:-1]), "cut off"),
    "a part left out": (lambda raw, _: b"".join([*_parts(raw)[:2], *_parts(raw)[3:]]), "order"),
    "two parts exchanged": (lambda raw, _: b"".join(_swapped(_parts(raw))), "order"),
    "a part twice": (lambda raw, _: b"".join([*_parts(raw)[:2], *_parts(raw)[1:]]), "order"),
    "a part of another backup": (lambda raw, other: b"".join(_mixed(raw, other)), "two backups"),
    "a changed part": (lambda raw, _: _changed(raw, _HEADER + _PART + 30), "was changed"),
    "a part that says to be the last": (lambda raw, _: _changed(raw, _HEADER + 12), "was changed"),
    "a huge length": (lambda raw, _: raw[: _HEADER + 13] + b"\xff" * 4 + raw[_HEADER + 17 :], "was changed"),
    "more behind it": (lambda raw, _: raw + b"x", "follows"),
}


def _changed(raw, at):
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def _parts(raw):
    """The header, then each part."""
    found, at = [raw[:_HEADER]], _HEADER
    while at < len(raw):
        end = at + _PART + int.from_bytes(raw[at + 13 : at + 17], "big") + 16
        found.append(raw[at:end])
        at = end
    return found


def _swapped(parts):
    return [*parts[:2], parts[3], parts[2], *parts[4:]]


def _mixed(raw, other):
    ours = _parts(raw)
    return [*ours[:2], _parts(other)[2], *ours[3:]]


@pytest.mark.parametrize("what", _WRONG)
def test_each_kind_of_damage_is_refused_in_words_of_its_own(alice, tmp_path, what):
    for name in ("one", "two"):
        back_up(alice, tmp_path / name, SECRET, downloads=True)
    raw, other = ((tmp_path / name).read_bytes() for name in ("one", "two"))
    assert len(_parts(raw)) > 6
    spoil, words = _WRONG[what]
    (tmp_path / "bad").write_bytes(spoil(raw, other))
    _is_refused(tmp_path, words)


def test_a_wrong_passphrase_is_told_from_damage(alice, tmp_path):
    back_up(alice, tmp_path / "bad", b"another")
    _is_refused(tmp_path, "does not open")


def _is_refused(tmp_path, words):
    there = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadBackup) as refused:
        restore(tmp_path / "bad", lambda _: tmp_path / "again", SECRET)
    assert words in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == there, "nothing is left of it"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_changed_byte_gets_through(alice, tmp_path, data):
    file = tmp_path / "whole"
    if not file.exists():
        back_up(alice, file, SECRET)
    raw = file.read_bytes()
    at = data.draw(st.one_of(st.integers(0, 200), st.integers(0, len(raw) - 1)))
    (tmp_path / "bad").write_bytes(raw[:at] + bytes([raw[at] ^ data.draw(st.integers(1, 255))]) + raw[at + 1 :])
    _is_refused(tmp_path, "")


@pytest.mark.parametrize(
    "names",
    [
        *(["../escaped"], ["downloads/../../escaped"], ["/etc/escaped"], ["downloads/"], ["key"], [""]),
        *(
            ["store.db"],
            ["downloads/x", "downloads/x"],
            ["downloads/x", "downloads/x/y"],
            ["downloads/x/y", "downloads/x"],
        ),
    ],
    ids=" ".join,
)
def test_a_backup_writes_nowhere_but_into_the_new_profile(alice, tmp_path, monkeypatch, names):
    """Whoever makes somebody use a backup of his, with its passphrase, writes no file elsewhere."""
    whole = backup._Manifest

    def lying(*args):
        made = whole(*args)
        return whole(
            made.name, made.made, made.lock, made.key, [*made.files, *(backup._File(name, 0) for name in names)]
        )

    with monkeypatch.context() as patch:
        patch.setattr(backup, "_Manifest", lying)
        back_up(alice, tmp_path / "bad", SECRET)
    _is_refused(tmp_path, "")


def test_a_name_that_leads_elsewhere_is_refused(alice, tmp_path):
    back_up(alice, tmp_path / "file", SECRET)

    def nowhere(_name):
        raise LocalError("a profile's name has no slash")

    with pytest.raises(LocalError, match="slash"):
        restore(tmp_path / "file", nowhere, SECRET)


@pytest.mark.parametrize("words", [None, b"mine"])
def test_a_copied_folder_is_taken_over_and_left_alone(tmp_path, words):
    Town().bootstrap.save(tmp_path / "bootstrap.json")
    made = create(tmp_path / "alice", name="alice", bootstrap=tmp_path / "bootstrap.json", passphrase=words)
    (made.directory / paths.DOWNLOADS / "letter.txt").write_bytes(b"dear alice")
    store = open_store(made, words)
    store.run("INSERT INTO contacts (name, identity, state, added_at) VALUES ('bob', ?, 'verified', 5.0)", bytes(32))
    shutil.copytree(made.directory, tmp_path / "copy")  # with what is in its journal alone
    store.close()
    there = {path: path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    with pytest.raises(ProfileExists):
        backup.take_over(tmp_path / "copy", lambda name: tmp_path / name, passphrase=words)
    done = backup.take_over(tmp_path / "copy", lambda name: tmp_path / f"{name}2", passphrase=words)
    assert (done.contents.contacts, done.downloads, done.profile.lock) == (1, 1, made.lock)
    store = open_store(done.profile, words)
    assert copy_of(store) is not None
    store.close()
    assert {path: path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()} == there
    with lock.hold(tmp_path / "copy" / paths.LOCK), pytest.raises(lock.AlreadyRunning):
        backup.take_over(tmp_path / "copy", lambda name: tmp_path / f"{name}3", passphrase=words)


@pytest.mark.parametrize("name", [paths.STORE, f"{paths.STORE}-wal", paths.KEY])
@pytest.mark.parametrize("odd", ["link", "pipe", "folder"])
def test_of_a_copied_folder_nothing_is_read_but_its_own_files(alice, tmp_path, name, odd):
    copy = tmp_path / "copy"
    shutil.copytree(alice.directory, copy)
    (copy / name).unlink(missing_ok=True)
    if odd == "link":
        (tmp_path / "theirs").write_bytes(bytes(64))
        (copy / name).symlink_to(tmp_path / "theirs")
    else:
        (os.mkfifo if odd == "pipe" else os.mkdir)(copy / name)
    with pytest.raises(backup.NoPlainFile, match="no plain file"):
        backup.take_over(copy, lambda name: tmp_path / f"{name}2")
    assert not (tmp_path / "alice2").exists()


def test_a_link_in_the_place_of_downloads_brings_no_file_of_elsewhere(alice, tmp_path):
    copy, private = tmp_path / "copy", tmp_path / "private"
    private.mkdir()
    (private / "diary").write_bytes(b"private")
    shutil.copytree(alice.directory, copy)
    shutil.rmtree(copy / paths.DOWNLOADS)
    (copy / paths.DOWNLOADS).symlink_to(private)
    done = backup.take_over(copy, lambda name: tmp_path / f"{name}2")
    assert (done.downloads, list(done.profile.downloads.iterdir())) == (0, [])
    shutil.rmtree(alice.directory / paths.DOWNLOADS)
    (alice.directory / paths.DOWNLOADS).symlink_to(private)
    assert back_up(alice, tmp_path / "file", SECRET, downloads=True).downloads == 1, "the user's own link is his choice"


def test_a_copy_on_a_disk_that_can_only_be_read_is_taken_over(alice, tmp_path, monkeypatch):
    opened = os.open

    def read_only(path, flags, *more, **named):
        if flags & os.O_RDWR and str(path).startswith(str(alice.directory)):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(lock.os, "open", read_only)
    assert backup.take_over(alice.directory, lambda name: tmp_path / f"{name}2").contents.contacts == 1


def _place(folder):
    key, store = (folder / paths.KEY).stat(), (folder / paths.STORE).stat()
    return Place(key.st_ino, key.st_ctime_ns, store.st_ino)


def _starts(folder):
    """Whether a daemon that starts there finds that it is a copy."""
    store = open_store(load(folder))
    try:
        return recognise(store, _place(folder), 1e10)
    finally:
        store.close()


def test_a_daemon_recognises_a_folder_that_was_copied(alice, tmp_path):
    folder = alice.directory
    assert [_starts(folder) for _ in range(3)] == [False] * 3
    shutil.copytree(folder, tmp_path / "copy")
    assert [_starts(tmp_path / "copy") for _ in range(3)] == [True, False, False]
    assert [_starts(folder) for _ in range(2)] == [False] * 2, "the one that was copied is as it was"
    folder.rename(tmp_path / "renamed")
    assert not _starts(tmp_path / "renamed")
    shutil.copyfile(tmp_path / "renamed" / paths.STORE, tmp_path / "older")
    (tmp_path / "older").replace(tmp_path / "renamed" / paths.STORE)
    assert _starts(tmp_path / "renamed"), "another store was put in its place"
    back_up(load(tmp_path / "renamed"), tmp_path / "file", SECRET)
    restored = restore(tmp_path / "file", lambda _: tmp_path / "restored", SECRET)
    assert not _starts(restored.profile.directory), "it is known to be a copy already"


def test_a_file_system_that_numbers_files_anew_makes_no_copy():
    here = Place(1, 5_000_000_000, 2)
    assert not Place(7, 5_000_000_000, 8).is_copy_of(here)
    assert Place(7, 6_000_000_000, 8).is_copy_of(here)
    assert Place(1, 5_000_000_000, 3).is_copy_of(here)
