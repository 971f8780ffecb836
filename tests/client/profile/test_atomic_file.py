"""Files that are there whole or not at all, though a process dies or fails while it writes."""

import signal
import subprocess
import sys
import textwrap

import pytest

from mixnet.client.profile import atomic_file

WRITER = """
import os, signal, sys
from pathlib import Path
from mixnet.client.profile import atomic_file
if sys.argv[2] == "hidden":
    atomic_file._nameless = lambda path: None
with atomic_file.new_file(Path(sys.argv[1])) as file:
    file.write(b"secret" * 1000)
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("how", ["nameless", "hidden"])
def test_a_killed_export_leaves_nothing_that_stays(tmp_path, how):
    if how == "nameless" and atomic_file._nameless(tmp_path / "probe") is None:
        pytest.skip(reason="no files without a name (O_TMPFILE) on this file system: hidden ones are tested")
    target = tmp_path / "out" / "archive.jsonl"
    target.parent.mkdir()
    code = subprocess.run([sys.executable, "-c", textwrap.dedent(WRITER), target, how], check=False).returncode
    assert code == -signal.SIGKILL
    assert len(names(target.parent)) == (how == "hidden")
    (target.parent / ".other.0123456789ab.part").write_bytes(b"somebody else's")
    with atomic_file.new_file(target) as file_:
        file_.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole" and target.stat().st_mode & 0o777 == 0o600
    assert names(target.parent) == [".other.0123456789ab.part", "archive.jsonl"]


@pytest.mark.parametrize("how", ["nameless", "hidden"])
def test_a_file_that_fails_leaves_nothing_and_none_is_replaced(tmp_path, monkeypatch, how):
    if how == "hidden":
        monkeypatch.setattr(atomic_file, "_nameless", lambda path: None)
    with pytest.raises(ZeroDivisionError), atomic_file.new_file(tmp_path / "a") as file_:
        file_.write(bytes([1 // 0]))
    assert names(tmp_path) == []
    with pytest.raises(FileExistsError), atomic_file.new_file(tmp_path / "a") as file_:
        (tmp_path / "a").write_bytes(b"precious")
    assert (tmp_path / "a").read_bytes() == b"precious" and names(tmp_path) == ["a"]
    with pytest.raises(FileExistsError), atomic_file.new_file(tmp_path / "a"):
        raise AssertionError("it was not even begun")
