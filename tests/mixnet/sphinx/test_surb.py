"""Reply blocks and their keys: serialised, parsed, kept."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import GEOMETRY, Surb, SurbKeys

KEYS = st.binary(min_size=16, max_size=16)
HOP_KEYS = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=6)


@given(st.binary(min_size=404, max_size=404))
def test_404_bytes_are_a_reply_block_and_no_others(raw):
    surb = Surb.parse_untrusted(raw)
    assert surb.serialize() == raw
    assert (surb.first_hop, surb.header, surb.key) == (raw[:32], raw[32:388], raw[388:])


@pytest.mark.parametrize("size", [*range(0, 404, 13), 403, 405, 808])
def test_a_reply_block_of_another_size_is_refused(size):
    with pytest.raises(RemoteError):
        Surb.parse_untrusted(bytes(size))


@pytest.mark.parametrize("sizes", [(31, 356, 16), (32, 355, 16), (32, 356, 15), (32, 356, 32)])
def test_parts_of_other_sizes_are_refused(sizes):
    with pytest.raises(LocalError):
        Surb(*map(bytes, sizes))


@given(KEYS, HOP_KEYS)
def test_keys_are_restored_from_what_they_expose(key, hop_keys):
    keys = SurbKeys.join(key, hop_keys)
    restored = SurbKeys(keys.expose())
    assert restored == keys
    assert (restored.key, restored.hop_keys) == (key, hop_keys)


@pytest.mark.parametrize("size", [0, 16, 47, 49, 16 + 7 * 32])
def test_keys_of_another_length_are_refused(size):
    with pytest.raises(LocalError):
        SurbKeys(bytes(size))


def test_keys_are_secrets():
    keys = SurbKeys(bytes(48))
    assert repr(keys) == "SurbKeys(<redacted>)"
    with pytest.raises(TypeError):
        hash(keys)
    with pytest.raises(LocalError):
        copy.deepcopy(keys)


def test_a_reply_block_prints_none_of_its_bytes():
    assert repr(Surb(bytes(32), bytes(356), bytes(16))) == "Surb()"
    assert GEOMETRY.surb_size == 404
