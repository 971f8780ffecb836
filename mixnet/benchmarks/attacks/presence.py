"""Presence: a contact writes all the time, and tells by the answers when somebody's daemon is on.

See spec/13-measurements.md 13.5.

Promises: real actors in virtual time. A contact writes a text a minute to people whose daemons start and stop at random
whole minutes, and who read what came; whatever comes from one of them is an answer. It tells for each minute whether a
daemon is on by the age of the last answer, and learns that one came on by the first answer from then on. Positive
control: people who answer at once, as is the default. Null controls: the answers of each held against the daemon of
somebody else of its kind, and people who have blocked the contact, of whom nothing may come.
"""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import trio

from mixnet.benchmarks.attacks.acting import no_files
from mixnet.benchmarks.base.figures import Control, Figure, Finding, Subject, at_least
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, auc, exact, mean, middle, rate
from mixnet.benchmarks.simulation.world import World, WorldConfig, run_world
from mixnet.client.model.views import AckChoice
from mixnet.errors import LocalError
from mixnet.pki.parameters import Parameters

SUBJECT = Subject(
    "presence",
    "Presence: a contact finds out when your daemon runs",
    ("P4",),
    "external, local, active: a contact",
    "answers to a contact can be delayed at random; a blocked contact gets none",
    "No target: that your daemon runs shows to each contact, at once by default and within minutes if answers are "
    "delayed; what the delay takes away is when it came on.",
)
SLOW = Parameters(  # so that hours are soon played
    epoch_length=86_400.0,
    mean_delay=0.5,
    payload_rate=0.3,
    loop_rate=0.02,
    drop_rate=0.02,
    downlink_rate=0.4,
    node_loop_rate=0.002,
    link_latency=0.01,
)
BLOCKED = "blocked"
PEOPLE = (*[str(AckChoice.PROMPT)] * 2, *[str(AckChoice.DELAYED)] * 4, BLOCKED)  # in each world
WORLDS = {Size.QUICK: 2, Size.STANDARD: 4, Size.FULL: 16}
HOURS = {Size.QUICK: 1.0, Size.STANDARD: 3.0, Size.FULL: 12.0}
MINUTE = 60.0
PERIOD = 30.0  # minutes that a daemon is on, or off, on average
BEGIN = 600.0  # seconds: until then people become contacts
READING = 45.0  # seconds of a minute after which people read
ASKER = "client-1"
score = no_files(SUBJECT.name)


