"""Whether what a messenger has in memory is what it would make of its store."""

import random

from mixnet.client.messenger.messenger import Messenger


class _Over(Exception):
    """What a second messenger did to the store is taken back."""


def memory(messenger: Messenger) -> dict[str, object]:
    """All that is in memory beside the store, in a form that can be compared. Times and turns are no part of it."""
    core, groups = messenger._core, messenger.groups
    dispatch, registry = groups._dispatch, groups._registry
    return {
        "conversations": {
            number: (
                one.contact,
                one.session.serialize(),
                dict(one._unsent),
                [_sending(one.sender, lane) for lane in (0, 1)],
                [one.receiver.report(lane) for lane in (0, 1)],
            )
            for number, one in core.conversations.items()
        },
        "channels": (
            {c: one.id for c, one in core.by_incoming.items()},
            {c: o.id for c, o in core.by_outgoing.items()},
        ),
        "one object each": all(
            core.conversations.get(one.id) is one
            for one in (*core.by_incoming.values(), *core.by_outgoing.values(), *core.routes.values())
        ),
        "routes": {contact: one.id for contact, one in core.routes.items()},
        "waiting": dict(core.waiting),
        "files": set(core.files),
        "silent": (set(core.blocked), dict(core.anonymous), set(core.siblings), core.satellite, core.identity_public),
        "histories": {
            group.id: None if (it := registry.history(group)) is None else (it.missing(()), set(it.heads), it.roster())
            for group in registry.all()
        },
        "posts": {post: set(one.missing) for post, one in dispatch.deliveries._under_way.items()},
    }


def _sending(sender, lane: int) -> tuple:
    numbers = range(sender.floors()[lane], sender.next_number(lane))
    return sender.next_number(lane), {
        n: (sender.length(lane, n), sender.acked(lane, n)) for n in numbers if sender.acked(lane, n) is not None
    }


def check_agreement(messenger: Messenger) -> None:
    """What is here, and when something expires, is what a messenger has that is made from the store."""
    core, store = messenger._core, messenger._core.store
    here = memory(messenger)
    try:
        with store.transaction():
            fresh = Messenger(store, core.settings, core.jitter, core.home, None, pauses=random.Random(1))
            there, expiry = memory(fresh), fresh.next_expiry
            raise _Over
    except _Over:
        pass
    for part, value in there.items():
        assert here[part] == value, part
    assert expiry is None or (core.next_expiry is not None and core.next_expiry <= expiry)
