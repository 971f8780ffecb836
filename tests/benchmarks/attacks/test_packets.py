"""Attacks on packets and documents: nothing is accepted, until a guard is off; then the attack says so."""

from unittest.mock import patch

import pytest
import trio

from mixnet.benchmarks.attacks import ATTACKS, compromise, load, position, replay, split_view, tagging
from mixnet.benchmarks.attacks.acting import ActsOnPackets
from mixnet.benchmarks.attacks.forged_documents import forged_directory
from mixnet.benchmarks.base.figures import Verdict
from mixnet.benchmarks.base.jobs import inline
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.controls.guards import GUARDS, without_guards
from mixnet.benchmarks.simulation.ground_truth import Journey
from mixnet.benchmarks.simulation.trace import Trace
from mixnet.crypto import chacha20
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.document import parse_untrusted, verify_untrusted
from mixnet.pki.topology import sample_mixes
from mixnet.sphinx import engine, payload
from mixnode.replay import Replay, TagFile

pytestmark = pytest.mark.timeout(300)


def values(found):
    return {figure.key: figure.estimate.value for figure in found.figures}


def controls(found, role):
    return [control for control in found.controls if control.role is role]


# Tagging.


def test_no_flip_is_delivered_modified(monkeypatch):
    monkeypatch.setitem(tagging.STEPS, Size.QUICK, 31)
    found = tagging.measure(Size.QUICK, inline)
    assert found.credible
    assert values(found)["tagging_delivered_modified"] == 0
    assert values(found)["tagging_replies_modified"] == 0
    assert values(found)["tagging_delivered_unchanged"] >= 1  # alpha's top bit, on the first link at least
    assert values(found)["tagging_marks_found"] == 0
    assert values(found)["tagging_wrecks_at_recipient"] == values(found)["tagging_wrecks_at_service"] == 1
    assert values(found)["tagging_wrecks_at_provider"] == values(found)["tagging_wrecks_on_the_way"] == 0


def test_flipped_replies_would_show():
    assert tagging.flip_reply(step=20, seed=1, off=["bodies"])[tagging.MODIFIED] > 100
    assert tagging.flip_reply(step=20, seed=1, off=["headers"])[tagging.UNCHANGED] > 5


def test_a_permutation_of_less_than_the_whole_body_lets_marks_through():
    """A private break: bodies are encrypted by a key stream alone, as naive formats do; the MAC stays."""

    def stream(key, body):
        return chacha20(key, body)

    with patch.object(payload, "permute", stream), patch.object(payload, "unpermute", stream):
        assert tagging.mark(packets=20, seed=1) == 20
        assert tagging.flip(link=0, step=50, seed=1)[tagging.MODIFIED] == 0


@pytest.mark.parametrize("link", [0, 4])
def test_each_flip_is_of_one_bit_and_where_it_is_said_to_be(link):
    counts = tagging.flip(link=link, step=300, seed=3)
    assert sum(counts.values()) == 11
    packet = bytes(3072)
    for bit in range(8):
        assert tagging.flipped(packet, 31, bit) != packet
    assert tagging.flipped(packet, 31)[31] == 0x80


def test_without_the_headers_mac_flips_are_noticed_as_such():
    """A broken comparison of the body's MAC alone: noise is delivered, and counted."""
    with patch.object(payload, "equal", lambda *_: True), patch.object(payload, "_MARKER", b""):
        counts = tagging.flip(link=0, step=50, seed=1, start=tagging.MESSAGE_START)
    assert counts[tagging.MODIFIED] > 40


def test_the_attack_reports_an_engine_that_delivers_what_was_changed(monkeypatch):
    monkeypatch.setitem(tagging.STEPS, Size.QUICK, 200)
    with without_guards(["bodies"]):
        found = tagging.measure(Size.QUICK, inline)
    figure = found.figures[0]
    assert figure.estimate.value > 0.5
    assert found.verdict(figure) is Verdict.MISSED


# Position.


def test_headers_tell_nothing_until_they_do():
    found = position.measure(Size.QUICK, inline)
    assert found.credible
    assert all(abs(figure.estimate.value - 0.5) < 0.06 for figure in found.figures)
    assert all(figure.must is not None for figure in found.figures)


