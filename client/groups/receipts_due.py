"""Hands receipts that were gathered to the session up their tree (spec/07-client.md 7.17).

Promises: each is handed over once, and one that can't be stops no other.
"""

from __future__ import annotations

from functools import partial

from client.core.state import Core
from client.e2e.group_bodies import GroupReceipts

_LANE = 0


def send_receipts(core: Core, now: float) -> None:
    """Send those whose time has come. In the caller's change."""
    rows = core.store.all(
        "SELECT r.post, r.plan, r.parent, r.receipts, g.identifier, p.author, p.number, g.id FROM group_receipts r"
        " JOIN group_posts p ON p.id = r.post JOIN groups g ON g.id = p.grp WHERE r.due <= ?",
        now,
    )
    for post, plan, parent, receipts, identifier, author, number, group in rows:
        core.store.run("UPDATE group_receipts SET receipts = x'', due = NULL WHERE post = ? AND plan = ?", post, plan)
        body = GroupReceipts(bytes(identifier), bytes(author), number, plan, bytes(receipts))
        core.attempt(partial(core.enqueue, parent, _LANE, body, None, now, account=group))
