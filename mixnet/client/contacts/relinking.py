"""Giving an old contact a new identity, when its user has lost the old one and says so.

Promises: only the user decides it, since nothing proves it; the contact keeps its name and archive, and gets the new
identity with the new safety number, verified only if the user compared that one. What the old installation did not get
goes to the new one. Of groups the new installation knows nothing: there the old one stays a member, out of reach.
"""

from __future__ import annotations

from mixnet.client.contacts.renewal import Renewal
from mixnet.client.core.state import Core
from mixnet.client.model.contact_states import WrongStep
from mixnet.client.model.errors import ContactBlocked, SameContact
from mixnet.client.model.views import ContactInfo, ContactState
from mixnet.client.storage.contacts import Contact

_MOVED = (
    *("sessions", "messages", "waiting", "sending", "receiving", "stranded", "retired", "copied"),
    *("group_peers", "group_leavers", "group_held"),
    "former_identities",
)


def relink(core: Core, renewal: Renewal, name: str, new_name: str, now: float) -> ContactInfo:
    """Let the contact `name` be who is `new_name` now, a name that is free then.

    Raises UnknownContact, SameContact, ContactBlocked, or WrongStep before the new one is established.
    """
    old, new = core.contacts.named(name), core.contacts.named(new_name)
    _check(core, old, new)
    with core.change():
        via = core.routes[new.id]
        for conversation in [one for one in core.conversations.values() if one.contact == old.id]:
            renewal.give_up(conversation, via, now)
        renewal.forget_what_came(old.id)
        core.store.run("UPDATE group_peers SET contact = NULL, greeted = 0 WHERE contact = ?", old.id)
        for table in _MOVED:
            core.store.run(f"UPDATE {table} SET contact = ? WHERE contact = ?", old.id, new.id)  # noqa: S608
        core.store.run("UPDATE OR IGNORE drafts SET contact = ? WHERE contact = ?", old.id, new.id)
        core.contacts.become(old, new)
        core.store.run("INSERT OR REPLACE INTO former_identities VALUES (?, ?)", old.identity, old.id)
        core.reload()
        if core.holds(old.id):
            del core.routes[old.id]
            core.contacts.use(old.id, None)
        core.contact_changed(old.id)
    return core.contacts.info(old.id)


def _check(core: Core, old: Contact, new: Contact) -> None:
    if old.id == new.id:
        raise SameContact
    for one in (old, new):
        if one.blocked:
            raise ContactBlocked(core.unblock_first(one))
    if new.state not in (ContactState.ESTABLISHED, ContactState.VERIFIED) or not core.reaches(new.id):
        raise WrongStep(f"{new.name!r} has not answered yet: wait until `mixnet contacts PROFILE` says established")
