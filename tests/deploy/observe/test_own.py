"""Nodes of one's own: what their sockets say, and no key is read."""

import shutil
from functools import partial

import pytest
import trio

from mixnet.deploy.local import prepare
from mixnet.deploy.observe.own import OwnNodes
from mixnet.errors import LocalError
from mixnet.status import serve_status


async def test_nodes_are_asked_by_their_sockets_and_no_key_is_read(tmp_path, nursery):
    prepare(tmp_path / "network", {"layers": 1, "width": 1, "providers": 1, "authorities": 1})
    names = ("authority-1", "mix-1", "provider-1")
    for name in names:
        (tmp_path / "network" / name / "identity.key").unlink()
    own = OwnNodes([tmp_path / "network" / name / "config.toml" for name in names])
    assert own.heading.nodes == {"authority-1": "authority", "mix-1": "mix", "provider-1": "provider"}
    assert not own.heading.links_seen
    figures = {"role": "mix", "layer": 1, "ready": True, "packets_in": 7}
    await nursery.start(partial(serve_status, tmp_path / "network" / "mix-1" / "status.sock", lambda: figures))
    samples = []

    async def take(sample):
        samples.append(sample)
        looking.cancel()

    with trio.CancelScope() as looking:
        await own.run(take)
    (sample,) = samples
    assert {name: node.up for name, node in sample.nodes.items()} == dict.fromkeys(names, False) | {"mix-1": True}
    assert (sample.nodes["mix-1"].packets_in, sample.flows, sample.clients) == (7, [], {})


def test_what_is_no_configuration_is_said_so(tmp_path):
    with pytest.raises(LocalError, match="can't read the configuration"):
        OwnNodes([tmp_path / "config.toml"])
    for text in ("", "\xff", "bootstrap = 1\ndata_dir = 'a'"):
        (tmp_path / "config.toml").write_text(text)
        with pytest.raises(LocalError, match="is no configuration of a node"):
            OwnNodes([tmp_path / "config.toml"])


def test_two_of_one_name_are_refused(tmp_path):
    prepare(tmp_path / "one", {"layers": 1, "width": 1, "providers": 1, "authorities": 1})
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    with pytest.raises(LocalError, match="the same name"):
        OwnNodes([tmp_path / folder / "mix-1" / "config.toml" for folder in ("one", "two")])
