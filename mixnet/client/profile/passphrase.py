"""Reads a passphrase: from a file, the environment or the terminal.

Promises: a passphrase is never an argument of a command, where every user of the machine could read it.
"""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from mixnet.errors import LocalError

VARIABLE = "MIXNET_PASSPHRASE"
OF_BACKUPS = "MIXNET_BACKUP_PASSPHRASE"
STDIN = "-"
_LIMIT = 4096


class EmptyPassphrase(LocalError):
    """A passphrase has at least one character: choose a longer one."""


class DifferentPassphrases(LocalError):
    """The two passphrases differ: try again."""


def given(file: Path | None, variable: str = VARIABLE) -> bytes | None:
    """The passphrase in `file` (`-`: standard input) or in the environment, without its line end; None if neither."""
    if file is not None:
        raw = sys.stdin.buffer.read(_LIMIT) if str(file) == STDIN else file.read_bytes()[:_LIMIT]
        return _checked(raw.rstrip(b"\r\n"))
    text = os.environ.get(variable)
    return None if text is None else _checked(os.fsencode(text))


def asked(*, twice: bool = False, what: str = "Passphrase") -> bytes | None:
    """The passphrase that the person at the terminal types; None if there is no terminal."""
    if not sys.stdin.isatty():
        return None
    first = getpass.getpass(f"{what}: ")
    if twice and getpass.getpass("Once more: ") != first:
        raise DifferentPassphrases
    return _checked(first.encode())


def _checked(passphrase: bytes) -> bytes:
    if not passphrase:
        raise EmptyPassphrase
    return passphrase