def test_the_attack_reports_a_gamma_of_zeros_at_the_first_hop(monkeypatch):
    """A private break: the first header's alpha always begins with a zero nibble."""
    build = engine._build_header

    def leaky(hops, seed):
        number = 0
        while True:
            head, secrets = build(hops, bytes([number]) + seed[1:])
            if head[0] < 64:
                return head, secrets
            number += 1

    monkeypatch.setattr(engine, "_build_header", leaky)
    monkeypatch.setitem(position.PACKETS, Size.QUICK, 1200)
    found = values(position.measure(Size.QUICK, inline))
    assert found["position_auc"] > 0.7
    assert abs(found["position_last_auc"] - 0.5) < 0.15


def test_few_packets_make_no_claim(monkeypatch):
    monkeypatch.setitem(position.PACKETS, Size.QUICK, 300)
    monkeypatch.setattr(position, "CONTROL_PACKETS", 300)
    assert all(figure.must is None for figure in position.measure(Size.QUICK, inline).figures)


# False directory documents.


def test_lies_are_refused_until_the_threshold_is_off():
    found = split_view.measure(Size.QUICK, inline)
    assert found.credible
    shown = values(found)
    assert shown["split_view_accepted"] == shown["split_view_distinct"] == 0
    assert shown["split_view_honest"] == 1
    assert shown["split_view_majority_distinct"] == 20
    assert shown["split_view_majority_proofs"] == 1
    assert len(split_view.LIES) == 10


@pytest.mark.parametrize(
    ("kind", "off", "accepted"),
    [
        ("minority", ["threshold"], True),
        ("forged", ["signatures"], True),
        ("borrowed", ["signatures"], True),
        ("doubled", ["signatures"], True),
        ("strangers", ["signatures", "threshold"], False),  # their names are not on the list
        ("elsewhere", ["signatures", "threshold"], False),
        ("stale", ["threshold", "signatures"], False),
        ("older", ["threshold", "signatures"], False),
        ("early", ["threshold", "signatures"], False),
    ],
)
def test_each_lie_fails_for_its_own_reason(kind, off, accepted):
    seen = split_view.offer(readers=5, seed=2, off=off, only=[kind])
    assert (sum(seen.accepted.values()) > 0) is accepted
    assert seen.offered == {kind: 5}


@pytest.mark.parametrize(
    ("kind", "error"),
    [("stale", "Expired"), ("older", "RolledBack"), ("early", "NotYetValid"), ("elsewhere", "WrongNetwork")],
)
def test_one_check_alone_refuses_each_genuine_document(kind, error):
    """With that refusal overlooked the lie is believed, and counted."""
    refused = []

    def lenient(raw, trust, now, newest_epoch=-1):
        try:
            return verify_untrusted(raw, trust, now, newest_epoch)
        except RemoteError as problem:
            refused.append(type(problem).__name__)
            return parse_untrusted(raw)[0]

    with patch("mixnet.pki.fetch.verify_untrusted", lenient):
        seen = split_view.offer(readers=3, seed=2, only=[kind])
    assert seen.accepted == {kind: 3}
    assert set(refused) == {error}


def test_the_honest_document_of_papers_is_accepted_by_all():
    assert split_view.offer(readers=5, seed=2, only=["honest"]).honest == 5
    assert forged_directory(1).document() == forged_directory(1).document() != forged_directory(2).document()


# Replay.


def test_replayed_packets_are_refused_until_the_check_is_off(monkeypatch):
    monkeypatch.setitem(replay.PACKETS, Size.QUICK, 5)
    found = replay.measure(Size.QUICK, inline)
    assert found.credible
    assert values(found)["replay_accepted"] == 0
    assert values(found)["replay_accepted_after_kill"] == 0
    assert values(found)["replay_refused_known"] == 1
    assert values(found)["replay_keys_retired"] == 0


def test_the_attack_reports_tags_that_a_restart_forgets():
    """Break: nodes load no tags at start."""
    with patch.object(TagFile, "load", lambda _self: b""):
        kept = replay.send_again(packets=4, seed=1)
        killed = replay.send_again(packets=4, seed=1, kill="rest")
    assert kept["again"] == [0, 0]
    assert killed["again"] == [4, 4]


def test_the_attack_reports_tags_that_are_written_a_second_late():
    """Break: a packet goes on before its tag is with the operating system. Only a kill at the instant can tell."""
    append = TagFile.append

    def late(self, tags):
        async def later():
            await trio.sleep(1)
            if self._descriptor >= 0:
                append(self, tags)

        self.begin()
        trio.lowlevel.spawn_system_task(later)

    with patch.object(TagFile, "append", late):
        rested, hurried = (replay.send_again(packets=4, seed=1, kill=when) for when in ("rest", "instant"))
    assert rested["again"] == [0, 0]
    assert hurried["again"] == [4, 4]


