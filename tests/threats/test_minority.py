"""Two of five authorities are stopped for good: ten epochs later messages still flow, and the history shows why."""

import json

import pytest
import trio

from mixnet.benchmarks.simulation.network_plan import ActorKind
from mixnet.benchmarks.simulation.world import WorldConfig, run_world
from mixnet.client.model.views import MessageState
from mixnet.directory.display import show_history
from mixnet.directory.queries import DirectoryQueries
from mixnet.errors import Unavailable
from mixnet.pki.document import parse_untrusted
from mixnet.pki.parameters import Parameters
from mixnet.pki.requests import AskDocument, DocumentAnswer
from mixnet.pki.views import timeless_untrusted

LENGTH, AFTER = 20.0, 10  # seconds of an epoch, and epochs to last through
STOPPED = 2
BRISK = Parameters(
    epoch_length=LENGTH,
    mean_delay=0.1,
    payload_rate=1.0,
    loop_rate=0.1,
    drop_rate=0.1,
    downlink_rate=2.0,
    node_loop_rate=0.05,
    link_latency=0.01,
    retransmit_timeout=2.0,
)
WORLD = WorldConfig(seed=3, authorities=5, width=1, providers=2, codec="plain", parameters=BRISK)
PAIRS = ((0, 1), (1, 0))


class Decade:
    """Friends who write to each other in every epoch, while authorities stop in the first; what is seen at the end."""

    def __init__(self):
        self.sent = {pair: [] for pair in PAIRS}

    async def __call__(self, world):
        self.trust, epochs = world.plan.bootstrap, world.plan.bootstrap.epochs
        await world.befriend(0, 1)
        authorities = world.plan.of(ActorKind.AUTHORITY)
        self.gone = {world.plan.identity(one).public for one in authorities[:STOPPED]}
        self.left = {world.plan.identity(one).public for one in authorities[STOPPED:]}
        self.last = epochs.at(world.clock.now()) + 1  # the last epoch whose document they all make
        await trio.sleep(epochs.start(self.last) - world.clock.now())
        for one in authorities[:STOPPED]:
            world.crash(one.name)
        await self._write(world, epochs)
        await trio.sleep(epochs.start(self.last + AFTER) + LENGTH / 2 - world.clock.now())
        self.nodes_ready = [node.snapshot()["ready"] for node in world.nodes.values()]
        await self._look(world)

    async def _write(self, world, epochs):
        """Two texts from each in every epoch, until well into the last."""
        number = 0
        while world.clock.now() < epochs.start(self.last + AFTER) + LENGTH / 4:
            for one, other in PAIRS:
                text = f"{one} {number} in {epochs.at(world.clock.now())}"
                try:
                    await world.clients[one].send(world.client_name(other), text)
                except Unavailable:
                    continue
                self.sent[one, other].append(text)
            number += 1
            await trio.sleep(LENGTH / 2)

    async def _look(self, world):
        self.got = {(one, other): [message.text for message in await world.inbox(other)] for one, other in PAIRS}
        self.acknowledged = [
            message.state is MessageState.DELIVERED
            for client in world.clients
            async for message in client.messages()
            if message.outgoing
        ]
        queries = DirectoryQueries(self.trust, world.network)
        self.documents = {}
        for epoch in range(self.last, self.last + AFTER + 1):
            answers = await queries.everybody(AskDocument(epoch), DocumentAnswer)
            self.documents[epoch] = [answer.document for answer in answers.values() if answer.document is not None]
        self.history = await queries.history(self.last, self.last + AFTER)


@pytest.fixture(scope="module")
def decade():
    play = Decade()
    run_world(play, WORLD)
    return play


def test_messages_flow_for_ten_epochs(decade):
    assert decade.got == decade.sent
    assert all(decade.acknowledged)
    assert all(decade.nodes_ready)
    for texts in decade.sent.values():
        written_in = {int(text.rsplit(" ", 1)[1]) for text in texts}
        assert written_in == set(range(decade.last, decade.last + AFTER + 1))


def test_each_document_since_is_signed_by_exactly_those_who_are_left(decade):
    for epoch in range(decade.last + 1, decade.last + AFTER + 1):
        assert len(decade.documents[epoch]) == len(decade.left) == 3
        for raw in decade.documents[epoch]:
            assert timeless_untrusted(raw, decade.trust).epoch == epoch  # verified, as any reader does
            assert set(parse_untrusted(raw)[1]) == decade.left


def test_the_history_names_those_who_are_missing_in_each_of_these_epochs(decade, capsys):
    before, *since = decade.history
    assert (before.epoch, set(before.missing)) == (decade.last, set())
    assert [report.epoch for report in since] == list(range(decade.last + 1, decade.last + AFTER + 1))
    for report in since:
        assert (set(report.signed), set(report.missing)) == (decade.left, decade.gone)
    show_history(since, decade.trust, json=True)
    shown = json.loads(capsys.readouterr().out)
    assert [set(line["missing"]) for line in shown] == [{one.hex() for one in decade.gone}] * AFTER
    show_history(since, decade.trust, json=False)
    lines = capsys.readouterr().out.splitlines()
    named = [line for line in lines if "3 of 5" in line and all(one.hex()[:8] in line for one in decade.gone)]
    assert len(named) == AFTER
