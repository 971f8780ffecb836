"""Of the reply blocks that somebody anonymous gives, only those of a known epoch are used."""

import pytest

from mixnet.client.arq.fragments import ReplyBlock
from mixnet.client.e2e.anonymous_bodies import blocks_untrusted
from mixnet.errors import RemoteError
from mixnet.sphinx import GEOMETRY


def test_a_block_for_an_odd_time_is_dropped_and_one_of_another_size_is_refused():
    blocks = [ReplyBlock(bytes([number]) * GEOMETRY.surb_size, 1000 + number) for number in range(4)]
    raw = tuple(block.serialize() for block in blocks)
    assert blocks_untrusted(raw, frozenset({1001, 1003, 1004})) == [blocks[1], blocks[3]]
    assert blocks_untrusted(raw, frozenset()) == blocks_untrusted((), frozenset({1001})) == []
    with pytest.raises(RemoteError):
        blocks_untrusted((*raw, raw[0][:-1]), frozenset({1001}))
