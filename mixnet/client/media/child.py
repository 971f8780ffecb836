"""The process that decodes what a stranger made: `python -m mixnet.client.media.child WORK`, bytes in, bytes out.

Promises: before it reads a byte it gives up what it doesn't need: it can write nothing into a file, start no process
(unless it is root's) and open few files, and time and memory end. Whatever goes wrong here ends this process, and says
nothing but that.
"""

from __future__ import annotations

import io
import resource
import sys
from collections.abc import Callable
from contextlib import suppress

from mixnet.client.media.voice_file import LONGEST, PACKET_SIZE, PLAYED, PLAYED_FRAME, RATE

_SECONDS = 20  # of CPU
_MEMORY = 1 << 30
_FILES = 64
_PIXELS = 40_000_000  # of a picture
_TEXTS = 16  # codes in a picture
_LIMITS = {
    resource.RLIMIT_CPU: _SECONDS,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_NOFILE: _FILES,
    resource.RLIMIT_NPROC: 0,  # which binds all users but root; threads count, too
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_AS: _MEMORY,
}


def _opus(raw: bytes) -> bytes:
    """Samples, 16 bits each at `PLAYED`, of packets of one size; each must give 40 ms."""
    import av  # noqa: PLC0415

    decoder = av.AudioCodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = PLAYED, "mono"
    made = []
    for at in range(0, len(raw), PACKET_SIZE):
        for frame in decoder.decode(av.Packet(raw[at : at + PACKET_SIZE])):
            if frame.samples != PLAYED_FRAME or frame.format.name != "s16":
                raise ValueError("a packet of another length")
            made.append(bytes(frame.planes[0])[: 2 * PLAYED_FRAME])
    return b"".join(made)


def _sound(raw: bytes) -> bytes:
    """Samples, 16 bits each at `RATE`, of a file of sound; what is too long for a message is cut off."""
    import miniaudio  # noqa: PLC0415

    decoded = miniaudio.decode(raw, miniaudio.SampleFormat.SIGNED16, 1, RATE)
    return bytes(memoryview(decoded.samples)[: (LONGEST + 1) * RATE])


def _qr(raw: bytes) -> bytes:
    """The texts of the QR codes in a picture, each on a line."""
    import zxingcpp  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    Image.MAX_IMAGE_PIXELS = _PIXELS // 2  # twice of which is an error there
    with Image.open(io.BytesIO(raw), formats=("PNG", "JPEG")) as picture:
        grey = picture.convert("L")
    found = zxingcpp.read_barcodes(
        memoryview(grey.tobytes()).cast("B", (grey.height, grey.width)),
        formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode),
    )
    return "\n".join(one.text.replace("\n", "") for one in found[:_TEXTS]).encode()


WORKS: dict[str, Callable[[bytes], bytes]] = {"opus": _opus, "sound": _sound, "qr": _qr}


def main() -> None:
    """Do the work that the command line names."""
    for what, limit in _LIMITS.items():
        with suppress(ValueError, OSError):  # a system that has no such limit, or a lower one
            resource.setrlimit(what, (limit, limit))
    sys.modules["numpy"] = None  # type: ignore[assignment]  # miniaudio loads it if it is there, and it begins threads
    work = WORKS[sys.argv[1]]
    try:
        made = work(sys.stdin.buffer.read())
    except Exception:  # a stranger's bytes choose which; the parent says what it means
        sys.exit(1)
    sys.stdout.buffer.write(made)


if __name__ == "__main__":
    main()
