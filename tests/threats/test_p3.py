"""P3, undetectability: what is on a client's link does not depend on what its user does, to the last nanosecond.

Under one seed a world runs twice: once its users do nothing, once whatever Hypothesis makes up (contacts, texts, files,
both ways, bursts and pauses). All frames on the links of all clients, in both directions, must have the same times and
sizes. The controls are clients and providers that leak a little: the same comparison must find each of them.
"""

import random
from dataclasses import dataclass
from functools import cache

import msgspec
import pytest
import trio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mixnet.benchmarks.controls import cover
from mixnet.benchmarks.simulation.world import WorldConfig
from mixnode.members import Members
from tests.threats import leaks
from tests.threats.links import BRISK, CLIENTS, LENGTH, links

SHORT = 36.0  # seconds, in which any of the leaks shows
# Epochs are short, so that questions to the directory are among the traffic.


@dataclass(frozen=True)
class Text:
    when: float
    author: int
    text: str


@dataclass(frozen=True)
class File:
    when: float
    author: int
    size: int


@dataclass(frozen=True)
class Read:
    when: float
    author: int


@dataclass(frozen=True)
class Life:
    """What two users do: when they become contacts, by whose invitation, and what they do from then on."""

    met: float
    inviter: int
    deeds: tuple

    async def live(self, world, folder):
        await trio.sleep_until(self.met)
        await world.befriend(self.inviter, 1 - self.inviter)
        for number, deed in enumerate(sorted(self.deeds, key=lambda deed: deed.when)):
            await trio.sleep_until(deed.when)
            me, contact = world.clients[deed.author], CLIENTS[1 - deed.author]
            match deed:
                case Text():
                    await me.send(contact, deed.text)
                case File():
                    path = folder / f"{number}.bin"
                    path.write_bytes(random.Random(number).randbytes(deed.size))
                    await me.send_file(contact, path)
                case Read():
                    for message in await world.inbox(deed.author):
                        await me.mark_read(message.id)


TIMES = st.floats(0, LENGTH)
DEEDS = st.one_of(
    st.builds(Text, TIMES, st.integers(0, 1), st.text("ab é\n", min_size=1, max_size=3000).filter(str.strip)),
    st.builds(File, TIMES, st.integers(0, 1), st.integers(1, 20_000)),
    st.builds(Read, TIMES, st.integers(0, 1)),
)
LIVES = st.builds(Life, TIMES, st.integers(0, 1), st.lists(DEEDS, max_size=8).map(tuple))
BUSY = Life(3.0, 0, (Text(15, 0, "hello"), File(16, 0, 30_000), Text(20, 1, "hi" * 900), Read(35, 1)))


@cache
def idle(seed):
    return links(seed)[0]


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """The links, and the world, of two who are busy."""
    folder = tmp_path_factory.mktemp("busy")
    return links(1, lambda world: BUSY.live(world, folder))


@pytest.mark.timeout(900)  # for machines that do much else
# The phase that explains failures traces every line, which takes minutes here.
@settings(max_examples=4, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
@given(life=LIVES, seed=st.integers(1, 2))
def test_an_idle_and_a_busy_client_look_the_same(tmp_path_factory, life, seed):
    folder = tmp_path_factory.mktemp("files")
    assert links(seed, lambda world: life.live(world, folder))[0] == idle(seed)


def test_one_who_writes_and_sends_a_file_looks_the_same_too(busy):
    assert busy[0] == idle(1)


def test_the_busy_client_is_busy_and_the_idle_one_has_traffic(busy):
    """Control: what is compared is neither empty nor the same run twice."""
    observed, world = busy
    kinds = [journey.kind for journey in world.truth if journey.sender in CLIENTS]
    assert kinds.count("payload") > 10
    assert kinds.count("ack") > 1
    for host in CLIENTS:
        rows = observed[host]
        assert sum(row.src == host for row in rows) > 1.3 * LENGTH
        assert sum(row.dst == host for row in rows) > 1.3 * LENGTH
    assert idle(1) != idle(2)


def test_with_real_packets_too(tmp_path):
    config = WorldConfig(seed=1, clients=2, parameters=BRISK, codec="sphinx")
    assert links(1, lambda world: BUSY.live(world, tmp_path), config)[0] == idle(1)


def test_a_provider_that_gives_no_documents_learns_nothing_more(monkeypatch, tmp_path):
    """After a whole epoch without an answer clients ask the authorities: at a time that no message has moved."""
    monkeypatch.setattr(Members, "raw", lambda self, epoch: None)
    parameters = msgspec.structs.replace(BRISK, epoch_length=16.0)
    config = WorldConfig(seed=3, clients=2, parameters=parameters, codec="plain")
    quiet, _ = links(3, config=config)
    assert any(row.dst.startswith("authority") and row.t_ns > 32e9 for row in quiet["client-1"])
    assert links(3, lambda world: BUSY.live(world, tmp_path), config)[0] == quiet


LEAKS = [
    cover.work_at_slot,
    leaks.frames_beside_slots,
    leaks.slow_mail,
    leaks.dummies_off,
    cover.downlink_unshaped,
    cover.cover_off,
    leaks.streams_shared,
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_would_show(tmp_path, leak):
    """Control: with each of these, idle and busy differ."""
    config = WorldConfig(seed=1, clients=2, width=1, parameters=BRISK, codec="plain")
    with leak():
        quiet, _ = links(1, config=config, length=SHORT)
    with leak():
        busy, _ = links(1, lambda world: BUSY.live(world, tmp_path), config, SHORT)
    assert quiet != busy


def test_without_a_leak_the_worlds_of_the_controls_show_nothing(tmp_path):
    config = WorldConfig(seed=1, clients=2, width=1, parameters=BRISK, codec="plain")
    quiet, _ = links(1, config=config, length=SHORT)
    assert links(1, lambda world: BUSY.live(world, tmp_path), config, SHORT)[0] == quiet
