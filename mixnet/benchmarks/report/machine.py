"""On what a report was made (spec/13-measurements.md 13.9).

Promises: processor, cores, versions and the commit; no path, no host name, no user.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from mixnet.errors import LocalError
from mixnet.sphinx import engine_by_name

LIBRARIES = ("trio", "pynacl", "pyopenssl", "cryptography", "msgspec", "numpy", "scipy", "scikit-learn", "matplotlib")
_ROOT = Path(__file__).parent.parent.parent
_SECONDS = 10.0


def describe() -> dict[str, Any]:
    """What a reader must know to compare figures of time with others."""
    return {
        "cpu": processor(_text(Path("/proc/cpuinfo"))) or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": {name: version for name in LIBRARIES if (version := _version(name))},
        "sphinxmix": _has_sphinxmix(),
        "commit": commit(_ROOT),
    }


def processor(cpuinfo: str) -> str:
    """The processor's name in /proc/cpuinfo, or nothing."""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def commit(root: Path) -> str | None:
    """The commit that is checked out at `root`, with `+` if files differ from it; None where git knows nothing."""
    if not (root / ".git").exists():
        return None
    try:
        revision = _git(root, "rev-parse", "HEAD")
        return revision + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS).stdout.strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _has_sphinxmix() -> bool:
    try:
        engine_by_name("sphinxmix")
    except LocalError:
        return False
    return True
