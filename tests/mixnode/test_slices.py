"""No transaction is long: what deletes much is done in slices, deposits first, and only told when it is done."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from mixnet.clock import VirtualClock
from mixnode.mailboxes import (
    EXPIRED,
    SLICE,
    Account,
    Acknowledge,
    Applied,
    Erase,
    Inspect,
    Limits,
    Load,
    Loaded,
    Mailboxes,
    Open,
    Operation,
    StoredPacket,
    StorePacket,
    Sweep,
)
from mixnode.storage import MOST, MOST_READ, MailboxStorage

LIMITS = Limits(mailboxes=1000, messages=10_000, size=10**8, age=168.0)
ME, OTHER = bytes([1]) * 32, bytes([2]) * 32
MANY = 10 * SLICE + 5


class Counting(Mailboxes):
    """Counts the rows that each transaction changes, and keeps a list of what was done."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path)
        self.rows: list[int] = []
        self.done: list[str] = []

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        before = self._database.total_changes
        with super()._transaction():
            yield
        self.rows.append(self._database.total_changes - before)

    def perform(
        self, operations: Sequence[Operation], limits: Limits, now: float, past: float | None = None
    ) -> list[object]:  # type: ignore[override]
        self.done.append(type(operations[0]).__name__)
        assert len(operations) == 1 or sum(one.most for one in operations if isinstance(one, Load)) <= MOST_READ
        return list(super().perform(operations, limits, now, past))

    def clean_slice(self) -> None:
        self.done.append("slice")
        super().clean_slice()

    def empty_log(self) -> None:
        self.done.append("log")
        super().empty_log()


def filled(mailbox: bytes = ME, number: int = MANY, path: Path | None = None) -> Counting:
    boxes = Counting(path)
    boxes.perform([Open(mailbox), Open(OTHER)], LIMITS, 0.0)
    for start in range(0, number, 50):
        boxes.perform([StorePacket(mailbox, bytes(3072))] * min(50, number - start), LIMITS, 0.0)
    boxes.rows.clear()
    boxes.done.clear()
    return boxes


def load(boxes: Mailboxes, mailbox: bytes = ME) -> list[int]:
    (loaded,) = boxes.perform([Load(mailbox, 0, MANY * 2)], LIMITS, 0.0)
    assert isinstance(loaded, Loaded)
    return [number for number, _ in loaded.packets]


@pytest.mark.parametrize("operation", [Erase(ME), Acknowledge(ME, 10**9), Sweep()])
def test_no_transaction_deletes_more_than_a_slice(operation: Operation) -> None:
    boxes = filled()
    boxes.perform([operation], LIMITS, 1000.0)
    while boxes.slices_left or boxes.perform([Sweep()], LIMITS, 0.0) != [Applied()]:
        boxes.clean_slice()
    assert max(boxes.rows) <= SLICE + 3  # and the mailbox, and what is written down about the rest
    assert len(boxes.rows) > MANY / SLICE
    assert boxes._database.execute("SELECT count(*) FROM packets").fetchone() == (0,)
    assert boxes._kept == 0


@pytest.mark.parametrize("operation", [Erase(ME), Acknowledge(ME, MANY)])
def test_what_is_deleted_is_gone_at_once_and_after_a_restart(tmp_path: Path, operation: Operation) -> None:
    boxes = filled(path=tmp_path / "m.sqlite")
    boxes.perform([operation, Open(ME), StorePacket(ME, b"new")], LIMITS, 0.0)
    assert load(boxes) == [MANY + 1]
    boxes.close()
    again = Mailboxes(tmp_path / "m.sqlite")
    assert again.slices_left
    assert load(again) == [MANY + 1]
    again.clean()
    assert load(again) == [MANY + 1]
    assert (again._usage[ME], again._kept) == ((1, 3), 3)
    assert not again.slices_left
    again.close()


def test_an_erased_mailbox_that_is_opened_again_counts_only_what_is_new() -> None:
    boxes = filled()
    boxes.perform([Erase(ME), Open(ME), StorePacket(ME, b"new")], LIMITS, 7.0)
    account = boxes.perform([Inspect(ME)], LIMITS, 7.0)[0]
    assert account == Account(1, 3, 175.0, 175.0)
    boxes.perform([Erase(ME), Open(ME)], LIMITS, 7.0)
    assert load(boxes) == []
    assert boxes.perform([StorePacket(ME, b"newer")], LIMITS, 7.0) == [StoredPacket(MANY + 2)]
    boxes.clean()
    assert boxes.perform([Inspect(ME)], LIMITS, 7.0)[0] == Account(1, 5, 175.0, 175.0)


def test_many_mailboxes_expire_a_part_at_a_time() -> None:
    boxes = Counting()
    names = [number.to_bytes(32) for number in range(3 * EXPIRED)]
    boxes.perform([Open(name) for name in names], LIMITS, 0.0)
    boxes.rows.clear()
    gone: list[bytes] = []
    while True:
        (swept,) = boxes.perform([Sweep()], LIMITS, 500.0)
        assert isinstance(swept, Applied)
        gone += swept.mailboxes
        if not swept.more:
            break
    assert (sorted(gone), max(boxes.rows)) == (names, EXPIRED)


