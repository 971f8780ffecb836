"""What the page is told: its layout, then a tick after another. Pure (spec/11-demonstration.md)."""

from __future__ import annotations

import msgspec

Band = dict[str, int]  # frames that a client sent in a tick, by what they really were


class NodeShape(msgspec.Struct, frozen=True):
    """A node in the picture; `layer` counts from 1 and is 0 for what is no mix, or has none yet."""

    name: str
    kind: str
    layer: int


class ClientLine(msgspec.Struct, frozen=True):
    """A client in one tick: what went up and came down, seen from outside, and what went up, as its daemon tells."""

    up: int
    down: int
    own: Band | None


class Tick(msgspec.Struct, frozen=True, tag_field="is", tag="tick"):
    """`flows`: (number of the link in the layout, frames). Clients in the order of the layout."""

    at: float
    flows: list[tuple[int, int]]
    clients: list[ClientLine]


class Layout(msgspec.Struct, frozen=True, tag_field="is", tag="layout"):
    """What is drawn; sent at the begin and whenever it changes. `past`: the ticks before, the oldest first."""

    title: str
    replay: bool
    links_seen: bool
    tick: float
    bin_width: float
    nodes: list[NodeShape]
    clients: list[str]
    links: list[tuple[str, str]]
    past: list[Tick]


class NodeRow(msgspec.Struct, frozen=True):
    """A node in the table; rates a second, over the last ten seconds; CPU in shares of a core."""

    name: str
    state: str
    incoming: float
    outgoing: float
    held: int
    dropped: int
    loops_sent: int
    loops_returned: int
    loops_lost: int
    signatures: int
    memory: int
    cpu: float
    restarts: int
    warnings: list[str]


class ClientRow(msgspec.Struct, frozen=True):
    """A client over the last minute: rates a second and variance over mean as seen; frames by what they were."""

    name: str
    own: bool
    up: float
    down: float
    spread: float
    told: Band


class Alike(msgspec.Struct, frozen=True):
    """The busiest and the idlest client of ours: frames up in one span, and their difference in standard deviations."""

    busy: str
    idle: str
    busy_frames: int
    idle_frames: int
    messages: int
    deviations: float


class Anonymity(msgspec.Struct, frozen=True):
    """Bits; `rate` of packets that enter a second; `past`: (entropy, optimum) of earlier estimates."""

    entropy: float
    optimum: float
    rate: float
    mean_delay: float
    holds: int
    clients: int
    targets: int
    past: list[tuple[float, float]]


class Latency(msgspec.Struct, frozen=True):
    """Loops of our clients in the last five minutes: how many took so long, and how much of it was drawn."""

    drawn: list[int]
    took: list[int]
    drawn_median: float | None
    took_median: float | None


class Figures(msgspec.Struct, frozen=True, tag_field="is", tag="figures"):
    """Everything that changes once a second. `links`: rates a second over the last ten seconds, as in the layout."""

    at: float
    clock: float
    epoch: int
    epoch_share: float
    epoch_left: float
    nodes: list[NodeRow]
    clients: list[ClientRow]
    links: list[float]
    alarms: list[str]
    alike: Alike | None
    anonymity: Anonymity | None
    latency: Latency | None


class End(msgspec.Struct, frozen=True, tag_field="is", tag="end"):
    """There is nothing more; `why` in words."""

    why: str


Message = Layout | Tick | Figures | End
