"""A provider and its clients: mail, limits, requests, and a down-link that tells an observer nothing."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import MockClock

from mixnet.counters import Dropped, Event
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError
from mixnet.link import FRAME_SIZE, Assembler, Frame, FrameKind, Link, split
from mixnet.pki.document import verify_untrusted
from mixnet.pki.parameters import Parameters
from mixnet.pki.requests import DocumentAnswer, parse_answer_untrusted
from mixnet.sphinx import Command, Kind
from mixnode.clients import GARBAGE
from tests.mixnode.mail import ME, SECRET, deposit, fetch
from tests.mixnode.town import Town, packet_frame


async def test_mail_waits_for_its_owner_comes_in_order_and_goes_when_acknowledged(autojump_clock: MockClock) -> None:
    town = Town()
    wanted = [b"%d" % number for number in range(100)]
    async with town.running():
        async with await town.client(ME):
            await trio.sleep(1)
        await deposit(town, wanted[:90])
        async with await town.client(ME) as link:
            first = await fetch(town, link, 40, acknowledge=False)
        async with await town.client(ME) as link:
            again = await fetch(town, link, 60)
            await deposit(town, wanted[90:])
            assert first == wanted[:40]
        async with await town.client(ME) as link:
            assert again + await fetch(town, link, 100 - len(again)) == wanted
            await trio.sleep(2)
        async with await town.client(ME) as link:
            with trio.move_on_after(60):
                await fetch(town, link, 1)
                pytest.fail("acknowledged mail came again")


async def test_mail_survives_a_restart_of_the_provider(tmp_path: Path) -> None:
    """On a real clock: the mailboxes of a real process are written by a thread."""
    town = Town(tmp_path, parameters=Parameters(node_loop_rate=0.0, downlink_rate=200.0))
    async with town.running() as nursery:
        async with await town.client(ME):
            await trio.sleep(0.2)
        await deposit(town, [b"one", b"two"])
        await town.stop(town.providers[0])
        await trio.sleep(0.2)
        await town.start(nursery, town.providers[0])
        await town.ready()
        async with await town.client(ME) as link:
            assert await fetch(town, link, 2) == [b"one", b"two"]


def observe(mail: int, *, busy: bool) -> list[tuple[float, int]]:
    """What goes over the provider's link to its client in a minute: (time, bytes) of every write."""

    async def main() -> list[tuple[float, int]]:
        town = Town(seed=5)
        seen: list[tuple[float, int]] = []
        provider = town.providers[0]

        def tap(when: float, source: str, target: str, size: int) -> None:
            if (source, target) == (provider.host, "10.0.3.9"):
                seen.append((when, size))

        async with town.running():
            async with await town.client(ME):
                await trio.sleep(1)
            if mail:
                await deposit(town, [b"waiting"] * mail)
            await trio.sleep(50 - trio.current_time())
            town.network.tap = tap
            async with await town.client(ME, "10.0.3.9") as link, trio.open_nursery() as nursery:
                nursery.start_soon(_read, link, nursery.cancel_scope)
                if busy:
                    await trio.sleep(5)
                    question = msgspec.msgpack.encode({"op": "document", "epoch": 0})
                    await link.send(split(question, FrameKind.REQUEST, 1))
                    await deposit(town, [b"just now"] * 50)
                await trio.sleep(60 + 50 - trio.current_time())
                nursery.cancel_scope.cancel()
        return seen

    return trio.run(main, clock=MockClock(autojump_threshold=0))


async def _read(link: Link, scope: trio.CancelScope) -> None:
    while True:
        frames = await link.receive()
        await link.send([Frame(FrameKind.PAD, acknowledged=frames[-1].sequence)])


def test_the_down_link_looks_the_same_with_and_without_mail() -> None:
    idle = observe(0, busy=False)
    slots = [event for event in idle if event[1] > FRAME_SIZE and event[1] < 2 * FRAME_SIZE]
    assert len(slots) > 400  # ten a second for a minute
    assert observe(300, busy=False) == idle
    assert observe(40, busy=True) == idle


