"""P4, disclosure of metadata: what nodes log, count and tell of themselves says nothing about users."""

import pytest
import trio

from mixnet.benchmarks.attacks.adversary import visit
from mixnet.benchmarks.simulation.network_plan import ActorKind
from mixnet.benchmarks.simulation.world import WorldConfig, run_world
from mixnet.counters import Dropped, Event
from mixnet.link import Role
from mixnet.log import Log

pytestmark = pytest.mark.timeout(600)
# `problem` is what hinders the directory: authorities and clocks, no client (the test above looks for one in it).
EXACT = {
    "role",
    "layer",
    "identity",
    "ready",
    "epoch",
    "connections",
    "held",
    "warnings",
    "dropped",
    "problem",
    "workers",
}


class Watched:
    """All that the nodes of a world wrote, and what they said of themselves."""

    def __init__(self, monkeypatch):
        self.entries = []
        self.snapshots = {}
        self.prometheus = {}
        self.secrets = {}
        write = Log.write

        def keep(log, entry, **values):
            self.entries.append((str(entry), values))
            write(log, entry, **values)

        monkeypatch.setattr(Log, "write", keep)

    async def program(self, world):
        await world.befriend(0, 1)
        await world.clients[0].send("client-2", "hello")
        for host in ("provider-1", "mix-1"):  # somebody whom they refuse
            await visit(world, host, world.plan.identity(world.plan.of(ActorKind.CLIENT)[0]), Role.NODE)
        await trio.sleep(60)
        self.snapshots = {name: serving.snapshot() for name, serving in world.nodes.items()}
        self.prometheus = {name: serving.counters.prometheus() for name, serving in world.nodes.items()}
        self.secrets = {
            member.name: world.plan.identity(member).public
            for member in world.plan.actors
            if member.kind is ActorKind.CLIENT
        }


@pytest.fixture
def watched(monkeypatch):
    watch = Watched(monkeypatch)
    run_world(watch.program, WorldConfig(seed=3, codec="plain"))
    return watch


def tells(text, secrets):
    """Whether a text names a client: its host, or any part of its mailbox in any common form."""
    for host, mailbox in secrets.items():
        forms = {host, "intruder", mailbox.hex()[:12], repr(mailbox)[2:14], str(int.from_bytes(mailbox, "big"))[:12]}
        if any(form in text for form in forms):
            return True
    return False


def test_logs_and_figures_name_no_client(watched):
    assert len(watched.entries) >= 8
    assert len(watched.secrets) == 2
    for said in (watched.entries, watched.snapshots, watched.prometheus):
        assert not tells(repr(said), watched.secrets)


def test_a_log_that_named_one_would_show(watched):
    """Control: in each form that a careless line might have."""
    host, mailbox = next(iter(watched.secrets.items()))
    careless = [f"accepted {host}", f"stored for {mailbox.hex()[:16]}", f"mailbox {mailbox!r}"]
    assert all(tells(line, watched.secrets) for line in careless)


def test_what_is_logged_and_counted_is_a_closed_list(watched):
    """Labels come from tables in the code, so none can come from a packet or a peer."""
    reasons = {str(reason) for reason in Dropped}
    for snapshot in watched.snapshots.values():
        assert set(snapshot) <= EXACT | {str(event) for event in Event}
        assert set(snapshot["dropped"]) <= reasons
    values = {name for _, logged in watched.entries for name in logged}
    assert values <= {"role", "epoch", "warnings", "signatures", "problem", "address", "layer"}


def test_what_leaves_a_node_is_too_coarse_for_one_packet(watched):
    for text in watched.prometheus.values():
        figures = [int(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")]
        assert any(figures)
        assert all(figure % 10 == 0 for figure in figures)
