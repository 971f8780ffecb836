"""The lengths of spec/02-sphinx.md 2.2, and that they are derived."""

import pytest

from mixnet.errors import LocalError
from mixnet.sphinx import GEOMETRY, Geometry


def test_the_lengths_on_the_wire():
    assert (GEOMETRY.packet_size, GEOMETRY.max_hops) == (3072, 6)
    assert (GEOMETRY.alpha_size, GEOMETRY.beta_size, GEOMETRY.gamma_size, GEOMETRY.body_size) == (32, 308, 16, 2716)
    assert (GEOMETRY.header_size, GEOMETRY.command_size) == (356, 37)
    assert (GEOMETRY.message_size, GEOMETRY.surb_size) == (2699, 404)


@pytest.mark.parametrize("packet_size", [1024, 2048, 3072, 32768])
@pytest.mark.parametrize("max_hops", [1, 5, 6, 12])
def test_every_length_follows_from_the_first_three(packet_size, max_hops):
    geometry = Geometry(packet_size=packet_size, max_hops=max_hops)
    assert geometry.header_size + geometry.body_size == packet_size
    assert geometry.beta_size == max_hops * (1 + 37) + (max_hops - 1) * 16
    assert geometry.message_size == geometry.body_size - 16 - 1
    assert geometry.padding_size(max_hops) == 0
    assert geometry.padding_size(1) == geometry.beta_size - 38


@pytest.mark.parametrize("sizes", [{"packet_size": 356}, {"packet_size": 0}, {"max_hops": 0}, {"target_size": 0}])
def test_a_packet_without_room_is_refused(sizes):
    with pytest.raises(LocalError):
        Geometry(**sizes)


def test_the_smallest_packet_carries_an_empty_message():
    assert Geometry(packet_size=GEOMETRY.header_size + 17).message_size == 0
