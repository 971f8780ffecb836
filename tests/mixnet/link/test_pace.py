"""Handshakes leave the processor to open links: one step a turn."""

from functools import partial

import pytest
import trio

from mixnet.link import Role, serve_links
from mixnet.link.pace import HandshakePace
from mixnet.network import Address
from tests.mixnet.link.ends import NETWORK_ID, SERVER, admit_all, connecting, simulated


async def test_between_two_steps_all_others_have_a_turn():
    pace, steps, turns = HandshakePace(), [], 0

    async def one():
        await pace.step(lambda: bool(steps.append(turns)))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(one)
        while len(steps) < 20:
            await trio.lowlevel.checkpoint()
            turns += 1
    assert max(map(steps.count, steps)) <= 2  # who counts has a turn before or after the step of the same turn


def test_a_step_that_fails_or_is_given_up_leaves_the_pace_to_the_next():
    async def main():
        pace = HandshakePace()
        with pytest.raises(ZeroDivisionError):
            await pace.step(lambda: 1 // 0)
        with trio.CancelScope() as scope:
            scope.cancel()
            await pace.step(lambda: True)
        assert await pace.step(lambda: True)
        assert not await pace.step(lambda: False)

    trio.run(main)


async def test_all_handshakes_of_a_server_go_through_one_pace(autojump_clock, monkeypatch):
    seen, step = [], HandshakePace.step

    async def noted(pace, go_on):
        seen.append(pace)
        return await step(pace, go_on)

    async def idle(_link):
        await trio.sleep_forever()

    network = simulated()
    settings = {"identity": SERVER, "role": Role.NODE, "network_id": NETWORK_ID, "admit": admit_all}
    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(serve_links, network, Address("127.0.0.1", 0), idle, **settings))
        monkeypatch.setattr(HandshakePace, "step", noted)
        for _ in range(3):
            await connecting(network, address)
        nursery.cancel_scope.cancel()
    dialled, served = 3 * [2], [9]  # steps: each initiator has a pace of its own
    assert sorted(map(seen.count, set(seen))) == dialled + served
