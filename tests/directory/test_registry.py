"""Only approved nodes get in, in their role, for about now."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.directory.registry import NodeRegistry, Unapproved, Unreachable, Untimely
from mixnet.pki.descriptor import NodeRole
from mixnet.pki.errors import Refused
from mixnet.reach import Reach
from tests.mixnet.pki.builders import Town

TOWN = Town()


def registry() -> NodeRegistry:
    return NodeRegistry(TOWN.bootstrap.network_id, TOWN.approved)


def test_it_is_complete_with_all_approved_nodes() -> None:
    held = registry()
    for raw in TOWN.descriptors():
        assert not held.complete(0)
        held.take_untrusted(raw, 0)
    assert held.complete(0)
    assert held.ballot(0) == TOWN.descriptors()


def test_the_last_epochs_descriptors_serve_until_there_are_newer_ones() -> None:
    held = registry()
    for raw in TOWN.descriptors(3):
        held.take_untrusted(raw, 3)
    assert held.complete(4)
    assert not held.complete(5)
    assert not held.complete(2)
    held.take_untrusted(TOWN.descriptor("mix 0", 4), 4)
    assert TOWN.descriptor("mix 0", 4) in held.ballot(4)
    assert TOWN.descriptor("mix 0", 3) in held.ballot(3)


def test_the_last_word_counts() -> None:
    held = registry()
    held.take_untrusted(TOWN.descriptor("mix 0"), 0)
    moved = TOWN.descriptor("mix 0", address="10.9.9.9:1")
    held.take_untrusted(moved, 0)
    assert held.ballot(0) == [moved]


def test_unapproved_nodes_roles_and_networks_are_refused() -> None:
    fewer = {identity: role for identity, role in TOWN.approved.items() if identity != TOWN.nodes["mix 0"][0].public}
    with pytest.raises(Unapproved):
        NodeRegistry(TOWN.bootstrap.network_id, fewer).take_untrusted(TOWN.descriptor("mix 0"), 0)
    with pytest.raises(Unapproved):
        registry().take_untrusted(TOWN.descriptor("mix 0", role=NodeRole.PROVIDER), 0)
    with pytest.raises(Unapproved):
        registry().take_untrusted(Town(name="other ").descriptor("mix 0"), 0)


@pytest.mark.parametrize(("epoch", "present"), [(3, 5), (7, 5), (2**40, 5)])
def test_untimely_descriptors_are_refused(epoch: int, present: int) -> None:
    with pytest.raises(Untimely):
        registry().take_untrusted(TOWN.descriptor("mix 0", epoch), present)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:22", "169.254.169.254:80", "[::ffff:10.0.0.1]:1", "localhost:1", "mix.internal:1", "127.1:1"]
)
def test_a_node_of_a_public_network_names_no_address_inside_of_one(address: str) -> None:
    held = NodeRegistry(TOWN.bootstrap.network_id, TOWN.approved, Reach.ANYWHERE)
    with pytest.raises(Unreachable):
        held.take_untrusted(TOWN.descriptor("mix 0", address=address), 0)
    assert held.take_untrusted(TOWN.descriptor("mix 0", address="mix.example.org:1"), 0)


@given(raw=st.binary(max_size=200))
def test_garbage_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused):
        registry().take_untrusted(raw, 0)


def test_what_is_held_is_bounded() -> None:
    held = registry()
    for epoch in range(50):
        held.take_untrusted(TOWN.descriptor("mix 0", epoch), epoch)
    assert sum(len(held.ballot(epoch)) for epoch in range(52)) == 4  # three descriptors, the last serves one more epoch
