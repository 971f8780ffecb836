"""Files that an operator replaces while an authority runs (spec/05-directory.md 5.11).

Promises: a file that was replaced or changed is noticed by its stamp, without being read; it is written whole or not at
all, for the owner of its folder only.
"""

from __future__ import annotations

import os
from pathlib import Path

from mixnet.files import replace_file

Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp | None:
    """What changes whenever the file is replaced; None if it is absent."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def replace(path: Path, content: bytes) -> None:
    """Write the file in one step, readable by its owner only: whoever owns the folder, if root writes."""
    folder = path.parent.stat()
    # An operator decides as root, a service reads as a user of its own.
    replace_file(path, content, owner=(folder.st_uid, folder.st_gid) if os.geteuid() == 0 else None)
