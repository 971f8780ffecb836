"""Commands: 37 bytes there and back, and nothing else accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import GEOMETRY, Command, Kind, microseconds
from mixnet.sphinx.commands import MAX_DELAY_US, fields_untrusted
from tests.mixnet.sphinx.strategies import commands, delays, identities


def test_the_bytes_of_a_command():
    command = Command(Kind.FORWARD, bytes(range(32)), 0x01020304)
    assert command.serialize().hex() == "00" + bytes(range(32)).hex() + "01020304"
    assert [int(kind) for kind in Kind] == [0, 1, 2, 3, 4]


@given(commands(*Kind))
def test_a_command_parses_back(command):
    raw = command.serialize()
    assert len(raw) == GEOMETRY.command_size
    assert Command(*fields_untrusted(raw)) == command


@given(st.binary(min_size=37, max_size=37))
def test_37_bytes_are_a_command_of_ours_or_refused(raw):
    if raw[0] in list(Kind):
        assert Command(*fields_untrusted(raw)).serialize() == raw
    else:
        with pytest.raises(RemoteError):
            fields_untrusted(raw)


@given(st.sampled_from(Kind), identities, delays)
def test_a_command_cut_anywhere_or_lengthened_is_refused(kind, target, delay_us):
    raw = Command(kind, target, delay_us).serialize()
    for wrong in [raw[:length] for length in range(len(raw))] + [raw + b"\0"]:
        with pytest.raises(RemoteError):
            fields_untrusted(wrong)


@pytest.mark.parametrize("wrong", [{"target": bytes(31)}, {"target": bytes(33)}, {"delay_us": -1}, {"delay_us": 2**32}])
def test_what_37_bytes_cannot_say_is_refused(wrong):
    with pytest.raises(LocalError):
        Command(Kind.FORWARD, **wrong)


def test_targets_and_delays_are_zero_unless_given():
    assert Command(Kind.DROP).serialize() == bytes([Kind.DROP]) + bytes(36)


def test_a_command_does_not_print_its_target():
    target = b"whose mailbox is nobody's affair"
    assert "mailbox is nobody" not in repr(Command(Kind.DELIVER_MAILBOX, target))


@given(st.floats(0, 4294.9))
def test_delays_are_rounded_to_microseconds(seconds):
    assert abs(Command(Kind.FORWARD, delay_us=microseconds(seconds)).delay - seconds) <= 0.51e-6


@pytest.mark.parametrize(("seconds", "expected"), [(-1.0, 0), (0.0, 0), (1e-6, 1), (5000.0, MAX_DELAY_US)])
def test_delays_that_do_not_fit_are_cut(seconds, expected):
    assert microseconds(seconds) == expected
