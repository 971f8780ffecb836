"""Who invites to a group: the first one stays the sponsor, whatever others say of the same group."""

import pytest

from mixnet.client.e2e.group_bodies import GroupOffer
from mixnet.client.groups import offers
from mixnet.client.model.group_views import GroupState
from tests.client.worlds.channel import Channel

NAMES = ("victim", "boss", "mallory")


@pytest.fixture
def channel(tmp_path):
    made = Channel(tmp_path, 1, names=NAMES)
    made.introduce("victim", "boss")
    made.introduce("victim", "mallory")
    made.run(60)
    made["boss"].messenger.groups.create("club", made.now)
    return made


def groups(channel, name="victim"):
    return channel[name].messenger.groups


def offer(channel, sender, identifier, title="club"):
    core = channel[sender].messenger._core
    row = core.contacts.known(channel["victim"].messenger._core.identity_public)
    core.enqueue(row.id, 0, GroupOffer(identifier, title), None, channel.now)
    channel.run(30)


def invited(channel):
    groups(channel, "boss").invite("club", "victim", channel.now)
    channel.run(30)
    return groups(channel)._registry.named("club")


def sponsor(channel):
    registry = groups(channel)._registry
    return channel["victim"].messenger._core.contacts.get(registry.named("club").sponsor).name


def test_another_contact_does_not_become_the_sponsor_of_an_invitation(channel):
    group = invited(channel)
    offer(channel, "mallory", group.identifier, "other")
    assert sponsor(channel) == "boss" and channel["victim"].refused == 1
    groups(channel).accept("club", channel.now)
    offer(channel, "mallory", group.identifier)
    channel.run(60)
    assert sponsor(channel) == "boss"
    assert groups(channel).show("club").state is GroupState.MEMBER


def test_a_group_that_was_left_is_offered_anew_by_who_is_in_it_alone(channel):
    group = invited(channel)
    groups(channel).accept("club", channel.now)
    channel.run(60)
    groups(channel).leave("club", channel.now)
    channel.run(60)
    offer(channel, "mallory", group.identifier)
    assert groups(channel).show("club").state is GroupState.LEFT
    invited(channel)
    assert groups(channel).show("club").state is GroupState.INVITED and sponsor(channel) == "boss"


def test_a_group_that_one_never_was_in_may_be_offered_by_anybody(channel):
    group = invited(channel)
    groups(channel).leave("club", channel.now)
    offer(channel, "mallory", group.identifier)
    assert groups(channel).show("club").state is GroupState.INVITED and sponsor(channel) == "mallory"


def test_one_contact_does_not_take_the_places_of_others_invitations(channel):
    for number in range(offers.OFFERS_OF_ONE + 3):
        offer(channel, "mallory", bytes([number]) * 32, f"g{number}")
    assert len(groups(channel).list()) == offers.OFFERS_OF_ONE
    invited(channel)
    assert groups(channel).show("club").state is GroupState.INVITED


@pytest.mark.parametrize("uses", ["accepts", "is accepted"])
def test_a_group_that_claims_a_persons_key_does_not_keep_that_person_away(channel, uses):
    newcomer = channel.join("newcomer")
    offer(channel, "mallory", newcomer.messenger._core.identity_public, "trap")
    assert [group.name for group in groups(channel).list()] == ["trap"]
    if uses == "accepts":
        channel.introduce("newcomer", "victim")
    else:
        channel.introduce("victim", "newcomer")
    channel.run(60)
    channel["victim"].messenger.send_text("newcomer", "hi", channel.now)
    channel.run(60)
    assert channel["newcomer"].inbox() == ["hi"]


def test_a_group_is_not_offered_under_the_key_of_a_contact(channel):
    offer(channel, "mallory", channel["boss"].messenger._core.identity_public, "trap")
    assert groups(channel).list() == [] and channel["victim"].refused == 1
    assert channel["victim"].messenger._core.faults == 0
