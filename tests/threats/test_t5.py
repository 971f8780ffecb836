"""T5, elevation of privilege: each role tries what only others may do, and is refused."""

import functools

import msgspec
import trio

from mixnet.benchmarks.attacks.adversary import VisitOutcome, dial, document, visit
from mixnet.benchmarks.simulation.world import WorldConfig, run_world
from mixnet.counters import Dropped, Event
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.link import Frame, FrameKind, Role, ask, split
from mixnet.pki.descriptor import Descriptor, NodeRole
from mixnet.pki.requests import AskDocument, AskStep, DocumentAnswer, StepAnswer, Upload, UploadAnswer, encode
from mixnet.pki.requests import parse_answer_untrusted as parse
from mixnet.sphinx import Kind
from mixnode.mailboxes import Mailboxes
from tests.threats.stage import packet_for

STRANGER = SigningKey(b"s" * 32)
NETWORK = WorldConfig(seed=5, clients=0)
PAD = [Frame(FrameKind.PAD)]


def on_a_network(attempt, config=NETWORK):
    """Run `attempt` once the network is up, and return what it returns."""
    results = []

    async def program(world):
        await trio.sleep(30)
        results.append(await attempt(world))

    run_world(program, config)
    return results[0]


def test_who_is_no_node_can_not_act_as_one():
    async def attempt(world):
        return {
            (host, role): await visit(world, host, STRANGER, role, PAD)
            for host in ("mix-1", "mix-6", "provider-1")
            for role in (Role.NODE, Role.AUTHORITY)
        }

    assert set(on_a_network(attempt).values()) == {VisitOutcome.REFUSED}


def test_clients_reach_providers_only():
    async def attempt(world):
        return [await visit(world, host, STRANGER, Role.CLIENT, PAD) for host in ("mix-1", "mix-4", "provider-2")]

    assert on_a_network(attempt) == [
        VisitOutcome.REFUSED,
        VisitOutcome.REFUSED,
        VisitOutcome.OPEN,
    ]  # the last one is the control


FORBIDDEN_TO_CLIENTS = {
    "mail": [Frame(FrameKind.MAIL, bytes(3072))],
    "an answer": [Frame(FrameKind.RESPONSE, b"x", sequence=1)],
    "a second greeting": [Frame(FrameKind.HELLO, b"x")],
    "an unknown request": split(msgspec.msgpack.encode({"op": "list"}), FrameKind.REQUEST, 1),
    "a node's request": split(encode(Upload(b"x")), FrameKind.REQUEST, 1),
    "a long request": split(bytes(5000), FrameKind.REQUEST, 1),
    "an acknowledgement of what was never sent": [Frame(FrameKind.PAD, acknowledged=10**6)],
}


def test_clients_send_nothing_but_packets_cover_and_requests():
    async def attempt(world):
        refused = {
            what: await visit(world, "provider-1", STRANGER, Role.CLIENT, frames)
            for what, frames in FORBIDDEN_TO_CLIENTS.items()
        }
        question = split(encode(AskDocument()), FrameKind.REQUEST, 1)
        allowed = await visit(world, "provider-1", STRANGER, Role.CLIENT, [*PAD, *question])
        return refused, allowed

    refused, allowed = on_a_network(attempt)
    assert refused == dict.fromkeys(FORBIDDEN_TO_CLIENTS, VisitOutcome.CLOSED)
    assert allowed is VisitOutcome.OPEN


def test_nodes_send_one_another_nothing_but_packets_and_cover():
    async def attempt(world):
        mix = world.plan.identity(world.plan.actors[3])
        assert world.plan.actors[3].name == "mix-1"
        forbidden = {**FORBIDDEN_TO_CLIENTS, "a question": split(encode(AskDocument()), FrameKind.REQUEST, 1)}
        del forbidden["an acknowledgement of what was never sent"]
        refused = {what: await visit(world, "provider-1", mix, Role.NODE, frames) for what, frames in forbidden.items()}
        return refused, await visit(world, "provider-1", mix, Role.NODE, PAD)

    refused, allowed = on_a_network(attempt)
    assert set(refused.values()) == {VisitOutcome.CLOSED}
    assert allowed is VisitOutcome.OPEN


def test_a_client_can_not_put_anything_into_its_own_providers_mailboxes():
    """A packet that ends where it enters would tell the provider who wrote to whom."""

    async def attempt(world):
        provider = next(one for one in (await document(world)).providers if one.address.startswith("provider-1"))
        counters = world.nodes["provider-1"].counters
        mailbox = STRANGER.public
        await visit(world, "provider-1", STRANGER, Role.CLIENT, PAD)  # which registers its mailbox
        ends = [packet_for(provider, 0, kind, mailbox) for kind in (Kind.DELIVER_MAILBOX, Kind.DROP, Kind.DELIVER)]
        await visit(world, "provider-1", STRANGER, Role.CLIENT, [Frame(FrameKind.PACKET, raw) for raw in ends])
        refused = counters[Dropped.UNWANTED], counters[Event.PACKETS_STORED]
        mix = world.plan.identity(world.plan.actors[3])
        again = packet_for(provider, 0, Kind.DELIVER_MAILBOX, mailbox)
        await visit(world, "provider-1", mix, Role.NODE, [Frame(FrameKind.PACKET, again)])
        return refused, counters[Event.PACKETS_STORED]

    assert on_a_network(attempt) == ((3, 0), 1)