def test_the_attack_reports_a_batch_that_is_compared_with_the_past_only():
    """Break: two copies in one write are both new."""

    def admit(self, tags):
        new = [tag not in self._known for tag in tags]
        self._known |= set(tags)
        return new

    with patch.object(Replay, "admit", admit), patch.object(Replay, "_known", set(), create=True):
        found = replay.send_again(packets=4, seed=1)
    assert found["twice"] == [4, 4]
    assert found["again"] == [0, 0]


def test_packets_that_are_refused_for_another_reason_prove_nothing(monkeypatch):
    """Break: the raider can't even link any more after the first packets, so nothing of his is accepted either."""
    visit, visits = replay.visit, []

    async def turned_away(world, host, *args):
        visits.append(host)
        if len(visits) <= 3:
            await visit(world, host, *args)

    monkeypatch.setattr(replay, "visit", turned_away)
    found = replay.send_again(packets=4, seed=1)
    assert found["again"] == [0, 0]
    assert found["refused"] == 0 < found["tries"]
    refused = next(one for one in replay._figures([found] * 3) if one.key == "replay_refused_known")
    assert not refused.must.holds(refused.estimate.value)


# Corrupt mixes.


def test_the_share_of_corrupt_paths_is_as_expected():
    found = compromise.measure(Size.QUICK, inline)
    assert found.credible
    shown = values(found)
    assert shown["compromise_exposed_50pct"] == pytest.approx(compromise._chance(0.5), abs=0.02)
    assert shown["compromise_entropy_50pct"] < shown["compromise_entropy_0pct"] - 1
    assert shown["compromise_chosen_ratio"] == pytest.approx(1.0, abs=0.2)
    assert shown["compromise_users_50pct_after_100"] > 0.95
    assert set(found.curves) == {"exposed_corrupt", "exposed_corrupt_power", "entropy_corrupt"}


def test_the_attack_reports_clients_that_prefer_some_mixes():
    fair = compromise.seen_through(corrupt=0.1, users=30, seed=1)
    biased = compromise.seen_through(corrupt=0.1, users=30, seed=1, off=["routes"])
    assert sum(fair["exposed"]) < 30
    assert sum(biased["exposed"]) == 30 * compromise.MESSAGES
    assert biased["chosen"] == (1500, 1500)
    assert fair["chosen"][0] < 80


def test_paths_from_a_file():
    paths = [["p", f"a{number % 3}", f"b{number // 3 % 3}", f"c{number // 9}", "q"] for number in range(27)]
    journeys = [Journey(n, "payload", "x", "y", [0.1] * 4, path, 1, 2) for n, path in enumerate(paths)]
    found = compromise.score(Trace(), journeys)
    assert 0.005 < found.figures[0].estimate.value < 0.05
    under_way = [Journey(99, "payload", "x", "y", [0.1] * 4, ["p", "a0", "b0"], 1, None)] * 500
    assert compromise.score(Trace(), journeys + under_way).figures == found.figures
    with pytest.raises(LocalError):
        compromise.score(Trace(), under_way)


def test_a_preference_in_one_layer_alone_is_reported():
    """Break: one mix of ten is taken twice as often in the first layer."""
    fair = sample_mixes

    def unfair(document, rng):
        first, *others = fair(document, rng)
        return (document.layers[0][0] if rng.random() < 0.1 else first, *others)

    with patch("mixnet.pki.topology.sample_mixes", unfair):
        seen, packets = compromise.seen_through(corrupt=0.1, users=600, seed=1)["chosen"]
    figure = compromise._preference(seen, packets)
    assert not figure.must.holds(figure.estimate.value)


# All.


@pytest.mark.parametrize("name", ["replay", "tagging", "position", "split_view"])
def test_those_that_act_on_packets_say_that_files_are_no_use(name):
    with pytest.raises(ActsOnPackets, match="without files"):
        load(name).score(Trace(), [])


def test_every_attack_is_whole():
    for name in ATTACKS:
        module = load(name)
        assert name == module.SUBJECT.name
        assert module.SUBJECT.threats and module.SUBJECT.adversary and module.SUBJECT.defence
        assert callable(module.score) and callable(module.measure)


@pytest.mark.parametrize("name", GUARDS)
def test_guards_are_put_back(name):
    before = (Replay.admit, engine.equal, payload.equal, payload.permute, engine.unwrap_untrusted)
    with without_guards([name]):
        pass
    assert before == (Replay.admit, engine.equal, payload.equal, payload.permute, engine.unwrap_untrusted)
