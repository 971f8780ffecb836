"""The tables of the user's devices, and the triggers that write the log of changes.

Promises: whoever changes a contact, a message or a period, the log has it in the same transaction; without a satellite
nothing is written. As all scripts of schema.py, what was published is never changed.
"""

from __future__ import annotations

# Other devices of the user. At home: the satellites; on a satellite: the home. The contact's row is shown nowhere else.
# `history`: at home, messages with lower numbers are still to be sent; on a satellite, how many are still to come.
# `floor`: what the satellite asked for under lower numbers was answered. `seen` is the start of a day.
_TABLES = """
CREATE TABLE devices (
    contact INTEGER PRIMARY KEY REFERENCES contacts (id), name TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
    linked_at REAL NOT NULL, seen REAL NOT NULL, history INTEGER NOT NULL, floor INTEGER NOT NULL,
    revoked INTEGER NOT NULL, problem TEXT NOT NULL
);
CREATE TABLE device_invitations (
    invitation INTEGER PRIMARY KEY REFERENCES invitations (id) ON DELETE CASCADE, name TEXT
);

-- What has changed at home, the newest change of each thing only; cursors say how far it was sent.
CREATE TABLE device_log (
    position INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, item INTEGER NOT NULL, UNIQUE (kind, item)
);
CREATE TABLE device_cursors (
    device INTEGER NOT NULL REFERENCES devices (contact) ON DELETE CASCADE, kind TEXT NOT NULL,
    position INTEGER NOT NULL, PRIMARY KEY (device, kind)
) WITHOUT ROWID;

-- The beginning of a message of which more pieces are to come.
CREATE TABLE device_pieces (
    id INTEGER PRIMARY KEY AUTOINCREMENT, device INTEGER NOT NULL REFERENCES devices (contact) ON DELETE CASCADE,
    lane INTEGER NOT NULL, content BLOB NOT NULL
);

-- On a satellite: what was asked for and not answered; `message` or `contact` is what that is about.
CREATE TABLE device_asks (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, message INTEGER, contact INTEGER, expires REAL
);
-- At home: what was answered and may come again, and the message that it made.
CREATE TABLE device_requests (
    device INTEGER NOT NULL REFERENCES devices (contact) ON DELETE CASCADE, number INTEGER NOT NULL, message INTEGER,
    PRIMARY KEY (device, number)
) WITHOUT ROWID;
-- On a satellite: the home's numbers of messages.
CREATE TABLE mirrored (
    message INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE, number INTEGER NOT NULL UNIQUE
);

-- Files between devices; `request` follows the file when all of it is sent.
CREATE TABLE device_outgoing (
    device INTEGER NOT NULL REFERENCES devices (contact) ON DELETE CASCADE, number INTEGER NOT NULL,
    path TEXT NOT NULL, stamp TEXT NOT NULL, size INTEGER NOT NULL, position INTEGER NOT NULL, digest BLOB NOT NULL,
    offered INTEGER NOT NULL, request BLOB, PRIMARY KEY (device, number)
) WITHOUT ROWID;
CREATE TABLE device_incoming (
    device INTEGER NOT NULL REFERENCES devices (contact) ON DELETE CASCADE, number INTEGER NOT NULL,
    partial TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, position INTEGER NOT NULL, digest BLOB NOT NULL,
    complete INTEGER NOT NULL, PRIMARY KEY (device, number)
) WITHOUT ROWID;
"""

_TRIGGERS = "".join(
    f"""
CREATE TRIGGER device_log_{table}_{event} AFTER {change} ON {table}
WHEN EXISTS (SELECT 1 FROM devices WHERE role = 'satellite' AND NOT revoked) BEGIN
    DELETE FROM device_log WHERE kind = '{kind}' AND item = {item};
    INSERT INTO device_log (kind, item) VALUES ('{kind}', {item});
END;
"""  # noqa: S608  # our own names
    for table, event, change, kind, item in (
        ("contacts", "insert", "INSERT", "contact", "new.id"),
        ("contacts", "update", "UPDATE OF name, state, standing", "contact", "new.id"),
        ("retention", "insert", "INSERT", "contact", "new.contact"),
        ("retention", "delete", "DELETE", "contact", "old.contact"),
        ("messages", "insert", "INSERT", "message", "new.id"),
        ("messages", "update", "UPDATE OF state, text, error, sent_at, received_at", "message", "new.id"),
        ("messages", "delete", "DELETE", "message", "old.id"),
    )
)

