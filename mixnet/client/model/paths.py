"""The names of the files in a profile's folder. It imports little: every command needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mixnet.errors import LocalError
from mixnet.near import near

SETTINGS: Final = "profile.toml"
BOOTSTRAP: Final = "bootstrap.json"
KEY: Final = "key"
STORE: Final = "store.db"
DOWNLOADS: Final = "downloads"
UPLOADS: Final = "uploads"  # files that the page sends
LOCK: Final = "daemon.lock"
LOG: Final = "daemon.log"
TROUBLE: Final = "daemon.err"  # what a daemon that could not start said
API_SOCKET: Final = "api.sock"


class NoProfile(LocalError):
    """There is no such profile: make it with `mixnet client init PROFILE`."""


def check_profile(directory: Path) -> None:
    """Raise NoProfile unless there is a profile in `directory`."""
    if not (directory / SETTINGS).is_file():
        left = [name for name in (STORE, KEY, BOOTSTRAP) if (directory / name).exists()]
        if left:
            raise NoProfile(
                f"{directory} holds only a part of a profile ({', '.join(left)}), and no {SETTINGS}: restore a copy of"
                " the whole folder, or remove what is left of it and make a new profile"
            )
        others = [one.parent.name for one in directory.parent.glob(f"*/{SETTINGS}")]
        meant = near(directory.name, others)
        raise NoProfile(f"there is no profile at {directory}{meant}: make it with `mixnet client init PROFILE`")
