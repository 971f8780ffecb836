"""What several threat tests need: a directory document made by hand, statistics with a threshold, and searches."""

import math
from collections import Counter

from mixnet.clock import Epochs
from mixnet.crypto import Label, SigningKey, SphinxSecret, digest
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.descriptor import KEY_EPOCHS, NodeRole
from mixnet.pki.document import VERSION, Document, Node, validity
from mixnet.pki.parameters import Parameters

GENESIS = 1_800_000_000.0


def signing_key(*label):
    return SigningKey(digest(Label.LOOP, b"threats", *(str(part).encode() for part in label)))


AUTHORITIES = [signing_key("authority", number) for number in range(3)]
PARAMETERS = Parameters()
BOOTSTRAP = Bootstrap(
    GENESIS,
    PARAMETERS.epoch_length,
    tuple(AuthorityInfo(key.public, f"authority-{number}:1") for number, key in enumerate(AUTHORITIES)),
)
EPOCHS = Epochs(GENESIS, PARAMETERS.epoch_length)


def node(role, number, epoch=0):
    keys = tuple(SphinxSecret(signing_key("sphinx", role, number, at).expose()).public for at in range(KEY_EPOCHS))
    return Node(signing_key(role, number).public, role, f"{role.value}-{number}:1", epoch, keys)


def document(*, epoch=0, layers=3, width=3, providers=2, bootstrap=BOOTSTRAP):
    """The document that honest authorities would agree on, unsigned."""
    mixes = [node(NodeRole.MIX, number, epoch) for number in range(layers * width)]

    def ascending(nodes):
        return tuple(sorted(nodes, key=lambda one: one.identity))

    return Document(
        VERSION,
        bootstrap.network_id,
        epoch,
        *validity(bootstrap.epochs, epoch),
        PARAMETERS,
        tuple(ascending(mixes[layer::layers]) for layer in range(layers)),
        ascending(node(NodeRole.PROVIDER, number, epoch) for number in range(providers)),
        bootstrap.identities,
        bytes(32),
        bytes(32),
    )


def signed(text, keys=AUTHORITIES):
    return text.encode({key.public: text.signature(key) for key in keys})


def chi_square(samples, categories):
    """Pearson's statistic against the uniform distribution, in standard deviations above its mean."""
    counts = Counter(samples)
    assert set(counts) <= set(categories)
    expected = len(samples) / len(categories)
    statistic = sum((counts[category] - expected) ** 2 / expected for category in categories)
    freedom = len(categories) - 1
    return (statistic - freedom) / math.sqrt(2 * freedom)


def kolmogorov_smirnov(samples, distribution):
    """The largest distance between the samples' distribution and `distribution`, times the root of their number."""
    ordered = sorted(samples)
    count = len(ordered)
    gaps = (
        max(abs(distribution(value) - index / count), abs(distribution(value) - (index + 1) / count))
        for index, value in enumerate(ordered)
    )
    return max(gaps) * math.sqrt(count)


def pieces(data, size=8):
    """Every substring of `size` bytes."""
    return {data[at : at + size] for at in range(len(data) - size + 1)}
