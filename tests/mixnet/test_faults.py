"""What is said of an error: its kind and its place in our own code, and nothing that it says."""

import json
import re

from mixnet.clock import Epochs
from mixnet.errors import LocalError
from mixnet.faults import leaves, named
from mixnet.network import Address


def raised(do):
    try:
        do()
    except BaseException as error:
        return error
    raise AssertionError


def test_the_place_is_the_innermost_of_our_own_code():
    refused = raised(lambda: Address.parse("a secret"))
    assert re.fullmatch(r"LocalError at mixnet/network\.py:\d+", named(refused))
    inside = raised(lambda: Epochs(0.0, 1.0).at(None))
    assert re.fullmatch(r"TypeError at mixnet/clock\.py:\d+", named(inside))
    assert named(raised(lambda: json.loads("secret"))) == "JSONDecodeError"
    assert named(KeyError("secret")) == "KeyError"


def test_of_a_group_all_are_named_once():
    inner = ExceptionGroup("secret", [KeyError("a"), LocalError("b")])
    group = ExceptionGroup("secret", [inner, KeyError("c")])
    assert named(group) == "KeyError, LocalError"
    assert len(list(leaves(group))) == 3
