"""No piece of a process' memory reaches the disk or a debugger (spec/08-errors-and-figures.md 8.2).

Promises: every program that opens keys calls this before it does: a crash writes no core dump, neither into a file nor
into a program that the system hands it to, and another process of the same user can't read the memory. What a child
inherits differs: the limit stays, the mark is taken away by exec, so that each program calls it for itself. Never: an
error, where a system has no such mark. It is no protection against root.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys

DEBUG = "MIXNET_DEBUG_MEMORY"  # set to 1 by a developer: debuggers, profilers and core dumps work as always
_PR_SET_DUMPABLE = 4  # linux/prctl.h


def keep_memory_private() -> None:
    """Forbid core dumps and readers of this process' memory, unless its environment says that it is debugged."""
    if os.environ.get(DEBUG) == "1":
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # a limit alone doesn't hold where the kernel pipes dumps into a program
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
