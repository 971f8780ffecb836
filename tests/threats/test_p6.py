"""P6, data protection: what a provider keeps of its clients ends, and is gone from the disk when it does.

What it keeps at all is listed here, column by column; a new column fails this test until somebody justifies it.
"""

import sqlite3

import pytest

from mixnode.mailboxes import Acknowledge, Erase, Limits, Load, Loaded, Mailboxes, Open, StorePacket, Sweep

NOW, AGE = 1_800_000_000.0, 7 * 86400.0
LIMITS = Limits(mailboxes=10, messages=100, size=10**7, age=AGE)
ALICE, BOB = b"A" * 32, b"B" * 32
MARKER = b"what alice must not leave behind"


def everything_on_disk(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def filled(folder):
    """Mailboxes of which Alice's holds marked packets and Bob's others."""
    mailboxes = Mailboxes(folder / "mailboxes.sqlite")
    mailboxes.perform([Open(ALICE), Open(BOB)], LIMITS, NOW)
    for number in range(20):
        packet = (MARKER + number.to_bytes(4, "big")).ljust(3072, b".")
        mailboxes.perform([StorePacket(ALICE, packet), StorePacket(BOB, b"b" * 3072)], LIMITS, NOW)
    return mailboxes


def stored(mailboxes, mailbox):
    (result,) = mailboxes.perform([Load(mailbox, 0, 1000)], LIMITS, NOW)
    assert isinstance(result, Loaded)
    return len(result.packets)


REMOVALS = {
    "acknowledged": ([Acknowledge(ALICE, 10**6), Sweep()], NOW),
    "erased": ([Erase(ALICE)], NOW),
    "expired": ([Open(BOB), Sweep()], NOW + 1.01 * AGE),
}


@pytest.mark.parametrize("removal", REMOVALS)
def test_what_is_removed_is_gone_from_the_files(tmp_path, removal):
    mailboxes = filled(tmp_path)
    operations, when = REMOVALS[removal]
    assert MARKER in everything_on_disk(tmp_path)
    mailboxes.perform(operations, LIMITS, when)
    mailboxes.clean()
    assert stored(mailboxes, ALICE) == 0
    assert MARKER not in everything_on_disk(tmp_path)  # while the provider runs, its write-ahead log included
    mailboxes.close()
    assert MARKER not in everything_on_disk(tmp_path)


@pytest.mark.parametrize("removal", ["erased", "expired"])
def test_a_copys_claim_goes_with_its_mailbox(tmp_path, removal):
    mailboxes = filled(tmp_path)
    mailboxes.perform([Open(ALICE, b"\1" + MARKER[:16])], LIMITS, NOW)
    mailboxes.clean()
    assert ALICE + MARKER[:16] in everything_on_disk(tmp_path)
    operations, when = REMOVALS[removal]
    mailboxes.perform(operations, LIMITS, when)
    mailboxes.clean()
    assert MARKER[:16] not in everything_on_disk(tmp_path)


def test_what_is_not_removed_is_there(tmp_path):
    """Control: the search finds what is on the disk, and nothing expires early."""
    mailboxes = filled(tmp_path)
    mailboxes.perform([Sweep()], LIMITS, NOW + 0.99 * AGE)
    assert stored(mailboxes, ALICE) == 20
    mailboxes.close()
    assert MARKER in everything_on_disk(tmp_path)


def test_without_overwriting_it_would_stay(tmp_path):
    """Control: a database that only forgets where its rows are leaves them readable."""
    path = tmp_path / "mailboxes.sqlite"
    filled(tmp_path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA secure_delete = OFF")
    with database:
        database.execute("DELETE FROM packets")
    database.close()
    assert MARKER in everything_on_disk(tmp_path)


def test_an_erased_mailbox_leaves_no_name(tmp_path):
    mailboxes = filled(tmp_path)
    mailboxes.perform([Erase(ALICE)], LIMITS, NOW)
    mailboxes.clean()
    assert ALICE not in everything_on_disk(tmp_path)
    assert BOB in everything_on_disk(tmp_path)


def test_this_is_all_that_a_provider_keeps(tmp_path):
    filled(tmp_path).close()
    database = sqlite3.connect(tmp_path / "mailboxes.sqlite")
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {
        (table, column)
        for table in tables
        if not table.startswith("sqlite_")
        for (_, column, *_) in database.execute(f"PRAGMA table_info({table})")
    }
    assert columns == {
        ("mailboxes", "mailbox"),  # the pseudonym
        ("mailboxes", "expires"),  # when it is forgotten, in coarse steps
        ("packets", "number"),  # the order within the provider
        ("packets", "mailbox"),
        ("packets", "expires"),
        ("packets", "packet"),  # encrypted for the recipient
        ("doomed", "mailbox"),  # until what is to be deleted of it is gone, which takes seconds
        ("doomed", "through"),
        ("doomed", "erased"),
        ("holders", "mailbox"),  # of a client that was restored from a backup
        ("holders", "holder"),  # random, drawn at the restoration
    }


def test_no_time_tells_when_something_came(tmp_path):
    """What is stored within an hour of a week's age has one and the same time of expiry, or two."""
    mailboxes = Mailboxes(tmp_path / "mailboxes.sqlite")
    mailboxes.perform([Open(ALICE)], LIMITS, NOW)
    for second in range(0, 3600, 60):
        mailboxes.perform([StorePacket(ALICE, bytes(3072))], LIMITS, NOW + second)
    mailboxes.close()
    database = sqlite3.connect(tmp_path / "mailboxes.sqlite")
    assert database.execute("SELECT count(*), count(DISTINCT expires) <= 2 FROM packets").fetchone() == (60, 1)