class Watched(NamedTuple):
    """One person: for each minute whether the daemon was on and how old the last answer was; seconds.

    `known` has the time of the first answer after each coming on, `answers` is how many there were.
    """

    choice: str
    on: Sequence[bool]
    ages: Sequence[float]
    known: Sequence[float]
    answers: int


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Ask people of all kinds."""
    jobs = [{"hours": HOURS[size], "seed": seed + number} for number in range(WORLDS[size])]
    people = [Watched(*one) for world in run(watch, jobs) for one in world]
    counts = ", ".join(f"{sum(one.choice == kind for one in people)} {kind}" for kind in dict.fromkeys(PEOPLE))
    setting = (
        f"real actors, virtual time, {SLOW.payload_rate:g} payload slots a second; people by their answers: {counts}; "
        f"{HOURS[size]:g} h, on and off for {PERIOD:g} minutes on average, one text to each a minute; seed {seed}"
    )
    return SUBJECT.finding(setting, list(_figures(people)), _controls(people))


def _figures(people: Sequence[Watched]) -> Iterator[Figure]:
    for choice, what in ((AckChoice.PROMPT, "answers at once"), (AckChoice.DELAYED, "delayed answers")):
        mine = [one for one in people if one.choice == choice]
        known = [seconds for one in mine for seconds in one.known]
        seen = area(mine)
        seen = rate(len(mine), len(mine)) if seen.value == 1.0 else seen  # of so many people, all
        yield Figure(f"presence_{choice}_auc", f"{what}: AUC of the daemon being on in a minute", seen)
        late = middle(known) if known else Estimate(math.nan, 0.0, math.inf)
        first = f"{what}: from coming on to the first, median of {len(known)}"
        yield Figure(f"presence_{choice}_known_s", first, late, "s")


def _controls(people: Sequence[Watched]) -> tuple[Control, ...]:
    prompt, delayed, blocked = ([one for one in people if one.choice == kind] for kind in dict.fromkeys(PEOPLE))
    return (
        Control.positive("answers at once: AUC", area(prompt), at_least(0.95)),
        *(
            Control.null(f"{what}, held against somebody else's daemon: AUC", area(mine, 1), chance=0.5)
            for what, mine in (("answers at once", prompt), ("delayed answers", delayed))
        ),
        Control.null("a contact that was blocked: AUC", area(blocked), chance=0.5),
        Control.null("the same: answers", exact(sum(one.answers for one in blocked)), chance=0.0),
    )


def area(people: Sequence[Watched], shift: int = 0) -> Estimate:
    """The mean of the areas under each person's ROC curve: people are independent, the minutes of one are not.

    With a `shift` each one's answers are held against the daemon of somebody that many places further on.
    """
    areas = []
    for one, other in zip(people, [*people[shift:], *people[:shift]], strict=True):
        scores: dict[bool, list[float]] = {True: [], False: []}
        for age, on in zip(one.ages, other.on, strict=True):
            scores[bool(on)].append(-age)
        if all(scores.values()):
            areas.append(auc(scores[True], scores[False]).value)
    if not areas:
        raise LocalError("nobody's daemon was both on and off")
    found = mean(areas)
    return Estimate(found.value, max(found.low, 0.0), min(found.high, 1.0))


def watch(*, hours: float, seed: int, choices: Sequence[str] = PEOPLE) -> list[Watched]:
    """What a contact saw of people who made these choices. A job."""
    minutes, rng = round(hours * 60), random.Random(f"presence {seed}")
    stretches = [_stretches(rng, minutes) for _ in choices]

    async def attack(world: World) -> None:
        for person, choice in enumerate(choices, 1):
            await world.befriend(0, person)
            if choice == BLOCKED:
                await world.clients[person].block(ASKER)
            else:
                await world.clients[person].acknowledgements(ASKER, AckChoice(choice))
        await trio.sleep_until(BEGIN)
        async with trio.open_nursery() as nursery:
            for person, mine in enumerate(stretches, 1):
                nursery.start_soon(_live, world, person, mine, minutes)
            for minute in range(minutes):
                for person in range(1, len(choices) + 1):
                    await world.clients[0].send(world.client_name(person), "?", expires=MINUTE)
                await trio.sleep_until(_at(minute + 1))

    config = WorldConfig(
        seed, clients=len(choices) + 1, width=1, providers=1, authorities=1, codec="plain", parameters=SLOW
    )
    answers: dict[str, list[float]] = {}
    for one in run_world(attack, config).truth:
        if one.receiver == ASKER and one.received_ns is not None and one.received_ns / 1e9 >= BEGIN:
            answers.setdefault(one.sender, []).append((one.received_ns / 1e9 - BEGIN) / MINUTE)
    return [
        _seen(choice, sorted(answers.get(f"client-{person}", [])), stretches[person - 2], minutes)
        for person, choice in enumerate(choices, 2)
    ]


def _stretches(rng: random.Random, minutes: int) -> list[tuple[int, int]]:
    """From which minute until which somebody's daemon is on."""
    minute, on, found = 0, rng.random() < 0.5, []
    while minute < minutes:
        last = min(minute + max(1, round(rng.expovariate(1 / PERIOD))), minutes)
        if on:
            found.append((minute, last))
        minute, on = last, not on
    return found


async def _live(world: World, person: int, stretches: Sequence[tuple[int, int]], minutes: int) -> None:
    """Let a daemon be on and off, and its user read what came, once a minute."""
    name, read = world.client_name(person), 0
    for came, went in stretches:
        if came:
            world.crash(name)
            await trio.sleep_until(_at(came))
            await world.restart(name)
        for minute in range(came, went):
            await trio.sleep_until(_at(minute) + READING)
            for message in await world.clients[person].page(ASKER, read):
                await world.clients[person].mark_read(message.id)
                read = message.id
        await trio.sleep_until(_at(went))
    if not stretches or stretches[-1][1] < minutes:
        world.crash(name)


def _at(minute: int) -> float:
    return BEGIN + minute * MINUTE


def _seen(choice: str, answers: Sequence[float], stretches: Sequence[tuple[int, int]], minutes: int) -> Watched:
    """What somebody's answers tell; times in minutes."""
    before = [bisect(answers, minute + 1) for minute in range(minutes)]
    ages = [(minute + 1 - answers[at - 1]) * MINUTE if at else math.inf for minute, at in enumerate(before)]
    known = []
    for came, went in stretches:
        first = min((when for when in answers if came <= when < went), default=math.inf)
        if came:
            known.append((first - came) * MINUTE)
    on = [any(came <= minute < went for came, went in stretches) for minute in range(minutes)]
    return Watched(choice, on, ages, known, len(answers))
