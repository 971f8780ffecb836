"""Pages beside each other: each is told everything, and one that can't keep up holds up nobody."""

import trio

from mixnet.deploy.observe.messages import End, Layout, Tick
from mixnet.deploy.observe.page import BEHIND, Show
from tests.deploy.observe.acted import HEADING, act


class Acted:
    heading = HEADING

    def __init__(self):
        self.begun = False

    async def run(self, take):
        self.begun = True
        for sample in act(30):
            await trio.sleep_until(sample.at)
            await take(sample)


async def test_nothing_is_looked_at_before_a_page_is_open(autojump_clock, nursery):
    source = Acted()
    nursery.start_soon(Show(source).run)
    await trio.sleep(100)
    assert not source.begun


async def test_a_slow_page_is_cut_off_and_the_others_are_told_all(autojump_clock):
    show, fast, slow = Show(Acted()), [], []
    awake = trio.Event()

    async def quick(message):
        fast.append(message)

    async def stuck(message):
        slow.append(message)
        await awake.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(show.feed, quick)
        nursery.start_soon(show.feed, stuck)
        await show.run()
        awake.set()
        await trio.sleep(1)
        assert isinstance(fast[-1], End)
        assert sum(isinstance(message, Tick) for message in fast) == 120
        assert len(slow) <= BEHIND + 1, "its stream has ended, so that the browser asks anew"
        again = []

        async def late(message):
            again.append(message)

        nursery.start_soon(show.feed, late)
        await trio.sleep(1)
        assert isinstance(again[0], Layout)
        assert len(again[0].past) == 120
        assert isinstance(again[-1], End)
        nursery.cancel_scope.cancel()