DEVICES = _TABLES + _TRIGGERS

# Groups on satellites: the home's groups, their members as msgpack. And what the log has of them: a group is its
# conversation's row of contacts. `new` has messages in the order of their numbers, so that a satellite files them in
# it; a change of one that nobody was told of is none. What there was before these triggers is told as if it were new.
_GROUP_TABLES = """
CREATE TABLE mirrored_groups (
    contact INTEGER PRIMARY KEY REFERENCES contacts (id) ON DELETE CASCADE, title TEXT NOT NULL, state TEXT NOT NULL,
    members BLOB NOT NULL
);

DROP TRIGGER device_log_messages_insert;
DROP TRIGGER device_log_messages_update;
CREATE TRIGGER device_log_messages_insert AFTER INSERT ON messages
WHEN EXISTS (SELECT 1 FROM devices WHERE role = 'satellite' AND NOT revoked) BEGIN
    INSERT OR REPLACE INTO device_log (kind, item) VALUES ('new', new.id);
END;
INSERT INTO device_cursors SELECT contact, 'new', 0 FROM devices WHERE role = 'satellite';
INSERT OR REPLACE INTO device_log (kind, item) SELECT 'contact', contact FROM groups
    WHERE EXISTS (SELECT 1 FROM devices WHERE role = 'satellite' AND NOT revoked) ORDER BY id;
INSERT OR REPLACE INTO device_log (kind, item) SELECT 'new', m.id FROM messages m JOIN groups g ON g.contact = m.contact
    WHERE EXISTS (SELECT 1 FROM devices WHERE role = 'satellite' AND NOT revoked) ORDER BY m.id;
"""

_CHANGED_MESSAGES = "".join(
    f"""
CREATE TRIGGER device_log_{table}_{event} AFTER {change} ON {table}
WHEN EXISTS (SELECT 1 FROM devices WHERE role = 'satellite' AND NOT revoked) AND NOT EXISTS (
    SELECT 1 FROM device_log WHERE kind = 'new' AND item = new.{item}
    AND position > (SELECT coalesce(max(position), 0) FROM device_cursors WHERE kind = 'new')
) BEGIN
    DELETE FROM device_log WHERE kind = 'message' AND item = new.{item};
    INSERT INTO device_log (kind, item) VALUES ('message', new.{item});
END;
"""  # noqa: S608  # our own names
    for table, event, change, item in (
        ("messages", "update", "UPDATE OF state, text, error, sent_at, received_at", "id"),
        ("group_messages", "insert", "INSERT", "message"),
        ("group_messages", "update", "UPDATE", "message"),
        ("group_reads", "insert", "INSERT", "message"),
    )
)

_CHANGED_GROUPS = "".join(
    f"""
CREATE TRIGGER device_log_{name} AFTER {change}
WHEN EXISTS (SELECT 1 FROM devices WHERE role = 'satellite' AND NOT revoked) BEGIN
    DELETE FROM device_log WHERE kind = 'contact' AND item IN ({groups});
    INSERT INTO device_log (kind, item) SELECT DISTINCT 'contact', contact FROM ({groups});
END;
"""  # noqa: S608  # our own names
    for name, change, groups in (
        ("groups_update", "UPDATE OF state ON groups", "SELECT new.contact AS contact"),
        ("group_changes_insert", "INSERT ON group_changes", "SELECT contact FROM groups WHERE id = new.grp"),
        ("group_changes_delete", "DELETE ON group_changes", "SELECT contact FROM groups WHERE id = old.grp"),
        ("group_peers_update", "UPDATE OF contact ON group_peers", "SELECT contact FROM groups WHERE id = new.grp"),
        (
            "contacts_reach",
            "UPDATE OF session, standing ON contacts",
            "SELECT g.contact FROM groups g JOIN group_peers p ON p.grp = g.id WHERE p.contact = new.id",
        ),
    )
)

DEVICE_GROUPS = _GROUP_TABLES + _CHANGED_MESSAGES + _CHANGED_GROUPS
