"""A whole daemon that is restored while the old one still runs."""

import trio

from mixnet.client.storage import copies
from mixnet.client.storage.database import Store
from mixnet.crypto import SymmetricKey
from tests.client.worlds.daemons import befriend, play, wait_for


def test_the_restored_daemon_goes_on_and_the_old_one_is_cut_off_and_says_so(tmp_path):
    async def program(town, nursery):
        store = Store.open(tmp_path / "bob.db", SymmetricKey.generate())
        for name, value in town.store("bob").all("SELECT name, value FROM settings"):
            store.set_setting(name, value)
        alice, bob = await town.start(nursery, "alice", 1), await town.start(nursery, "bob", 2, store)
        await befriend(alice, bob)
        key, made = SymmetricKey.generate(), town.clock.now()
        store.copy(tmp_path / "copy.db", key)
        await bob.send("alice", "after the backup", wait=True)
        copied = Store.open(tmp_path / "copy.db", key)
        copies.mark(copied, made, made)
        restored = await town.start(nursery, "bob", 2, copied)

        async def renewed():
            return not (await restored.contacts())[0].renewing and not (await alice.contacts())[0].renewing

        await wait_for(renewed)
        await bob.send("alice", "from the old machine")
        await restored.send("alice", "from the new one", wait=True)
        await alice.send("bob", "to the new one", wait=True)
        await trio.sleep(120)
        old, new = await bob.status(), await restored.status()
        assert new["connected"] and not old["connected"]
        assert old["problem"].startswith("This profile was restored on another machine")
        assert [m.text async for m in alice.messages("bob") if not m.outgoing and m.text] == [
            "after the backup",
            "from the new one",
        ]
        assert [m.text async for m in restored.messages("alice") if not m.outgoing and m.text] == ["to the new one"]
        assert [m.text async for m in bob.messages("alice") if not m.outgoing and m.text] == []
        assert old["connections"] <= 3, "it tries no more"
        assert copies.claim(copied)[:1] == b"\0"

    play(program)
