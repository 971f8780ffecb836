"""The link to the provider: offers never wait, links come back, receipts belong to their link."""

import random
from itertools import pairwise

import pytest
import trio

from mixnet.client.traffic.provider_link import FIRST_PAUSE, LONGEST_PAUSE, PROVEN, QUEUE, ProviderLink
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Frame, FrameKind

PACKET = Frame(FrameKind.PACKET, bytes(3072))


class FakeLink:
    """A link of which the test holds the other end."""

    def __init__(self) -> None:
        self.sent: list[Frame] = []
        self.batches: list[int] = []
        self.down, self._down = trio.open_memory_channel[Frame](100)
        self.slow = False
        self.idle = 0.0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.down.close()

    async def end_after_silence(self, seconds: float) -> None:
        self.idle = seconds

    async def send(self, frames) -> None:
        if self.slow:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        self.sent += frames
        self.batches.append(len(frames))

    async def receive(self) -> list[Frame]:
        return [await self._down.receive()]


class TestedLink(ProviderLink):
    """Notes what comes down, and when a link ends."""

    __test__ = False
    frames: list[Frame]
    lost: list[float]

    async def run(self) -> None:
        await self.keep_up(self._note, lambda: self.lost.append(trio.current_time()))

    def _note(self, frame: Frame) -> None:
        if frame.kind is FrameKind.HELLO:
            raise RemoteError("no such frame")
        self.frames.append(frame)


def provider_link(links) -> TestedLink:
    """It gets these links, one after the other; an error among them is raised."""
    coming = iter(links)

    async def dial():
        await trio.lowlevel.checkpoint()
        link = next(coming)
        if isinstance(link, Exception):
            raise link
        return link

    tested = TestedLink(dial, jitter=random.Random(1), silence=lambda: 10.0)
    tested.frames, tested.lost = [], []
    return tested


async def test_frames_go_up_in_order_with_the_newest_acknowledgement(nursery, autojump_clock):
    link = FakeLink()
    tested = provider_link([link])
    assert not tested.offer(PACKET)
    assert tested.lost_frames == 1
    nursery.start_soon(tested.run)
    await trio.sleep(0.1)
    assert tested.connected
    assert tested.offer(PACKET)
    await trio.sleep(0.1)
    tested.receipt(7)()
    for _ in range(3):
        assert tested.offer(Frame(FrameKind.PAD))
    await trio.sleep(0.1)
    assert [(frame.kind, frame.acknowledged) for frame in link.sent] == [
        (FrameKind.PACKET, 0),
        *[(FrameKind.PAD, 7)] * 3,
    ]
    assert link.batches == [1, 3]
    assert link.idle == 10.0


async def test_a_link_that_takes_nothing_costs_frames_but_no_waiting(nursery, autojump_clock):
    link = FakeLink()
    link.slow = True
    tested = provider_link([link])
    nursery.start_soon(tested.run)
    await trio.sleep(0.1)
    before = trio.current_time()
    offered = []
    for _ in range(3 * QUEUE):
        offered.append(tested.offer(PACKET))
        await trio.lowlevel.checkpoint()
    assert trio.current_time() == before
    assert QUEUE <= sum(offered) <= QUEUE + 32
    assert tested.lost_frames == 3 * QUEUE - sum(offered)


async def test_a_lost_link_is_dialled_again_and_old_receipts_say_nothing(nursery, autojump_clock):
    first, second = FakeLink(), FakeLink()
    tested = provider_link([first, Unavailable("not there"), second])
    nursery.start_soon(tested.run)
    await trio.sleep(0.1)
    old = tested.receipt(40)
    first.down.close()
    await trio.sleep(0.1)
    assert not tested.connected
    assert tested.lost == [pytest.approx(0.1)]
    await trio.sleep(10.0)
    assert tested.connected
    assert tested.connections == 2
    old()
    assert tested.acknowledged == 0
    tested.receipt(3)()
    assert tested.acknowledged == 3


@pytest.mark.parametrize("end", ["closed", "refused", "lost"])
async def test_a_slot_may_come_at_any_step_of_a_link_s_end(nursery, end):
    """A machine that stood still has several slots due at once, and the end of the link among them."""
    link = FakeLink()
    tested = provider_link([link, *[Unavailable("gone")] * 100])
    nursery.start_soon(tested.run)
    while not tested.connected:
        await trio.lowlevel.checkpoint()
    if end == "closed":
        link.down.close()
    elif end == "refused":
        await link.down.send(Frame(FrameKind.HELLO, b"x"))
    else:
        link.send = lost
    for _ in range(30):
        assert not tested.offer(PACKET) or tested.connected
        await trio.lowlevel.checkpoint()
    assert not tested.connected and len(tested.lost) == 1


async def lost(_frames) -> None:
    raise Unavailable("the link is gone")


async def test_a_frame_that_no_provider_sends_ends_the_link(nursery, autojump_clock):
    link = FakeLink()
    tested = provider_link([link, *[Unavailable("gone")] * 100])
    nursery.start_soon(tested.run)
    await trio.sleep(0.1)
    await link.down.send(Frame(FrameKind.PAD))
    await link.down.send(Frame(FrameKind.HELLO, b"x"))
    await trio.sleep(0.1)
    assert tested.frames == [Frame(FrameKind.PAD)]
    assert not tested.connected
    assert tested.problem == "no such frame"


async def test_pauses_double_up_to_a_cap_and_differ(nursery, autojump_clock):
    link, dialled = FakeLink(), []
    up, again = trio.Event(), trio.Event()

    def links():
        for number, coming in enumerate([*[Unavailable()] * 20, link, *[Unavailable()] * 9]):
            dialled.append(trio.current_time())
            if number == 20:
                up.set()
            if number == 21:
                again.set()
            yield coming

    nursery.start_soon(provider_link(links()).run)
    await up.wait()
    pauses = [later - earlier for earlier, later in pairwise(dialled)]
    assert len(pauses) == 20
    assert FIRST_PAUSE / 2 <= pauses[0] <= FIRST_PAUSE
    assert all(LONGEST_PAUSE / 2 <= pause <= LONGEST_PAUSE for pause in pauses[7:])
    assert len(set(pauses)) == 20
    await trio.sleep(PROVEN + 1)
    ended = trio.current_time()
    link.down.close()
    await again.wait()
    assert dialled[21] - ended <= FIRST_PAUSE
