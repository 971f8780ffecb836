"""Two people on the hostile network of channel.py who know each other, the files they send, and what came of it."""

import random
from pathlib import Path

from hypothesis import settings

from mixnet.client.model.views import ContactState, MessageState
from tests.client.worlds.channel import Channel

SLOW = settings(max_examples=12)


def befriend(channel: Channel, inviter="alice", acceptor="bob", seconds=3000) -> None:
    channel.introduce(inviter, acceptor)

    def established() -> bool:
        return all(
            any(c.name == other and c.state is ContactState.ESTABLISHED for c in channel[one].messenger.contacts())
            for one, other in ((inviter, acceptor), (acceptor, inviter))
        )

    assert channel.run(seconds, established)


def write(channel: Channel, size: int, name="file.bin", seed=0) -> Path:
    path = channel.tmp / name
    path.write_bytes(random.Random(seed).randbytes(size))
    return path


def downloads(channel: Channel, name="bob") -> dict[str, bytes]:
    folder = channel.tmp / name / "downloads"
    return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.exists() else {}


def errors(person):
    return [m.error for m in person.messenger.messages() if m.state is MessageState.FAILED and not m.outgoing]


def failures(channel, name="alice"):
    return {m.error for m in channel[name].messenger.messages() if m.state is MessageState.FAILED}
