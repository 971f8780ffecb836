"""Microphones and loudspeakers of this machine, through miniaudio (ALSA, PulseAudio, Core Audio, WASAPI).

Promises: nothing is recorded before `record` and after `stop`; a device that gives more than it should fills no memory.
All of it blocks, or runs in a thread of the library's.
"""

from __future__ import annotations

import ctypes
import threading
import time
from array import array
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Protocol

from mixnet.client.media.codec import SAMPLE, require
from mixnet.client.media.voice_file import LONGEST, PLAYED, RATE
from mixnet.errors import LocalError

_BUFFER = 100  # milliseconds
NO_DEVICE = "no device for sound works here ({error}): `mixnet voice PROFILE --devices` lists those there are"


class NoDevice(LocalError):
    """No device for sound works here: plug one in, or give a file."""


class Recording(Protocol):
    """Something that is being recorded."""

    @property
    def seconds(self) -> float:
        """How long it is so far."""

    def stop(self) -> bytes:
        """End it: the samples, 16 bits each at `RATE`."""


class Sound(Protocol):
    """What records and plays; `device` is a name of `devices`, or a part of one, None for the usual one."""

    def devices(self) -> list[tuple[str, str]]:
        """("records" or "plays", name) of each; VoiceMissing."""

    def record(self, device: str | None = None, most: float = LONGEST) -> Recording:
        """Begin to record, `most` seconds; NoDevice, VoiceMissing."""

    def play(self, samples: bytes, device: str | None = None, stop: threading.Event | None = None) -> None:
        """Play samples at `PLAYED`, until their end or `stop`; NoDevice, VoiceMissing."""


class _Recording:
    def __init__(self, device: Any, most: float) -> None:
        self._device, self._most = device, int(most * RATE) * SAMPLE
        self._samples = bytearray()
        taking = self._take()
        next(taking)
        device.start(taking)

    @property
    def seconds(self) -> float:
        return len(self._samples) / SAMPLE / RATE

    def stop(self) -> bytes:
        self._device.close()
        return bytes(self._samples)

    def _take(self) -> Generator[None, bytes | array[int], None]:
        while True:
            heard = bytes((yield))
            self._samples += heard[: self._most - len(self._samples)]


class Devices:
    """The devices of this machine."""

    def __init__(self, backends: list[Any] | None = None) -> None:
        """Use these backends of miniaudio; None: those of the system."""
        self._backends = backends

    def devices(self) -> list[tuple[str, str]]:
        """See `Sound.devices`."""
        return [(kind, str(one["name"])) for kind, one in self._all()]

    def record(self, device: str | None = None, most: float = LONGEST) -> Recording:
        """See `Sound.record`."""
        chosen = self._chosen("records", device)
        import miniaudio  # noqa: PLC0415  # an extra

        with _told():
            return _Recording(
                miniaudio.CaptureDevice(
                    miniaudio.SampleFormat.SIGNED16, 1, RATE, _BUFFER, chosen, backends=self._backends
                ),
                most,
            )

    def play(self, samples: bytes, device: str | None = None, stop: threading.Event | None = None) -> None:
        """See `Sound.play`."""
        chosen, ended = self._chosen("plays", device), stop or threading.Event()
        over = threading.Event()
        import miniaudio  # noqa: PLC0415  # an extra

        giving = _give(samples, over)
        next(giving)
        with (
            _told(),
            miniaudio.PlaybackDevice(
                miniaudio.SampleFormat.SIGNED16, 1, PLAYED, _BUFFER, chosen, backends=self._backends
            ) as speaker,
        ):
            speaker.start(giving)
            while not over.is_set() and not ended.is_set():
                over.wait(0.05)
            if not ended.is_set():
                time.sleep(2 * _BUFFER / 1000)  # what is still in the device's buffers

    def _chosen(self, kind: str, device: str | None) -> Any:
        """What the library knows a device by; None for the usual one."""
        require("miniaudio")
        if device is None:
            return None
        found = [one["id"] for its, one in self._all() if its == kind and device.casefold() in one["name"].casefold()]
        if not found:
            raise NoDevice(f"no device that {kind} is called so: `mixnet voice PROFILE --devices` lists them")
        return found[0]

    def _all(self) -> list[tuple[str, dict[str, Any]]]:
        require("miniaudio")
        import miniaudio  # noqa: PLC0415  # an extra

        with _told():
            known = miniaudio.Devices(self._backends)
            found = (("records", known.get_captures()), ("plays", known.get_playbacks()))
        return [(kind, one) for kind, several in found for one in several]


def _give(samples: bytes, over: threading.Event) -> Generator[bytes, int, None]:
    """As many samples as are asked for; silence after the last ones."""
    at = 0
    wanted = yield b""
    while True:
        piece = samples[at : at + wanted * SAMPLE]
        at += len(piece)
        if at >= len(samples):
            over.set()
        wanted = yield piece.ljust(wanted * SAMPLE, b"\0")


@lru_cache(maxsize=1)
def _hush() -> object:
    """Let ALSA not write to the terminal what it tries; what doesn't work is told as an error. Gives what it calls."""
    handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)
    nothing = handler(lambda *_said: None)
    with suppress(OSError, AttributeError):  # a system without ALSA
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(nothing)
    return nothing


@contextmanager
def _told() -> Iterator[None]:
    """What the library says, as an error of ours."""
    import miniaudio  # noqa: PLC0415  # an extra

    _hush()
    try:
        yield
    except miniaudio.MiniaudioError as error:
        said = next((one for one in error.args if isinstance(one, str)), "unknown error")
        raise NoDevice(NO_DEVICE.format(error=said)) from None
