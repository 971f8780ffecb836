"""Deleting a contact: its sessions and keys, its conversation, and whatever the user chose or noted about it.

Promises: all of it goes in one change, or nothing does. What the contact sends from then on is for an unknown channel,
and refused in silence. It becomes a contact again only by an invitation that is not used yet. Whoever is in a group of
ours stays there, as a member whom the user did not choose: its session serves the group alone. Nothing is sent.
"""

from __future__ import annotations

from mixnet.client.contacts.introductions import hidden_name
from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import Edit, SignedEdit, decode_untrusted
from mixnet.client.e2e.group_bodies import GroupBody
from mixnet.client.storage.contacts import Contact

_OF_SESSION = ("outbound", "sealed", "posted", "taken", "inbound", "retired", "stranded", "invitations", "copied")
_OF_CONTACT = ("waiting", "stranded", "group_held", "group_offers")
_CHOSEN = ("retention", "drafts", "consents", "former_identities", "matching", "device_asks", "withdrawals")
_MESSAGES = "SELECT id FROM messages WHERE contact = ?"


def delete(core: Core, contact: Contact, *, in_group: bool) -> None:
    """Forget a contact; one who is `in_group` becomes a member. What it sent in part is still to be swept away."""
    with core.change():
        _delete_messages(core, contact.id)
        for table in _CHOSEN:
            core.store.run(f"DELETE FROM {table} WHERE contact = ?", contact.id)  # noqa: S608  # our own names
        left = "UPDATE groups SET state = 'left' WHERE sponsor = ? AND state IN ('invited', 'joining')"
        core.store.run(left, contact.id)
        # What another device refused may have quoted the name.
        core.store.run("UPDATE devices SET problem = '' WHERE instr(problem, ?)", repr(contact.name))
        if in_group:
            _keep_for_groups(core, contact)
        else:
            _delete_sessions(core, contact.id)
            core.store.run("DELETE FROM contacts WHERE id = ?", contact.id)
        core.reload()
        core.own_devices.contact_deleted(contact.identity)


def _delete_messages(core: Core, contact: int) -> None:
    """All messages, and what of them waits or is under way. Files that came are the user's, as with any deletion."""
    run = core.store.run
    for table in ("sealed", "posted"):
        places = f"SELECT session, lane, number FROM outbound WHERE message IN ({_MESSAGES})"  # noqa: S608
        run(f"DELETE FROM {table} WHERE (session, lane, number) IN ({places})", contact)  # noqa: S608
    for table in ("outbound", "waiting", "stranded", "device_asks"):
        run(f"DELETE FROM {table} WHERE message IN ({_MESSAGES})", contact)  # noqa: S608
    run("DELETE FROM sending WHERE contact = ?", contact)
    gone = core.store.all(_MESSAGES, contact)
    run("DELETE FROM messages WHERE contact = ?", contact)
    if core.siblings:
        for (message,) in gone:  # satellites are told once, of the contact: not of each message
            run("DELETE FROM device_log WHERE kind <> 'contact' AND item = ?", message)


def _delete_sessions(core: Core, contact: int) -> None:
    """All sessions that there ever were with it, and whatever points to it."""
    run = core.store.run
    for table in _OF_SESSION:
        sessions = "SELECT id FROM sessions WHERE contact = ?"
        run(f"DELETE FROM {table} WHERE session IN ({sessions})", contact)  # noqa: S608  # our own names
    run("DELETE FROM sessions WHERE contact = ?", contact)
    for table in _OF_CONTACT:
        run(f"DELETE FROM {table} WHERE contact = ?", contact)  # noqa: S608  # our own names
    run("DELETE FROM group_receipts WHERE parent = ?", contact)
    run("UPDATE group_peers SET contact = NULL, greeted = 0 WHERE contact = ?", contact)
    run("UPDATE group_leavers SET contact = NULL WHERE contact = ?", contact)
    run("UPDATE groups SET sponsor = NULL WHERE sponsor = ?", contact)


def _keep_for_groups(core: Core, contact: Contact) -> None:
    """From now on a member of a group, whom nobody is shown as a contact."""
    for number, body in core.store.all("SELECT id, body FROM waiting WHERE contact = ?", contact.id):
        if not isinstance(decode_untrusted(bytes(body)), GroupBody):
            core.store.run("DELETE FROM waiting WHERE id = ?", number)
    # Edits under way, of messages that are gone: what is encrypted leaves, and nobody reads it here.
    posted = "SELECT p.session, p.number, p.body FROM posted p JOIN sessions s ON s.id = p.session WHERE s.contact = ?"
    for session, number, body in core.store.all(posted, contact.id):
        if isinstance(decode_untrusted(bytes(body)), Edit | SignedEdit):
            core.store.run("DELETE FROM posted WHERE session = ? AND number = ?", session, number)
    core.contacts.hide(contact.id, hidden_name(contact.identity))
