"""Voice messages in the terminal program: recorded, thrown away, sent, shown with their length, played when asked."""

import threading

import pytest

from mixnet.client.api.connection import connect
from mixnet.client.chat.history import History
from mixnet.client.media import codec, kept
from mixnet.client.media.codec import VoiceMissing
from mixnet.client.media.sound import NoDevice
from mixnet.client.media.voice_file import PLAYED, RATE
from mixnet.client.model.views import MessageKind, MessageState
from tests.client.chat.screen import conversation, receive, use


class Machine:
    """One microphone, which hears so many seconds, and a loudspeaker that keeps what it played."""

    def __init__(self) -> None:
        self.seconds, self.open = 3.0, 0
        self.played: list[bytes] = []
        self.stopped: threading.Event | None = None
        self.hold = False

    def devices(self):
        return []

    def record(self, device=None, most=0):
        self.open += 1
        return self

    def stop(self) -> bytes:
        self.open = 0
        return bytes(int(self.seconds * RATE) * 2)

    def play(self, samples, device=None, stop=None):
        self.played.append(samples)
        if self.hold:
            self.stopped = stop
            stop.wait()


async def test_it_is_recorded_sent_by_a_key_and_thrown_away_by_another(tmp_path):
    machine = Machine()
    async with conversation(tmp_path, "bob") as world:

        async def play(user):
            await user.until("bob")
            await user.press("ctrl+p")
            await user.until("choose a conversation first")
            await user.press("enter")
            await user.until("not verified")
            await user.press("ctrl+p")
            await user.until("recording 0:03")
            assert machine.open == 1
            await user.press("escape")
            await user.until(lambda: "recording" not in user.text)
            assert machine.open == 0 and user.app.query_one(History).option_count == 0
            for key in ("enter", "ctrl+p"):
                await user.press("ctrl+p")
                await user.until("recording 0:03")
                await user.press(key)
                await user.until(lambda: "recording" not in user.text)
            await user.until(lambda: user.app.query_one(History).option_count == 2)
            await user.until("voice message, 0:03")
            assert machine.open == 0

        await use(tmp_path, world, play, sound=machine)
        async with connect(tmp_path) as me:
            sent = [one async for one in me.messages("bob")]
    assert [(one.kind, kept.seconds(one.path)) for one in sent] == [(MessageKind.FILE, 3.0)] * 2
    assert len(list((tmp_path / "downloads" / "sent").iterdir())) == 2


async def test_what_came_is_played_when_asked_only_and_what_is_none_never(tmp_path):
    machine = Machine()
    said = kept.keep(tmp_path, codec.encode(bytes(RATE * 4)))
    hostile = said.with_name("hostile.opus")
    hostile.write_bytes(said.read_bytes()[:-1] + b"x")
    async with conversation(tmp_path, "bob") as world:
        for path in (hostile, said):
            received = {"kind": MessageKind.FILE, "path": str(path), "size": path.stat().st_size}
            receive(world, "bob", path.name, state=MessageState.RECEIVED, **received)

        async def play(user):
            await user.until("bob")
            await user.press("enter")
            await user.until("voice message, 0:02")
            assert "file hostile.opus" in user.text and machine.played == []
            await user.press("shift+tab")
            machine.hold = True
            await user.press("enter")
            await user.until("Play it")
            await user.press("enter")
            await user.until("playing: Esc stops")
            await user.until(lambda: machine.stopped)
            await user.press("escape")
            await user.until(lambda: "playing" not in user.text)
            assert machine.stopped.is_set() and [len(one) for one in machine.played] == [2 * 2 * PLAYED]
            await user.press("up", "enter")
            await user.until("Read or copy it")
            assert "Play it" not in user.text

        await use(tmp_path, world, play, sound=machine)


@pytest.mark.parametrize("error", [NoDevice("no device works"), VoiceMissing("no library is there")])
async def test_a_machine_that_can_t_is_told_of(tmp_path, error):
    machine = Machine()

    def fail(device=None, most=0):
        raise error

    machine.record = fail
    async with conversation(tmp_path, "bob") as world:

        async def play(user):
            await user.until("bob")
            await user.press("enter")
            await user.until("not verified")
            await user.press("ctrl+p")
            await user.until(str(error))

        await use(tmp_path, world, play, sound=machine)