async def test_the_document_comes_in_slots_and_verifies(autojump_clock: MockClock) -> None:
    town = Town()
    async with town.running(), await town.client(ME) as link:
        question = msgspec.msgpack.encode({"op": "document", "epoch": 0})
        await link.send(split(question, FrameKind.REQUEST, 17))
        assembler, answer = Assembler(), None
        with trio.fail_after(60):
            while answer is None:
                for frame in await link.receive():
                    if frame.kind is FrameKind.RESPONSE:
                        answer = assembler.feed_untrusted(frame)
        assert answer[0] == 17
        document = parse_answer_untrusted(answer[1], DocumentAnswer).document
        assert verify_untrusted(document, town.trust, town.clock.now()) == town.document


async def test_a_mailbox_is_erased_on_request(autojump_clock: MockClock) -> None:
    town = Town()
    async with town.running():
        async with await town.client(ME):
            await trio.sleep(1)
        await deposit(town, [b"secret"] * 60)
        async with await town.client(ME) as link:
            await link.send(split(msgspec.msgpack.encode({"op": "erase"}), FrameKind.REQUEST, 1))
            kinds: list[FrameKind] = []
            with trio.move_on_after(30):
                while True:
                    kinds += [frame.kind for frame in await link.receive()]
            assert kinds.count(FrameKind.RESPONSE) == 1
            assert FrameKind.MAIL not in kinds[kinds.index(FrameKind.RESPONSE) :]
            assert kinds.count(FrameKind.MAIL) < 60
        await deposit(town, [b"too late"])
        assert town.providers[0].count(Dropped.UNKNOWN_MAILBOX) == 1


async def test_a_client_that_sends_too_fast_loses_the_excess(autojump_clock: MockClock) -> None:
    town = Town(
        parameters=Parameters(node_loop_rate=0.0, payload_rate=8.0, loop_rate=1.0, drop_rate=1.0, client_burst=20)
    )
    async with town.running(), await town.client(ME) as link:
        for _ in range(10):
            await link.send([Frame(FrameKind.PAD)] * 10)
        await trio.sleep(2)
        await link.send([Frame(FrameKind.PAD)] * 10)
        await trio.sleep(1)
        provider = town.providers[0]
        assert provider.count(Event.DUMMIES_IN) + provider.count(Dropped.RATE_LIMIT) == 110
        assert 30 <= provider.count(Event.DUMMIES_IN) <= 36  # 20 and 10, and what is earned while the excess is read


async def test_a_client_that_comes_again_and_again_gets_no_more(autojump_clock: MockClock) -> None:
    town = Town(
        parameters=Parameters(node_loop_rate=0.0, payload_rate=8.0, loop_rate=1.0, drop_rate=1.0, client_burst=20)
    )
    async with town.running():
        begun = trio.current_time()
        for _ in range(20):
            async with await town.client(ME) as link:
                await link.send([Frame(FrameKind.PAD)] * 20)
                await trio.sleep(0.1)
        seconds = trio.current_time() - begun
        await trio.sleep(1)
        assert 20 <= town.providers[0].count(Event.DUMMIES_IN) <= 20 + 15 * (seconds + 1)
        async with await town.client(SigningKey(bytes([8]) * 32)) as link:
            await link.send([Frame(FrameKind.PAD)] * 20)
            await trio.sleep(1)
        assert town.providers[0].count(Event.DUMMIES_IN) >= 40  # another mailbox has its own


async def test_garbage_costs_a_client_more_than_packets_do(autojump_clock: MockClock) -> None:
    town = Town(
        parameters=Parameters(node_loop_rate=0.0, payload_rate=8.0, loop_rate=1.0, drop_rate=1.0, client_burst=20)
    )
    async with town.running(), await town.client(ME) as link:
        for _ in range(60):
            await link.send([Frame(FrameKind.PACKET, bytes(3072))] * 10)
            await trio.sleep(0.5)
        refused = town.providers[0].count(Dropped.MALFORMED_PACKET)
        assert 250 <= refused <= 20 + 15 * 31 / GARBAGE + 20  # what the rates are, and less than it might send


