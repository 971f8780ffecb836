"""Looks at nodes of one's own on this machine, as they run in a network of many machines (spec/11-demonstration.md).

Promises: it asks the status sockets of the nodes that were named, and nobody else; it reads no key. There are no links
and no clients in it: who talks to a node is none of its operator's business.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio

from mixnet.deploy.folders import SOCKET
from mixnet.deploy.observe.live import NODES_PAUSE, Take, node_sample
from mixnet.deploy.observe.samples import VERSION, Heading, NodeSample, Sample
from mixnet.errors import LocalError, MixnetError
from mixnet.pki.bootstrap import Bootstrap
from mixnet.status import read_status


class _Configuration(msgspec.Struct):
    """What is needed of a node's configuration; an authority's names no role."""

    bootstrap: str
    data_dir: str
    role: str = "authority"


class OwnNodes:
    """Nodes whose configurations, such as /etc/mixnet/mix-1/config.toml, were named."""

    def __init__(self, files: Sequence[Path]) -> None:
        """LocalError if one can't be read, or two have the same name, which is that of the folder."""
        read = {file.absolute().parent.name: (file.absolute().parent, _read(file)) for file in files}
        if len(read) < len(files):
            raise LocalError("two of these nodes have the same name: their configurations lie in folders of one name")
        self._sockets = {name: folder / one.data_dir / SOCKET for name, (folder, one) in read.items()}
        folder, first = next(iter(read.values()))
        trust = Bootstrap.load(folder / first.bootstrap)
        self.heading = Heading(
            version=VERSION,
            title="nodes of yours: " + ", ".join(read),
            nodes={name: one.role for name, (_, one) in read.items()},
            genesis=trust.genesis,
            epoch_length=trust.epoch_length,
            began=time.time(),
            tick=NODES_PAUSE,
            links_seen=False,
        )

    async def run(self, take: Take) -> None:
        """Give a sample a second, until cancelled."""
        begun = trio.current_time()
        while True:
            nodes = await self._ask()
            await take(Sample(round(trio.current_time() - begun, 3), nodes=nodes))
            await trio.sleep(NODES_PAUSE)

    async def _ask(self) -> dict[str, NodeSample]:
        found = {}
        for name, path in self._sockets.items():
            try:
                found[name] = node_sample(await read_status(path))
            except MixnetError:
                found[name] = NodeSample()
        return found


def _read(file: Path) -> _Configuration:
    try:
        return msgspec.toml.decode(file.read_bytes(), type=_Configuration)
    except OSError as error:
        raise LocalError(f"can't read the configuration {file}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LocalError(f"{file} is no configuration of a node: {error}") from None
