"""Every verb of a user is there on a home and on a satellite, and what a satellite refuses is written down."""

import inspect
from collections.abc import Iterator
from operator import attrgetter
from typing import NoReturn, get_args, get_type_hints

import pytest

from client.devices.bodies import DeviceVerb
from client.devices.contacts import ContactRequest, SatelliteContacts
from client.messenger.contact_verbs import ContactVerbs
from client.messenger.messenger import Messenger
from client.messenger.verbs import UserVerbs
from client.model.errors import HomeOnly
from tests.client.worlds.devices import HOME, PHONE, Family

# Whoever adds a verb to UserVerbs decides what a satellite does with it: ask the home, show what is here, or refuse.
REFUSED = {
    "anonymous.addresses",
    "anonymous.correspondents",
    "anonymous.create_address",
    "anonymous.end",
    "anonymous.retire_address",
    "archive.take_in",
    "attestations.consent",
    "attestations.rule",
    "attestations.set_rule",
    "create_invitation",
    "default_read_receipts",
    "delete_contact",
    "forge",
    "proof",
    "relink",
    "send_anonymous",
}


def verbs(protocol: type, before: str = "") -> Iterator[tuple[str, object]]:
    """(path, what stands in the protocol) of all verbs, those of its parts too."""
    for name, member in vars(protocol).items():
        if name.startswith("_"):
            continue
        kind = get_type_hints(member.fget)["return"] if isinstance(member, property) else None
        if getattr(kind, "_is_protocol", False) or kind is ContactVerbs:
            yield from verbs(kind, f"{before}{name}.")
        else:
            yield before + name, member


VERBS = dict(verbs(UserVerbs))


@pytest.fixture(scope="module")
def family(tmp_path_factory) -> Family:
    family = Family(tmp_path_factory.mktemp("family"), satellites=(PHONE,), contacts=())
    family.link(PHONE)
    return family


def test_the_walk_finds_the_verbs_of_all_parts():
    assert {"send_text", "archive.page", "anonymous.end", "attestations.consent", "groups.create"} <= VERBS.keys()
    assert len(VERBS) > 50


@pytest.mark.parametrize("who", [HOME, PHONE])
@pytest.mark.parametrize("path", VERBS)
def test_home_and_satellite_have_every_verb_as_the_protocol_says(family, who, path):
    found = attrgetter(path)(family.user(who))
    if not isinstance(VERBS[path], property):
        wanted = list(inspect.signature(VERBS[path]).parameters.values())[1:]
        here = list(inspect.signature(found).parameters.values())
        assert [(one.name, one.kind, one.default) for one in here] == [(w.name, w.kind, w.default) for w in wanted]


def test_a_satellite_refuses_these_verbs_and_no_others(family):
    refused = {path for path in VERBS if _never_returns(attrgetter(path)(family.user(PHONE)))}
    assert refused == REFUSED
    assert not any(_never_returns(attrgetter(path)(family.user(HOME))) for path in VERBS)


@pytest.mark.parametrize("path", sorted(REFUSED))
def test_a_refusal_names_the_home(family, path):
    verb = attrgetter(path)(family.user(PHONE))
    required = [one for one in inspect.signature(verb).parameters.values() if one.default is one.empty]
    with pytest.raises(HomeOnly, match=f"home device '{HOME}'"):
        verb(*[None] * len(required))


def _never_returns(verb: object) -> bool:
    return inspect.ismethod(verb) and get_type_hints(verb)["return"] is NoReturn


def test_a_home_does_the_verbs_itself_and_a_satellite_does_not(family):
    assert isinstance(family.user(HOME), Messenger)
    assert not isinstance(family.user(PHONE), Messenger)


def test_a_satellite_asks_its_home_for_every_verb_about_contacts():
    """One that it only inherits would hold on this device and be undone by the next thing that the home tells."""
    decided = {name for name in vars(ContactVerbs) if not name.startswith("_")}
    assert len(decided) >= 4
    assert decided - vars(SatelliteContacts).keys() == set()


def test_a_home_understands_every_request_about_contacts():
    requests = set(ContactRequest.__subclasses__())
    assert len(requests) >= 3
    assert requests - set(get_args(DeviceVerb)) == set()
