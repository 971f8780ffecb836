"""Position: does a header tell how far its packet has come, or how long its route is (spec/13-measurements.md 13.5).

Promises: headers are made and peeled by the real engine; a classifier learns from packets of its own. Asked are
whoever sees a link (is this the first hop, is the route short) and the last hop, which has opened its layer (was the
route short). Positive controls: a byte that counts hops; zeros for padding. Null: labels by chance.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixnet.benchmarks.attacks.acting import ENGINE, no_files, passed_on, route, secrets_of
from mixnet.benchmarks.attacks.learned import boosted, judged
from mixnet.benchmarks.base.figures import Bound, Control, Figure, Finding, Subject, at_least
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate
from mixnet.benchmarks.controls.guards import without_guards
from mixnet.crypto import x25519
from mixnet.sphinx import GEOMETRY, header
from mixnet.sphinx.keys import SharedSecret

SUBJECT = Subject(
    "position",
    "Position: where on its route a packet is, and how long that is, from header bytes",
    ("P2",),
    "external and internal, passive",
    "headers of one size whose every byte is encrypted or random at every hop",
)
PACKETS = {Size.QUICK: 3600, Size.STANDARD: 6000, Size.FULL: 60_000}
CHUNK = 1000
PIECE = 16  # bytes
TELLING = 8  # half bytes
ENOUGH = 400  # packets of a class for a claim
SHORT = 3  # hops, at most
CONTROL_PACKETS = 600
MUST, AIM = Bound(0.55), Bound(0.53)
WON = at_least(0.99)
Bytes = NDArray[np.uint8]


class Headers(NamedTuple):
    """Packets of routes of 1 to 6 hops: what was seen on a link, and what the last hop saw behind its command."""

    seen: Bytes
    opened: Bytes
    first: NDArray[np.bool_]
    short: NDArray[np.bool_]


score = no_files(SUBJECT.name)


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Learn from two thirds of the packets, judge the rest."""
    honest = _draw(run, PACKETS[size], seed, 1)
    counted, zeros = (_draw(run, CONTROL_PACKETS, seed, part, (off,)) for part, off in ((2, "counter"), (3, "padding")))
    figures = (
        _figure("position_auc", "is a packet on its first link", honest.seen, honest.first, seed),
        _figure(
            "position_length_auc", f"has its route at most {SHORT} hops, by a link", honest.seen, honest.short, seed
        ),
        _figure("position_last_auc", "the same, by what the last hop opens", honest.opened, honest.short, seed),
    )
    shuffled = np.random.default_rng([seed, 4]).permutation(honest.first)
    controls = (
        Control.positive("a byte that counts hops: first link", told(counted.seen, counted.first, seed), WON),
        Control.positive("zeros for padding: last hop", told(zeros.opened, zeros.short, seed), WON),
        Control.null("labels by chance", told(honest.seen, shuffled, seed), chance=0.5),
    )
    setting = (
        f"the packet engine, {len(honest.first):,} packets of routes of 1 to 6 hops, two thirds of them to learn from; "
        f"seed {seed}"
    )
    return SUBJECT.finding(setting, figures, controls)


def told(rows: Bytes, labels: NDArray[np.bool_], seed: int) -> Estimate:
    """How well the better of two classifiers tells the labels: trained on the first third, chosen on the second.

    The last third is judged.
    """
    one, two = len(rows) // 3, 2 * len(rows) // 3
    trials = {
        "boosting": lambda a, b: boosted(features(rows[:a]), labels[:a], features(rows[a:b]), seed=seed),
        "bytes": lambda a, b: likelihood(rows[:a], labels[:a], rows[a:b]),
    }
    chosen = max(trials, key=lambda name: judged(trials[name](one, two), labels[one:two]).value)
    return judged(trials[chosen](two, len(rows)), labels[two:])


