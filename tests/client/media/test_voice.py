"""Voice messages: one size for one length, whatever is heard; what a stranger made is refused or bounded."""

import array
import math
import random
import struct
import subprocess
import sys
import threading
import wave
from contextlib import suppress
from itertools import pairwise
from operator import mul

import av
import miniaudio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mixnet.client.cli import voice as command
from mixnet.client.media import bounded, codec, kept
from mixnet.client.media.bounded import Unreadable, work_untrusted
from mixnet.client.media.codec import NoSound
from mixnet.client.media.sound import Devices, NoDevice
from mixnet.client.media.voice_file import (
    FRAME,
    LONGEST,
    PACKET_SIZE,
    PLAYED,
    RATE,
    SKIPPED,
    STEP,
    STEP_PACKETS,
    STEPS_LIMIT,
    NoVoice,
    Voice,
    _checksum,
    pack,
    parse_untrusted,
    size_of,
    steps,
)


def speech(seconds: float) -> bytes:
    """Something with pitch, syllables and hiss, as a voice has."""
    rng, made = random.Random(1), array.array("h")
    for at in range(int(seconds * RATE)):
        loud = 6000 * (0.5 + 0.5 * math.sin(at / 1200))
        pitch = 2 * math.pi * at * (140 + 30 * math.sin(at / 4000)) / RATE
        made.append(int(loud * (math.sin(pitch) + 0.5 * math.sin(3 * pitch)) / 2 + rng.gauss(0, 60)))
    return made.tobytes()


@pytest.fixture(scope="module")
def spoken() -> tuple[bytes, bytes]:
    said = speech(6)
    return said, codec.encode(said)


def test_silence_noise_and_speech_of_one_length_have_one_size(spoken):
    said, raw = spoken
    noise = random.Random(2).randbytes(len(said))
    sizes = {len(codec.encode(sound)) for sound in (said, bytes(len(said)), noise)}
    assert sizes == {len(raw)} == {size_of(2)}
    assert len(codec.encode(said[: RATE * 2])) == size_of(1)  # within a step all lengths are alike, too


