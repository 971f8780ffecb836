"""A network that is acted: samples as a real one gives them, drawn from a seed."""

import math
import random
from collections import Counter
from collections.abc import Iterator

from mixnet.deploy.observe.samples import VERSION, ClientSample, Heading, NodeSample, Rules, Sample

TICK = 0.25
NODES = {
    "authority-1": "authority",
    **{f"mix-{number}": "mix" for number in range(1, 7)},
    "provider-1": "provider",
    "provider-2": "provider",
}
LAYERS = {f"mix-{number}": (number + 1) // 2 for number in range(1, 7)}
HOME = {"alice": "provider-1", "carol": "provider-2"}
HEADING = Heading(
    version=VERSION,
    title="acted",
    nodes=NODES,
    genesis=0.0,
    epoch_length=100.0,
    began=250.0,
    tick=TICK,
)
RULES = Rules(epoch=2, mean_delay=0.05, send_rate=34.0, downlink_rate=60.0)


def poisson(rng: random.Random, mean: float) -> int:
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count, product = count + 1, product * rng.random()
    return count


def act(seconds: float, seed: int = 1, rate: float = 34.0) -> Iterator[Sample]:
    """Alice writes all the time, carol never; both send `rate` frames a second."""
    rng = random.Random(seed)
    frames: dict[str, Counter[str]] = {name: Counter(drop=0) for name in HOME}
    took = [0] * 12
    packets = 0
    for number in range(round(seconds / TICK)):
        flows = {}
        for name, home in HOME.items():
            count = poisson(rng, rate * TICK)
            flows[name, home] = count
            flows[home, name] = poisson(rng, 60 * TICK)
            written = count // 2 if name == "alice" else 0
            frames[name] += Counter(message=written, drop=count - written)
        for name in LAYERS:
            flows["provider-1", name] = 5
        packets += 5
        took[rng.randrange(4, 12)] += 1
        whole = number % 4 == 0
        client = {
            name: ClientSample(up=True, connected=True, frames=dict(frames[name]), took=took[:] if whole else [])
            for name in HOME
        }
        node = {
            name: NodeSample(up=True, ready=True, layer=LAYERS.get(name), packets_in=packets, packets_out=packets)
            for name in NODES
        }
        yield Sample(
            number * TICK,
            [(*link, count) for link, count in sorted(flows.items()) if count],
            client,
            node if whole else {},
            RULES if number == 0 else None,
        )