def features(rows: Bytes) -> NDArray[np.float64]:
    """Statistics of the whole and of each piece of 16 bytes: mean, set bits, zeros; repeats, and the last byte."""
    whole = rows.shape[1] // PIECE * PIECE
    pieces = rows[:, :whole].reshape(len(rows), -1, PIECE)
    bits = np.unpackbits(pieces, axis=2).mean(axis=2)
    repeats = (rows[:, 1:] == rows[:, :-1]).sum(axis=1)
    return np.column_stack(
        [pieces.mean(axis=2), bits, (pieces == 0).sum(axis=2), (rows == 0).sum(axis=1), rows.std(axis=1), repeats]
    )


def likelihood(train: Bytes, labels: NDArray[np.bool_], test: Bytes) -> NDArray[np.float64]:
    """Naive Bayes over those half bytes whose values differ most between the classes, by the G statistic."""
    known, asked = (np.hstack([rows >> 4, rows & 15]) for rows in (train, test))
    sides = []
    for side in (True, False):
        mine = known[labels == side].astype(np.int64) + 16 * np.arange(known.shape[1])
        counts = np.bincount(mine.ravel(), minlength=16 * known.shape[1]).reshape(-1, 16) + 1.0
        sides.append(counts)
    logs = [np.log(counts / counts.sum(axis=1, keepdims=True)) for counts in sides]
    both = np.log((sides[0] + sides[1]) / (sides[0] + sides[1]).sum(axis=1, keepdims=True))
    weight = sum((counts * (log - both)).sum(axis=1) for counts, log in zip(sides, logs, strict=True))
    best = np.argsort(weight)[-TELLING:]
    ratios = logs[0] - logs[1]
    return np.asarray(sum(ratios[column][asked[:, column]] for column in best), dtype=np.float64)


def headers(*, packets: int, seed: Sequence[int], off: Sequence[str] = ()) -> dict[str, NDArray[np.generic]]:
    """`Headers` of so many packets. A job."""
    rng = random.Random(f"position {list(seed)}")
    secrets = secrets_of(rng, GEOMETRY.max_hops)
    seen, opened, first, short = [], [], [], []
    with without_guards(off):
        for _ in range(packets):
            hops = rng.randint(1, GEOMETRY.max_hops)
            way = rng.sample(secrets, hops)
            packet = ENGINE.create(route(way, rng), b"", seed=rng.randbytes(32))
            link = rng.randrange(1, hops) if hops > 1 and rng.random() < 0.6 else 0
            for index, secret in enumerate(way):
                if index == link:
                    seen.append(packet[: GEOMETRY.header_size])
                if index < hops - 1:
                    packet = passed_on(secret, packet)
            opened.append(_open(way[-1].expose(), packet))
            first.append(link == 0)
            short.append(hops <= SHORT)
    return {"seen": _rows(seen), "opened": _rows(opened), "first": np.array(first), "short": np.array(short)}


def _open(secret: bytes, packet: bytes) -> bytes:
    """What stands behind the command in the last hop's layer."""
    beta_end = GEOMETRY.alpha_size + GEOMETRY.beta_size
    shared = SharedSecret(x25519(secret, packet[: GEOMETRY.alpha_size]))
    _, beta, gamma = header.open_layer(shared.rho(), packet[GEOMETRY.alpha_size : beta_end])
    return gamma + beta


def _draw(run: Run, packets: int, seed: int, part: int, off: Sequence[str] = ()) -> Headers:
    jobs = [
        {"packets": min(CHUNK, packets - start), "seed": [seed, part, start], "off": list(off)}
        for start in range(0, packets, CHUNK)
    ]
    done = run(headers, jobs)
    return Headers(*(np.concatenate([one[name] for one in done]) for name in Headers._fields))


def _rows(raws: Sequence[bytes]) -> Bytes:
    return np.frombuffer(b"".join(raws), dtype=np.uint8).reshape(len(raws), -1)


def _figure(key: str, question: str, rows: Bytes, labels: NDArray[np.bool_], seed: int) -> Figure:
    """A claim is made of enough packets only."""
    asked = labels[2 * len(labels) // 3 :]
    enough = min(int(asked.sum()), int((~asked).sum())) >= ENOUGH
    must, aim = (MUST, AIM) if enough else (None, None)
    return Figure(key, question, told(rows, labels, seed), must=must, aim=aim)
