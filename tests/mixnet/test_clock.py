"""Time of day and epochs."""

import time

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from mixnet.clock import Epochs, VirtualClock, WallClock
from mixnet.errors import LocalError


def test_the_wall_clock_is_the_machine_s():
    before = time.time()
    assert before <= WallClock().now() <= time.time()


async def test_the_virtual_clock_moves_with_trio_s(autojump_clock):
    clock = VirtualClock(start=1000.0)
    begun = clock.now()
    await trio.sleep(3600)
    assert clock.now() - begun == pytest.approx(3600)
    assert clock.now() - trio.current_time() == pytest.approx(1000.0)


@pytest.mark.parametrize("length", [0, -1, float("nan")])
def test_an_epoch_that_never_advances_is_refused(length):
    with pytest.raises(LocalError, match="epoch_length"):
        Epochs(genesis=0.0, length=length)


@given(st.integers(0, 2**31), st.integers(1, 86400), st.integers(-10, 10**6))
def test_epochs_tile_time(genesis, length, number):
    epochs = Epochs(float(genesis), float(length))
    assert epochs.end(number) == epochs.start(number + 1)
    assert epochs.at(epochs.start(number)) == number
    assert epochs.at(epochs.start(number) + length / 2) == number
    assert epochs.at(epochs.start(number) - length / 2) == number - 1


def test_time_before_genesis_lies_in_negative_epochs():
    epochs = Epochs(genesis=100.0, length=10.0)
    assert [epochs.at(when) for when in (85.0, 99.9, 100.0, 109.9, 110.0)] == [-2, -1, 0, 0, 1]