BOXES = st.sampled_from([ME, OTHER, bytes([3]) * 32])
OPERATIONS = st.one_of(
    st.builds(Open, BOXES),
    st.builds(Erase, BOXES),
    st.builds(Acknowledge, BOXES, st.integers(0, 400)),
    st.tuples(BOXES, st.integers(1, 90)),
    st.just("clean"),
    st.just("restart"),
)


@given(st.lists(OPERATIONS, max_size=25))
def test_slices_change_nothing_that_anybody_sees(steps: list[Operation | tuple[bytes, int] | str]) -> None:
    boxes, kept, last = Mailboxes(None), dict[bytes, list[int]](), 0
    for step in steps:
        match step:
            case Open(mailbox):
                boxes.perform([step], LIMITS, 0.0)
                kept.setdefault(mailbox, [])
            case Erase(mailbox):
                boxes.perform([step], LIMITS, 0.0)
                kept.pop(mailbox, None)
            case Acknowledge(mailbox, through):
                boxes.perform([step], LIMITS, 0.0)
                if mailbox in kept:
                    kept[mailbox] = [one for one in kept[mailbox] if one > through]
            case (bytes() as mailbox, int() as number):
                for result in boxes.perform([StorePacket(mailbox, b"x" * 9)] * number, LIMITS, 0.0):
                    if isinstance(result, StoredPacket):
                        last = result.number
                        kept[mailbox].append(last)
            case "clean":
                boxes.clean_slice()
            case _:
                boxes._measure()  # as a start does
        for mailbox, numbers in kept.items():
            (loaded,) = boxes.perform([Load(mailbox, 0, 10_000)], LIMITS, 0.0)
            assert isinstance(loaded, Loaded)
            assert [number for number, _ in loaded.packets] == numbers
    boxes.clean()
    assert boxes._usage == {mailbox: (len(numbers), 9 * len(numbers)) for mailbox, numbers in kept.items()}
    assert boxes._kept == sum(9 * len(numbers) for numbers in kept.values())


async def test_a_deposit_waits_for_one_slice_at_most(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    boxes = filled()
    storage = MailboxStorage(boxes, lambda: LIMITS, VirtualClock(0.0), on_thread=False)
    nursery.start_soon(storage.run)
    await storage.perform([Erase(ME)])
    for _ in range(5):
        begun = len(boxes.done)
        await storage.perform([StorePacket(OTHER, bytes(3072))])
        meanwhile = boxes.done[begun:]
        assert meanwhile.count("slice") + meanwhile.count("log") <= 2  # one before it, and one before it is told
        assert "StorePacket" in meanwhile
    await storage.cleaned(ME)
    assert not boxes.slices_left
    assert not boxes.log_holds


async def test_deposits_go_first_and_much_that_waits_is_divided(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    boxes = filled()
    storage = MailboxStorage(boxes, lambda: LIMITS, VirtualClock(0.0), on_thread=False)
    for _ in range(200):
        nursery.start_soon(storage.perform, [Load(ME, 0, 32)])
    await trio.testing.wait_all_tasks_blocked()
    nursery.start_soon(storage.perform, [StorePacket(OTHER, bytes(3072))] * 32)
    await trio.testing.wait_all_tasks_blocked()
    nursery.start_soon(storage.run)
    await trio.testing.wait_all_tasks_blocked()
    kinds = [kind for kind in boxes.done if kind != "log"]
    assert kinds[0] == "StorePacket"
    assert kinds[1:] == ["Load"] * len(kinds[1:])
    assert len(kinds) - 1 >= (200 - MOST) * 32 / MOST_READ


async def test_erasures_that_never_end_keep_no_other_erasure_waiting(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    boxes = filled()
    storage = MailboxStorage(boxes, lambda: LIMITS, VirtualClock(0.0), on_thread=False)
    nursery.start_soon(storage.run)

    async def spam() -> None:
        while True:
            await storage.perform([Open(OTHER), *[StorePacket(OTHER, bytes(100))] * (SLICE + 1)])
            await storage.perform([Erase(OTHER)])
            await trio.sleep(0.01)

    nursery.start_soon(spam)
    await storage.perform([Erase(ME)])
    with trio.fail_after(60):
        await storage.cleaned(ME)
    nursery.cancel_scope.cancel()


async def test_nobody_is_told_that_all_is_gone_while_another_program_keeps_a_copy_in_the_log(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """Such as a backup that is being made of the file."""
    boxes = filled(number=5, path=tmp_path / "m.sqlite")
    storage = MailboxStorage(boxes, lambda: LIMITS, VirtualClock(0.0), on_thread=False)
    nursery.start_soon(storage.run)
    with closing(sqlite3.connect(tmp_path / "m.sqlite", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM packets").fetchone()
        await storage.perform([Erase(ME)])
        with trio.move_on_after(60) as waiting:
            await storage.cleaned(ME)
        assert waiting.cancelled_caught
        reader.execute("COMMIT")
    await storage.cleaned(ME)
    assert not boxes.log_holds
    nursery.cancel_scope.cancel()
