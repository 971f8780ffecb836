"""Voice to and from Opus at a constant bit rate, and files of sound to voice. All of it blocks.

Promises: each packet has one size, silence too, so a recording's length alone says its file's size; what others made
is decoded in a process of its own only, after every byte beside the packets was checked.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

from mixnet.client.media.bounded import work_untrusted
from mixnet.client.media.voice_file import (
    FRAME,
    LONGEST,
    PACKET_SIZE,
    PLAYED,
    PLAYED_FRAME,
    RATE,
    SKIPPED,
    STEP_PACKETS,
    NoVoice,
    Voice,
    pack,
    parse_untrusted,
    steps,
)
from mixnet.errors import LocalError
from mixnet.extras import lacking

SAMPLE = 2  # bytes
_FILE_LIMIT = 100_000_000  # bytes of a file of sound
_OPTIONS = {"vbr": "off", "frame_duration": "40", "application": "voip", "compression_level": "10"}


class VoiceMissing(LocalError):
    """Voice messages need libraries that aren't installed."""

    exit_status = 1


class NoSound(LocalError):
    """There is nothing in it that could be sent as a voice message."""


def require(*packages: str) -> None:
    """VoiceMissing unless they are installed."""
    if any(find_spec(one) is None for one in packages):
        raise VoiceMissing(lacking("voice"))


def encode(samples: bytes) -> bytes:
    """The file of a recording (16 bits a sample, `RATE` a second); NoSound, VoiceMissing. What is too long is cut."""
    require("av")
    samples = samples[: (LONGEST * RATE - SKIPPED * RATE // PLAYED) * SAMPLE]
    length = len(samples) // SAMPLE
    if length == 0:
        raise NoSound("nothing was recorded: there is nothing to send")
    count = steps(length) * STEP_PACKETS
    padded = samples[: length * SAMPLE].ljust(count * FRAME * SAMPLE, b"\0")
    packets = tuple(_packets(padded))
    if len(packets) != count or any(len(one) != PACKET_SIZE for one in packets):
        raise LocalError("this version of the library for Opus has no constant bit rate: install another one")
    return pack(Voice(packets, length))


def _packets(samples: bytes) -> Iterator[bytes]:
    import av  # noqa: PLC0415  # an extra

    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "s16"
    encoder.bit_rate, encoder.options = PACKET_SIZE * 8 * RATE // FRAME, _OPTIONS
    size = FRAME * SAMPLE
    for at in range(0, len(samples), size):
        frame = av.AudioFrame("s16", "mono", FRAME)
        frame.planes[0].update(samples[at : at + size])
        frame.sample_rate, frame.pts, frame.time_base = RATE, at // SAMPLE, Fraction(1, RATE)
        yield from map(bytes, encoder.encode(frame))


def decode_untrusted(raw: bytes) -> bytes:
    """The samples of a voice message, 16 bits each, `PLAYED` a second; NoVoice, Unreadable, VoiceMissing."""
    voice = parse_untrusted(raw)
    require("av")
    most = len(voice.packets) * PLAYED_FRAME * SAMPLE
    samples = work_untrusted("opus", b"".join(voice.packets), most)
    if len(samples) != most:
        raise NoVoice
    return samples[SKIPPED * SAMPLE : (SKIPPED + voice.length * PLAYED // RATE) * SAMPLE]


def wav(samples: bytes) -> bytes:
    """A WAV file of samples at `PLAYED`."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setparams((1, SAMPLE, PLAYED, 0, "NONE", ""))
        file.writeframes(samples)
    return made.getvalue()


def from_file(path: Path) -> bytes:
    """The samples of a file of sound (WAV, FLAC, MP3 or Ogg Vorbis); NoSound, Unreadable, VoiceMissing, OSError."""
    require("miniaudio")
    with path.open("rb") as file:
        raw = file.read(_FILE_LIMIT + 1)
    if len(raw) > _FILE_LIMIT:
        raise NoSound(
            f"{path} is larger than {_FILE_LIMIT:,} bytes: send it with `mixnet send PROFILE CONTACT --file FILE`"
        )
    return work_untrusted("sound", raw, (LONGEST + 1) * RATE * SAMPLE)
