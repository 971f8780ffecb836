"""F5: whether a search finds what was written, and nothing of it lies on the disk in clear.

See spec/13-measurements.md 13.9.

Promises: searched is through the daemons of the people who wrote and received; stored by the client's own archive in a
store of its own kind. Contents of attachments are not searched: their names are.
"""

from __future__ import annotations

from contextlib import closing, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import apsw

from mixnet.benchmarks.base.figures import Finding
from mixnet.benchmarks.threats.scenario import LATER, NAME, TEXT, ScenarioRecord
from mixnet.benchmarks.threats.shape import never, pieces, shown
from mixnet.benchmarks.threats.trespass import on_disk
from mixnet.client.model.errors import WrongPassphrase
from mixnet.client.model.views import ContactState, MessageKind, MessageState
from mixnet.client.storage.contacts import ContactTable
from mixnet.client.storage.database import Store
from mixnet.client.storage.messages import MessageTable, NewMessage
from mixnet.crypto import SymmetricKey

_TEXTS = (TEXT, NAME, LATER)
_WORD = "oak"  # of the first one


def archive(seen: ScenarioRecord) -> Finding:
    """F5, T2: searches that miss what is there or find what isn't; plain text of an archive on disk."""
    wrong = sum(found != expected for _, expected, found in seen.searches)
    kept, opened, works = _stored(sealed=True)
    bare, _, bare_works = _stored(sealed=False)
    parts = pieces(text.encode() for text in _TEXTS)
    return Finding(
        "archive", "Archive and search", ("F5", "T2"), "external, local, passive: somebody who copies the disk",
        "full-text search inside a store whose every page is encrypted",
        f"{len(seen.searches)} searches of sender and recipient, in texts and names of files (contents of files are "
        f"not searched); {len(kept):,} bytes of a store and its journal, while it is open and after",
        (
            never("archive_wrong", "searches that miss something or find what isn't there", wrong, len(seen.searches)),
            never("archive_plaintext", "pieces of messages on disk", sum(part in kept for part in parts), len(parts)),
            never("archive_opened", "stores that open with another key", int(opened), 1),
        ),
        (
            shown("the stores that were looked at find a word", works + bare_works, 2),
            shown("an archive without encryption: pieces found", sum(part in bare for part in parts), len(parts)),
            shown(
                "searches for something that is there find something",
                sum(bool(found) for _, expected, found in seen.searches if expected),
                sum(bool(expected) for _, expected, _ in seen.searches),
            ),
        ),
    )  # fmt: skip


def _stored(*, sealed: bool) -> tuple[bytes, bool, bool]:
    """(all bytes of an archive on disk, whether another key opens it, whether its search finds a word)."""
    key = SymmetricKey.generate()
    with TemporaryDirectory(prefix="mixnet-threats-") as folder:
        path = Path(folder) / "store.db"
        with patch("mixnet.client.storage.database._unlock", _unlock_nothing) if not sealed else nullcontext():
            store = Store.open(path, key)
        with closing(store):
            contact = ContactTable(store, bytes(32)).add("bob", bytes([1]) * 32, ContactState.ESTABLISHED, 0.0)
            box = MessageTable(store)
            for text in _TEXTS:
                box.add(NewMessage(contact.id, MessageKind.TEXT, MessageState.SENT, text), 0.0)
            works = [message.text for message in box.search(_WORD, -1)] == [_TEXTS[0]]
            kept = on_disk(Path(folder))
        kept += on_disk(Path(folder))
        opened = False
        with suppress(WrongPassphrase):
            Store.open(path, SymmetricKey.generate()).close()
            opened = True
        return kept, opened, works


def _unlock_nothing(connection: apsw.Connection, _path: Path | str, _key: SymmetricKey) -> None:
    """A store as it would be without encryption."""
    connection.pragma("journal_mode", "wal")
