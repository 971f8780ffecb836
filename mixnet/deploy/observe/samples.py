"""What is looked at, and how it is recorded: one sample after another. Pure (spec/11-demonstration.md).

Promises: a sample holds what the page is made of and nothing else, so a recording shows what was shown; counts of
frames, of a node's events, and of a client's frames by kind. Never: a packet, a key, an address, a contact or a text.
A recording may be anybody's: what is malformed is refused with its line, and everything has a limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, TypeVar

import msgspec

from mixnet.errors import LocalError

VERSION = 1
LONGEST_LINE = 1 << 20  # bytes
MOST_NODES, MOST_CLIENTS, MOST_LINKS = 256, 64, 8192

T = TypeVar("T")
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e10)]
Words = Annotated[list[Annotated[str, msgspec.Meta(max_length=300)]], msgspec.Meta(max_length=64)]
Counts = Annotated[dict[Name, Count], msgspec.Meta(max_length=64)]
Histogram = Annotated[list[Count], msgspec.Meta(max_length=256)]


class _Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What all have in common."""


class NodeSample(_Struct, frozen=True):
    """What a node says of itself; of one that doesn't answer, that it isn't there."""

    up: bool = False
    ready: bool = False
    layer: Annotated[int, msgspec.Meta(ge=1, le=16)] | None = None
    epoch: int | None = None
    packets_in: Count = 0
    packets_out: Count = 0
    held: Count = 0
    connections: Count = 0
    dropped: Counts = {}
    loops_sent: Count = 0
    loops_returned: Count = 0
    loops_late: Count = 0
    loops_lost: Count = 0
    signatures: Count = 0
    restarts: Count = 0
    warnings: Words = []
    memory_bytes: Count = 0
    cpu_seconds: Seconds = 0.0


class ClientSample(_Struct, frozen=True):
    """What the daemon of a client says of itself: frames that it sent, by kind; its loops, and how long they took."""

    up: bool = False
    connected: bool = False
    frames: Counts = {}
    loops_sent: Count = 0
    loops_returned: Count = 0
    loops_lost: Count = 0
    warnings: Words = []
    drawn: Histogram = []
    took: Histogram = []
    cpu_seconds: Seconds = 0.0


class Rules(_Struct, frozen=True):
    """What the signed document says that the page needs: seconds, and frames a second."""

    epoch: int
    mean_delay: Seconds
    send_rate: Seconds
    downlink_rate: Seconds


class Heading(_Struct, frozen=True):
    """The first line of a recording: the nodes and their kinds, time, and how the frames of a tick are counted.

    `genesis`, `began` in seconds since the Unix epoch; `epoch_length`, `tick` in seconds.
    """

    version: int
    title: Annotated[str, msgspec.Meta(max_length=300)]
    nodes: Annotated[dict[Name, Name], msgspec.Meta(max_length=MOST_NODES)]
    genesis: Seconds
    epoch_length: Annotated[float, msgspec.Meta(gt=0, le=1e9)]
    began: Seconds
    tick: Annotated[float, msgspec.Meta(ge=0.05, le=10)]
    links_seen: bool = True
    bin_width: Annotated[float, msgspec.Meta(gt=0, le=60)] = 0.025


Flow = tuple[Name, Name, Count]


class Sample(_Struct, frozen=True):
    """One look: seconds since the begin; frames of each link since the look before; what answered this time."""

    at: Seconds
    flows: Annotated[list[Flow], msgspec.Meta(max_length=MOST_LINKS)] = []
    clients: Annotated[dict[Name, ClientSample], msgspec.Meta(max_length=MOST_CLIENTS)] = {}
    nodes: Annotated[dict[Name, NodeSample], msgspec.Meta(max_length=MOST_NODES)] = {}
    rules: Rules | None = None


class BadRecording(LocalError):
    """This is no recording of `mixnet observe --record`, or a damaged one."""


def write_line(value: Heading | Sample) -> bytes:
    """A line of a recording."""
    return msgspec.json.encode(value) + b"\n"


def read_recording(lines: Iterable[bytes]) -> tuple[Heading, Iterator[Sample]]:
    """The heading, and the samples in the order of their times; BadRecording when a line is none."""
    numbered = enumerate(lines, start=1)
    _, first = next(numbered, (1, b""))
    heading = _parse(first, 1, Heading)
    if heading.version != VERSION:
        raise BadRecording(f"this recording is of version {heading.version}: this program reads {VERSION}")
    return heading, _samples(numbered)


def _samples(numbered: Iterator[tuple[int, bytes]]) -> Iterator[Sample]:
    before = 0.0
    for number, line in numbered:
        sample = _parse(line, number, Sample)
        if sample.at < before:
            raise BadRecording(f"line {number} of the recording is earlier than the one before")
        before = sample.at
        yield sample


def _parse(line: bytes, number: int, kind: type[T]) -> T:
    if len(line) > LONGEST_LINE:
        raise BadRecording(f"line {number} of the recording is too long")
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadRecording(f"line {number} is none of a recording of `mixnet observe --record`") from None
