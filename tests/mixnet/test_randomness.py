"""Independent streams of randomness."""

import random

from hypothesis import given
from hypothesis import strategies as st

from mixnet.randomness import SeededSource, SystemSource

labels = st.lists(st.text(alphabet="abc", max_size=3), min_size=1, max_size=3)


def numbers(stream, count=5):
    return [stream.random() for _ in range(count)]


@given(st.integers(), labels)
def test_a_seed_and_a_label_give_one_sequence(seed, label):
    assert numbers(SeededSource(seed).stream(*label)) == numbers(SeededSource(seed).stream(*label))


@given(st.integers(), labels, labels)
def test_other_labels_give_other_sequences(seed, one, other):
    source = SeededSource(seed)
    assert (numbers(source.stream(*one)) == numbers(source.stream(*other))) == (one == other)


def test_other_seeds_give_other_sequences():
    assert numbers(SeededSource(1).stream("payload")) != numbers(SeededSource(2).stream("payload"))


@given(st.integers(), labels, labels)
def test_a_child_s_streams_are_those_below_its_label(seed, path, label):
    source = SeededSource(seed)
    assert numbers(source.child(*path).stream(*label)) == numbers(source.stream(*path, *label))


def test_drawing_from_one_stream_never_shifts_another():
    source = SeededSource(7)
    disturbed, quiet = source.stream("loop"), source.stream("loop")
    expected = numbers(quiet)
    got = []
    for _ in range(5):
        numbers(source.stream("payload"), 3)
        got.append(disturbed.random())
    assert got == expected


def test_the_system_s_streams_cannot_be_predicted():
    source = SystemSource()
    assert isinstance(source.stream("payload"), random.SystemRandom)
    assert isinstance(source.child("client").stream("payload"), random.SystemRandom)
    assert numbers(source.stream("payload")) != numbers(source.stream("payload"))
