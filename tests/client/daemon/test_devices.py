"""Devices as whole daemons in virtual time, and their commands."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from mixnet.client.api.connection import Connection
from mixnet.client.api.messages import NotDelivered
from mixnet.client.cli import anonymous, contacts, devices, messages
from mixnet.client.model.errors import HomeSilent, NoDeviceInvitation, RefusedAtHome
from mixnet.client.model.views import DeviceRole, DeviceState, MessageState
from mixnet.errors import LocalError, RemoteError
from tests.client.worlds.daemons import befriend, daemon_of, play
from tests.client.worlds.town import Town


@pytest.fixture
def network(tmp_path):
    Town().bootstrap.save(tmp_path / "bootstrap.json")
    return tmp_path


def test_a_satellite_receives_and_sends_over_a_whole_network():
    async def program(town, nursery: trio.Nursery) -> None:
        home = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await befriend(home, bob)
        await home.send("bob", "before", wait=True)
        phone = await town.start(nursery, "phone", 3)
        await phone.devices.accept(await home.devices.link("mobile"))
        linked = await phone.devices.wait_linked(history=True)
        assert (linked.name, linked.role, linked.state) == ("alice", DeviceRole.HOME, DeviceState.LINKED)
        assert [one.name for one in await home.devices.all()] == ["mobile"]
        assert [m.text async for m in phone.messages()] == ["before"]
        await phone.send("bob", "from the phone", wait=True)
        await bob.send("alice", "hello", wait=True)
        async for message in phone.messages(follow=True):
            if message.text == "hello":
                await phone.mark_read(message.id)
                break
        sent = [m.id async for m in bob.messages() if m.outgoing]
        while (await bob.message(sent[0])).state != "read":
            await trio.sleep(1.0)
        assert [m.text async for m in bob.messages() if not m.outgoing] == ["before", "from the phone"]
        assert (await phone.devices.all())[0].problem == ""
        with pytest.raises(LocalError, match="satellite"):
            await phone.invite()
        await home.devices.revoke("mobile")
        while (await phone.devices.all())[0].state is not DeviceState.REVOKED:
            await trio.sleep(1.0)
        with pytest.raises(LocalError, match="revoked"):
            await phone.send("bob", "again")
        with pytest.raises(RemoteError):
            await phone.devices.wait_linked()

    play(program)


def test_a_satellite_changes_a_group_and_waits_for_what_its_home_says():
    async def program(town, nursery: trio.Nursery) -> None:
        home = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await befriend(home, bob)
        phone = await town.start(nursery, "phone", 3)
        await phone.devices.accept(await home.devices.link("mobile"))
        await phone.devices.wait_linked(history=True)
        made = await phone.groups.create("club")
        assert [m.you for m in made.members] == [True]
        assert await home.groups.list() == await phone.groups.list() == [made]
        assert (await phone.groups.rename("club", "readers")).name == "readers"
        with pytest.raises(NotDelivered, match="alone in this group"):
            await phone.wait_delivered(await phone.groups.send("readers", "anybody here?"))
        refused = [("anybody here?", MessageState.FAILED)]
        assert [(m.text, m.state) async for m in home.messages("readers")] == refused
        await phone.groups.invite("readers", "bob")
        while not await bob.groups.list():
            await trio.sleep(1.0)
        await bob.groups.accept((await bob.groups.list())[0].name)
        while len((await phone.groups.list())[0].members) < 2:
            await trio.sleep(1.0)
        await phone.wait_delivered(await phone.groups.send("readers", "hello"))
        assert [m.text async for m in home.messages("readers")] == ["anybody here?", "hello"]
        assert [m.text async for m in bob.messages()] == ["hello"]
        with pytest.raises(LocalError, match="no member of this name"):
            await phone.groups.promote("readers", "nobody")
        await phone.groups.promote("readers", "bob")
        await home.groups.leave("readers")
        with pytest.raises(RefusedAtHome, match="not in this group"):
            await phone.groups.rename("readers", "again")
        await home.stop()
        with pytest.raises(HomeSilent):
            await phone.groups.create("later")

    play(program)


@asynccontextmanager
async def two(network: Path):
    async with daemon_of(network, "alice") as home, daemon_of(network, "phone") as phone:
        yield home, phone


async def test_the_commands_about_devices(network, capsys, tmp_path):
    def printed() -> dict | list:
        return json.loads(capsys.readouterr().out)

    async with two(network) as (home, phone):
        assert isinstance(home, Connection)
        capsys.readouterr()
        await devices.list_("alice", folder=network)
        assert "mixnet device link" in capsys.readouterr().err
        await devices.link("alice", called="mobile", out=tmp_path / "for-phone.txt", folder=network)
        assert (tmp_path / "for-phone.txt").stat().st_mode & 0o777 == 0o600
        await devices.accept("phone", str(tmp_path / "for-phone.txt"), wait=False, folder=network, as_json=True)
        assert printed() | {"linked_at": 0} == {
            **{"name": "alice", "role": "home", "state": "linking", "linked_at": 0, "last_seen": 0.0},
            **{"waiting": 0, "history": 1, "problem": ""},
        }
        await devices.list_("phone", folder=network, as_json=True)
        assert [one["role"] for one in printed()] == ["home"]
        await devices.rename("phone", "alice", "desk", folder=network)
        assert capsys.readouterr().out.startswith("desk\thome\tlinking\tnever\t1 older messages\t-")
        for command in (
            devices.link("phone", folder=network),
            devices.revoke("phone", "desk", folder=network),
            contacts.invite("phone", folder=network),
            contacts.invite("phone", code=True, folder=network),
            messages.send("phone", "bob", "hi", signed=True, folder=network),
            anonymous.create("phone", folder=network),
        ):
            with pytest.raises(LocalError, match="do it at your home device 'desk'"):
                await command
        with pytest.raises(LocalError, match="no device named 'nobody'"):
            await devices.revoke("alice", "nobody", folder=network)
        await contacts.invite("alice", folder=network)
        text = capsys.readouterr().out.strip()
        with pytest.raises(RemoteError, match="makes contacts"):
            await devices.accept("phone", text, folder=network)
        await devices.link("alice", folder=network, as_json=True)
        with pytest.raises(RemoteError, match="links devices"):
            await phone.accept(printed()["invitation"])
        with pytest.raises(LocalError, match="empty"):
            await devices.accept("phone", "", folder=network)
        with pytest.raises(LocalError):
            await devices.fetch("alice", 7, folder=network)
    assert issubclass(NoDeviceInvitation, RemoteError)
