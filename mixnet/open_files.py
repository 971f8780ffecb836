"""How many files a server may hold open (spec/08-errors-and-figures.md 8.2).

Peers choose how many connections there are: without room for all of them at once, they could leave no descriptor for
keys, mailboxes and votes.
"""

from __future__ import annotations

import resource

from mixnet.errors import LocalError

SPARE = 512  # handshakes under way, links that we dial, and files


def allow_files(connections: int, others: int = 0, *, remedy: str = "raise `ulimit -n`") -> None:
    """Let this process open a file for each of so many connections, `others`, and SPARE ones.

    LocalError, with the `remedy`, if the system forbids that.
    """
    wanted = connections + others + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise LocalError(f"only {hard} open files are allowed, not {wanted}: {remedy}")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
