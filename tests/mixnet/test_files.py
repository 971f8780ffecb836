import os
from pathlib import Path

import pytest

from mixnet.files import replace_file


def test_a_file_is_for_its_owner_only_unless_it_is_public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o022)
    try:
        replace_file(tmp_path / "key", b"secret")
        replace_file(tmp_path / "list", b"public", mode=0o666)
    finally:
        os.umask(before)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "list").stat().st_mode & 0o777 == 0o644
    given: list[object] = []
    monkeypatch.setattr(os, "fchown", lambda _file, *owner: given.append(owner))
    replace_file(tmp_path / "key", b"other", owner=(7, 8))
    assert given == [(7, 8)]


def test_a_full_disk_leaves_the_old_file_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_file(tmp_path / "file", b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError) as failure:
        replace_file(tmp_path / "file", b"new")
    assert failure.value.filename == str(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_what_a_kill_left_is_in_nobodys_way_and_never_read(tmp_path: Path) -> None:
    left, elsewhere = tmp_path / ".file.new", tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    left.symlink_to(elsewhere)
    replace_file(tmp_path / "file", b"new")
    (tmp_path / "draft").write_bytes(b"half, and longer than what follows")
    replace_file(tmp_path / "file", b"newer", draft=tmp_path / "draft")
    assert (tmp_path / "file").read_bytes() == b"newer"
    assert elsewhere.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "file"]


def test_file_and_folder_are_on_the_disk_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synchronised: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synchronised.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    replace_file(tmp_path / "file", b"new")
    assert synchronised == [".file.new", tmp_path.name]
