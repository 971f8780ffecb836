"""Work on a stranger's bytes in a process of its own, that can do and take little.

Promises: however the bytes are made, this takes at most so long and gives at most so many bytes back; a crash there is
an error here. Never: the user's environment, files or network connections in that process.
"""

from __future__ import annotations

import subprocess
import sys
import threading

from mixnet.errors import RemoteError

_TIME = 60.0  # seconds of the clock: a busy machine gives little CPU


class Unreadable(RemoteError):
    """This could not be decoded: it is damaged, or it was made to do harm."""


def work_untrusted(work: str, raw: bytes, most: int) -> bytes:
    """What `work` of client/media/child.py makes of the bytes, at most so many; Unreadable. It blocks."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-m", "mixnet.client.media.child", work],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={},
    )
    assert child.stdin is not None  # noqa: S101  # as asked for above
    assert child.stdout is not None  # noqa: S101
    feeder = threading.Thread(target=_feed, args=(child, raw), daemon=True)
    alarm = threading.Timer(_TIME, child.kill)
    try:
        feeder.start()
        alarm.start()
        made = child.stdout.read(most + 1)
        if len(made) > most:
            child.kill()
        if child.wait() != 0:
            raise Unreadable
    finally:
        alarm.cancel()
        child.kill()
        child.wait()
        feeder.join()
        child.stdout.close()
    return made


def _feed(child: subprocess.Popen[bytes], raw: bytes) -> None:
    """Write all that the child takes; one that ended takes no more."""
    pipe = child.stdin
    assert pipe is not None  # noqa: S101
    try:
        with pipe:
            pipe.write(raw)
    except OSError:
        return
