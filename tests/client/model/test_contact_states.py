import itertools

import pytest

from mixnet.client.model.contact_states import (
    STANDINGS,
    TRANSITIONS,
    ContactEvent,
    ContactVerdict,
    Standing,
    WrongStep,
    after,
)
from mixnet.client.model.views import ContactState


def test_the_table_is_all_there_is():
    for state, event in itertools.product(ContactState, ContactEvent):
        if (state, event) in TRANSITIONS:
            assert after(state, event) is TRANSITIONS[state, event]
        else:
            with pytest.raises(WrongStep):
                after(state, event)


def test_every_state_is_reachable_and_only_the_user_verifies():
    reached = {ContactState.PENDING, ContactState.ESTABLISHED}
    while more := {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached:
        reached |= more
    assert reached == set(ContactState)
    for (before, event), state in TRANSITIONS.items():
        if state is ContactState.VERIFIED:
            assert before is ContactState.VERIFIED or event is ContactEvent.VERIFY
        if before is ContactState.VERIFIED:
            assert state is ContactState.VERIFIED
    assert (ContactState.PENDING, ContactEvent.VERIFY) not in TRANSITIONS


def test_the_last_word_of_the_user_decides_who_is_heard():
    assert set(STANDINGS) == set(itertools.product(Standing, ContactVerdict))
    said = {ContactVerdict.BLOCK: Standing.BLOCKED, ContactVerdict.UNBLOCK: Standing.OPEN}
    assert all(STANDINGS[before, verdict] is said[verdict] for before, verdict in STANDINGS)