def test_what_is_heard_is_what_was_said(spoken):
    said, raw = spoken
    heard = array.array("h", codec.decode_untrusted(raw))[:: PLAYED // RATE]
    told = array.array("h", said)
    assert len(heard) == len(told)
    level = [math.sqrt(sum(one * one for one in sound) / len(sound)) for sound in (told, heard)]
    assert 0.8 < level[1] / level[0] < 1.2
    late = heard[8:-8]
    best = max(
        sum(map(mul, told[at:], late)) / len(late) for at in range(0, 17, 2)
    )  # a coder is half a millisecond off
    assert best / level[0] / level[1] > 0.7


def test_any_player_of_ogg_opus_plays_it(spoken, tmp_path):
    path = tmp_path / "said.opus"
    path.write_bytes(spoken[1])
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        assert (stream.codec_context.name, stream.codec_context.layout.name) == ("opus", "mono")
        assert abs(file.duration / 1e6 - 6) < 0.05
        assert sum(frame.samples for frame in file.decode(stream)) == pytest.approx(6 * PLAYED, abs=FRAME * 3)


@given(st.integers(1, LONGEST * RATE - SKIPPED * RATE // PLAYED))
@example(LONGEST * RATE - SKIPPED * RATE // PLAYED)
@example(STEP * RATE - SKIPPED * RATE // PLAYED)
def test_every_length_is_packed_and_parsed(length):
    count = steps(length)
    assert (count - 1) * STEP <= (length + SKIPPED) / RATE and length / RATE <= count * STEP
    if count > 3:  # the others differ in nothing but their number
        return
    voice = Voice((b"\x50" + bytes(PACKET_SIZE - 1),) * count * STEP_PACKETS, length)
    raw = pack(voice)
    assert len(raw) == size_of(count)
    assert parse_untrusted(raw) == voice


def test_a_recording_that_is_too_long_is_cut_and_an_empty_one_refused(monkeypatch):
    packets = iter([b"\x50" + bytes(PACKET_SIZE - 1)] * STEPS_LIMIT * STEP_PACKETS)
    monkeypatch.setattr(codec, "_packets", lambda samples: packets)
    assert parse_untrusted(codec.encode(bytes(2 * RATE * (LONGEST + 9)))).seconds == pytest.approx(LONGEST, abs=0.01)
    with pytest.raises(NoSound):
        codec.encode(b"")
    assert command._LONGEST == LONGEST


@given(st.data())
def test_a_file_with_any_byte_changed_or_cut_is_no_voice_message_unless_packets_differ(spoken, data):
    raw = bytearray(spoken[1])
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(NoVoice):  # the checksums of pages
        parse_untrusted(bytes(raw))
    with pytest.raises(NoVoice):
        parse_untrusted(spoken[1][:at])


@given(st.binary(max_size=300), st.binary(max_size=50))
def test_garbage_is_no_voice_message(start, end):
    for raw in (start, b"OggS" + start, start.ljust(size_of(1) - len(end), b"\0") + end):
        with pytest.raises(NoVoice):
            parse_untrusted(raw)


def forged(packet: bytes, granule: int) -> bytes:
    """A file of one step with such packets and such a length, and checksums that are right."""
    raw = bytearray(pack(Voice((packet.ljust(PACKET_SIZE, b"\0"),) * STEP_PACKETS, 1)))
    page = raw[size_of(1) - size_of(2) :]
    page[6:14], page[22:26] = struct.pack("<Q", granule), bytes(4)
    page[22:26] = _checksum(page)
    return bytes(raw[: size_of(1) - len(page)] + page)


@pytest.mark.parametrize(
    ("begins", "lasts"),
    [
        ("50", True),  # one of 40 ms
        ("5301", True),
        ("49", True),  # two of 20 ms, of one size
        ("fb02", True),
        ("e310", True),  # 16 of 2.5 ms
        ("48", False),  # 20 ms
        ("5302", False),  # two of 40 ms
        ("58", False),  # 60 ms
        ("5300", False),
        ("533f", False),
        ("54", False),  # stereo
    ],
)
def test_packets_of_another_length_or_in_stereo_are_refused(begins, lasts):
    raw = forged(bytes.fromhex(begins), SKIPPED + 3)
    if lasts:
        assert parse_untrusted(raw).length == 1
    else:
        with pytest.raises(NoVoice):
            parse_untrusted(raw)


@given(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, STEP * PLAYED * 2)))
@example(SKIPPED)
@example(STEP * PLAYED)
@example(STEP * PLAYED + 3)
def test_no_length_is_taken_but_one_that_the_packets_have(granule):
    try:
        voice = parse_untrusted(forged(b"\x50", granule))
    except NoVoice:
        assert not (SKIPPED < granule <= STEP * PLAYED and granule % 3 == 0)
        return
    assert granule == SKIPPED + voice.length * 3 and 0 < voice.length / RATE <= STEP


def test_no_size_but_those_of_steps_is_looked_at():
    for count in (0, STEPS_LIMIT + 1):
        with pytest.raises(NoVoice):
            parse_untrusted(bytes(size_of(count)))


def test_hostile_packets_end_as_sound_or_as_an_error():
    rng = random.Random(3)
    packets = []
    while len(packets) < STEP_PACKETS:
        packet = bytes([rng.choice((0x10, 0x50, 0x53)), 1, *rng.randbytes(PACKET_SIZE - 2)])
        packets.append(packet)
    raw = pack(Voice(tuple(packets), RATE))
    with suppress(Unreadable, NoVoice):
        assert len(codec.decode_untrusted(raw)) == 2 * PLAYED


@pytest.mark.parametrize("work", ["opus", "sound", "qr"])
@pytest.mark.parametrize(
    "raw", [b"", b"RIFF" + b"\xff" * 80, b"\x89PNG\r\n\x1a\n" + bytes(60), bytes(PACKET_SIZE)], ids=len
)
def test_what_makes_a_decoder_fail_is_an_error_of_ours_or_nothing(work, raw):
    try:
        made = work_untrusted(work, raw, 10_000)
    except Unreadable:
        return
    assert made == b"" or work == "opus"


def test_more_than_was_asked_for_and_too_much_time_end_the_process(monkeypatch, spoken):
    packets = b"".join(parse_untrusted(spoken[1]).packets)
    with pytest.raises(Unreadable):
        work_untrusted("opus", packets, 1000)
    monkeypatch.setattr(bounded, "_TIME", 0.0)
    with pytest.raises(Unreadable):
        work_untrusted("opus", packets * 100, 10**9)


def test_the_process_gives_up_what_it_does_not_need(tmp_path):
    probe = (
        "import mixnet.client.media.child as child, sys, pathlib\n"
        "def probe(raw):\n"
        "    bytearray(1 << 31)\n"
        "child.WORKS = {'memory': probe, 'file': lambda raw: bytes(pathlib.Path(raw.decode()).write_bytes(b'x'))}\n"
        "child.main()\n"
    )
    for work in ("memory", "file"):
        given = str(tmp_path / "made").encode()
        ended = subprocess.run([sys.executable, "-c", probe, work], input=given, capture_output=True, check=False)
        assert ended.returncode != 0 and not ended.stdout
    assert not (tmp_path / "made").exists() or (tmp_path / "made").stat().st_size == 0


def test_a_file_of_sound_is_sent_as_voice(tmp_path):
    path = tmp_path / "in.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 44_100, 0, "NONE", ""))
        stereo = array.array("h")
        for at in range(44_100):
            stereo += array.array("h", [int(8000 * math.sin(2 * math.pi * 400 * at / 44_100))] * 2)
        file.writeframes(stereo.tobytes())
    samples = array.array("h", codec.from_file(path))
    assert len(samples) == pytest.approx(RATE, abs=20)
    crossings = sum(one < 0 <= other for one, other in pairwise(samples))
    assert crossings == pytest.approx(400, abs=3)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
    with pytest.raises((NoSound, Unreadable)):
        codec.encode(codec.from_file(path))


NULL = [miniaudio.Backend.NULL]  # a device of the library's own, that is silent and keeps time


def test_a_device_records_until_it_is_stopped_and_not_more_than_it_may():
    sound = Devices(NULL)
    assert [kind for kind, _ in sound.devices()] == ["records", "plays"]
    recording = sound.record(most=0.1)
    while recording.seconds < 0.1:
        threading.Event().wait(0.01)
    assert recording.stop() == bytes(int(0.1 * RATE) * 2)


def test_a_device_plays_to_the_end_or_until_it_is_stopped():
    sound, stop = Devices(NULL), threading.Event()
    sound.play(bytes(PLAYED // 5), "null")
    stop.set()
    sound.play(bytes(PLAYED * 600), stop=stop)
    with pytest.raises(NoDevice, match="--devices"):
        sound.play(b"", "nothing like this")


def test_how_long_a_message_is_comes_from_its_bytes(tmp_path, spoken):
    path = kept.keep(tmp_path, spoken[1])
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent == tmp_path / "downloads" / "sent"
    assert kept.seconds(str(path)) == 6 and kept.duration(6.4) == "0:06" and kept.duration(119.6) == "2:00"
    path.write_bytes(spoken[1][:-1])
    assert kept.seconds(str(path)) is None
    assert kept.seconds(str(tmp_path / "gone.opus")) is None and kept.seconds("") is None
    big = tmp_path / "big.opus"
    with big.open("wb") as file:
        file.truncate(1 << 40)
    assert kept.seconds(str(big)) is None
