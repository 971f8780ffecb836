"""Errors about files name what the user named: never a hidden file, a draft or a number of the system's."""

import errno
import os
from pathlib import Path

import pytest

from mixnet.client.api.export import _new_folder
from mixnet.client.profile.atomic_file import new_file, write_new
from mixnet.client.profile.profile import whole_folder
from mixnet.deploy.plan import LocalPlan
from mixnet.deploy.provision import provision
from mixnet.explain import explain
from mixnet.files import named, replace_file


def full(*_given, **_named):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def folder(path: Path) -> None:
    with _new_folder(path) as scratch:
        write_new(scratch / "inside", b"x")


def profile(path: Path) -> None:
    with whole_folder(path) as scratch:
        write_new(scratch / "inside", b"x")


def written(path: Path) -> None:
    write_new(path, b"x")


WRITERS = {
    "new file": written,
    "replaced file": lambda path: replace_file(path, b"x"),
    "export": folder,
    "profile": profile,
    "network": lambda path: provision(path, LocalPlan().check()),
}


def told(write, path: Path) -> str:
    with pytest.raises(OSError) as failed:
        write(path)
    line = explain(failed.value)
    assert line is not None
    for hidden in ("/.", ".part", ".new", "/proc/", "fd/"):
        assert hidden not in line, line
    return line


@pytest.mark.parametrize("nameless", [True, False], ids=["O_TMPFILE", "hidden"])
@pytest.mark.parametrize("name", ["new file", "replaced file", "export"])
@pytest.mark.parametrize("relative", [False, True])
def test_a_folder_that_is_not_there_is_what_is_named(tmp_path, monkeypatch, name, relative, nameless):
    monkeypatch.chdir(tmp_path)
    if not nameless:
        monkeypatch.setattr("mixnet.client.profile.atomic_file._nameless", lambda _path: None)
    root = Path() if relative else tmp_path
    (tmp_path / "file").write_bytes(b"")
    for parent in ("nowhere", "file"):
        assert told(WRITERS[name], root / parent / "out").startswith(f"{root / parent}: ")


@pytest.mark.parametrize("nameless", [True, False], ids=["O_TMPFILE", "hidden"])
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_is_told_of_the_file_that_was_named(tmp_path, monkeypatch, write, nameless):
    if not nameless:
        monkeypatch.setattr("mixnet.client.profile.atomic_file._nameless", lambda _path: None)
    monkeypatch.setattr(os, "fsync", full)
    line = told(write, tmp_path / "out")
    assert line.startswith(f"{tmp_path / 'out'}: the disk is full")
    assert list(tmp_path.iterdir()) == []


def test_what_is_about_another_file_stays_so(tmp_path):
    other = tmp_path / "elsewhere" / ".hidden"
    with pytest.raises(FileNotFoundError) as failed, named(tmp_path / "out"):
        other.read_bytes()
    assert failed.value.filename == str(other)
    with pytest.raises(FileNotFoundError) as failed, named(tmp_path / "out"), new_file(tmp_path / "out"):
        (tmp_path / "input").read_bytes()
    assert failed.value.filename == str(tmp_path / "input")
