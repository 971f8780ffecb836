"""An operator's decisions about nodes hold from the next round on, without a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from mixnet.directory.allowlist import CHANGES, AllowList, BadAllowList, Changes, load_changes, save_changes
from mixnet.directory.queries import DirectoryQueries
from mixnet.errors import Unavailable
from mixnet.pki.descriptor import NodeRole
from tests.directory.authority_world import AuthorityWorld
from tests.mixnet.pki.builders import Town, key

ONE, OTHER = key("one").public, key("other").public
TOWN = Town()


def test_the_configuration_holds_but_for_what_was_decided(tmp_path: Path) -> None:
    allowed = AllowList({ONE: NodeRole.MIX}, tmp_path)
    assert allowed.current() == {ONE: NodeRole.MIX}
    save_changes(tmp_path, load_changes(tmp_path).approve(OTHER, NodeRole.PROVIDER))
    assert allowed.current() == {ONE: NodeRole.MIX, OTHER: NodeRole.PROVIDER}
    save_changes(tmp_path, load_changes(tmp_path).revoke(ONE))
    assert allowed.current() == {OTHER: NodeRole.PROVIDER}
    save_changes(tmp_path, load_changes(tmp_path).approve(ONE, NodeRole.MIX).revoke(OTHER))
    assert allowed.current() == {ONE: NodeRole.MIX}
    (tmp_path / CHANGES).unlink()
    assert allowed.current() == {ONE: NodeRole.MIX}


@pytest.mark.parametrize("text", ["", "[]", '{"approved": {"00": "mix"}}', '{"revoked": ["zz"]}', '{"other": 1}'])
def test_a_damaged_file_changes_nothing_and_is_told(tmp_path: Path, text: str) -> None:
    save_changes(tmp_path, Changes().revoke(ONE))
    allowed = AllowList({ONE: NodeRole.MIX, OTHER: NodeRole.MIX}, tmp_path)
    assert allowed.current() == {OTHER: NodeRole.MIX}
    (tmp_path / CHANGES).write_text(text)
    assert allowed.current() == {OTHER: NodeRole.MIX}
    assert CHANGES in allowed.problem
    with pytest.raises(BadAllowList):
        load_changes(tmp_path)


async def test_a_node_comes_and_goes_with_its_approval(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    world = AuthorityWorld(TOWN, nursery)
    new = TOWN.nodes["mix 0"][0].public
    without = {identity: role for identity, role in TOWN.approved.items() if identity != new}
    folders = [tmp_path / str(number) for number in range(3)]
    for number, folder in enumerate(folders):
        await world.start(number, approved=without, data_dir=folder)
    world.enter(*[name for name in TOWN.nodes if name != "mix 0"])
    epochs, reader = TOWN.bootstrap.epochs, DirectoryQueries(TOWN.bootstrap, world.network, identity=key("reader"))

    async def listed(epoch: int) -> bool:
        await trio.sleep(max(epochs.start(epoch) + 10 - world.clock.now(), 0))
        return (await world.fetch_when_ready(epoch))[0].node(new) is not None

    with pytest.raises(Unavailable):
        await world.upload("mix 0", 0)
    assert not await listed(0)
    sentence, words = await reader.why(new, 0)
    assert "0 of 3 authorities vote for it, 2 are needed" in sentence
    assert all("has not approved it, though it asked" in word for word in words.values())

    for folder in folders[:2]:
        save_changes(folder, load_changes(folder).approve(new, NodeRole.MIX))
    sentence, words = await reader.why(new, 0)
    assert sum("has no descriptor" in word for word in words.values()) == 2
    await world.upload("mix 0", 0)
    sentence, words = await reader.why(new, 0)
    assert "2 authorities vote for it: it comes with the document for epoch 1" in sentence
    assert await listed(1)
    assert (await reader.why(new, 1))[0].startswith("it is listed: layer")

    for folder in folders[:2]:
        save_changes(folder, load_changes(folder).revoke(new))
    assert not await listed(2)
    await world.crash(2)
    assert (await reader.why(new, 2))[1][TOWN.authorities[2].public] == "gives no answer"