def test_a_client_can_not_send_more_than_its_share():
    async def attempt(world):
        provider = next(one for one in (await document(world)).providers if one.address.startswith("provider-1"))
        counters, burst = world.nodes["provider-1"].counters, world.config.parameters.client_burst
        before = counters[Event.PACKETS_IN]
        flood = [Frame(FrameKind.PACKET, packet_for(provider, 0, Kind.DROP)) for _ in range(3)] * (burst // 2)
        await visit(world, "provider-1", STRANGER, Role.CLIENT, flood)
        return len(flood), burst, counters[Event.PACKETS_IN] - before, counters[Dropped.RATE_LIMIT]

    sent, burst, accepted, dropped = on_a_network(attempt)
    assert sent > burst
    assert dropped > 0
    assert accepted <= burst + 50  # what came from other nodes meanwhile is in this number too


def test_a_client_opens_and_erases_its_own_mailbox_only(monkeypatch):
    """There is no request that names a mailbox; the one that a client can erase is that of the key it proved."""
    opened = []
    make = Mailboxes.__init__
    monkeypatch.setattr(
        Mailboxes, "__init__", lambda self, path, **more: opened.append(self) or make(self, path, **more)
    )
    alice, mallory = SigningKey(b"a" * 32), SigningKey(b"m" * 32)

    async def attempt(world):
        for identity in (alice, mallory):
            await visit(world, "provider-1", identity, Role.CLIENT, PAD)
        erase = split(msgspec.msgpack.encode({"op": "erase"}), FrameKind.REQUEST, 1)
        held = functools.partial(_holding, opened, (alice.public, mallory.public))
        before = held()
        await visit(world, "provider-1", mallory, Role.CLIENT, erase)
        return before, held()

    assert on_a_network(attempt) == ([True, True], [True, False])


def _holding(opened, mailboxes):
    return [any(_has(each, mailbox) for each in opened) for mailbox in mailboxes]


def _has(mailboxes, mailbox):
    return mailboxes._database.execute("SELECT 1 FROM mailboxes WHERE mailbox = ?", (mailbox,)).fetchone() is not None


def test_authorities_take_descriptors_from_approved_nodes_only():
    async def attempt(world):
        def descriptor(identity, role=NodeRole.MIX):
            keys = tuple(SphinxSecret.generate().public for _ in range(3))
            described = Descriptor(world.plan.bootstrap.network_id, identity.public, role, "evil:1", 0, keys)
            return encode(Upload(described.sign(identity)))

        async def taken(identity, role, request):
            try:
                async with await dial(world, "authority-1", identity, role) as link:
                    return parse(await ask(link, request, timeout=5), UploadAnswer).taken
            except Exception:
                return False

        mix, other = (world.plan.identity(world.plan.actors[index]) for index in (3, 4))
        return {
            "a stranger": await taken(STRANGER, Role.NODE, descriptor(STRANGER)),
            "a client": await taken(STRANGER, Role.CLIENT, descriptor(STRANGER)),
            "a mix as provider": await taken(mix, Role.NODE, descriptor(mix, NodeRole.PROVIDER)),
            "a client for a mix": await taken(STRANGER, Role.CLIENT, descriptor(mix)),
            "a mix for another": await taken(mix, Role.NODE, descriptor(other)),
            "a mix": await taken(mix, Role.NODE, descriptor(mix)),
        }

    taken = on_a_network(attempt)
    assert taken.pop("a mix") is True  # the control
    assert set(taken.values()) == {False}


def test_only_authorities_take_part_in_a_vote():
    async def attempt(world):
        async def answered(identity, role):
            try:
                async with await dial(world, "authority-1", identity, role) as link:
                    answer = await ask(link, encode(AskStep(0, 1, 0)), timeout=5)
                    return parse(answer, StepAnswer).bundle is not None
            except Exception:
                return False

        async def documented():
            async with await dial(world, "authority-1", STRANGER, Role.CLIENT) as link:
                return parse(await ask(link, encode(AskDocument()), timeout=5), DocumentAnswer).document is not None

        authority, mix = (world.plan.identity(world.plan.actors[index]) for index in (1, 3))
        roles = [(STRANGER, Role.CLIENT), (STRANGER, Role.AUTHORITY), (mix, Role.NODE), (authority, Role.AUTHORITY)]
        return [await answered(*who) for who in roles], await documented()

    assert on_a_network(attempt) == ([False, False, False, True], True)  # whoever is an authority; and the documents
