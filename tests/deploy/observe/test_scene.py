"""What the page is told follows from samples alone: both lines alike, whoever writes; and replayed, the same."""

import math

import pytest

from mixnet.deploy.observe import entropy
from mixnet.deploy.observe.messages import Figures, Layout, Tick
from mixnet.deploy.observe.samples import (
    MOST_CLIENTS,
    MOST_LINKS,
    ClientSample,
    NodeSample,
    Sample,
    read_recording,
    write_line,
)
from mixnet.deploy.observe.scene import LONG, MOST_ENDS, Scene, band, median
from mixnet.deploy.observe.window import Window
from tests.deploy.observe.acted import HEADING, LAYERS, NODES, RULES, TICK, act


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A rough estimate of the entropy will do."""
    monkeypatch.setattr(entropy, "WORK", 2000)


def told(samples, scene=None):
    scene = scene or Scene(HEADING)
    return [message for sample in samples for message in scene.take(sample)]


def last(messages, kind):
    return [message for message in messages if isinstance(message, kind)][-1]


def test_an_observer_sees_the_same_of_who_writes_and_who_does_not():
    messages = told(act(60))
    layout, figures = last(messages, Layout), last(messages, Figures)
    assert layout.clients == ["alice", "carol"]
    ticks = [message for message in messages if isinstance(message, Tick)]
    assert len(ticks) == 240
    busy, idle = (sum(tick.clients[place].up for tick in ticks[1:]) for place in (0, 1))
    assert abs(busy - idle) / math.sqrt(busy + idle) < 3
    alike = figures.alike
    assert (alike.busy, alike.idle) == ("alice", "carol")
    assert alike.messages > 500
    assert alike.deviations == pytest.approx((alike.busy_frames - alike.idle_frames) / math.sqrt(busy + idle), rel=0.1)
    rows = {row.name: row for row in figures.clients}
    assert rows["alice"].told["messages"] > 500
    assert "messages" not in rows["carol"].told
    for row in rows.values():
        assert row.up == pytest.approx(34, rel=0.1)
        assert row.spread == pytest.approx(1, abs=0.3), "a Poisson process"


def test_a_recording_that_is_replayed_gives_the_same_messages():
    samples = list(act(90))
    lines = [write_line(HEADING), *map(write_line, samples)]
    heading, played = read_recording(lines)
    assert told(played, Scene(heading)) == told(samples)


def test_a_page_that_opens_late_is_given_what_it_missed():
    scene = Scene(HEADING)
    messages = told(act(60), scene)
    opening = scene.opening()
    ticks = [message for message in messages if isinstance(message, Tick)]
    assert opening.past == ticks[-160:]
    assert opening.nodes == last(messages, Layout).nodes
    assert scene.figures == last(messages, Figures)


def test_the_anonymity_is_that_of_the_rates_and_below_its_optimum():
    found = last(told(act(60)), Figures).anonymity
    assert found.rate == pytest.approx(68, rel=0.1)
    assert (found.holds, found.mean_delay, found.clients) == (4, 0.05, 2)
    assert 3.5 < found.entropy < found.optimum == pytest.approx(4.68, abs=0.15)
    assert len(found.past) == 12, "once in five seconds"


def test_nothing_is_claimed_without_clients_a_document_or_a_layer():
    def without(change):
        return last(told(change(sample) for sample in act(20)), Figures).anonymity

    assert without(lambda sample: sample) is not None
    assert without(lambda one: Sample(one.at, [], one.clients, one.nodes, one.rules)) is None
    assert without(lambda one: Sample(one.at, one.flows, one.clients, one.nodes)) is None
    kept = [{**one.nodes} for one in act(20)]
    for nodes in kept:
        for name in ("mix-3", "mix-4"):
            nodes.pop(name, None)
    numbered = iter(kept)
    assert without(lambda one: Sample(one.at, one.flows, one.clients, next(numbered), one.rules)) is None


def test_time_is_that_of_the_network():
    figures = last(told(act(60)), Figures)
    assert (figures.epoch, figures.epoch_left) == (3, pytest.approx(91))
    assert figures.epoch_share == pytest.approx(0.09)


@pytest.mark.parametrize(
    ("node", "client", "words"),
    [
        (NodeSample(), ClientSample(up=True, connected=True), "mix-1 doesn't answer"),
        (NodeSample(up=True), ClientSample(up=True, connected=True), "mix-1 isn't ready"),
        (
            NodeSample(up=True, ready=True, warnings=["loops_missing"]),
            ClientSample(up=True, connected=True),
            "mix-1: too many loops are lost",
        ),
        (NodeSample(up=True, ready=True), ClientSample(up=True), "alice isn't connected"),
        (
            NodeSample(up=True, ready=True),
            ClientSample(up=True, connected=True, warnings=["<b>&"]),
            "alice: <b>&",
        ),
    ],
)
def test_what_is_wrong_is_said(node, client, words):
    nodes = {**dict.fromkeys(HEADING.nodes, NodeSample(up=True, ready=True)), "mix-1": node}
    assert last(told([Sample(0.0, [], {"alice": client}, nodes)]), Figures).alarms == [words]


def test_a_daemon_or_a_node_that_starts_anew_counts_from_nothing():
    assert band({"message": 5, "drop": 9}, {"message": 2, "drop": 1, "question": 1}) == {"asked": 1}
    fresh = NodeSample(up=True, ready=True, packets_in=2)
    nodes = dict.fromkeys(HEADING.nodes, NodeSample(up=True, ready=True, packets_in=1000))
    messages = told([Sample(0.0, [], {}, nodes), Sample(1.0, [], {}, {**nodes, "mix-1": fresh})])
    assert {row.incoming for row in last(messages, Figures).nodes} == {0}


def test_new_links_and_clients_keep_the_numbers_of_those_before():
    scene = Scene(HEADING)
    told([Sample(0.0, [("carol", "provider-1", 3)])], scene)
    told([Sample(TICK, [("alice", "provider-1", 2), ("carol", "provider-1", 1)])], scene)
    opening = scene.opening()
    assert opening.clients == ["carol", "alice"]
    assert opening.links == [("carol", "provider-1"), ("alice", "provider-1")]
    assert [tick.flows for tick in opening.past] == [[(0, 3)], [(0, 1), (1, 2)]]


def test_what_is_kept_does_not_grow():
    scene = Scene(HEADING)
    told(act(LONG + 20, rate=0.5), scene)
    sizes = [len(part) for part in (scene._ticks, scene._estimates, scene._minute._parts, scene._loops._parts)]
    assert sizes == [160, 60, 240, 1200]


def test_windows_forget():
    window = Window(10.0)
    for second in range(31):
        window.add(float(second), {"a": 2} if second < 25 else {})
    assert (window["a"], window.span, window.rate("a")) == (8, 10.0, 0.8)
    assert window.total() == {"a": 8}
    assert window.spread("b") == 0


def test_medians():
    assert median([], 0.1) is median([0, 0], 0.1) is None
    assert median([0, 4, 0, 4], 0.1) == pytest.approx(0.2)
    assert median([1], 0.1) == pytest.approx(0.05)


def test_a_recording_of_endless_names_or_of_one_moment_is_shown_as_far_as_there_is_room():
    """Anybody's file may be played: each sample within its limits, and all of them with other names."""
    many = [
        Sample(
            float(at),
            [(f"{at}.{number}", "provider-1", 1) for number in range(1000)],
            {f"own {at}.{number}": ClientSample(up=True) for number in range(50)},
            {name: NodeSample(up=True, layer=LAYERS.get(name)) for name in NODES},
            RULES,
        )
        for at in (0, 0, 0, 1)
    ]
    scene = Scene(HEADING)
    assert last(told(many, scene), Figures).at == 1
    layout = scene.opening()
    assert MOST_ENDS <= len(layout.clients) <= MOST_ENDS + MOST_CLIENTS == MOST_ENDS + len(scene._own)
    assert {end for link in layout.links for end in link} <= {*layout.clients, *NODES}
    scene, names = Scene(HEADING), layout.clients[:100]
    told(
        [
            Sample(at, [(one, other, 1) for one in half for other in names])
            for at, half in ((0.0, names[:50]), (0.0, names[50:]))
        ],
        scene,
    )
    assert len(scene.opening().links) == MOST_LINKS
