"""How a command ends: its exit status, and the line that its user reads when it fails (spec/09-command.md).

Promises: a mistake of the user or a failure of the machine is one line on standard error that says what is wrong and
what to do, with exit status 2; an interrupted command ends with status 130; only a bug shows a traceback.
"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Callable
from typing import Any

from mixnet.errors import MixnetError
from mixnet.faults import leaves
from mixnet.shown import isolated_names, lines
from mixnet.streams import lost_output

USER_ERROR = 2
INTERRUPTED = 130  # what a shell reports of a process that SIGINT ended

_BLANKS = re.compile("[ \t\r\n]+")
_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space and try again",
    errno.EDQUOT: "your disk quota is used up: free some space and try again",
    errno.EACCES: "permission denied: choose a place that you may write to, or change its permissions",
    errno.EPERM: "permission denied: choose a place that you may write to, or change its permissions",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.EMFILE: "too many open files: raise the limit with `ulimit -n`",
    errno.ENFILE: "too many open files on this machine: close other programs",
    errno.ENOENT: "no such file or folder: check the name",
    errno.EISDIR: "that is a folder: name a file",
    errno.ENOTDIR: "that is not a folder: check the name",
    errno.EEXIST: "there is such a file already: choose another name",
}


def explain(error: BaseException) -> str | None:
    """The line that the user reads about `error`, or None if it is a bug, whose traceback must be seen."""
    found = list(leaves(error))
    if not all(isinstance(leaf, MixnetError | OSError) for leaf in found):
        return None
    first = min(found, key=lambda leaf: not isinstance(leaf, MixnetError))
    if isinstance(first, OSError):
        advice = _ADVICE.get(first.errno or 0, first.strerror or str(first))
        return _told(f"{first.filename}: {advice}" if first.filename else advice)
    return _told(str(first))


def _told(text: str) -> str:
    """On one line; names in it can't steer a terminal."""
    return " ".join(lines(_BLANKS.sub(" ", text).strip(" ")))


def exit_status(run: Callable[[], Any]) -> int:
    """Run a command to its end: its own exit status, or that of its failure, which is explained on standard error."""
    try:
        status = run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as ending:
        if isinstance(ending.__context__, BrokenPipeError):  # rich ends a process whose reader has left
            return 0
        raise
    except (MixnetError, OSError, BaseExceptionGroup) as error:
        if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves(error)):
            return INTERRUPTED
        line = explain(error)
        lost = lost_output(error)
        if isinstance(lost, BrokenPipeError):  # the reader (`| head`) has left, and wants no more
            return 0
        if lost is not None:
            line = f"standard output can't be written ({lost.strerror}): send it elsewhere"
        if line is None:
            raise
        sys.stderr.write(f"mixnet: {isolated_names(line) if sys.stderr.isatty() else line}\n")
        return USER_ERROR
    return status if isinstance(status, int) else 0
