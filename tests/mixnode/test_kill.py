"""kill -9 at random points, hundreds of times: nothing that a node had accepted is accepted again.

The child is a real process that admits tags and tells of each batch that was admitted, over a pipe: what a packet's
leaving is to a node. Nobody can know more of what was accepted than what has left.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from mixnet.clock import Epochs
from mixnode import replay
from mixnode.keyfiles import FileKeys
from mixnode.keys import KeyRing
from mixnode.replay import TagFile
from mixnode.tags import TAG_SIZE

KILLS, LIVES = 210, 15  # in all, and of one node: its files grow with each
EPOCHS = Epochs(0.0, 1000.0)


def serve(folder: Path, out: int, seed: int) -> None:
    """Admit random batches for ever; at times end cleanly and start again, as a node that is restarted."""
    rng = random.Random(seed)
    while True:
        ring = KeyRing(FileKeys(folder), EPOCHS, 100.0)
        ring.turn(0.0)
        for _ in range(rng.randrange(1, 40)):
            key = rng.choice(ring.live(0.0))
            batch = [bytes([key.epoch]) + rng.randbytes(TAG_SIZE - 1) for _ in range(rng.randrange(1, 9))]
            if all(key.replay.admit(batch)):
                os.write(out, b"".join(batch))
        ring.close()


def life(folder: Path, seed: int) -> list[bytes]:
    """Start a process, kill it (SIGKILL) at a random point, and return the tags that it had told of."""
    rng = random.Random(seed)
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(ours)
            serve(folder, theirs, seed)
        finally:
            os._exit(1)  # never back into the tests
    os.close(theirs)
    told = bytearray()
    least = rng.choice([0, 0, 1, 600])  # bytes: before it has told of anything, or well into its work
    while len(told) < least:
        told += os.read(ours, 65536)
    time.sleep(rng.uniform(0, 0.003))  # a point in time that nothing has chosen
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    while part := os.read(ours, 65536):
        told += part
    os.close(ours)
    return [bytes(told[at : at + TAG_SIZE]) for at in range(0, len(told) - len(told) % TAG_SIZE, TAG_SIZE)]


def accepted_again(folder: Path, told: list[bytes]) -> int:
    """How many of the tags a node that starts now would let through once more; -1 if it gave up a key."""
    ring = KeyRing(FileKeys(folder), EPOCHS, 100.0)
    try:
        if ring.retired:
            return -1
        ring.turn(0.0)
        again = 0
        for key in ring.live(0.0):
            again += sum(key.replay.admit([tag for tag in told if tag[0] == key.epoch]))
        return again
    finally:
        for key in ring.live(0.0):
            key.replay.discard()  # no clean end: the next child finds what a kill leaves


def test_killed_hundreds_of_times_nothing_is_accepted_again_and_no_key_is_given_up(tmp_path: Path) -> None:
    lives = 0
    for node in range(KILLS // LIVES):
        folder, everything = tmp_path / str(node), []
        for seed in range(node * LIVES, (node + 1) * LIVES):
            told = life(folder, seed)
            lives += bool(told)
            everything += told
            assert accepted_again(folder, told) == 0
        assert accepted_again(folder, everything) == 0
    assert lives > KILLS / 3  # else the kills came too early to show anything


def test_tags_that_are_written_later_than_packets_leave_would_be_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: a journal that keeps the last batch back."""

    class Late(TagFile):
        held = b""

        def append(self, tags: bytes) -> None:
            before, self.held = self.held, tags
            super().append(before)

    with monkeypatch.context() as patched:
        patched.setattr(replay, "TagFile", Late)
        patched.setattr("mixnode.keyfiles.TagFile", Late)
        lives = [life(tmp_path, seed) for seed in range(20)]
    assert accepted_again(tmp_path, [tag for told in lives for tag in told]) > 0
