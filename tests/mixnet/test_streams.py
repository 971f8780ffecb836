"""Whatever standard output and error are, a command ends with a line and its status, and never with a traceback."""

import os
import subprocess
import sys

import pytest

# Writes more than a buffer takes, then a line; and something beside it.
SCRIPT = """
import sys
from mixnet.explain import exit_status
from mixnet.streams import prepare
prepare()
def run():
    opened = open({file!r}, "w")
    print("beside \\u2192", file=sys.stderr)
    print("\\u2192 \\u6f22 \\xe9" * {times})
    opened.write("kept")
    opened.close()
sys.exit(exit_status(run))
"""
CODES = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def run(tmp_path, shell: str, times: int = 1, **environment: str) -> subprocess.CompletedProcess[bytes]:
    script = SCRIPT.format(file=str(tmp_path / "file"), times=times)
    variables = {name: value for name, value in os.environ.items() if name[:3] not in ("LC_", "LAN")}
    return subprocess.run(
        ["bash", "-c", shell.format('"$0" -c "$1"'), sys.executable, script],
        capture_output=True,
        check=False,
        env=variables | environment,
    )


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"PYTHONIOENCODING": "latin-1"}, b"? ? \xe9\n"),
        ({"PYTHONIOENCODING": "ascii:strict"}, b"? ? ?\n"),
        ({"LC_ALL": "C", **CODES}, b"? ? ?\n"),
        ({"LC_ALL": "C.UTF-8"}, "→ 漢 é\n".encode()),
    ],
)
def test_what_an_encoding_does_not_have_is_replaced(tmp_path, environment, shown):
    done = run(tmp_path, "{}", **environment)
    assert (done.returncode, done.stdout) == (0, shown)
    assert b"beside" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.parametrize("times", [1, 100_000])
@pytest.mark.parametrize(
    ("shell", "status", "told"),
    [
        ("{} >&-", 1, b"standard output can't be written (Bad file descriptor)"),
        ("{} > /dev/full", 1, b"standard output can't be written (No space left on device)"),
        ("{} | true; exit ${{PIPESTATUS[0]}}", 0, b""),
        ("{} 2>&-", 0, b""),
        ("{} 2> /dev/full", 0, b""),
        ("{} <&- >&- 2>&-", 1, b""),
    ],
)
def test_output_that_cannot_be_written_ends_in_a_line(tmp_path, shell, times, status, told):
    done = run(tmp_path, shell, times)
    assert done.returncode == status
    assert told in done.stderr and b"Traceback" not in done.stderr and b"Exception" not in done.stderr
    assert b"beside" not in (tmp_path / "file").read_bytes(), "a file is taken for no stream"


@pytest.mark.parametrize("words", ["--help", "directory --help"])
def test_whoever_reads_only_the_beginning_of_help_makes_no_failure(words):
    line = f'"$0" -m mixnet {words} | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", line, sys.executable], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
