"""Small runs of the real actors that several tests share."""

import json
from functools import cache
from unittest.mock import patch

from mixnet.benchmarks.attacks import scenarios
from mixnet.benchmarks.attacks.scenarios import converse, play
from mixnet.benchmarks.base.size import Size

SMALL = {"clients": 10, "busy": 6, "seconds": 60, "seed": 1}
OPEN = {**SMALL, "off": ["cover", "downlink"]}


@cache
def _world(job):
    return play(**json.loads(job))


def played(**job):
    """`play`, once for the same arguments: nobody changes a world that is over."""
    return _world(json.dumps(job, sort_keys=True))


@cache
def _seen(job):
    with patch.object(scenarios, "play", played):
        return converse(**json.loads(job))


def run(function, jobs):
    """A runner that plays each world once."""
    if function is converse:
        return [_seen(json.dumps(job, sort_keys=True)) for job in jobs]
    return [function(**job) for job in jobs]


def small(monkeypatch, *modules):
    """Let `measure` of these modules run on small worlds."""
    assert len(scenarios.sizes(Size.QUICK, 1)) == 1
    for module in modules:
        monkeypatch.setattr(module, "sizes", lambda _size, seed: [{**SMALL, "seed": seed}])
