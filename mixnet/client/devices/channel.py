"""The channel between two devices of a user: whole messages, cut into the pieces that a session carries.

Promises: a message goes into the store, whole, in the caller's transaction, and waits there for as long as the other
device is away; pieces that came are kept until the last one, and never more than a message may have.
"""

from __future__ import annotations

import math

from mixnet.client.arq.sender import PEER, USER
from mixnet.client.core.state import Core
from mixnet.client.devices.bodies import PIECES, Message, Sync, decode_untrusted, split
from mixnet.client.e2e.bodies import Body, DevicePiece
from mixnet.errors import RemoteError

CONTROL_LANE = 0
FILE_LANE = 1
UNDER_WAY = 2  # bodies of a lane that may wait or be under way before another is made: what changes twice goes once


def tell(core: Core, device: int, message: Message) -> None:
    """Let a message wait for its turn to leave.

    What a home tells unasked follows from what contacts do: it takes no slots of the user's own messages, unless an
    answer to the user stands behind it.
    """
    account = PEER if isinstance(message, Sync) and not core.satellite else USER
    if account == USER:
        query = "UPDATE waiting SET account = ? WHERE contact = ? AND lane = ?"
        core.store.run(query, USER, device, CONTROL_LANE)
    for piece in split(message):
        post(core, device, CONTROL_LANE, piece, account)


def post(core: Core, device: int, lane: int, body: Body, account: int = PEER) -> None:
    """The same for a body. It never expires: the other device may be away for long."""
    core.enqueue(device, lane, body, None, 0.0, lifetime=math.inf, account=account)


def has_room(core: Core, device: int, lane: int) -> bool:
    """Whether another message may be made, since few of the ones before are left."""
    route = core.routes.get(device)
    if route is None or route.copied or (device, lane) in core.waiting:
        return False
    query = "SELECT count(*) FROM outbound WHERE session = ? AND lane = ?"
    return (core.store.value(int, query, route.id, lane) or 0) < UNDER_WAY


def collect_untrusted(core: Core, device: int, piece: DevicePiece) -> Message | None:
    """The message that a piece completes, None if more are to come; RemoteError if it is none."""
    store, lane = core.store, piece.lane
    whole = "SELECT content FROM device_pieces WHERE device = ? AND lane = ? ORDER BY id"
    before = [bytes(row[0]) for row in store.all(whole, device, lane)]
    if piece.left and len(before) + piece.left < PIECES:
        store.run("INSERT INTO device_pieces (device, lane, content) VALUES (?, ?, ?)", device, lane, piece.content)
        return None
    store.run("DELETE FROM device_pieces WHERE device = ? AND lane = ?", device, lane)
    if piece.left:
        raise RemoteError("a message between devices that is too long")
    return decode_untrusted(b"".join([*before, piece.content]))
