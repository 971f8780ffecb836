"""How a command ends: its exit status, and the line that its user reads when it fails (spec/09-command.md).

Promises: a mistake of the user or a failure of the machine is one line on standard error that says what is wrong and
what to do, or with --json one JSON object there; the exit status is one of those below; only a bug shows a traceback.
"""

from __future__ import annotations

import errno
import json
import re
import sys
from collections.abc import Callable
from typing import Any

from mixnet import hints
from mixnet.errors import MixnetError
from mixnet.faults import leaves
from mixnet.shown import isolated_names, lines
from mixnet.streams import lost_output

DONE = 0
NOT_DONE = 1  # nothing is wrong with what was asked, and it did not come about
USER_ERROR = 2  # MixnetError.exit_status says which errors
NO_NETWORK = 3
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


_OF_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM}
_COMMAND = re.compile("`([^`]+)`")


def wants_json(words: list[str]) -> bool:
    """Whether a command line asks for JSON, also one that can't be understood."""
    options = words[: words.index("--")] if "--" in words else words
    return not {"--json", "--jsonl"}.isdisjoint(options)


def _first(error: BaseException) -> BaseException:
    return min(leaves(error), key=lambda leaf: not isinstance(leaf, MixnetError))


def status_of(error: BaseException) -> int:
    """The exit status of a command that ends by `error`."""
    first = _first(error)
    if isinstance(first, MixnetError):
        return first.exit_status
    return NOT_DONE if isinstance(first, OSError) and first.errno in _OF_MACHINE else USER_ERROR


def explain(error: BaseException) -> str | None:
    """The line that the user reads about `error`, or None if it is a bug, whose traceback must be seen."""
    found = list(leaves(error))
    if not all(isinstance(leaf, MixnetError | OSError) for leaf in found):
        return None
    first = _first(error)
    if isinstance(first, OSError):
        advice = _ADVICE.get(first.errno or 0, first.strerror or str(first))
        return _told(f"{first.filename}: {advice}" if first.filename else advice)
    return _told(str(first))


def _told(text: str) -> str:
    """On one line, with commands for the network that the user named; names in it can't steer a terminal."""
    return " ".join(lines(_BLANKS.sub(" ", hints.here(text)).strip(" ")))


def exit_status(run: Callable[[], Any], *, as_json: bool = False) -> int:
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
        line, status = explain(error), status_of(error)
        lost = lost_output(error)
        if isinstance(lost, BrokenPipeError):  # the reader (`| head`) has left, and wants no more
            return 0
        if lost is not None:
            line, status = f"standard output can't be written ({lost.strerror}): send it elsewhere", NOT_DONE
        if line is None:
            raise
        if as_json:
            hint = _COMMAND.search(line)
            told = {"error": line, "hint": None if hint is None else hint[1], "exit": status}
            sys.stderr.write(json.dumps(told) + "\n")
        else:
            sys.stderr.write(f"mixnet: {isolated_names(line) if sys.stderr.isatty() else line}\n")
        return status
    return status if isinstance(status, int) else 0
