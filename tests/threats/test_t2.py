"""T2, disclosure of content: no byte of what users write is on a link, on a node's disk, or on their own in clear."""

import os
import random

import pytest
import trio

from mixnet.benchmarks.simulation.world import ONE_A_SECOND, WorldConfig, run_world
from mixnet.client.model.errors import WrongPassphrase
from mixnet.client.storage.database import Store
from mixnet.crypto import SymmetricKey
from mixnet.simulated import SimulatedStream

pytestmark = pytest.mark.timeout(600)
TEXT = "alice to bob: the parcel is under the third oak behind the mill"
FILE = random.Random(7).randbytes(6000)
NAME = "plans of the mill.bin"
PIECE = 12  # bytes: as many as no two unrelated ciphertexts of this size share by chance


def pieces_of(secret):
    """Pieces of the secret, none of which may appear anywhere."""
    return [secret[at : at + PIECE] for at in range(0, len(secret) - PIECE, PIECE)]


SECRETS = [piece for secret in (TEXT.encode(), FILE, NAME.encode()) for piece in pieces_of(secret)]


def found(data):
    return [secret for secret in SECRETS if secret in data]


def conversation(tmp_path, monkeypatch):
    """Everything that a conversation puts on links, and on the disks of nodes: (links, disks, both received)."""
    wire, disks, received = bytearray(), bytearray(), []
    send = SimulatedStream.send_all

    async def send_all(self, data):
        wire.extend(data)
        await send(self, data)

    monkeypatch.setattr(SimulatedStream, "send_all", send_all)
    (tmp_path / NAME).write_bytes(FILE)

    async def program(world):
        await world.befriend(0, 1)
        await world.clients[0].send("client-2", TEXT)
        await world.clients[0].send_file("client-2", tmp_path / NAME)
        await trio.sleep(4)
        world.network.crash("client-2")
        world.network.partition(["client-2"], ["provider-2"])  # so that mail stays in the provider's database
        await trio.sleep(20)
        disks.extend(_files_of_nodes(world))
        world.network.heal()
        await trio.sleep(150)
        received.extend(await world.inbox(1))

    run_world(program, WorldConfig(seed=2, disks=True, codec="sphinx", parameters=ONE_A_SECOND))
    return bytes(wire), bytes(disks), received


def _files_of_nodes(world):
    folders = [world.plan.folder(member) for member in world.plan.actors if member.name in world.nodes]
    return b"".join(path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file())


def test_no_byte_of_a_conversation_is_on_a_link_or_on_a_nodes_disk(tmp_path, monkeypatch):
    wire, disks, received = conversation(tmp_path, monkeypatch)
    assert {message.text for message in received} == {TEXT, NAME}  # it did cross all those links
    assert len(wire) > 10**6
    assert b"SQLite format 3" in disks
    assert found(wire) == []
    assert found(disks) == []


def test_the_search_finds_what_is_in_clear():
    """Control: anywhere in a megabyte, in part."""
    hidden = os.urandom(500_000) + TEXT.encode()[7:40] + os.urandom(500_000)
    assert found(hidden)
    assert found(os.urandom(100) + FILE[1000:1100])


def written(path, key):
    store = Store.open(path, key)
    with store.transaction():
        store.set_setting("a note", TEXT.encode())
    return store


def test_a_clients_own_disk_is_encrypted(tmp_path):
    key = SymmetricKey.generate()
    store = written(tmp_path / "store.db", key)
    open_files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    store.close()
    closed_files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert len(closed_files) > 1000
    assert found(open_files) == []
    assert found(closed_files) == []
    with pytest.raises(WrongPassphrase):
        Store.open(tmp_path / "store.db", SymmetricKey.generate())


def test_it_opens_with_its_key(tmp_path):
    """Control: what was looked for was there."""
    key = SymmetricKey.generate()
    written(tmp_path / "store.db", key).close()
    store = Store.open(tmp_path / "store.db", key)
    assert store.setting("a note") == TEXT.encode()
    store.close()
