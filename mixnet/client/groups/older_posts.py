"""Takes over the posts that an older version left unfinished, in an encoding that nobody sends any more.

Promises: what came and waited to be shown is shown, and what is ours and under way goes on: nothing is lost by an
update. It is done once, when the profile is opened (spec/07-client.md 7.17).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from mixnet.client.core.state import Core
from mixnet.client.groups import posts
from mixnet.client.groups.registry import Registry
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.storage.messages import NewMessage


class _Said(NamedTuple):
    number: int
    floor: int
    heads: tuple[bytes, ...]
    text: str
    change: bytes
    expires: int
    lapsing: tuple[tuple[int, int], ...]


def take_over(core: Core, registry: Registry) -> None:
    """Sign our posts anew, and file others' in the order of their numbers."""
    rows = core.store.all("SELECT id, grp, author, raw, expires FROM group_posts ORDER BY grp, author, number")
    older = [(*row, said) for row in rows if (said := _older(bytes(row[3])))]
    if not older:
        return
    with core.store.transaction():
        for stored, grp, author, _, expires, said in older:
            group = registry.get(grp)
            if author == group.me:
                again = posts.write(
                    group.key,
                    group.identifier,
                    said.number,
                    said.floor,
                    said.heads,
                    text=said.text,
                    change=said.change,
                    expires=said.expires,
                    lapsing=said.lapsing,
                )
                core.store.run("UPDATE group_posts SET raw = ? WHERE id = ?", again.raw, stored)
                continue
            core.store.run("DELETE FROM group_posts WHERE id = ?", stored)
            contact = core.store.value(int, "SELECT contact FROM group_peers WHERE grp = ? AND key = ?", grp, author)
            query = "UPDATE group_peers SET expected = max(coalesce(expected, 0), ?) WHERE grp = ? AND key = ?"
            core.store.run(query, said.number + 1, grp, author)
            if said.text and contact not in core.blocked:
                came = expires - core.settings.message_lifetime
                entry = NewMessage(
                    group.contact,
                    MessageKind.TEXT,
                    MessageState.RECEIVED,
                    said.text,
                    received_at=came,
                    remote=said.number,
                )
                message = core.messages.add(entry, came)
                name = registry.called(group)[author]
                core.store.run("INSERT INTO group_messages VALUES (?, ?, 0, 0, ?, NULL)", message, name, author)


def _older(raw: bytes) -> _Said | None:
    """What a post in the older encoding says: [core, signature], with its text in the core."""
    signed = msgspec.msgpack.decode(raw)
    if len(signed) != 2:
        return None
    _, _, number, floor, heads, text, change, expires, lapsing = msgspec.msgpack.decode(signed[0])
    return _Said(number, floor, tuple(heads), text, change, expires, tuple((one, end) for one, end in lapsing))
