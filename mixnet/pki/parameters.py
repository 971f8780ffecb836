"""The parameters of the network in the signed document: rates, delays, sizes and limits.

See spec/05-directory.md 5.2.

Promises: nobody stands out by parameters, because every node and client takes them from here and from nowhere else; an
object of this type is within its ranges. Units: seconds, bytes, and events per second. The defaults suit a local
network.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from mixnet.errors import LocalError

PACKET_SIZE = 3072
BUSY = 0.8  # seconds that the machines on a loop's way may take in all; measured: see spec/04-mixing.md 4.4
MAX_DELAY = (2**32 - 1) / 1e6  # the routing command counts unsigned 32-bit microseconds
_DAY = 86_400.0


class BadParameters(LocalError):
    """The network's parameters are out of range: correct the section `parameters` of the configuration."""


class Parameters(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The parameters of a network; see `RANGES` for what is allowed."""

    epoch_length: float = 1200.0
    layers: int = 3
    mean_delay: float = 0.05  # 1/µ: mean of the exponential hold at each hop before the exit provider
    payload_rate: float = 30.0  # a client's three Poisson processes
    loop_rate: float = 2.0
    drop_rate: float = 2.0
    downlink_rate: float = 60.0  # a provider to each connected client
    node_loop_rate: float = 0.5  # a mix or provider to itself
    packet_size: int = PACKET_SIZE
    mailbox_messages: int = 20_000
    mailbox_bytes: int = 20_000 * PACKET_SIZE
    mailbox_age: float = 7 * _DAY
    client_burst: int = 200  # frames that a client may send above its rate before its provider drops
    max_message_bytes: int = 100 * 2**20  # one message or file
    message_age: float = 7 * _DAY  # after which an undelivered message is given up
    ack_delay: float = 0.25  # how long a recipient gathers fragments before it acknowledges
    retransmit_timeout: float = 2.0  # beyond the expected round trip
    link_latency: float = 0.05  # allowance for each hop when a sender predicts arrivals

    def __post_init__(self) -> None:
        """Refuse what is out of range; raises BadParameters."""
        for field, (low, high) in RANGES.items():
            value = getattr(self, field)
            if not (math.isfinite(value) and low <= value <= high):
                raise BadParameters(f"parameter `{field}` is {value:g}: choose a value from {low:g} to {high:g}")

    @property
    def send_rate(self) -> float:
        """Frames per second that a client sends up, whatever its user does."""
        return self.payload_rate + self.loop_rate + self.drop_rate

    @property
    def path_delay(self) -> float:
        """The expected time from sender to recipient's provider in seconds: the drawn delays and the links."""
        holds = self.layers + 1  # the entry provider and each mix
        return holds * self.mean_delay + (holds + 1) * self.link_latency

    @property
    def loop_lateness(self) -> float:
        """Seconds that a loop may take beyond the delays that were drawn for it, and not be late: links and machines.

        As short as busy machines allow, for whoever holds packets back for less is seen by nobody.
        """
        return (self.layers + 2) * self.link_latency + BUSY


_RATE = (0.0, 100_000.0)
RANGES: dict[str, tuple[float, float]] = {
    "epoch_length": (1.0, 30 * _DAY),
    "layers": (1, 3),  # entry provider, 3 mixes, exit provider and recipient are the packet's 6 hops
    "mean_delay": (0.0, MAX_DELAY / 100),
    "payload_rate": _RATE,
    "loop_rate": _RATE,
    "drop_rate": _RATE,
    "downlink_rate": _RATE,
    "node_loop_rate": _RATE,
    "packet_size": (PACKET_SIZE, PACKET_SIZE),
    "mailbox_messages": (1, 2**32),
    "mailbox_bytes": (PACKET_SIZE, 2**48),
    "mailbox_age": (1.0, 3650 * _DAY),
    "client_burst": (1, 2**31),
    "max_message_bytes": (1, 2**40),
    "message_age": (1.0, 3650 * _DAY),
    "ack_delay": (0.0, _DAY),
    "retransmit_timeout": (0.0, _DAY),
    "link_latency": (0.0, 3600.0),
}


def parameters_from(table: dict[str, Any]) -> Parameters:
    """Parameters from a table of names and values, the defaults for what is absent; raises BadParameters."""
    unknown = sorted(set(table) - set(RANGES))
    if unknown:
        raise BadParameters(f"there is no parameter `{unknown[0]}`: remove it or correct its name")
    fields = {field.name: field for field in msgspec.structs.fields(Parameters)}
    values: dict[str, Any] = {}
    for name, value in table.items():
        try:
            values[name] = msgspec.convert(value, fields[name].type)
        except msgspec.ValidationError:
            raise BadParameters(f"parameter `{name}` must be a number of type {fields[name].type.__name__}") from None
    return Parameters(**values)
