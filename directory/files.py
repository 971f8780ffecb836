"""Files that an operator replaces while an authority runs (spec/05-directory.md 5.11).

Promises: a file that was replaced or changed is noticed by its stamp, without being read; it is written whole or not at
all, for the owner of its folder only.
"""

from __future__ import annotations

import os
from pathlib import Path

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
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    temporary.chmod(0o600)
    if os.geteuid() == 0:  # an operator decides as root, a service reads as a user of its own
        folder = path.parent.stat()
        os.chown(temporary, folder.st_uid, folder.st_gid)
    temporary.replace(path)
