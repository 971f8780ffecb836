"""The two people of a demonstration: each a profile, a client daemon in a process of its own, and a connection to it.

Promises: a daemon runs like any other process of the network, kept by the supervisor and ended with it; nothing is
said to a daemon but through the API that every program has.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from mixnet import client
from mixnet.client.api.connection import Connection
from mixnet.client.model.views import MessageInfo, MessageKind
from mixnet.client.profile.profile import create
from mixnet.deploy.figures import DemoMessage
from mixnet.deploy.folders import BOOTSTRAP, CLIENTS
from mixnet.deploy.plan import MEMBERS_LIMIT, LocalPlan
from mixnet.deploy.supervisor import Crew, Program

NAMES = ("alice", "bob")
SILENT = "carol"  # who runs a daemon and never writes
CONFIRMED = frozenset({"delivered", "read"})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a running daemon."""

    name: str
    me: Connection

    async def archive(self) -> list[MessageInfo]:
        """All their messages, sent and received."""
        return [message async for message in self.me.messages()]


def enroll(folder: Path, plan: LocalPlan, names: tuple[str, ...] = NAMES) -> list[Program]:
    """Make their profiles; what runs their daemons. Each dials from a loopback address of its own."""
    daemons = []
    for number, name in enumerate(names, start=MEMBERS_LIMIT + 1):
        profile = folder / CLIENTS / name
        create(profile, name=name, bootstrap=folder / BOOTSTRAP, source=f"127.0.{plan.subnet}.{number}")
        daemons.append(Program(name, ("-P", "-m", "mixnet.client", str(profile)), profile))
    return daemons


@asynccontextmanager
async def open_people(folder: Path, daemons: list[Program], crew: Crew) -> AsyncIterator[tuple[Person, Person]]:
    """Both, connected to their providers."""
    await crew.start(daemons, lambda _name: None)
    alice, bob = NAMES
    async with client.connect(folder / CLIENTS / alice) as one, client.connect(folder / CLIENTS / bob) as other:
        yield Person(alice, one), Person(bob, other)


async def meet(alice: Person, bob: Person) -> bool:
    """Become contacts by an invitation; whether both see the same safety number, which they then mark as verified."""
    await bob.me.accept(await alice.me.invite(), alice.name)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(alice.me.wait_established, bob.name)
        nursery.start_soon(bob.me.wait_established, alice.name)
    numbers = {contact.safety_number for person in (alice, bob) for contact in await person.me.contacts()}
    if len(numbers) != 1:
        return False
    await alice.me.verify(bob.name)
    await bob.me.verify(alice.name)
    return True


async def talk(person: Person, to: Person, texts: list[str], pause: float) -> list[int]:
    """Send the texts, a pause (seconds) apart; the numbers that they got."""
    numbers = []
    for text in texts:
        numbers.append(await person.me.send(to.name, text))
        await trio.sleep(pause)
    return numbers


async def go_on(one: Person, other: Person, pause: float) -> None:
    """Write to each other by turns, a pause (seconds) apart, until cancelled."""
    for number in itertools.count(1):
        await one.me.send(other.name, f"{one.name} to {other.name} once more, {number}")
        await trio.sleep(pause)
        one, other = other, one


async def settle(person: Person, numbers: list[int]) -> None:
    """Return when the sender knows that every message was delivered; NotDelivered if one never will be."""
    for number in numbers:
        await person.me.wait_delivered(number)


async def gets_on(person: Person) -> tuple[object, ...]:
    """What changes as long as a person's client gets on: messages, bytes, loops that come back, epochs."""
    figures = await person.me.status()
    messages = [(one.id, one.state, one.done) for one in await person.archive()]
    return messages, figures["loops_returned"], figures["epoch"], figures["connected"]


def records(sender: list[MessageInfo], recipient: list[MessageInfo], kind: MessageKind) -> list[DemoMessage]:
    """What both archives say of each message of this kind; texts and file names must differ from each other."""
    came: dict[str, list[float]] = {}
    for message in recipient:
        if not message.outgoing and message.kind is kind:
            came.setdefault(message.text, []).append(message.received_at)
    return [
        DemoMessage(message.state in CONFIRMED, message.sent_at, message.drawn_delay, tuple(came.get(message.text, ())))
        for message in sender
        if message.outgoing and message.kind is kind
    ]
