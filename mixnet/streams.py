"""Standard output and error as a command needs them (spec/09-command.md).

Promises: what the encoding of the terminal doesn't have is replaced, never refused; a message beside the output that
can't be written ends no command; a file that is opened is never taken for a stream that was closed from the start, and
output to such a one is lost as on a full device. Whoever asks learns whether what went into a pipe was read.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import select
import stat
import sys
import termios
from array import array
from contextlib import suppress

from mixnet.faults import leaves


class _Output(io.TextIOWrapper):
    lost: OSError | None = None

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self.lost = error
            raise

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self.lost = error
            raise


class _Error(io.TextIOWrapper):
    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def prepare() -> None:
    """Let this process have all three standard streams, which do as promised."""
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):  # what is closed can't be written either
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest number that is free: this one
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    out, err = sys.stdout, sys.stderr
    to_out = out.buffer if out else open(1, "wb", closefd=False)  # noqa: SIM115  # it stays open as long as we run
    to_err = err.buffer if err else open(2, "wb", closefd=False)  # noqa: SIM115
    terminal = to_out.isatty()
    sys.stdout = _Output(to_out, out.encoding if out else None, "replace", line_buffering=terminal)
    sys.stderr = _Error(to_err, err.encoding if err else None, "backslashreplace", line_buffering=True)


def lost_output(error: BaseException) -> OSError | None:
    """Why what was written couldn't leave, if that is what a command ended with."""
    lost = sys.stdout.lost if isinstance(sys.stdout, _Output) else None
    found = next((one for one in leaves(error) if one is lost or isinstance(one, BrokenPipeError)), None)
    if found is None:
        return None
    # What is still in the buffer would fail once more when Python closes it.
    void = os.open(os.devnull, os.O_WRONLY)
    os.dup2(void, sys.stdout.fileno())
    os.close(void)
    return found


def is_taken() -> bool:
    """Whether whoever reads our output through a pipe has taken all of it; BrokenPipeError if nobody will."""
    sys.stdout.flush()
    try:
        pipe = sys.stdout.fileno()
        is_pipe = stat.S_ISFIFO(os.fstat(pipe).st_mode)
    except (OSError, ValueError):  # no file at all: a test's, or a notebook's
        return True
    if not is_pipe:
        return True
    left = array("i", [0])
    try:
        fcntl.ioctl(pipe, termios.FIONREAD, left)
    except OSError:  # not every system can say it
        return True
    if not left[0]:
        return True
    ends = select.poll()
    ends.register(pipe, 0)  # an error is always told
    if ends.poll(0):
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
    return False
