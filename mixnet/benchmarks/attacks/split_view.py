"""Split view: false directory documents, offered by whoever a reader asks (spec/13-measurements.md 13.5).

Promises: readers are the real code that clients, nodes and providers judge documents by (`accept_untrusted`, with what
a reader was shown before), new ones wherever that is easier to deceive. Each reader is offered all lies in random
order, among them one of his own, and then the honest document. Positive controls: one signature is enough; signatures
are not checked. Null: nobody lies.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from mixnet.benchmarks.attacks.acting import never, no_files, share
from mixnet.benchmarks.attacks.forged_documents import ForgedDirectory, forged_directory, signed
from mixnet.benchmarks.base.figures import Bound, Control, Figure, Finding, Subject, at_least
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import exact
from mixnet.benchmarks.controls.guards import without_guards
from mixnet.errors import RemoteError
from mixnet.pki.document import Document
from mixnet.pki.fetch import accept_untrusted
from mixnet.pki.views import Views

SUBJECT = Subject(
    "split_view",
    "Split view: forged, stale, minority-signed and split directory documents",
    ("T1", "P1"),
    "internal, active: a minority of the authorities, any provider, and whoever is on the links",
    "documents are signed by a majority of the authorities, and no reader goes back or takes a second one",
)
READERS = {Size.QUICK: 20, Size.STANDARD: 200, Size.FULL: 1000}
AUTHORITIES = 5
LIARS = 2  # a minority
EPOCH = 5  # that of the honest document
BACKWARD = ("older",)  # lies for readers that have used that document already: to new ones they are none


class Readers(NamedTuple):
    """What readers accepted: lies by kind, offers by kind, and distinct documents beside the honest one."""

    accepted: dict[str, int]
    offered: dict[str, int]
    distinct: int
    proofs: int
    honest: int  # readers that accepted the honest document


score = no_files(SUBJECT.name)


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Lie to many readers."""
    count = READERS[size]
    jobs: list[dict[str, Any]] = [
        {"readers": count, "seed": seed},
        {"readers": 20, "seed": seed, "off": ["threshold"], "only": ["minority"]},
        {"readers": 20, "seed": seed, "off": ["signatures"], "only": ["forged"]},
        {"readers": 20, "seed": seed, "liars": AUTHORITIES // 2 + 1, "only": ["minority"]},
        {"readers": 20, "seed": seed, "only": ["honest"]},
    ]
    lied, threshold, signatures, majority, honest = (Readers(*one) for one in run(offer, jobs))
    figures = [
        never("split_view_accepted", "lies accepted", sum(lied.accepted.values()), sum(lied.offered.values())),
        Figure("split_view_distinct", "views beside the honest one", exact(lied.distinct), must=Bound(0)),
        Figure(
            "split_view_honest", "readers that got the honest document", share(lied.honest, count), must=at_least(1)
        ),
        *(
            never(f"split_view_{kind}", f"{kind} documents accepted", lied.accepted.get(kind, 0), offered)
            for kind, offered in sorted(lied.offered.items())
        ),
        Figure(
            "split_view_majority_distinct",
            "views of 20 readers if a majority lies: not defended",
            exact(majority.distinct),
        ),
        Figure("split_view_majority_proofs", "readers of those that can prove it", share(majority.proofs, 20)),
    ]
    setting = f"{count} readers, {AUTHORITIES} authorities of which {LIARS} lie, {len(LIES)} kinds of lies; seed {seed}"
    return SUBJECT.finding(setting, figures, _controls(threshold, signatures, majority, honest))


def _controls(threshold: Readers, signatures: Readers, majority: Readers, honest: Readers) -> tuple[Control, ...]:
    won = at_least(1)
    return (
        Control.positive(
            "one signature is enough: minority-signed views accepted", exact(threshold.distinct / 20), won
        ),
        Control.positive("signatures unchecked: forged views accepted", exact(signatures.distinct / 20), won),
        Control.positive("a majority lies: views accepted", exact(majority.distinct / 20), won),
        Control.null("nobody lies: distinct views beside the honest one", exact(honest.distinct), chance=0.0),
    )


def offer(*, readers: int, seed: int, liars: int = LIARS, off: Sequence[str] = (), only: Sequence[str] = ()) -> Readers:
    """Show each reader every kind of lie, or `only` some, and the honest document last. A job."""
    network = forged_directory(seed, authorities=AUTHORITIES)
    honest = network.document(EPOCH)
    truth, now = signed(honest, network.authorities), network.at(EPOCH)
    accepted: Counter[str] = Counter()
    offered: Counter[str] = Counter()
    views: set[bytes] = set()
    proofs = satisfied = 0
    with without_guards(off):
        for number in range(readers):
            rng = random.Random(f"reader {seed} {number}")
            mind = Views(network.bootstrap)
            for kind in rng.sample(only or sorted(LIES), len(only or LIES)):
                raw = truth if kind == "honest" else LIES[kind](_Lie(network, honest, rng, liars))
                got = _read(raw, network, now, mind, newest=EPOCH if kind in BACKWARD else -1)
                offered[kind] += 1
                if got not in (None, honest.digest):
                    accepted[kind] += 1
                    views.add(got)
            satisfied += _read(truth, network, now, mind, newest=-1) == honest.digest
            proofs += bool(mind.evidence)
    return Readers(dict(accepted), dict(offered), len(views), proofs, satisfied)


def _read(raw: bytes, network: ForgedDirectory, now: float, mind: Views, newest: int) -> bytes | None:
    """The digest of what the reader goes by then; None if it refuses."""
    try:
        return accept_untrusted(raw, network.bootstrap, now, newest_epoch=newest, views=mind).digest
    except RemoteError:
        return None


class _Lie(NamedTuple):
    """What a liar works with."""

    network: ForgedDirectory
    honest: Document
    rng: random.Random
    liars: int

    @property
    def own(self) -> Document:
        """A view for this reader alone."""
        return msgspec.structs.replace(self.honest, randomness=self.rng.randbytes(32))


def _minority(lie: _Lie) -> bytes:
    return signed(lie.own, lie.network.authorities[: lie.liars])


def _forged(lie: _Lie) -> bytes:
    own = lie.own
    return own.encode({key.public: lie.rng.randbytes(64) for key in lie.network.authorities})


def _borrowed(lie: _Lie) -> bytes:
    """Honest signatures under another document."""
    return lie.own.encode({key.public: lie.honest.signature(key) for key in lie.network.authorities})


def _strangers(lie: _Lie) -> bytes:
    """The liars, and authorities that nobody knows."""
    others = forged_directory(lie.network.seed, authorities=AUTHORITIES, name="elsewhere").authorities
    return signed(lie.own, [*lie.network.authorities[: lie.liars], *others])


def _elsewhere(lie: _Lie) -> bytes:
    """Another network's."""
    other = forged_directory(lie.network.seed, authorities=AUTHORITIES, name="elsewhere")
    return signed(other.document(EPOCH), other.authorities)


def _stale(lie: _Lie) -> bytes:
    """Genuine, and no longer valid: its keys may have been stolen since."""
    return signed(lie.network.document(EPOCH - 2), lie.network.authorities)


def _older(lie: _Lie) -> bytes:
    """Genuine and valid, but older than what the reader has used."""
    return signed(lie.network.document(EPOCH - 1), lie.network.authorities)


def _early(lie: _Lie) -> bytes:
    """Genuine, for an epoch that is still to come."""
    return signed(lie.network.document(EPOCH + 2), lie.network.authorities)


def _altered(lie: _Lie) -> bytes:
    """The honest one with a bit flipped."""
    raw = bytearray(signed(lie.honest, lie.network.authorities))
    raw[lie.rng.randrange(len(raw))] ^= 1 << lie.rng.randrange(8)
    return bytes(raw)


def _doubled(lie: _Lie) -> bytes:
    """A liar's signature twice, under his name and under an honest one's."""
    own = lie.own
    signatures = {key.public: own.signature(key) for key in lie.network.authorities[: lie.liars]}
    copied = own.signature(lie.network.authorities[0])
    return own.encode(signatures | {key.public: copied for key in lie.network.authorities[lie.liars :]})


LIES: dict[str, Callable[[_Lie], bytes]] = {
    "altered": _altered,
    "borrowed": _borrowed,
    "doubled": _doubled,
    "early": _early,
    "elsewhere": _elsewhere,
    "forged": _forged,
    "minority": _minority,
    "older": _older,
    "stale": _stale,
    "strangers": _strangers,
}
