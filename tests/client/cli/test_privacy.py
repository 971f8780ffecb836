"""`mixnet privacy`, `mailbox` and `profile`, against a daemon whose provider is a list of answers."""

import json
from contextlib import asynccontextmanager

import msgspec
import pytest

from mixnet.client.api.daemon_api import Kept
from mixnet.client.api.export import FolderExists
from mixnet.client.cli import mailbox, privacy, profile
from mixnet.client.model import paths
from mixnet.client.model.paths import NoProfile
from mixnet.client.profile.lock import AlreadyRunning
from mixnet.errors import LocalError, Unavailable
from mixnet.inventory import INVENTORY, Role, as_maps, refreshed
from tests.client.worlds.daemons import daemon_of
from tests.client.worlds.mailbox import KEPT, Provider
from tests.client.worlds.service import invitation


@asynccontextmanager
async def daemon(network, *answers, connected=True):
    """(a connection to alice's daemon, its provider)."""
    provider = Provider(*answers)
    async with daemon_of(network, "alice") as me:
        service = me._channel._daemon
        directory = network / "clients" / "alice"
        service.kept = Kept(provider.post(connected=connected), service.user._core.store, directory)
        yield me, provider


ACCOUNT = msgspec.msgpack.encode(KEPT)


async def test_what_a_provider_keeps_is_shown_and_exported(network, capsys):
    async with daemon(network, ACCOUNT, ACCOUNT, msgspec.msgpack.encode(None), ACCOUNT) as (_, provider):
        capsys.readouterr()
        await mailbox.show("alice", folder=network)
        shown = capsys.readouterr().out
        assert "3 (9,216 bytes, encrypted)" in shown
        assert (b"m" * 32).hex() in shown
        await mailbox.show("alice", folder=network, as_json=True)
        assert json.loads(capsys.readouterr().out)["next_expiry"] == KEPT["next_expiry"]
        await mailbox.show("alice", folder=network, as_json=True)
        assert json.loads(capsys.readouterr().out)["registered"] is False
        await mailbox.export("alice", network / "kept.json", folder=network)
        with pytest.raises(FileExistsError):
            provider.answers.append(ACCOUNT)
            await mailbox.export("alice", network / "kept.json", folder=network)
    written = json.loads((network / "kept.json").read_text())
    assert (written["format"], written["packets"], written["mailbox"]) == ("mixnet-mailbox/1", 3, (b"m" * 32).hex())
    assert (network / "kept.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("leave", [False, True])
async def test_an_erasure_wants_a_yes_and_says_what_is_lost(network, capsys, leave):
    async with daemon(network, b"erased") as (me, provider):
        with pytest.raises(LocalError, match=r"nothing was erased.*backups.*--yes") as refused:
            await mailbox.erase("alice", leave=leave, folder=network)
        assert ("can't reach you" in str(refused.value)) is leave
        assert provider.asked == []
        await mailbox.erase("alice", leave=leave, yes=True, folder=network, as_json=True)
        out, err = capsys.readouterr()
        assert json.loads(out.splitlines()[-1])["registered"] is not leave
        assert "backups" in err
        assert [asked for asked, _ in provider.asked] == [{"op": "erase"} if leave else {"op": "erase", "again": True}]
        assert me._channel._daemon.stopping.is_set() is leave


async def test_without_a_provider_the_error_says_that_nothing_was_asked(network):
    async with daemon(network, connected=False) as (_, provider):
        with pytest.raises(Unavailable, match="nothing was asked"):
            await mailbox.erase("alice", yes=True, folder=network)
    assert provider.asked == []


async def test_all_data_goes_into_one_folder_but_no_key(network, capsys):
    async with daemon(network, ACCOUNT) as (me, _):
        await me.accept(await invitation("bob"), "bob")
        await me.archive.retain("bob", 3600.0)
        await me.note("bob", "met in Oslo")
        await profile.export("alice", network / "all", folder=network)
        with pytest.raises(FolderExists):
            await profile.export("alice", network / "all", folder=network)
        secret = me._channel._daemon.user._core.identity.expose()
        mine = await me.archive.identity()
    out, err = capsys.readouterr()
    assert "0 messages and 1 contacts" in out
    assert "NOT encrypted" in err
    assert sorted(path.name for path in (network / "all").iterdir()) == ["messages.jsonl", "profile.json"]
    told = json.loads((network / "all" / "profile.json").read_text())
    assert (told["identity"], told["settings"]["name"], told["mailbox"]["packets"]) == (mine, "alice", 3)
    (bob,) = told["contacts"]
    assert (bob["name"], bob["retention"], bob["note"]) == ("bob", 3600.0, "met in Oslo")
    assert {one["kind"] for one in told["holdings"]} >= {"messages", "contacts", "keys"}
    assert (network / "all").stat().st_mode & 0o777 == 0o700
    for path in (network / "all").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert secret.hex() not in path.read_text()
    assert not list(network.glob(".all.*"))


async def test_what_the_provider_keeps_may_be_missing_from_the_folder(network, capsys):
    async with daemon(network, connected=False):
        await profile.export("alice", network / "all", folder=network)
    told = json.loads((network / "all" / "profile.json").read_text())
    assert told["mailbox"] is None
    assert "nothing was asked" in told["mailbox_problem"]
    assert "what your provider keeps is not in it" in capsys.readouterr().err


async def test_a_profile_is_erased_when_its_daemon_has_stopped(network, capsys):
    directory = network / "clients" / "alice"
    async with daemon(network):
        with pytest.raises(AlreadyRunning, match=r"nothing was erased: .* `mixnet client stop alice"):
            profile.erase("alice", yes=True, folder=network)
    with pytest.raises(LocalError, match=r"nothing was erased.*mailbox erase alice --leave.*--yes"):
        profile.erase("alice", folder=network)
    assert (directory / paths.KEY).exists()
    capsys.readouterr()
    profile.erase("alice", yes=True, folder=network, as_json=True)
    out, err = capsys.readouterr()
    assert json.loads(out)["left"] == []
    assert "snapshots and backups may keep older copies" in err
    assert not directory.exists()
    with pytest.raises(NoProfile):
        profile.erase("alice", yes=True, folder=network)


async def test_the_inventory_is_shown_by_role(capsys):
    await privacy.privacy(role="mix")
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == len(INVENTORY[Role.MIX])
    assert all(line.startswith("mix\t") for line in shown)
    await privacy.privacy(as_json=True)
    assert json.loads(capsys.readouterr().out) == as_maps(INVENTORY)


async def test_what_a_profile_holds_is_counted_with_and_without_its_daemon(network, capsys):
    async with daemon(network) as (me, _):
        await me.accept(await invitation("bob"), "bob")
        capsys.readouterr()
        await privacy.privacy("alice", folder=network, as_json=True)
        running = {one["kind"]: one for one in json.loads(capsys.readouterr().out)}
    assert (running["contacts"]["items"], running["sessions"]["items"]) == (1, 1)
    assert running["contacts"]["oldest"] > 1.7e9
    await privacy.privacy("alice", folder=network)
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    shown = {line[0]: line for line in lines}
    assert shown["contacts"][1] == "0"  # the daemon above had a store in memory; this is the folder's own
    assert shown["store"][1] == "1"
    assert int(shown["store"][2].replace(",", "")) > 50_000
    with pytest.raises(LocalError, match="leave the profile out, or the role"):
        await privacy.privacy("alice", role="mix", folder=network)


async def test_a_document_gets_its_tables_anew(tmp_path):
    document = tmp_path / "page.md"
    places = [f"<!-- {name} -->\nold\n<!-- end of {name} -->\n" for name in ("inventory", "retention")]
    text = f"before\n{''.join(places)}after\n"
    document.write_text(text)
    await privacy.privacy(markdown=document)
    made = document.read_text()
    assert made.startswith("before\n")
    assert made.endswith("after\n")
    assert "old" not in made.split("<!-- end of inventory -->")[0].splitlines()
    assert "| mailboxes |" in made
    assert refreshed(made, INVENTORY) == made
    with pytest.raises(LocalError, match="no place for the inventory"):
        refreshed("nothing here", INVENTORY)
