import errno
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.errors import LocalError, RemoteError, Unavailable
from mixnet.explain import INTERRUPTED, exit_status, explain, wants_json


def raising(error: BaseException):
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "line", "status"),
    [
        (LocalError("no such profile: make it"), "no such profile: make it", 2),
        (RemoteError(), "The bytes of a peer are not what they must be: drop them, count, never answer.", 2),
        (Unavailable("two\nlines"), "two lines", 3),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full: free some space and try again", 1),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "photo.jpg"),
            "photo.jpg: no such file or folder: check the name",
            2,
        ),
        (OSError(errno.EIO, "Input/output error", "disk"), "disk: Input/output error", 1),
        (ExceptionGroup("nursery", [ExceptionGroup("inner", [LocalError("deep")])]), "deep", 2),
        (ExceptionGroup("both", [OSError(errno.EIO, "broken"), LocalError("the cause")]), "the cause", 2),
    ],
)
def test_a_failure_is_one_line_and_a_status_or_an_object(error, line, status, capsys) -> None:
    assert exit_status(raising(error)) == status
    assert capsys.readouterr() == ("", f"mixnet: {line}\n")
    assert exit_status(raising(error), as_json=True) == status
    printed = capsys.readouterr()
    assert json.loads(printed.err) == {"error": line, "hint": None, "exit": status}
    assert printed.out == "" and printed.err.count("\n") == 1


def test_the_object_names_the_first_command_to_type(capsys) -> None:
    exit_status(raising(LocalError("no: `mixnet a --dir /x` or `mixnet b`")), as_json=True)
    assert json.loads(capsys.readouterr().err)["hint"] == "mixnet a --dir /x"


@given(st.lists(st.sampled_from(["--", "--json", "--jsonl", "send", "hi"])))
def test_what_stands_behind_two_hyphens_is_no_option(words) -> None:
    assert wants_json(words) == any(one in ("--json", "--jsonl") for one in words[: [*words, "--"].index("--")])


@pytest.mark.parametrize(
    "bug", [ZeroDivisionError(), ExceptionGroup("mixed", [LocalError("known"), ZeroDivisionError()])]
)
def test_a_bug_keeps_its_traceback(bug) -> None:
    assert explain(bug) is None
    with pytest.raises(type(bug)):
        exit_status(raising(bug))


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), BaseExceptionGroup("nursery", [KeyboardInterrupt(), LocalError("late")])]
)
def test_an_interruption_says_nothing(error, capsys) -> None:
    assert exit_status(raising(error)) == INTERRUPTED
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1), ("text", 0)])
def test_the_status_of_a_command_is_its_own(returned, status) -> None:
    assert exit_status(lambda: returned) == status


def test_a_reader_that_leaves_early_is_no_failure() -> None:
    script = "import sys; from mixnet.explain import exit_status; sys.exit(exit_status(lambda: print('x' * 1_000_000)))"
    reader, writer = os.pipe()
    with subprocess.Popen([sys.executable, "-c", script], stdout=writer, stderr=subprocess.PIPE) as process:
        os.close(writer)
        os.close(reader)
        assert process.stderr.read() == b""
    assert process.returncode == 0
