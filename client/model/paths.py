"""The names of the files in a profile's folder. It imports little: every command needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mixnet.errors import LocalError

SETTINGS: Final = "profile.toml"
BOOTSTRAP: Final = "bootstrap.json"
KEY: Final = "key"
STORE: Final = "store.db"
DOWNLOADS: Final = "downloads"
LOCK: Final = "daemon.lock"
LOG: Final = "daemon.log"
TROUBLE: Final = "daemon.err"  # what a daemon that could not start said
API_SOCKET: Final = "api.sock"


class NoProfile(LocalError):
    """There is no such profile: make it with `mixnet client init PROFILE`."""


def check_profile(directory: Path) -> None:
    """Raise NoProfile unless there is a profile in `directory`."""
    if not (directory / SETTINGS).is_file():
        raise NoProfile(f"there is no profile at {directory}: make it with `mixnet client init PROFILE`")
