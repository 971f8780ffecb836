import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.deploy.folders import (
    RUN,
    NetworkAlreadyRunning,
    NetworkLock,
    Running,
    make_private,
    read_running,
    running,
    toml,
    write_running,
)
from mixnet.deploy.processes import ProcessId, identify

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = texts | st.integers(-(2**60), 2**60) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
values = scalars | st.lists(texts, max_size=3)
keys = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(keys, values, max_size=5), st.dictionaries(texts, values, max_size=3))
def test_toml_is_read_back_as_it_was_written(table, inner) -> None:
    table = {**table, "inner": inner}
    assert tomllib.loads(toml(table).decode()) == table


def test_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_lock_has_one_holder(tmp_path: Path) -> None:
    lock = NetworkLock(tmp_path)
    with pytest.raises(NetworkAlreadyRunning):
        NetworkLock(tmp_path)
    lock.release()
    NetworkLock(tmp_path).release()


def test_who_runs_is_known_only_while_the_supervisor_lives(tmp_path: Path) -> None:
    me = identify(os.getpid())
    assert me is not None
    assert running(tmp_path) is None
    written = Running(me, {"mix-1": ProcessId(1, 2)}, {"mix-1": 3})
    write_running(tmp_path, written)
    assert running(tmp_path) == written
    write_running(tmp_path, Running(ProcessId(me.pid, me.started + 1)))
    assert running(tmp_path) is None


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / RUN).write_bytes(b'{"supervisor": ')
    assert read_running(tmp_path) is None
