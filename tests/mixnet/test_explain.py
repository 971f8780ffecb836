import errno
import os
import subprocess
import sys

import pytest

from mixnet.errors import LocalError, RemoteError, Unavailable
from mixnet.explain import INTERRUPTED, USER_ERROR, exit_status, explain


def raising(error: BaseException):
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (LocalError("no such profile: make it"), "no such profile: make it"),
        (RemoteError(), "The bytes of a peer are not what they must be: drop them, count, never answer."),
        (Unavailable("two\nlines"), "two lines"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full: free some space and try again"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "photo.jpg"),
            "photo.jpg: no such file or folder: check the name",
        ),
        (OSError(errno.EIO, "Input/output error", "disk"), "disk: Input/output error"),
        (ExceptionGroup("nursery", [ExceptionGroup("inner", [LocalError("deep")])]), "deep"),
        (ExceptionGroup("both", [OSError(errno.EIO, "broken"), LocalError("the cause")]), "the cause"),
    ],
)
def test_a_failure_is_one_line_and_status_two(error, line, capsys) -> None:
    assert exit_status(raising(error)) == USER_ERROR
    printed = capsys.readouterr()
    assert printed.err == f"mixnet: {line}\n"
    assert printed.out == ""


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
