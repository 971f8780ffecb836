"""How an anonymous conversation begins and ends in the store, for both sides.

Promises: a conversation that has ended leaves its messages and nothing else: no key, no reply block, no fragment.
"""

from __future__ import annotations

from mixnet.client.core.conversation import Conversation, Delivered
from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import MessageEvent
from mixnet.client.model.failures import ENDED
from mixnet.client.model.views import Role


class Correspondence:
    """The table of anonymous conversations."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def begin(
        self, conversation: Conversation, role: Role, address: str, now: float, *, listens: float, supply: float | None
    ) -> None:
        """Enter a new conversation. `listens` and `supply`: see client/storage/schema.py."""
        core, contact = self._core, conversation.contact
        values = (contact, role.value, address, conversation.id, listens, supply, now)
        core.store.run("INSERT INTO anonymous VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", *values)
        core.contacts.set_role(contact, "anonymous")
        core.contacts.use(contact, conversation.id)
        core.anonymous[contact] = role
        core.routes[contact] = conversation

    def look_at(self, contact: int, when: float) -> None:
        """Something of it may be over at `when`."""
        self._core.store.run("UPDATE anonymous SET expires = ? WHERE contact = ?", when, contact)
        self._core.expires(when)

    def delivered(self, delivered: Delivered) -> None:
        """The other side has a message of ours."""
        if delivered.message is not None:
            self._core.step_message(delivered.message, MessageEvent.DELIVER)

    def end(self, contact: int) -> None:
        """Close a conversation for good; what of it was not delivered has failed. In the caller's change."""
        core, store = self._core, self._core.store
        conversation = core.routes[contact]
        unsettled = "SELECT id FROM messages WHERE contact = ? AND outgoing AND state IN ('queued', 'sent')"
        for (message,) in store.all(unsettled, contact):
            core.fail_message(message, ENDED)
        store.run("DELETE FROM waiting WHERE contact = ?", contact)
        core.find_waiting()
        store.run("DELETE FROM anonymous_parts WHERE session = ?", conversation.id)
        for table in ("anonymous_blocks", "anonymous_given"):
            store.run(f"DELETE FROM {table} WHERE contact = ?", contact)  # noqa: S608
        # Its number may be given again: nothing may point there.
        store.run("UPDATE anonymous_openings SET session = 0 WHERE session = ?", conversation.id)
        store.run("DELETE FROM sessions WHERE id = ?", conversation.id)
        row = "UPDATE anonymous SET session = NULL, supply = NULL, listens = 0, expires = NULL WHERE contact = ?"
        store.run(row, contact)
        core.leave(conversation)
        if not store.has("SELECT 1 FROM messages WHERE contact = ?", contact):
            store.run("DELETE FROM contacts WHERE id = ?", contact)
            core.anonymous.pop(contact)
            core.blocked.discard(contact)
