"""The vectors: sphinxmix' packets hop by hop, and named packets that every engine must refuse.

They need no sphinxmix; where it is installed, its engine has to pass them too.
"""

import json
from pathlib import Path

import pytest

from mixnet.crypto import SphinxSecret
from mixnet.errors import RemoteError
from mixnet.sphinx import SphinxEngine, SurbKeys, engine, engine_by_name, header, keys, payload
from tests.mixnet.sphinx import oracle
from tests.vectors import make_refused

FOLDER = Path(make_refused.__file__).parent
CASES = json.loads((FOLDER / "sphinx.json").read_text())["cases"]
REFUSED = json.loads(make_refused.FILE.read_text())
ENGINES = ["mixnet"] + ["sphinxmix"] * oracle.installed()
ENGINE = SphinxEngine()


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.get("name") or f"{case['kind']}-{case['hops']}")


def unhex(values):
    return [bytes.fromhex(value) for value in values]


def test_the_files_hold_what_they_should():
    assert sorted((case["kind"], case["hops"]) for case in CASES) == sorted(
        (kind, hops) for kind in ("forward", "reply") for hops in range(1, 7)
    )
    names = [case["name"] for case in REFUSED["refused"] + REFUSED["same_tag"] + REFUSED["reply"]["refused"]]
    assert len(names) == len(set(names)) > 40
    for failure in ("alpha", "beta", "gamma", "truncated", "too long", "low order", "wrong key", "replayed", "kind"):
        assert any(failure in name for name in names), failure


def test_the_refused_vectors_are_what_their_script_makes():
    assert make_refused.build() == REFUSED


@named(CASES)
def test_every_hop_peels_to_the_same_bytes(case):
    packets = unhex(case["packets"])
    for at, (secret, command, tag) in enumerate(
        zip(unhex(case["private_keys"]), unhex(case["commands"]), unhex(case["tags"]), strict=True)
    ):
        layer = engine.unwrap_untrusted(SphinxSecret(secret), packets[at])
        assert (layer.command, layer.tag) == (command, tag)
        assert layer.header + layer.body == packets[at + 1]


@named([case for case in CASES if case["kind"] == "forward"])
def test_the_message_arrives(case):
    layer = last_layer(case)
    assert payload.unpack_untrusted(layer.key, layer.body).hex() == case["message"]


@named([case for case in CASES if case["kind"] == "reply"])
def test_the_reply_opens(case):
    opening = SurbKeys.join(bytes.fromhex(case["surb_key"]), unhex(case["surb_hop_keys"]))
    body = bytes.fromhex(case["packets"][-1])[-len(last_layer(case).body) :]
    for name in ENGINES:
        assert engine_by_name(name).open_reply_untrusted(opening, body).hex() == case["message"]


@named(CASES)
def test_the_last_layer_can_be_built_again(case):
    """From the secrets alone: a header of one hop whose padding is what the last hop found behind its command."""
    shared = keys.SharedSecret(last_shared(case))
    beta = bytes.fromhex(case["packets"][-2])[32:340]
    command, behind, first = header.open_layer(shared.rho(), beta)
    built, gamma = header.build([shared], [command[1:]], (first + behind)[:270])
    assert built + gamma == bytes.fromhex(case["packets"][-2])[32:356]


def last_layer(case):
    return engine.unwrap_untrusted(
        SphinxSecret(bytes.fromhex(case["private_keys"][-1])), bytes.fromhex(case["packets"][-2])
    )


def last_shared(case):
    return engine.x25519(bytes.fromhex(case["private_keys"][-1]), bytes.fromhex(case["packets"][-2])[:32])


def peel(name, case):
    secret = SphinxSecret(bytes.fromhex(case["secret"]))
    return engine_by_name(name).peel_untrusted(secret, bytes.fromhex(case["packet"]))


@pytest.mark.parametrize("name", ENGINES)
@named(REFUSED["genuine"])
def test_the_genuine_one_is_accepted(name, case):
    assert peel(name, case)


@pytest.mark.parametrize("name", ENGINES)
@named(REFUSED["refused"])
def test_refused(name, case):
    with pytest.raises(RemoteError):
        peel(name, case)


@named([case for case in REFUSED["refused"] if case["name"].startswith("low order")])
def test_the_low_order_points_have_low_order(case):
    with pytest.raises(RemoteError, match="low order"):
        engine.x25519(bytes.fromhex(case["secret"]), bytes.fromhex(case["packet"])[:32])


@pytest.mark.parametrize("name", ENGINES)
@named(REFUSED["same_tag"])
def test_a_replay_has_the_tag_of_the_first(name, case):
    assert peel(name, case).tag == peel(name, REFUSED["genuine"][0]).tag


@pytest.mark.parametrize("name", ENGINES)
@named(REFUSED["reply"]["refused"])
def test_refused_reply(name, case):
    opening = SurbKeys(bytes.fromhex(REFUSED["reply"]["keys"]))
    chosen = engine_by_name(name)
    genuine = bytes.fromhex(REFUSED["reply"]["genuine"])
    assert chosen.open_reply_untrusted(opening, genuine).hex() == REFUSED["reply"]["message"]
    with pytest.raises(RemoteError):
        chosen.open_reply_untrusted(opening, bytes.fromhex(case["body"]))