async def test_an_erasure_that_is_asked_for_twice_is_answered_once_for_the_second(autojump_clock: MockClock) -> None:
    town = Town()
    async with town.running():
        async with await town.client(ME):
            await trio.sleep(1)
        await deposit(town, [b"secret"] * 60)
        async with await town.client(ME) as link:
            for number in (1, 2):
                question = msgspec.msgpack.encode({"op": "erase", "again": True})
                await link.send(split(question, FrameKind.REQUEST, number))
            assembler, answered = Assembler(), []
            with trio.move_on_after(30):
                while True:
                    parts = [frame for frame in await link.receive() if frame.kind is FrameKind.RESPONSE]
                    answered += [whole for part in parts if (whole := assembler.feed_untrusted(part))]
            assert answered == [(2, b"erased")]


async def test_erasures_have_a_budget(autojump_clock: MockClock) -> None:
    town = Town()
    async with town.running(), await town.client(ME) as link:
        answered = 0
        for number in range(12):
            question = msgspec.msgpack.encode({"op": "erase", "again": True})
            await link.send(split(question, FrameKind.REQUEST, number))
            with trio.move_on_after(3):
                while True:
                    answered += sum(frame.kind is FrameKind.RESPONSE for frame in await link.receive())
        assert answered == 5


async def test_a_client_that_floods_is_read_slowly(autojump_clock: MockClock) -> None:
    """What is dropped must be decrypted first: the provider leaves that to TCP."""
    town = Town()
    async with town.running(), await town.client(ME) as link, trio.open_nursery() as nursery:

        async def flood() -> None:
            while True:
                await link.send([Frame(FrameKind.PAD)] * 20)

        nursery.start_soon(flood)
        await trio.sleep(10)
        provider = town.providers[0]
        read = provider.count(Event.DUMMIES_IN) + provider.count(Dropped.RATE_LIMIT)
        earned = town.parameters.client_burst + 10 * 1.5 * town.parameters.send_rate
        assert town.parameters.client_burst < read < earned + 10 * 10 * 2 * 22  # two reads a pause
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "frames",
    [
        [Frame(FrameKind.MAIL, bytes(3072))],
        [Frame(FrameKind.RESPONSE, bytes(12))],
        [Frame(FrameKind.PAD, acknowledged=10**9)],
        [Frame(FrameKind.REQUEST, b"x")],
        split(b"\xc1", FrameKind.REQUEST, 1),
        split(msgspec.msgpack.encode({"op": "fetch", "mailbox": bytes(32)}), FrameKind.REQUEST, 1),
        split(bytes(1025), FrameKind.REQUEST, 1),
    ],
    ids=["mail", "response", "acknowledgement", "part", "no msgpack", "another's mail", "too long"],
)
async def test_a_client_may_only_do_what_a_client_may(autojump_clock: MockClock, frames: list[Frame]) -> None:
    town = Town(parameters=Parameters(node_loop_rate=0.0, downlink_rate=0.0))
    async with town.running(), await town.client(ME) as link:
        await link.send(frames)
        with trio.fail_after(5), pytest.raises((trio.EndOfChannel, RemoteError)):
            await link.receive()
        assert town.providers[0].count(Dropped.HOSTILE_LINK) == 1


async def test_a_clients_packet_can_only_be_forwarded(autojump_clock: MockClock) -> None:
    town = Town()
    async with town.running(), await town.client(ME) as link:
        provider = town.providers[0]
        await trio.sleep(1)
        await link.send(
            [
                packet_frame(town.mail(ME.public, SECRET, b"short cut", [provider])),
                packet_frame(town.packet([provider], Command(Kind.DROP, bytes(32), 0))),
            ]
        )
        await trio.sleep(5)
        assert provider.count(Dropped.UNWANTED) == 2
        assert provider.count(Event.PACKETS_STORED) == 0


async def test_there_are_never_more_mailboxes_than_allowed(autojump_clock: MockClock) -> None:
    town = Town()
    town.mailbox_limit = 2
    async with town.running():
        for number in range(3):
            async with await town.client(SigningKey.generate(), f"10.0.3.{number + 1}"):
                await trio.sleep(1)
        assert town.providers[0].count(Dropped.MAILBOX_LIMIT) == 1


