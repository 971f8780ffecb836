"""What a satellite does with each verb of a user: it shows what is here, asks the home, or refuses."""

from typing import get_args

import pytest
import trio

from mixnet.client.api import protocol
from mixnet.client.api.daemon_api import DaemonApi
from mixnet.client.api.events import EventBus
from mixnet.client.concurrency.worker import InlineWorker
from mixnet.client.devices.bodies import DeviceVerb
from mixnet.client.devices.contacts import ASKED, CONTACT_COLUMNS, ContactRequest, SatelliteContacts
from mixnet.client.devices.satellite_archive import SatelliteArchive
from mixnet.client.messenger.archive import ArchiveOps
from mixnet.client.messenger.contact_verbs import ContactVerbs
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.contact_states import ContactVerdict
from mixnet.client.model.errors import HomeOnly
from mixnet.client.model.views import AckChoice, ContactState, ReadReceiptChoice
from mixnet.clock import VirtualClock
from mixnet.errors import MixnetError
from tests.client.worlds.devices import HOME, PHONE, Family
from tests.client.worlds.recorded import WIRE, plain

# Whoever adds a request decides what a satellite does with it. All others it shows, or asks the home for.
REFUSED = {
    *("addresses", "correspondents", "create_address", "end_correspondence", "retire_address", "send_anonymous"),
    *("code_open", "code_enter", "codes", "code_cancel", "match_start", "match_stop", "matching"),
    *("consent", "receipt_rule", "proof", "forge"),
    "send",  # the recorded one is signed
    *("invite", "leave_invitation", "default_read_receipts", "delete_contact", "relink", "import", "device_link"),
}
OPS = {kind.__struct_config__.tag for kind in protocol.COMMANDS}


@pytest.fixture(scope="module")
def family(tmp_path_factory) -> Family:
    family = Family(tmp_path_factory.mktemp("family"), satellites=(PHONE,), contacts=())
    family.link(PHONE)
    return family


async def refusal(family: Family, who: str, op: str) -> HomeOnly | None:
    """Whether a device refuses a request; what else goes wrong with the recorded one doesn't matter here."""
    daemon = DaemonApi(name=who, worker=InlineWorker(), clock=VirtualClock(family.now), event_bus=EventBus())
    daemon.open(family[who].devices, lambda: None, dict)
    try:
        with trio.move_on_after(1):  # what waits for the home has asked it
            await protocol.command_untrusted(plain(WIRE[op][0])).run(daemon)
    except HomeOnly as error:
        return error
    except (MixnetError, OSError):
        pass
    return None


@pytest.mark.parametrize("op", sorted(OPS))
async def test_a_satellite_refuses_these_requests_and_no_others_and_names_the_home(family, autojump_clock, op):
    error = await refusal(family, PHONE, op)
    assert (error is not None) == (op in REFUSED)
    assert error is None or f"home device '{HOME}'" in str(error)


async def test_a_home_refuses_none_of_them(family, autojump_clock):
    assert REFUSED <= OPS
    assert [op for op in sorted(REFUSED) if await refusal(family, HOME, op) is not None] == []


def test_a_home_does_the_verbs_itself_and_a_satellite_does_not(family):
    assert isinstance(family.user(HOME), Messenger)
    assert not isinstance(family.user(PHONE), Messenger)


def test_a_satellite_asks_its_home_for_whatever_its_user_changes_of_a_contact():
    """What it does not ask for would hold on this device and be undone by the next thing that the home tells."""
    assert ASKED.keys() == set(CONTACT_COLUMNS) - {
        "added_at",
        "period",
    }  # which nobody changes; asked for of groups, too


@pytest.mark.parametrize("verb", [name for name in vars(ContactVerbs) if not name.startswith("_")])
def test_a_satellite_asks_for_one_thing_by_each_verb_that_changes_something(family, verb):
    core, asked = family[PHONE].messenger._core, []
    people = SatelliteContacts(core, asked.append)
    with core.change():
        contact = core.contacts.add(verb, verb.encode().ljust(32), ContactState.ESTABLISHED, family.now)
        if verb == "unblock":
            core.contacts.judge(contact, ContactVerdict.BLOCK)
    args = {"rename": ("other " + verb,), "note": ("x",), "block": (family.now,)}
    args |= {"read_receipts": (ReadReceiptChoice.OFF,), "acknowledgements": (AckChoice.DELAYED,)}
    getattr(people, verb)(verb, *args.get(verb, ()))
    (request,) = asked
    assert isinstance(request, ContactRequest) and request.identity == contact.identity
    getattr(people, verb)(core.contacts.get(contact.id).name, *args.get(verb, ()))
    assert len(asked) == 1  # it is so already


def test_a_satellite_only_inherits_what_shows_or_shortens_its_own_archive():
    inherited = {name for name in vars(ArchiveOps) if not name.startswith("_")} - vars(SatelliteArchive).keys()
    assert inherited == {
        "page",
        "strangers",
        "retention",
        "sweep",
        "next_sweep",
        "take_in",
    }  # the API asks homes only for the last


def test_a_home_understands_every_request_about_contacts():
    requests = set(ContactRequest.__subclasses__())
    assert len(requests) >= 3
    assert requests - set(get_args(DeviceVerb)) == set()
