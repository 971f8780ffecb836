"""All of a user's data in one folder, for programs to read (spec/07-client.md 7.11).

Promises: the folder (0700, files 0600) is there whole or not at all, and never in the place of another; keys are not in
it, since with them somebody else could be the user.

    messages.jsonl   the archive file (client/storage/export_jsonl.py)
    profile.json     who the user is, contacts, choices, what the profile holds, what the provider says that it keeps
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from mixnet.client.api.connection import Connection
from mixnet.client.model import paths
from mixnet.client.profile.atomic_file import write_new
from mixnet.client.traffic.provider_mailbox import MailboxInfo
from mixnet.errors import LocalError, RemoteError, Unavailable
from mixnet.files import named

FORMAT, MAILBOX_FORMAT = "mixnet-profile/1", "mixnet-mailbox/1"
MESSAGES, PROFILE = "messages.jsonl", "profile.json"


class FolderExists(LocalError):
    """There is such a file or folder already: choose another name."""


@dataclass(frozen=True, slots=True)
class Exported:
    """How much there is in the folder; `problem` says why the provider's part is missing, empty if it isn't."""

    messages: int
    contacts: int
    problem: str


async def export_profile(me: Connection, profile: Path, out: Path) -> Exported:
    """Write everything into the new folder `out`; FolderExists."""
    with _new_folder(out) as scratch:
        messages = await me.archive.export(scratch / MESSAGES)
        told = await _told(me, profile)
        _write(scratch / PROFILE, told)
    return Exported(messages, len(told["contacts"]), told["mailbox_problem"])


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A folder (0700) that appears whole under its name, or not at all; FolderExists."""
    if os.path.lexists(path):
        raise FolderExists(f"there is something at {path} already: choose another name")
    with named(path):
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name[:100]}.", dir=path.parent))  # mkdtemp makes it 0700
    try:
        with named(path):
            yield scratch
            scratch.rename(path)
    except OSError as error:
        if os.path.lexists(path):
            raise FolderExists(f"there is something at {path} already: choose another name") from error
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_mailbox(path: Path, kept: MailboxInfo) -> None:
    """Write what the provider says that it keeps of us to a new file; FileExistsError."""
    _write(path, {"format": MAILBOX_FORMAT, "asked_at": time.time(), **asdict(kept)})


async def _told(me: Connection, profile: Path) -> dict[str, Any]:
    mailbox, problem = None, ""
    try:
        mailbox = asdict(await me.mailbox.show())
    except (Unavailable, RemoteError) as error:
        problem = str(error)
    contacts = [asdict(contact) for contact in await me.contacts()]
    for contact in contacts:
        contact["retention"] = await me.archive.retention(contact["name"])
    drafts = {one.name: await me.draft(one.name) for one in await me.conversations() if one.draft}
    return {
        "format": FORMAT,
        "exported_at": time.time(),
        "identity": await me.archive.identity(),
        "settings": msgspec.toml.decode((profile / paths.SETTINGS).read_bytes()),
        "contacts": contacts,
        "drafts": drafts,
        "holdings": [asdict(one) for one in await me.mailbox.holdings()],
        "downloads": str(profile / paths.DOWNLOADS),
        "mailbox": mailbox,
        "mailbox_problem": problem,
    }


def _write(path: Path, value: dict[str, Any]) -> None:
    write_new(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
