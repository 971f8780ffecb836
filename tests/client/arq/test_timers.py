"""The estimate of a round trip, sample by sample (RFC 6298), without jitter."""

import random

import pytest

from mixnet.client.arq.timers import Path, RoundTripTimer

PATH = Path(round_trip=2.0, spread=0.1, ack_delay=0.5)


class NoJitter(random.Random):
    def random(self) -> float:
        return 0.0


class MostJitter(random.Random):
    def random(self) -> float:
        return 1.0


def timing(path: Path = PATH) -> RoundTripTimer:
    return RoundTripTimer(path, NoJitter())


def test_before_any_sample_the_parameters_alone_count():
    assert timing().timeout(0) == pytest.approx(2.0 + 4 * 0.2 + 0.5)
    assert timing().reordering == pytest.approx(0.6)


def test_the_first_sample_is_the_round_trip_and_later_ones_an_eighth_of_it():
    it = timing()
    it.measured(4.0)
    assert it.timeout(0) == pytest.approx(4.0 + 4 * 0.2 + 0.5)
    it.measured(8.0)
    deviation = 0.2 + (4.0 - 0.2) / 4
    assert it.timeout(0) == pytest.approx(4.5 + 4 * deviation + 0.5)
    it.measured(2.5)
    deviation += (2.0 - deviation) / 4
    assert it.timeout(0) == pytest.approx(4.25 + 4 * deviation + 0.5)


def test_the_deviation_is_never_taken_for_less_than_that_of_the_mixing():
    it = timing()
    for _ in range(60):
        it.measured(4.0)
    assert it.timeout(0) == pytest.approx(4.0 + 4 * 0.1 + 0.5, abs=1e-6)


def test_waits_grow_after_six_time_outs_up_to_ten_minutes():
    wait = timing().timeout(0)
    assert [timing().timeout(count) for count in range(7)] == [wait] * 7
    assert timing().timeout(7) == pytest.approx(1.25 * wait) and timing().timeout(9) == pytest.approx(1.25**3 * wait)
    assert timing().timeout(64) == timing().timeout(1000) == 600.0
    slow = Path(round_trip=700.0, spread=0.1, ack_delay=0.0)
    assert timing(slow).timeout(0) == timing(slow).timeout(64) == pytest.approx(700.8)


def test_jitter_makes_each_wait_up_to_a_quarter_longer():
    assert RoundTripTimer(PATH, MostJitter()).timeout(0) == pytest.approx(1.25 * timing().timeout(0))
    assert RoundTripTimer(PATH, MostJitter()).timeout(64) == pytest.approx(750.0)
