"""A node whose clock is set, forward or back: no mail, no mailbox and no key that is still of use goes."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from mixnet.counters import Event
from mixnet.pki.parameters import Parameters
from tests.mixnode.mail import ME, deposit, fetch
from tests.mixnode.town import Town

MONTH = 30 * 86_400.0
RULES = Parameters(epoch_length=120.0, node_loop_rate=0.0, downlink_rate=2.0, mailbox_age=8400.0)


@pytest.mark.parametrize("leap", [MONTH, -MONTH])
async def test_a_provider_keeps_mail_and_mailboxes(autojump_clock: MockClock, leap: float) -> None:
    town = Town(parameters=RULES, genesis=1_800_000_000.0)
    provider = town.providers[0]
    async with town.running():
        async with await town.client(ME):
            await trio.sleep(1)
        await deposit(town, [b"old"] * 3)
        provider.skew = leap
        async with await town.client(ME):  # opened anew with a wrong clock
            await trio.sleep(1)
        await trio.sleep(700.0)  # beyond the first sweep
        provider.skew = 0.0
        await trio.sleep(150.0)
        assert provider.count(Event.PACKETS_EXPIRED) == 0
        async with await town.client(ME) as link:
            assert await fetch(town, link, 3) == [b"old"] * 3


@pytest.mark.parametrize("wrong", [MONTH, -MONTH])
async def test_a_start_with_a_wrong_clock_removes_neither_mail_nor_keys(
    tmp_path: Path, autojump_clock: MockClock, wrong: float
) -> None:
    town = Town(tmp_path, parameters=RULES, genesis=1_800_000_000.0)
    provider = town.providers[0]
    async with town.running() as nursery:
        async with await town.client(ME):
            await trio.sleep(1)
        await deposit(town, [b"old"] * 3)
        await town.stop(provider)
        held = {path.name: path.read_bytes() for path in (tmp_path / provider.name / "keys").glob("*.key")}
        provider.skew = wrong
        await town.start(nursery, provider)
        async with await town.client(ME):
            await trio.sleep(70.0)
        assert not provider.serving or not provider.serving.snapshot()["ready"]
        assert {name: (tmp_path / provider.name / "keys" / name).read_bytes() for name in held} == held
        provider.skew = 0.0
        await trio.sleep(90.0)
        assert provider.count(Event.PACKETS_EXPIRED) == 0
        async with await town.client(ME) as link:
            assert await fetch(town, link, 3) == [b"old"] * 3
        await trio.sleep(3 * 120.0)
        left = {path.name for path in (tmp_path / provider.name / "keys").glob("*.key")}
        assert not left & set(held)  # what is over is over, once the directory says so
