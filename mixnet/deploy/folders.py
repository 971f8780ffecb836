"""The folder of a local network: its files, written whole or not at all, and its lock (spec/10-local-network.md 10.1).

Promises: folders are for their owner only (0700), files too (0600); a file is replaced in one step, so a crash or a
full disk leaves the old one or the new one; the lock is the kernel's, so it is free again when its holder is dead.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from shlex import quote
from typing import Any, Final

import msgspec

from mixnet.deploy.processes import ProcessId, alive
from mixnet.errors import LocalError
from mixnet.files import replace_file

PLAN: Final = "network.toml"
BOOTSTRAP: Final = "bootstrap.json"
CONFIG: Final = "config.toml"
KEY: Final = "identity.key"
LOG: Final = "node.log"
SOCKET: Final = "status.sock"
RUN: Final = "run.json"
LOCK: Final = "supervisor.lock"
SUPERVISOR_LOG: Final = "supervisor.log"
CLIENTS: Final = "clients"
_BARE_KEY: Final = re.compile("[A-Za-z0-9_-]+")


class NetworkAlreadyRunning(LocalError):
    """This network is running already: look at it with `mixnet status`, end it with `mixnet down`."""


class NetworkNotRunning(LocalError):
    """No network is running here: start one with `mixnet up`."""

    exit_status = 3


class Running(msgspec.Struct, frozen=True):
    """Who runs: kept in `run.json` by the supervisor as long as it lives."""

    supervisor: ProcessId
    nodes: dict[str, ProcessId] = {}
    restarts: dict[str, int] = {}


def make_private(folder: Path) -> None:
    """Make a folder, and those above it, that only its owner may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def toml(table: dict[str, Any]) -> bytes:
    """A flat table, and one level of tables in it, as TOML; values are strings, numbers, truths and lists of these."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = [f"{key} = {_value(value)}" for key, value in plain.items()]
    for name, inner in table.items():
        if isinstance(inner, dict):
            lines += ["", f"[{name}]", *(f"{_key(key)} = {_value(value)}" for key, value in inner.items())]
    return ("\n".join(lines) + "\n").encode()


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    """One value; JSON's spelling of it is TOML's too, but for a few characters that JSON may leave bare."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def read_running(folder: Path) -> Running | None:
    """What the supervisor wrote; None if it isn't there or was damaged."""
    try:
        return msgspec.json.decode((folder / RUN).read_bytes(), type=Running)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_running(folder: Path, running: Running) -> None:
    """Say who runs."""
    replace_file(folder / RUN, msgspec.json.encode(running))


class NetworkLock:
    """Held by the one process that runs the network of a folder; free when that process is gone, however it went."""

    def __init__(self, folder: Path) -> None:
        """Take it, or raise AlreadyRunning."""
        self._file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise NetworkAlreadyRunning(
                f"the network in {folder} is running already: see `mixnet status --dir {quote(str(folder))}`, "
                f"or end it with `mixnet down --dir {quote(str(folder))}`"
            ) from None

    def release(self) -> None:
        """Let the next one run it."""
        os.close(self._file)


def running(folder: Path) -> Running | None:
    """Who runs the folder's network now; None if nobody does, whatever an earlier crash left behind."""
    found = read_running(folder)
    return found if found is not None and alive(found.supervisor) else None