async def test_clients_leave_room_for_the_links_of_mixes(autojump_clock: MockClock) -> None:
    town = Town()
    town.connection_limit = 8
    provider = town.providers[0]
    async with town.running(), trio.open_nursery() as nursery:
        before = provider.count(Dropped.CONNECTION_LIMIT)
        for number in range(12):
            link = await town.client(SigningKey.generate(), f"10.0.3.{number + 1}")
            nursery.start_soon(_swallow, link)
        await trio.sleep(1)
        assert provider.count(Dropped.CONNECTION_LIMIT) - before == 6
        async with await town.as_node(town.mixes[-1], provider) as link:
            await link.send([packet_frame(town.packet([provider], Command(Kind.DROP, bytes(32), 0)))])
            await trio.sleep(1)
        assert provider.count(Event.COVER_ENDED) == 1
        nursery.cancel_scope.cancel()


async def _swallow(link: Link) -> None:
    with suppress(trio.EndOfChannel):
        while True:
            await link.receive()


async def test_a_client_that_comes_again_replaces_its_old_link(autojump_clock: MockClock) -> None:
    town = Town()
    async with town.running(), await town.client(ME) as old:
        await trio.sleep(1)
        async with await town.client(ME, "10.0.3.2") as new:
            with trio.fail_after(5), pytest.raises(trio.EndOfChannel):
                while True:
                    await old.receive()
            await deposit(town, [b"for the new one"])
            assert await fetch(town, new, 1) == [b"for the new one"]


async def test_a_mailbox_belongs_to_the_copy_of_its_client_that_took_it_over_last(autojump_clock: MockClock) -> None:
    """Of a profile that was restored from a backup: first the original, then two copies, after each other."""
    one, two = bytes(16), bytes([7] * 16)

    async def kinds(claim: bytes) -> set[FrameKind]:
        """What comes down to a copy that connects."""
        seen: set[FrameKind] = set()
        async with await town.client(ME, claim=claim) as link:
            with suppress(trio.EndOfChannel), trio.move_on_after(5):
                while True:
                    seen |= {frame.kind for frame in await link.receive()}
        return seen

    town = Town()
    async with town.running():
        assert FrameKind.MOVED not in await kinds(b"")
        async with await town.client(ME) as old:
            await deposit(town, [b"waits for the copy"])
            async with await town.client(ME, claim=b"\1" + one) as new:
                assert await fetch(town, new, 1) == [b"waits for the copy"]
                with trio.fail_after(5), pytest.raises(trio.EndOfChannel):
                    while True:
                        await old.receive()
                assert await kinds(b"") == {FrameKind.MOVED}
                with trio.move_on_after(2):
                    while True:
                        await new.receive()  # the refused one has not ended this link
        assert FrameKind.MOVED not in await kinds(b"\0" + one)
        assert FrameKind.MOVED not in await kinds(b"\1" + two)
        assert await kinds(b"\0" + one) == await kinds(b"") == {FrameKind.MOVED}
        async with await town.client(ME, claim=b"\0" + two) as link:
            await link.send(split(msgspec.msgpack.encode({"op": "erase", "again": True}), FrameKind.REQUEST, 1))
            await trio.sleep(10)
        assert await kinds(b"") == {FrameKind.MOVED}, "an erased mailbox that stays is still the copy's"


async def test_old_mail_and_forgotten_mailboxes_go(autojump_clock: MockClock) -> None:
    town = Town(parameters=Parameters(node_loop_rate=0.0, downlink_rate=0.0, mailbox_age=1000.0))
    async with town.running():
        async with await town.client(ME):
            await trio.sleep(1)
            await deposit(town, [b"old"] * 5)
        await trio.sleep(900)
        assert town.providers[0].count(Event.PACKETS_EXPIRED) == 0
        await trio.sleep(150)
        assert town.providers[0].count(Event.PACKETS_EXPIRED) == 5
        await deposit(town, [b"nobody there"])
        assert town.providers[0].count(Dropped.UNKNOWN_MAILBOX) == 1
