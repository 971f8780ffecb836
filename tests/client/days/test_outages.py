"""A provider that is down for an hour, somebody who is away for a week, and daemons that start again, as whole clients.

spec/07-client.md 7.5, 7.7, 7.15, 7.16 and 7.17.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from mixnet.benchmarks.simulation import virtual
from mixnet.client.model.views import MessageState
from tests.client.days.device import Device
from tests.client.days.plan import DAY, HOME, HOUR, PHONE, Plan
from tests.client.days.player import Player, content_of
from tests.client.days.village import SLOW, Village
from tests.client.worlds.town import rules

PAIR = (("alice", "bob"),)
RARE = rules(**SLOW | {"payload_rate": 1 / 1200, "downlink_rate": 1 / 300, "loop_rate": 0.0, "epoch_length": 172_800.0})
MOST = 300  # packets to somebody who is away for days: after a while one a time-out
Program = Callable[[Player], Awaitable[None]]


def played(folder: Path, program: Program, pairs=PAIR, groups=None, parameters=None) -> Player:
    """A story that a program tells, after all have met."""
    player = Player(Plan(7, 0.0, pairs, groups or {}, 0.0, 0.0, {}), folder)
    if parameters is not None:
        player.village = Village(7, parameters)
        for device in player.devices.values():
            device.move(player.village)

    async def run() -> None:
        async with trio.open_nursery() as player._nursery:
            await player._nursery.start(player.village.run)
            for device in player.devices.values():
                await device.start(player._nursery)
            await player.begin()
            await program(player)
            player._nursery.cancel_scope.cancel()

    virtual.run(run, seed=7)
    return player


async def texts(player: Player, name: str, device: int = HOME) -> list[str]:
    return [one.text async for one in player.user(name, device).messages() if not one.outgoing]


async def off(device: Device) -> None:
    device.stop()
    await device.until_down()


def test_a_provider_that_is_down_for_an_hour_loses_nothing(tmp_path):
    async def program(player: Player) -> None:
        alice, bob, village = player.user("alice"), player.user("bob"), player.village
        before = [await alice.send("bob", "a0"), await bob.send("alice", "b0")]
        await trio.sleep(900.0)
        village.kill_provider(0)  # of the home of nobody but Bob's phone, and of Alice's
        village.kill_provider(1)
        await trio.sleep(60.0)
        down = await alice.status()
        assert not down["connected"] and down["problem"]
        during = [await alice.send("bob", "a1"), await bob.send("alice", "b1")]
        await trio.sleep(HOUR)
        assert await texts(player, "bob") in ([], ["a0"]) and down["frames"] == (await alice.status())["frames"]
        await village.open_provider(0)
        await village.open_provider(1)
        await player.settle()
        assert await texts(player, "bob") == await texts(player, "bob", PHONE) == ["a0", "a1"]
        assert await texts(player, "alice") == ["b0", "b1"]
        for user, numbers in ((alice, (before[0], during[0])), (bob, (before[1], during[1]))):
            assert [(await user.message(number)).state for number in numbers] == [MessageState.DELIVERED] * 2
        after = await alice.status()
        assert after["connected"] and after["problem"] == "" and after["alarm"] == "calm" and after["connections"] == 2

    played(tmp_path, program)


@pytest.mark.parametrize(
    "away", [pytest.param(5.0, id="less"), pytest.param(7.5, id="longer than messages wait", marks=pytest.mark.long)]
)
def test_who_is_away_for_a_week_hears_all_that_was_still_waiting(tmp_path, away):
    (tmp_path / "photo.bin").write_bytes(content_of("photo.bin"))

    async def program(player: Player) -> None:
        alice = player.user("alice")
        await off(player.devices["alice", PHONE])
        for device in (HOME, PHONE):
            await off(player.devices["bob", device])
        early = [await alice.send("bob", f"early {n}") for n in range(3)]
        early.append(await alice.send_file("bob", tmp_path / "photo.bin"))
        await trio.sleep(2 * DAY)
        late = await alice.send("bob", "late")
        await off(player.devices["alice", HOME])  # what waits outlasts a restart of the one who waits, too
        await player.devices["alice", HOME].start(player._nursery)
        alice = player.user("alice")
        await trio.sleep((away - 2) * DAY)
        assert (await alice.status())["frames"]["message"] < MOST
        for device in (HOME, PHONE):
            await player.devices["bob", device].start(player._nursery)
        await player.settle()
        states = [(await alice.message(number)) for number in (*early, late)]
        heard = await texts(player, "bob")
        if away < 7:
            assert {one.state for one in states} == {MessageState.DELIVERED}
            assert [one for one in heard if one != "photo.bin"] == ["early 0", "early 1", "early 2", "late"]
            assert sorted(heard)[-1] == "photo.bin"
            received = player.devices["bob", HOME].downloads / "photo.bin"
            assert received.read_bytes() == content_of("photo.bin")
        else:
            assert [one.state for one in states] == [MessageState.FAILED] * 4 + [MessageState.DELIVERED]
            assert all("in time" in one.error for one in states[:4])
            assert [one for one in heard if one == "late"] == ["late"]
            assert set(heard) <= {
                "early 0",
                "early 1",
                "early 2",
                "late",
                "photo.bin",
            }  # what had left may still arrive
        assert sorted(heard) == sorted(await texts(player, "bob", PHONE))
        shown = [[one.text for one in await player.user("bob", device).history(None)] for device in (HOME, PHONE)]
        assert shown[0] == shown[1], "only when the file was complete differs between devices"

    played(tmp_path, program, parameters=RARE)


@pytest.mark.long
def test_a_group_does_not_wait_for_a_member_who_is_away_for_days(tmp_path):
    async def program(player: Player) -> None:
        for name in ("alice", "bob", "carol"):
            await off(player.devices[name, PHONE])
        await off(player.devices["carol", HOME])
        alice = player.user("alice")
        numbers = [await alice.send("club", f"{n}") for n in range(2)]
        await trio.sleep(DAY)
        assert await texts(player, "bob") == ["0", "1"]
        assert [(await alice.message(number)).reached for number in numbers] == [1, 1]
        await trio.sleep(DAY)
        await player.devices["carol", HOME].start(player._nursery)
        await player.settle()
        assert await texts(player, "carol") == ["0", "1"]
        assert [(await alice.message(number)).state for number in numbers] == [MessageState.DELIVERED] * 2

    pairs, groups = (("alice", "bob"), ("alice", "carol")), {"club": ("alice", "bob", "carol")}
    played(tmp_path, program, pairs, groups, RARE)


def test_a_satellite_starts_again_and_goes_on(tmp_path):
    async def program(player: Player) -> None:
        phone = player.devices["alice", PHONE]
        await player.user("bob").send("alice", "before")
        await off(phone)
        await phone.start(player._nursery)
        await player.user("alice", PHONE).send("bob", "from the phone")
        await player.settle()
        assert await texts(player, "alice", PHONE) == ["before"]
        assert await texts(player, "bob") == ["from the phone"]

    played(tmp_path, program)
