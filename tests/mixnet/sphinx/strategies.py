"""What the property tests draw: routes with their secrets, commands, messages."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from mixnet.crypto import SphinxSecret
from mixnet.sphinx import GEOMETRY, Command, Hop, Kind
from mixnet.sphinx.commands import MAX_DELAY_US

scalars = st.binary(min_size=32, max_size=32)
secrets = scalars.map(SphinxSecret)
identities = st.binary(min_size=32, max_size=32)
seeds = st.binary(min_size=32, max_size=32)
surb_seeds = st.binary(min_size=64, max_size=64)
raw_commands = st.binary(min_size=GEOMETRY.command_size, max_size=GEOMETRY.command_size)
delays = st.integers(0, MAX_DELAY_US)
_ends = st.sampled_from([b"", b"\x7f", b"\xff", b"\x7f\xff", b"\xff\xff\xff"])


@st.composite
def _messages(draw: st.DrawFn) -> bytes:
    """0 to 2,699 bytes: short ones, the longest one, any length between, and ends that look like padding."""
    length = draw(st.sampled_from([0, 1, GEOMETRY.message_size]) | st.integers(0, GEOMETRY.message_size))
    start = draw(st.binary(max_size=min(length, 40)))
    end = draw(_ends)
    return (start + bytes(length))[: max(length - len(end), 0)] + end[:length]


messages = _messages()


def commands(*kinds: Kind) -> st.SearchStrategy[Command]:
    return st.builds(Command, st.sampled_from(kinds), identities, delays)


passing_commands = commands(Kind.FORWARD, Kind.DELIVER_MAILBOX)


@dataclass(frozen=True)
class Route:
    hops: list[Hop]
    secrets: list[SphinxSecret]


@st.composite
def routes(draw: st.DrawFn, *final: Kind) -> Route:
    """1 to 6 hops, the last of which has a command of one of the kinds `final`."""
    keys = draw(st.lists(secrets, min_size=1, max_size=GEOMETRY.max_hops))
    orders = [draw(passing_commands) for _ in keys[1:]] + [draw(commands(*final))]
    return Route([Hop(key.public, order) for key, order in zip(keys, orders, strict=True)], keys)


@dataclass(frozen=True)
class RawRoute:
    """Hops with commands that no engine would write: any 37 bytes."""

    publics: list[bytes]
    commands: list[bytes]
    secrets: list[SphinxSecret]


@st.composite
def raw_routes(draw: st.DrawFn) -> RawRoute:
    keys = draw(st.lists(secrets, min_size=1, max_size=GEOMETRY.max_hops))
    return RawRoute([key.public for key in keys], [draw(raw_commands) for _ in keys], keys)
