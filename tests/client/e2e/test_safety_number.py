from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.e2e.safety_number import GROUPS, safety_number

KEYS = st.binary(min_size=32, max_size=32)


@given(KEYS, KEYS, KEYS)
def test_safety_numbers(own, theirs, other):
    number = safety_number(own, theirs)
    assert number == safety_number(theirs, own)
    assert [len(group) for group in number.split(" ")] == [5] * GROUPS and number.replace(" ", "").isdigit()
    if other not in (own, theirs):
        assert number != safety_number(own, other)
