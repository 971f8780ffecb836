"""A process that a supervisor may keep: it serves `status.sock` in its folder and behaves as its argument says.

fine: ready at once. stubborn: ready, and deaf to SIGTERM. fails: complains and ends. silent: never ready.
"""

import signal
import sys
from pathlib import Path

import trio

from mixnet.status import serve_status


async def main(behaviour: str) -> None:
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    await serve_status(Path("status.sock"), lambda: {"ready": behaviour != "silent"})


if sys.argv[1] == "fails":
    sys.stderr.write("a line before\nport 1234 is in use: stop the other program\n")
    sys.exit(2)
trio.run(main, sys.argv[1])
