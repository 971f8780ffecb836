"""Sphinx packets: one size, one layer a hop, replies included (spec/02-sphinx.md).

Promises: pure functions of bytes; nothing here waits, draws randomness, reads a clock or logs.
"""

from mixnet.sphinx.commands import Command, Kind, microseconds
from mixnet.sphinx.engine import Engine, SphinxEngine
from mixnet.sphinx.engines import engine_by_name
from mixnet.sphinx.geometry import GEOMETRY, Geometry
from mixnet.sphinx.packet import Deliver, Drop, Forward, Hop, Mailbox, Peeled, Reply
from mixnet.sphinx.surb import Surb, SurbKeys

__all__ = [
    "GEOMETRY",
    "Command",
    "Deliver",
    "Drop",
    "Engine",
    "Forward",
    "Geometry",
    "Hop",
    "Kind",
    "Mailbox",
    "Peeled",
    "Reply",
    "SphinxEngine",
    "Surb",
    "SurbKeys",
    "engine_by_name",
    "microseconds",
]
