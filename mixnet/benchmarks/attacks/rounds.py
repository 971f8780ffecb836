"""Who writes to whom, from counts of many rounds by least squares, and a model of such counts (docs/measuring.md).

Pure. Promises: a round's counts are rows, users are columns. `guessed` is told how many contacts each user has, which
is more than an attacker knows; chance is then exactly the share of the others that are contacts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixnet.benchmarks.attacks.evidence import counts
from mixnet.benchmarks.attacks.observed import Arrays, Observed

Matrix = NDArray[np.float64]
Contacts = NDArray[np.bool_]  # rows: a user; columns: whether that user writes to another
EVENNESS = 1.35  # of the shares of a user's contacts, a Dirichlet parameter: some are rarely written to


class Guess(NamedTuple):
    """How many contacts were found, of how many, and how many a blind guess finds on average."""

    found: int
    contacts: int
    blind: float


def estimated(sent: Matrix, received: Matrix) -> Matrix:
    """P of least squares |X·P - Y|², both without their means: how much each user's sending adds to each mailbox."""
    solution: Matrix = np.linalg.lstsq(sent - sent.mean(axis=0), received - received.mean(axis=0), rcond=None)[0]
    return solution


def guessed(shares: Matrix, contacts: Contacts) -> Guess:
    """Take for each user as many others as it has contacts, those with the highest shares, and count the right ones."""
    found, total, blind = 0, 0, 0.0
    others = len(contacts) - 1
    for user, true in enumerate(contacts):
        number = int(true.sum())
        row = shares[user].copy()
        row[user] = -np.inf
        found += int(true[np.argsort(-row, kind="stable")[:number]].sum())
        total += number
        blind += number * number / others
    return Guess(found, total, blind)


def series(observed: Observed, seconds: float, *, inside: bool) -> tuple[Matrix, Matrix]:
    """(frames sent, frames received) by round and client; with `inside`, packets that came to mailboxes instead."""
    span = observed.start, observed.end + 1e-3, seconds
    received = [observed.arrivals(client) for client in range(len(observed.clients))] if inside else observed.down
    return (
        np.stack([counts(times, *span) for times in observed.up], axis=1),
        np.stack([counts(times, *span) for times in received], axis=1),
    )


@dataclass(frozen=True)
class RoundModel:
    """Users who write to a few contacts each, in rounds of so many seconds."""

    users: int = 50
    contacts: int = 3
    seconds: float = 60.0
    stages: int = 4
    mean: float = 0.5

    def acquaint(self, rng: np.random.Generator) -> tuple[Contacts, Matrix]:
        """Who is whose contact, and the share of a user's packets that goes to each."""
        contacts, shares = np.zeros((self.users, self.users), dtype=bool), np.zeros((self.users, self.users))
        for user in range(self.users):
            chosen = rng.choice(np.delete(np.arange(self.users), user), self.contacts, replace=False)
            contacts[user, chosen] = True
            shares[user, chosen] = rng.dirichlet(np.full(self.contacts, EVENNESS))
        return contacts, shares

    def write(self, shares: Matrix, rate: float, rounds: int, rng: np.random.Generator) -> tuple[Matrix, Matrix]:
        """(packets sent, packets arrived) of users who send `rate` packets a second to their contacts."""
        sent, arrived = np.zeros((rounds, self.users)), np.zeros((rounds, self.users))
        for user, contact in np.argwhere(shares > 0):
            number = rng.poisson(rate * self.seconds * shares[user, contact], rounds)
            sent[:, user] += number
            late = rng.uniform(0, self.seconds, number.sum()) + rng.gamma(self.stages, self.mean, number.sum())
            when = np.repeat(np.arange(rounds), number) + (late // self.seconds).astype(np.int64)
            arrived[:, contact] += np.bincount(when, minlength=rounds)[:rounds]
        return sent, arrived


def model_rounds(*, rounds: Sequence[int], seed: Sequence[int]) -> Arrays:
    """What is found after so many rounds (ascending) of one model, by view: rows (found, contacts, blind). A job.

    bare: no cover, and arrivals are seen, as where the receiving side isn't shaped. external: up and down slots, one a
    second each. exit: up slots, and arrivals at mailboxes (with loops), of users who always have something to send.
    """
    rng, model = np.random.default_rng(seed), RoundModel()
    contacts, shares = model.acquaint(rng)
    most = rounds[-1]

    def slots(rate: float) -> Matrix:
        return rng.poisson(rate * model.seconds, (most, model.users)).astype(np.float64)

    sent, arrived = model.write(shares, 0.1, most, rng)
    full, there = model.write(shares, 0.6, most, rng)
    views = {
        "bare": (sent, arrived),
        "external": (slots(1.0), slots(1.0)),
        "exit": (full + slots(0.4), there + slots(0.2)),
    }
    found = {
        view: np.array([guessed(estimated(one[:count], other[:count]), contacts) for count in rounds], dtype=np.float64)
        for view, (one, other) in views.items()
    }
    strangers, _ = model.acquaint(rng)
    found["strangers"] = np.array([guessed(estimated(sent, arrived), strangers)], dtype=np.float64)
    return found
