import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.model.contact_states import (
    NAME_LIMIT,
    STANDINGS,
    TRANSITIONS,
    ContactEvent,
    ContactVerdict,
    Standing,
    WrongStep,
    after,
    check_name,
    free_name,
)
from client.model.errors import BadName
from client.model.views import ContactState


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


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "a\x1b[31mb", "a\u202eb", "x" * 65, "\u200b"])
def test_bad_names(name):
    with pytest.raises(BadName):
        check_name(name)


@given(st.text(max_size=80), st.integers(0, 30))
def test_a_free_name_is_free_and_good(name, crowd):
    try:
        check_name(name)
    except BadName:
        return
    taken: set[str] = set()
    for _ in range(crowd):
        made = free_name(name, taken)
        assert made not in taken and len(check_name(made)) <= NAME_LIMIT
        taken.add(made)
