"""What an authority gives out was signed by enough of them."""

from __future__ import annotations

from mixnet.directory.archive import DocumentArchive
from mixnet.directory.consensus import NO_DOCUMENT
from mixnet.directory.ledger import Ledger, MemoryStore
from tests.mixnet.pki.builders import Town

TOWN = Town()


def archive(ledger: Ledger | None = None) -> DocumentArchive:
    return DocumentArchive(TOWN.bootstrap, ledger or Ledger(MemoryStore()))


def test_the_copy_with_the_most_signatures_is_kept() -> None:
    held = archive()
    document = TOWN.document()
    assert held.adopt(document, TOWN.signed(count=2))
    assert not held.adopt(document, TOWN.signed(count=2))
    assert held.adopt(document, TOWN.signed(count=3))
    assert not held.adopt(document, TOWN.signed(count=2))
    assert (held.raw(0), held.signatures(0), held.document(0)) == (TOWN.signed(), 3, document)


def test_another_document_for_the_same_epoch_does_not_replace_the_first() -> None:
    held = archive()
    held.adopt(TOWN.document(), TOWN.signed(count=2))
    other = TOWN.document(randomness=b"\1" * 32)
    assert not held.adopt(other, TOWN.sign(other))
    assert held.document(0) == TOWN.document()


def test_it_is_there_after_a_restart_unless_it_cannot_be_trusted() -> None:
    ledger = Ledger(MemoryStore())
    for epoch in (3, 4):
        archive(ledger).adopt(TOWN.document(epoch), TOWN.signed(epoch))
    ledger.keep_document(5, TOWN.signed(5, count=1))
    ledger.keep_document(6, b"garbage")
    ledger.keep_document(7, Town(name="other ").signed(7))
    held = archive(ledger)
    assert [epoch for epoch in range(10) if epoch in held] == [3, 4]


def test_what_may_be_continued() -> None:
    held = archive()
    assert (held.newest(9), held.digest_before(9), held.before(9)) == (None, NO_DOCUMENT, {})
    for epoch in (3, 5):
        held.adopt(TOWN.document(epoch), TOWN.signed(epoch))
    assert [held.newest(epoch) for epoch in (2, 3, 4, 5, 6)] == [None, 3, 3, 5, 5]
    assert held.digest_before(5) == TOWN.document(3).digest
    assert held.digest_before(6) == TOWN.document(5).digest
    assert set(held.before(5)) == {TOWN.document(3).digest}
    assert (held.raw(4), held.document(4), held.signatures(4)) == (None, None, 0)
