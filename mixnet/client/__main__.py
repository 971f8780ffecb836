"""`python -m mixnet.client PROFILE [--passphrase-file FILE]`: a daemon, in the foreground, that prints nothing."""

from __future__ import annotations

import sys
from pathlib import Path

from mixnet.client.daemon.process import run
from mixnet.client.profile.passphrase import given
from mixnet.errors import LocalError
from mixnet.explain import exit_status
from mixnet.memory_privacy import keep_memory_private


def main(arguments: list[str]) -> None:
    """Run the daemon that the arguments name."""
    keep_memory_private()
    match arguments:
        case [directory]:
            run(Path(directory), given(None))
        case [directory, "--passphrase-file", file]:
            run(Path(directory), given(Path(file)))
        case _:
            raise LocalError("usage: python -m mixnet.client PROFILE [--passphrase-file FILE]")


if __name__ == "__main__":
    sys.exit(exit_status(lambda: main(sys.argv[1:])))
