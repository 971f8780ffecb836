"""Counting SQLite's synchronisations: they are counted, and the store works as ever."""

import subprocess
import sys

SCRIPT = """
import os, sys
from pathlib import Path
from mixnet.benchmarks.processes.load import syncs
from mixnode.mailboxes import Limits, Load, Mailboxes, Open, StorePacket, StoredPacket
folder = Path(sys.argv[1])
syncs.count(folder / syncs.COUNTS)
boxes, limits = Mailboxes(folder / "boxes"), Limits(10, 10_000, 10**9, 1e6)
box = os.urandom(32)
boxes.perform([Open(box)], limits, 0.0)
before = syncs.read(folder / syncs.COUNTS)
for _ in range(20):
    assert all(isinstance(one, StoredPacket) for one in boxes.perform([StorePacket(box, bytes(3072))] * 5, limits, 0.0))
after = syncs.read(folder / syncs.COUNTS)
boxes.perform([Load(box, 0, 10)], limits, 0.0)
assert syncs.read(folder / syncs.COUNTS) == after, "reading synchronises nothing"
assert (after.batches - before.batches, after.stored - before.stored) == (20, 100)
assert after.log - before.log == 20, after
boxes._database.execute("PRAGMA synchronous=OFF")
boxes.perform([StorePacket(box, bytes(3072))], limits, 0.0)
assert syncs.read(folder / syncs.COUNTS).log == after.log, "without durability there is nothing to count"
assert {one.name for one in folder.iterdir()} == {"boxes", "boxes-wal", "boxes-shm", syncs.COUNTS}
boxes.close()
assert Mailboxes(folder / "boxes")._usage[box][0] == 101
"""


def test_synchronisations_and_batches_are_counted(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    store = tmp_path / "store"
    store.mkdir()
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(store)], check=False, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.returncode == 0
    assert list((tmp_path / "elsewhere").iterdir()) == []
