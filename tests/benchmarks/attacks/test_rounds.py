"""Least squares finds contacts where counts tell them, and chance where they don't."""

import numpy as np
import pytest

from mixnet.benchmarks.attacks.rounds import RoundModel, estimated, guessed, model_rounds


def test_shares_without_noise_are_found_exactly():
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(6), 6)
    sent = rng.poisson(5.0, (100, 6)).astype(float)
    assert estimated(sent, sent @ shares) == pytest.approx(shares)


def test_a_guess_takes_as_many_as_there_are_and_never_oneself():
    contacts = np.array([[0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=bool)
    shares = contacts.astype(float) + 9 * np.eye(4)
    assert guessed(shares, contacts) == (4, 4, pytest.approx((1 + 4 + 1) / 3))
    assert guessed(-shares, contacts).found < 4


def test_a_blind_guess_finds_chance():
    rng = np.random.default_rng(2)
    model = RoundModel(users=20)
    found, blind = 0, 0.0
    for _ in range(60):
        contacts, _ = model.acquaint(rng)
        guess = guessed(rng.random((20, 20)), contacts)
        found, blind = found + guess.found, blind + guess.blind
    assert found == pytest.approx(blind, rel=0.1)
    assert blind / (60 * 60) == pytest.approx(3 / 19)


def test_what_is_written_arrives_at_contacts_alone():
    rng, model = np.random.default_rng(3), RoundModel(users=8)
    contacts, shares = model.acquaint(rng)
    sent, arrived = model.write(shares, 0.2, 200, rng)
    assert arrived.sum() == pytest.approx(sent.sum(), rel=0.01)  # the last round's late ones are missing
    assert set(np.flatnonzero(arrived.sum(axis=0))) <= set(np.flatnonzero(contacts.any(axis=0)))
    assert sent.mean() == pytest.approx(0.2 * model.seconds, rel=0.05)


def test_the_model_is_won_without_cover_and_lost_with_it():
    found = model_rounds(rounds=[200, 2000], seed=[1, 1])
    share = {view: rows[:, 0] / rows[:, 1] for view, rows in found.items()}
    assert share["bare"][0] == pytest.approx(0.78, abs=0.08)
    assert share["bare"][1] > 0.9
    assert share["exit"][1] > 0.8
    assert share["external"][1] < 0.13
    assert share["strangers"][0] < 0.13
