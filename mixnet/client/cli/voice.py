"""Voice messages at the command line: `mixnet voice` and `mixnet play`."""

from __future__ import annotations

import select
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mixnet.client.cli import render
from mixnet.client.cli.files import until_settled
from mixnet.client.cli.options import Flag, Folder, Json, Profile, checked, command, hints_for, profile_folder, talk
from mixnet.client.model.names import same
from mixnet.errors import LocalError, MixnetError
from mixnet.exclusive import argument, exclusive, option

if TYPE_CHECKING:
    from mixnet.client.media.sound import Recording, Sound

_WHAT, _FROM, _TO = exclusive(required=True), exclusive(), exclusive()
_LONGEST = 300  # seconds: client/media/voice_file.py, which tests compare


async def voice(
    name: Profile,
    contact: Annotated[str | None, argument(_WHAT), Parameter(help="The contact.")] = None,
    /,
    *,
    file: Annotated[Path | None, option(_FROM)] = None,
    device: Annotated[str | None, option(_FROM)] = None,
    seconds: int = _LONGEST,
    wait: Flag = False,
    devices: Annotated[Flag, option(_WHAT)] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Record a voice message until you press Enter, and send it; Ctrl-C throws it away.

    It is sent as a file of its own kind, whose size tells its length in steps of 5 seconds and nothing of what is said.
    Nothing plays by itself: `mixnet play` does, when its receiver asks.

    Example: `mixnet voice alice bob`, or `mixnet voice alice bob --file said.wav`

    Parameters
    ----------
    file
        Send this file of sound (WAV, FLAC, MP3 or Ogg Vorbis) instead of recording.
    device
        Record from this device: its name, or a part of it; the system's choice if not given.
    seconds
        Stop recording after so many seconds.
    wait
        Return only when it is delivered.
    devices
        List the devices that record and play, instead.
    """
    from mixnet.client.cli import watching  # noqa: PLC0415
    from mixnet.client.media import codec, kept  # noqa: PLC0415
    from mixnet.client.media.sound import Devices  # noqa: PLC0415
    from mixnet.client.media.voice_file import RATE  # noqa: PLC0415

    if devices or contact is None:
        _list(Devices().devices(), as_json=as_json)
        return
    if not 1 <= seconds <= _LONGEST:
        raise LocalError(f"a voice message has 1 to {_LONGEST} seconds: give --seconds as a number between")
    codec.require("av", "miniaudio")
    async with talk(folder, name) as me:
        # A name that nobody has, or a group, is told before anything is said into a microphone.
        await me.page(contact)
        if same(contact) not in {same(one.name) for one in await me.contacts()}:
            raise LocalError(f"{contact!r} is no contact: voice messages go to contacts only, as files do")
    if file is not None:
        with hints_for(name, folder):
            samples = codec.from_file(file)
        most = seconds * codec.SAMPLE * RATE
        if len(samples) > most:
            render.note(f"{file} is longer than {seconds} seconds: the rest is left out")
            samples = samples[:most]
    else:
        with hints_for(name, folder):
            samples = record(Devices(), device, seconds)
    raw = codec.encode(samples)
    path = kept.keep(profile_folder(folder, name), raw)
    with watching.Watch(name, folder) as watch:
        async with talk(folder, name) as me:
            try:
                number = await me.send_file(contact, path)
            except MixnetError:
                render.note(f"it was not sent, and is kept in {path}")
                raise
            message = await until_settled(me, number, watch) if wait else await me.message(number)
    render.json(message) if as_json else render.message(message)


def _list(known: list[tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        render.json([{"kind": kind, "name": device} for kind, device in known])
    elif known:
        render.table(("it", "device"), known)
    else:
        render.note("no device for sound is here: --file sends a file of sound, `mixnet play --out` writes one")


def record(sound: Sound, device: str | None, most: int) -> bytes:
    """Record until Enter, or for as long as it may be; KeyboardInterrupt throws it away."""
    recording = sound.record(device, most)
    try:
        at_terminal = sys.stdin.isatty()
        how = "Enter sends it, Ctrl-C throws it away" if at_terminal else "Ctrl-C throws it away"
        render.note(f"recording, at most {most} seconds: {how}")
        _until_enter(recording, most, watching=at_terminal)
    finally:
        samples = recording.stop()
        if sys.stderr.isatty():
            sys.stderr.write("\n")
    return samples


def _until_enter(recording: Recording, most: int, *, watching: bool) -> None:
    from mixnet.client.media.kept import duration  # noqa: PLC0415

    latest = time.monotonic() + most + 5  # a device that gives nothing
    while recording.seconds < most and time.monotonic() < latest:
        if not watching:
            time.sleep(0.1)
        elif select.select([sys.stdin], [], [], 0.2)[0]:
            sys.stdin.readline()
            return
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{duration(recording.seconds)} ")
            sys.stderr.flush()


async def play(
    name: Profile,
    number: int,
    /,
    *,
    device: Annotated[str | None, option(_TO)] = None,
    out: Annotated[Path | None, option(_TO)] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Play a voice message; Ctrl-C stops. Nobody learns that you heard it.

    What came is decoded in a process of its own that can do little else, and only what is exactly a voice message of
    this program: any other file of sound is left to your own player.

    Example: `mixnet play bob 7`, or `mixnet play bob 7 --out said.wav`

    Parameters
    ----------
    number
        The message's number, as `mixnet inbox` shows it.
    device
        Play it on this device: its name, or a part of it; the system's choice if not given.
    out
        Write it to a new WAV file that only you can read, instead.
    """
    from mixnet.client.media import codec, kept  # noqa: PLC0415
    from mixnet.client.media.sound import Devices  # noqa: PLC0415
    from mixnet.client.media.voice_file import RATE  # noqa: PLC0415
    from mixnet.client.profile.atomic_file import write_new  # noqa: PLC0415

    async with talk(folder, name) as me:
        message = await me.message(checked(number))
    if not message.path:
        told = command(folder, "message", name, number)
        raise LocalError(f"message {number} has no file here: `{told}` says what became of it")
    samples = codec.decode_untrusted(kept.read(Path(message.path)))
    if out is not None:
        write_new(out, codec.wav(samples))
    else:
        with hints_for(name, folder):
            Devices().play(samples, device)
    if as_json:
        seconds = round(len(samples) / (codec.SAMPLE * RATE), 1)
        render.json({"number": number, "seconds": seconds, "out": None if out is None else str(out)})
