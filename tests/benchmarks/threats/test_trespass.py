"""Whatever a role may not do fails, and would be counted if it didn't."""

import asyncio
from dataclasses import dataclass
from unittest.mock import patch

import pytest

import mixnode.clients
from mixnet.benchmarks.threats import checks, trespass
from mixnet.benchmarks.threats.scenario import live
from mixnet.benchmarks.threats.trespass import DIRECTORY, FRAMES, MAILBOXES, PEOPLE, Attempt
from mixnet.client.model.views import ContactState
from mixnet.directory.requests import RequestHandler
from mixnode.arrival import NODES

pytestmark = pytest.mark.timeout(300)


def succeeded(seen, area):
    return {one.what for one in seen.attempts if one.area == area and one.succeeded and not one.allowed}


@pytest.mark.parametrize(("area", "tries"), [(FRAMES, 15), (MAILBOXES, 7), (DIRECTORY, 9), (PEOPLE, 1)])
def test_nothing_forbidden_succeeds_and_all_that_is_allowed_does(seen, area, tries):
    found = checks.trespasses(seen, area)
    assert found.credible
    assert found.figures[0].estimate.value == 0
    assert sum(one.area == area and not one.allowed for one in seen.attempts) == tries


def test_nodes_that_take_what_they_must_not_are_reported(seen):
    """Breaks: clients' packets count as nodes', erasing erases another's mailbox, and any descriptor is taken."""
    arrived, erase = mixnode.clients.Arrived, mixnode.clients.Erase
    take, victim = RequestHandler._take_descriptor_untrusted, seen.clients["client-2"]
    with (
        patch.object(mixnode.clients, "Arrived", lambda body, now, _sender: arrived(body, now, NODES)),
        patch.object(mixnode.clients, "Erase", lambda _mailbox: erase(victim)),
        patch.object(RequestHandler, "_take_descriptor_untrusted", lambda *args: take(*args) or True),
    ):
        broken = live(1)
    assert succeeded(broken, FRAMES) == {"a client puts mail into a mailbox itself"}
    assert "a stranger erases a mailbox" in succeeded(broken, MAILBOXES)
    assert "an unknown node publishes a descriptor" in succeeded(broken, DIRECTORY)
    assert broken.erased == (True, True)
    assert checks.erasure(broken).figures[0].estimate.value == 0.25


@dataclass
class Known:
    safety_number: str
    state: ContactState


class Person:
    def __init__(self, *contacts):
        self._contacts = [Known(*contact) for contact in contacts]

    async def contacts(self):
        return self._contacts


@dataclass
class People:
    clients: list


KNOWN, PENDING = ContactState.ESTABLISHED, ContactState.PENDING


@pytest.mark.parametrize(
    ("inviter", "late", "taken"),
    [
        ([("1", KNOWN)], [("2", PENDING)], False),
        ([("1", KNOWN)], [("2", KNOWN)], True),
        ([("1", KNOWN)], [("1", PENDING)], True),
        ([("1", KNOWN), ("2", KNOWN)], [("2", PENDING)], True),
    ],
)
def test_a_second_guest_would_show(inviter, late, taken):
    world = People([Person(*inviter), Person(("1", KNOWN)), Person(*late)])
    second, first = asyncio.run(trespass.guests(world))
    assert second == Attempt(PEOPLE, second.what, False, taken)
    assert first.succeeded is (len(inviter) == 1)
