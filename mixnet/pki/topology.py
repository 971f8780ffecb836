"""Who mixes in which layer, and the routes through the layers (spec/05-directory.md 5.6).

Promises: layers follow from the shared randomness and the identities alone, differ in size by one at most, and change
between epochs only by the moves that balance demands; a route is uniform in every layer and independent between them.
Never: draws from anything but the generator that the caller gives.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

from mixnet.clock import Epochs
from mixnet.crypto import Label, digest
from mixnet.errors import LocalError
from mixnet.pki.document import Document, Node
from mixnet.sphinx.commands import MICROSECONDS, microseconds


def assign_layers(
    identities: Iterable[bytes], randomness: bytes, layers: int, previous: Mapping[bytes, int] | None = None
) -> tuple[tuple[bytes, ...], ...]:
    """The identities of each layer, ascending; `previous` maps those that mixed before to their layer, from 0.

    A node stays where it was unless its layer would be too large; who moves, and where newcomers go, follows from
    `randomness` (32 bytes), which nobody knew when the identities were chosen.
    """
    ordered = sorted(set(identities), key=lambda identity: digest(Label.LAYERS, randomness, identity))
    before = previous or {}
    kept: list[list[bytes]] = [[] for _ in range(layers)]
    waiting: list[bytes] = []
    for identity in ordered:
        kept[before[identity]].append(identity) if before.get(identity, layers) < layers else waiting.append(identity)
    sizes = _sizes(len(ordered), [len(layer) for layer in kept])
    for layer, size in zip(kept, sizes, strict=True):
        waiting.extend(layer[size:])
        del layer[size:]
    waiting.sort(key=lambda identity: digest(Label.LAYERS, randomness, identity))
    for layer, size in zip(kept, sizes, strict=True):
        missing = size - len(layer)
        layer.extend(waiting[:missing])
        del waiting[:missing]
    return tuple(tuple(sorted(layer)) for layer in kept)


def _sizes(total: int, kept: Sequence[int]) -> list[int]:
    """Layer sizes that differ by one at most; the larger ones go where most nodes are, so that the fewest move."""
    base, extra = divmod(total, len(kept))
    fullest = sorted(range(len(kept)), key=lambda layer: -kept[layer])[:extra]
    return [base + (layer in fullest) for layer in range(len(kept))]


def sample_route(document: Document, rng: random.Random, entry: bytes, exit: bytes) -> tuple[Node, ...]:  # noqa: A002
    """(entry provider, one mix of each layer, exit provider), each mix uniform in its layer.

    Raises LocalError if `entry` or `exit` is not the identity of a provider in the document.
    """
    return (_provider(document, entry), *sample_mixes(document, rng), _provider(document, exit))


def sample_mixes(document: Document, rng: random.Random) -> tuple[Node, ...]:
    """One mix of each layer, uniform and independent: the inner part of any route."""
    return tuple(rng.choice(layer) for layer in document.layers)


def sample_provider(document: Document, rng: random.Random) -> Node:
    """A uniform provider: where drop cover goes."""
    return rng.choice(document.providers)


def _provider(document: Document, identity: bytes) -> Node:
    for provider in document.providers:
        if provider.identity == identity:
            return provider
    raise LocalError("the provider is not in the directory document: wait for the next one, or choose another provider")


def sample_delays(rng: random.Random, mean: float, count: int) -> tuple[float, ...]:
    """`count` exponential delays of `mean` seconds, in whole microseconds of which 32 bits hold the number."""
    return tuple(microseconds(rng.expovariate(1 / mean)) / MICROSECONDS if mean > 0 else 0.0 for _ in range(count))


def hop_keys(
    document: Document, epochs: Epochs, route: Sequence[Node], delays: Sequence[float], now: float
) -> tuple[bytes, ...]:
    """The Sphinx key (32 bytes) of each node of `route` for the time at which a packet that leaves at `now` gets there.

    `delays` are the seconds that the first nodes of the route hold the packet. Raises NoKey if the document is too old.
    """
    arrival = now
    keys = []
    for index, node in enumerate(route):
        arrival += document.parameters.link_latency
        # A sender whose clock is slow takes a new document's first key: no older one is listed.
        keys.append(node.key_at(max(epochs.at(arrival), document.epoch)))
        arrival += delays[index] if index < len(delays) else 0.0
    return tuple(keys)
