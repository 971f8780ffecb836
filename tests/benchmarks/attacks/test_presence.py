"""Who answers at once is seen coming and going; who answers late less; who blocked the asker not at all."""

import math
import random

from mixnet.benchmarks.attacks import presence
from mixnet.benchmarks.attacks.presence import Watched, area, watch
from mixnet.benchmarks.base.size import Size


def test_the_real_actors_answer_as_their_users_chose(monkeypatch):
    monkeypatch.setattr(presence, "BEGIN", 120.0)
    monkeypatch.setattr(presence, "_stretches", lambda _rng, minutes: [(0, 4), (minutes - 5, minutes)])
    prompt, delayed, blocked = watch(hours=0.25, seed=1, choices=("prompt", "delayed", "blocked"))
    assert area([prompt]).value > 0.95 > area([delayed]).value
    assert prompt.known[0] < 60 < delayed.known[0]
    assert blocked.answers == 0 and area([blocked]).value == 0.5


def made(choice, rng):
    """Somebody who answers each minute in which the daemon is on; not so with answers that say nothing."""
    on = [rng.random() < 0.5 for _ in range(200)]
    told = on if choice == "prompt" else [rng.random() < 0.5 for _ in on]
    ages = [math.inf if choice == "blocked" else 0.0 if there else 60.0 for there in told]
    return Watched(choice, on, ages, [5.0], 0 if choice == "blocked" else 100)


def test_a_finding_stands_only_with_its_controls():
    rng = random.Random(1)
    people = [[made(choice, rng) for choice in presence.PEOPLE] for _ in range(2)]
    found = presence.measure(Size.QUICK, lambda _watch, _jobs: people)
    assert found.credible and all(figure.must is None for figure in found.figures)
    shown = {figure.key: figure.estimate for figure in found.figures}
    assert shown["presence_prompt_auc"].value == 1.0 and 0 < shown["presence_prompt_auc"].low < 1
    assert shown["presence_delayed_auc"].covers(0.5) and shown["presence_prompt_known_s"].value == 5.0
    blocked = people[0].pop()
    people[0].append(blocked._replace(answers=1))
    assert not presence.measure(Size.QUICK, lambda _watch, _jobs: people).credible
    people[0][-1] = blocked
    for world in people:  # the same schedule for all: what one answers tells of the others
        world[:] = [one._replace(on=people[0][0].on, ages=people[0][0].ages) for one in world]
    assert not presence.measure(Size.QUICK, lambda _watch, _jobs: people).credible
