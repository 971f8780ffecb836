"""`mixnet voice` and `mixnet play`: from a file of sound or a device to the contact's list, and what is refused."""

import json
import os
import pty
import wave
from pathlib import Path

import pytest

from mixnet.client.cli import groups, messages, voice
from mixnet.client.media import codec, kept, pictures, sound
from mixnet.client.media.sound import Devices, NoDevice
from mixnet.client.media.voice_file import PLAYED, RATE, NoVoice
from mixnet.errors import LocalError
from mixnet.extras import installation
from tests.client.worlds.daemons import daemon_of
from tests.client.worlds.service import invitation


@pytest.fixture
async def profile(network):
    """Alice's daemon runs, and she has a contact, bob."""
    async with daemon_of(network, "alice") as alice:
        await alice.accept(await invitation("bob"), "bob")
        yield


def said(path: Path, seconds: float) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(bytes(range(256)) * int(seconds * RATE / 128))
    return path


async def test_a_file_of_sound_is_sent_shown_and_written_again(profile, tmp_path, capsys):
    await voice.voice("alice", "bob", file=said(tmp_path / "in.wav", 4), seconds=3, folder=tmp_path)
    shown = capsys.readouterr()
    assert "[queued]  → bob: voice message, 0:03: voice-" in shown.out and "the rest is left out" in shown.err
    await voice.voice("alice", "bob", file=tmp_path / "in.wav", folder=tmp_path, as_json=True)
    one = json.loads(capsys.readouterr().out)
    assert one["size"] == 10_249 and kept.seconds(one["path"]) == 4
    out = tmp_path / "out.wav"
    await voice.play("alice", one["id"], out=out, folder=tmp_path)
    assert out.stat().st_mode & 0o777 == 0o600
    with wave.open(str(out)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, PLAYED, 4 * PLAYED)
    with pytest.raises(FileExistsError):
        await voice.play("alice", one["id"], out=out, folder=tmp_path)


async def test_only_voice_messages_are_played(profile, tmp_path, capsys):
    await messages.send("alice", "bob", file=said(tmp_path / "in.wav", 1), folder=tmp_path)
    with pytest.raises(NoVoice):
        await voice.play("alice", 1, folder=tmp_path)
    await messages.send("alice", "bob", "hi", folder=tmp_path)
    with pytest.raises(LocalError, match="no file here: `mixnet message alice 2 --dir"):
        await voice.play("alice", 2, folder=tmp_path)


async def test_nothing_is_recorded_for_nobody_or_for_too_long(profile, tmp_path, monkeypatch):
    monkeypatch.setattr(sound, "Devices", None)
    await groups.create("alice", "club", folder=tmp_path)
    for contact, seconds in (("nobody", 5), ("club", 5), ("bob", 0), ("bob", 301)):
        with pytest.raises(LocalError):
            await voice.voice("alice", contact, seconds=seconds, folder=tmp_path)


class Microphone:
    """A device that hears a second at a time."""

    def __init__(self, *heard: float | None) -> None:
        self.heard, self.stopped = list(heard), 0

    def record(self, device=None, most=0):
        return self

    @property
    def seconds(self) -> float:
        heard = self.heard.pop(0)
        if heard is None:
            raise KeyboardInterrupt
        return heard

    def stop(self) -> bytes:
        self.stopped += 1
        return bytes(RATE)


def test_a_device_is_recorded_for_as_long_as_it_may_be_and_an_interrupt_throws_away(monkeypatch, capsys):
    monkeypatch.setattr(voice.time, "sleep", lambda _: None)
    full = Microphone(0.0, 1.0, 2.0)
    assert voice.record(full, None, 2) == bytes(RATE) and full.stopped == 1
    assert "at most 2 seconds: Ctrl-C throws it away" in capsys.readouterr().err
    interrupted = Microphone(0.0, None)
    with pytest.raises(KeyboardInterrupt):
        voice.record(interrupted, None, 2)
    assert interrupted.stopped == 1


def test_enter_ends_a_recording(monkeypatch):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr(voice.sys, "stdin", terminal)
        os.write(ours, b"\n")
        endless = Microphone(*[0.5] * 1000)
        assert voice.record(endless, None, 60)
    assert endless.stopped == 1 and endless.heard


async def test_devices_are_listed_and_trouble_names_the_profile(profile, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Devices, "devices", lambda self: [("records", "mic"), ("plays", "speaker")])
    capsys.readouterr()
    await voice.voice("alice", devices=True, folder=tmp_path)
    assert capsys.readouterr().out == "records\tmic\nplays\tspeaker\n"
    await voice.voice("alice", devices=True, folder=tmp_path, as_json=True)
    assert json.loads(capsys.readouterr().out)[0] == {"kind": "records", "name": "mic"}
    monkeypatch.setattr(Devices, "_all", lambda self: [])
    with pytest.raises(NoDevice, match="`mixnet voice alice --devices --dir"):
        await voice.voice("alice", "bob", device="missing", folder=tmp_path)


def test_what_must_be_installed_is_what_the_extras_say(monkeypatch, tmp_path):
    for room, extra, ask in (
        (codec, "voice", lambda: codec.require("av")),
        (pictures, "pictures", lambda: pictures.codes_untrusted(tmp_path)),
    ):
        monkeypatch.setattr(room, "find_spec", lambda _: None)
        with pytest.raises(LocalError) as error:
            ask()
        assert f"`{installation(extra)}`" in str(error.value)
