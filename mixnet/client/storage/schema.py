"""The tables of a profile's store, as scripts that are run in order.

Promises: a store of any older version becomes current by running the scripts that it lacks, in order; a script that was
published is never changed. Times are seconds since the Unix epoch; a bitmap has bit i set for fragment i.
"""

from __future__ import annotations

from mixnet.client.storage.schema_devices import DEVICE_GROUPS, DEVICES
from mixnet.client.storage.schema_groups import GROUP_AGREEMENT, GROUP_LEAVERS, GROUP_SPARES, GROUPS

_FIRST = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- `session` is the one that messages to the contact go out in; null until one is established.
CREATE TABLE contacts (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, identity BLOB NOT NULL UNIQUE, state TEXT NOT NULL,
    added_at REAL NOT NULL, session INTEGER
);

-- `prekeys` is null from the moment of use; `used` is the digest of the first message that used it.
CREATE TABLE invitations (
    id INTEGER PRIMARY KEY, channel BLOB NOT NULL UNIQUE, secret BLOB NOT NULL, transcript BLOB NOT NULL, prekeys BLOB,
    expires REAL NOT NULL, used BLOB, session INTEGER
);

-- `entry` and `entry_key`: the invitation's channel, where the first message goes; null on the inviter's side.
-- `numbers`: the next outgoing message number of each lane; `expected`: the next incoming one.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY, contact INTEGER NOT NULL REFERENCES contacts (id),
    incoming BLOB NOT NULL UNIQUE, incoming_key BLOB NOT NULL,
    outgoing BLOB NOT NULL UNIQUE, outgoing_key BLOB NOT NULL,
    entry BLOB, entry_key BLOB, provider BLOB NOT NULL, mailbox BLOB NOT NULL, sphinx_public BLOB NOT NULL,
    ratchet BLOB NOT NULL, numbers_0 INTEGER NOT NULL, numbers_1 INTEGER NOT NULL,
    expected_0 INTEGER NOT NULL, expected_1 INTEGER NOT NULL
);

-- Plaintexts that no session has encrypted yet, in the order of their ids.
CREATE TABLE waiting (
    id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER NOT NULL, lane INTEGER NOT NULL, body BLOB NOT NULL,
    message INTEGER, expires REAL NOT NULL
);
CREATE INDEX waiting_of_contact ON waiting (contact, lane, id);

-- Encrypted messages under way; their bytes are apart, in `sealed`, since acknowledgements rewrite these rows often.
-- `last`: its delivery is that of the whole message; `size`: bytes of a file that its delivery brings across.
CREATE TABLE outbound (
    session INTEGER NOT NULL, lane INTEGER NOT NULL, number INTEGER NOT NULL, length INTEGER NOT NULL,
    acked INTEGER NOT NULL, message INTEGER, last INTEGER NOT NULL, size INTEGER NOT NULL, expires REAL NOT NULL,
    PRIMARY KEY (session, lane, number)
) WITHOUT ROWID;
CREATE INDEX outbound_of_message ON outbound (message);
CREATE TABLE sealed (
    session INTEGER NOT NULL, lane INTEGER NOT NULL, number INTEGER NOT NULL, ciphertext BLOB NOT NULL,
    PRIMARY KEY (session, lane, number)
);

CREATE TABLE inbound (
    session INTEGER NOT NULL, lane INTEGER NOT NULL, number INTEGER NOT NULL, length INTEGER NOT NULL,
    position INTEGER NOT NULL, part BLOB NOT NULL, PRIMARY KEY (session, lane, number, position)
) WITHOUT ROWID;

-- `remote` is the number that the sender has given to an incoming message.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER NOT NULL REFERENCES contacts (id), outgoing INTEGER NOT NULL,
    kind TEXT NOT NULL, state TEXT NOT NULL, text TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,
    done INTEGER NOT NULL, error TEXT NOT NULL, created_at REAL NOT NULL, sent_at REAL NOT NULL,
    drawn_delay REAL NOT NULL, received_at REAL NOT NULL, remote INTEGER
);
CREATE INDEX messages_of_contact ON messages (contact, id);

-- Files under way. `stamp` tells whether the file is still the one that was offered; `digest` is the running one.
CREATE TABLE sending (
    message INTEGER PRIMARY KEY, contact INTEGER NOT NULL, path TEXT NOT NULL, stamp TEXT NOT NULL,
    size INTEGER NOT NULL, position INTEGER NOT NULL, digest BLOB NOT NULL, offered INTEGER NOT NULL,
    served INTEGER NOT NULL, expires REAL NOT NULL
);
CREATE TABLE receiving (
    message INTEGER PRIMARY KEY, contact INTEGER NOT NULL, remote INTEGER NOT NULL, partial TEXT NOT NULL,
    size INTEGER NOT NULL, position INTEGER NOT NULL, digest BLOB NOT NULL, UNIQUE (contact, remote)
);

CREATE VIRTUAL TABLE found USING fts5 (text, content = 'messages', content_rowid = 'id');
CREATE TRIGGER found_insert AFTER INSERT ON messages BEGIN
    INSERT INTO found (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER found_delete AFTER DELETE ON messages BEGIN
    INSERT INTO found (found, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER found_update AFTER UPDATE OF text ON messages BEGIN
    INSERT INTO found (found, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO found (rowid, text) VALUES (new.id, new.text);
END;
"""

# `standing`: whether the user wants to hear from the contact (client/storage/contacts.py).
_STANDING = "ALTER TABLE contacts ADD COLUMN standing TEXT NOT NULL DEFAULT 'open';"

# What was deleted shall not stay in the index until its parts are merged: FTS5 keeps it there unless told otherwise.
_ARCHIVE = """
INSERT INTO found (found, rank) VALUES ('secure-delete', 1);
INSERT INTO found (found) VALUES ('optimize');

-- Messages with a contact are kept for so many seconds; without a row, for ever.
CREATE TABLE retention (
    contact INTEGER PRIMARY KEY REFERENCES contacts (id) ON DELETE CASCADE, seconds REAL NOT NULL
);
CREATE INDEX messages_of_time ON messages (contact, created_at);

-- Messages that came from a file: the identity of the profile that filed them first, and their number there.
CREATE TABLE imported (
    message INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE, origin BLOB NOT NULL,
    number INTEGER NOT NULL, UNIQUE (origin, number)
);
"""

_RENEWAL = """
-- Of the last messages that were delivered here in each lane of a session: a tag of the ciphertext (history.py).
CREATE TABLE taken (
    session INTEGER NOT NULL, lane INTEGER NOT NULL, number INTEGER NOT NULL, tag BLOB NOT NULL,
    PRIMARY KEY (session, lane, number)
) WITHOUT ROWID;
-- What was encrypted in lane 0 and is under way: it goes out again if its session is given up.
CREATE TABLE posted (
    session INTEGER NOT NULL, lane INTEGER NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (session, lane, number)
) WITHOUT ROWID;
-- Sessions that were given up for a newer one, and what was under way in them then: until the contact says what it has.
CREATE TABLE retired (session INTEGER PRIMARY KEY, contact INTEGER NOT NULL, settled INTEGER NOT NULL);
CREATE TABLE stranded (
    session INTEGER NOT NULL, contact INTEGER NOT NULL, lane INTEGER NOT NULL, number INTEGER NOT NULL,
    tag BLOB NOT NULL, message INTEGER, last INTEGER NOT NULL, body BLOB, expires REAL NOT NULL,
    PRIMARY KEY (session, lane, number)
) WITHOUT ROWID;
CREATE INDEX stranded_of_contact ON stranded (contact);
-- The newest session that there was when an invitation was made.
CREATE TABLE invited_after (invitation INTEGER PRIMARY KEY, session INTEGER NOT NULL);
"""

# Signed messages and their receipts (client/storage/signatures.py). `statement` and `signature` are null until a file
# was read to its end; `chain` is that of a file's content; `receipt` is a ReceiptState. Receipts are statements by
# whoever received the message; `consents` has the contacts for whom the profile's rule doesn't hold.
_PROOFS = """
CREATE TABLE signed (
    message INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    statement BLOB, signature BLOB, chain BLOB, receipt TEXT NOT NULL
);
CREATE TABLE receipts (
    message INTEGER NOT NULL REFERENCES signed (message) ON DELETE CASCADE, event TEXT NOT NULL,
    time INTEGER NOT NULL, signature BLOB NOT NULL, PRIMARY KEY (message, event)
) WITHOUT ROWID;
CREATE TABLE consents (
    contact INTEGER PRIMARY KEY REFERENCES contacts (id) ON DELETE CASCADE, rule TEXT NOT NULL
);

-- What witnesses said of signed messages of ours; null until one has. `consensuses` are what makes them believed.
CREATE TABLE consensuses (name BLOB PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE submissions (
    message INTEGER PRIMARY KEY REFERENCES signed (message) ON DELETE CASCADE, salt BLOB NOT NULL,
    witness BLOB, time INTEGER, signature BLOB, consensus BLOB REFERENCES consensuses (name)
);
CREATE TRIGGER consensus_unused AFTER DELETE ON submissions WHEN old.consensus IS NOT NULL BEGIN
    DELETE FROM consensuses WHERE name = old.consensus AND name NOT IN (
        SELECT consensus FROM submissions WHERE consensus IS NOT NULL
    );
END;
"""

# Address-book entries for matching (client/pairing/matching_store.py): `secret` and `progress` are those of `day`.
_MATCHING = """
CREATE TABLE matching (
    address TEXT PRIMARY KEY, label TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'looking', contact INTEGER,
    error TEXT NOT NULL DEFAULT '', day INTEGER NOT NULL DEFAULT 0, secret BLOB, progress BLOB
) WITHOUT ROWID;
"""

# Public addresses: `text` is what people get; `prekeys` is null once it is retired.
_ANONYMOUS = """
CREATE TABLE addresses (
    id TEXT PRIMARY KEY, channel BLOB NOT NULL UNIQUE, text TEXT NOT NULL, prekeys BLOB, created_at REAL NOT NULL,
    closes REAL NOT NULL
) WITHOUT ROWID;

-- Conversations with somebody who has no name. `role`: whether we are the writer, who is anonymous, or the reader.
-- `listens`: a writer takes answers until then, a reader has had reply blocks until then (0: that is over);
-- `supply`: when a writer next sends reply blocks; `touched`: when something last came; `expires`: when to look again.
-- `session` is null once it has ended.
CREATE TABLE anonymous (
    contact INTEGER PRIMARY KEY REFERENCES contacts (id) ON DELETE CASCADE, role TEXT NOT NULL, address TEXT NOT NULL,
    session INTEGER, listens REAL NOT NULL, supply REAL, touched REAL NOT NULL, expires REAL
);

-- First messages that came, so that a copy of one opens nothing again; `session` is the one that it opened.
CREATE TABLE anonymous_openings (
    digest BLOB PRIMARY KEY, address TEXT NOT NULL, session INTEGER NOT NULL, arrived REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX anonymous_openings_of_time ON anonymous_openings (arrived);

-- Reply blocks that came, usable in the epoch that ends at `expires`; the keys of those that we gave out (null: used).
CREATE TABLE anonymous_blocks (
    id INTEGER PRIMARY KEY, contact INTEGER NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    surb BLOB NOT NULL UNIQUE, expires REAL NOT NULL
);
CREATE INDEX anonymous_blocks_of_contact ON anonymous_blocks (contact, expires);
CREATE TABLE anonymous_given (
    surb_id BLOB PRIMARY KEY, contact INTEGER NOT NULL REFERENCES contacts (id) ON DELETE CASCADE, keys BLOB,
    until REAL NOT NULL, expires REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX anonymous_given_of_contact ON anonymous_given (contact, until);

-- How often each part of an answer has left, and when it did last.
CREATE TABLE anonymous_parts (
    session INTEGER NOT NULL, number INTEGER NOT NULL, position INTEGER NOT NULL, tries INTEGER NOT NULL,
    left_at REAL NOT NULL, PRIMARY KEY (session, number, position)
) WITHOUT ROWID;
"""

# When a file that is coming is given up if no further piece comes.
_UNFINISHED = """
ALTER TABLE receiving ADD COLUMN expires REAL;
UPDATE receiving SET expires = 604800 + (SELECT m.created_at FROM messages m WHERE m.id = receiving.message);
"""

# Identities that contacts had before their user said that a new one is the same person (client/contacts/relinking.py).
_FORMER = """
CREATE TABLE former_identities (
    identity BLOB PRIMARY KEY, contact INTEGER NOT NULL REFERENCES contacts (id) ON DELETE CASCADE
) WITHOUT ROWID;
"""

# What a user wrote down about a contact; satellites are told of its changes.
_NOTES = """
ALTER TABLE contacts ADD COLUMN note TEXT NOT NULL DEFAULT '';
DROP TRIGGER device_log_contacts_update;
CREATE TRIGGER device_log_contacts_update AFTER UPDATE OF name, state, standing, note ON contacts
WHEN EXISTS (SELECT 1 FROM devices WHERE role = 'satellite' AND NOT revoked) BEGIN
    DELETE FROM device_log WHERE kind = 'contact' AND item = new.id;
    INSERT INTO device_log (kind, item) VALUES ('contact', new.id);
END;
"""

# `wire`: by what a message of ours is known to its contact. What left before keeps the number that it had then.
_WIRE_IDS = """
ALTER TABLE messages ADD COLUMN wire INTEGER;
UPDATE messages SET wire = id WHERE outgoing AND id NOT IN (SELECT message FROM imported);
CREATE UNIQUE INDEX messages_of_wire ON messages (contact, wire);
"""

# What looks like a name that was ever in use here, as keyed digests (client/storage/contacts.py); and what the members
# of a group are called here, those who left included (client/groups/member_names.py).
_NAMES = """
CREATE TABLE used_names (look BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE group_names (
    grp INTEGER NOT NULL, key BLOB NOT NULL, name TEXT NOT NULL, PRIMARY KEY (grp, key), UNIQUE (grp, name)
) WITHOUT ROWID;
CREATE TRIGGER device_log_contacts_named AFTER UPDATE OF name, role ON contacts
WHEN EXISTS (SELECT 1 FROM devices WHERE role = 'satellite' AND NOT revoked) BEGIN
    DELETE FROM device_log WHERE kind = 'contact' AND item IN
        (SELECT g.contact FROM groups g JOIN group_peers p ON p.grp = g.id WHERE p.contact = new.id);
    INSERT INTO device_log (kind, item) SELECT DISTINCT 'contact', g.contact
        FROM groups g JOIN group_peers p ON p.grp = g.id WHERE p.contact = new.id;
END;
"""

# On whose account a body takes slots (client/core/shares.py): -1 the user's, 0 its receiver's, else a group's row.
_ACCOUNTS = """
ALTER TABLE waiting ADD COLUMN account INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbound ADD COLUMN account INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stranded ADD COLUMN account INTEGER NOT NULL DEFAULT 0;
UPDATE waiting SET account = -1 WHERE message IS NOT NULL;
UPDATE outbound SET account = -1 WHERE message IS NOT NULL;
UPDATE stranded SET account = -1 WHERE message IS NOT NULL;
"""

# What contacts learn: of reading, and when acknowledgements leave. `held`: a body waits for a random pause to end.
_DISCRETION = """
ALTER TABLE contacts ADD COLUMN read_receipts TEXT NOT NULL DEFAULT 'default';
ALTER TABLE contacts ADD COLUMN acknowledgements TEXT NOT NULL DEFAULT 'prompt';
ALTER TABLE waiting ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER device_log_contacts_update;
CREATE TRIGGER device_log_contacts_update
AFTER UPDATE OF name, state, standing, note, read_receipts, acknowledgements ON contacts
WHEN EXISTS (SELECT 1 FROM devices WHERE role = 'satellite' AND NOT revoked) BEGIN
    DELETE FROM device_log WHERE kind = 'contact' AND item = new.id;
    INSERT INTO device_log (kind, item) VALUES ('contact', new.id);
END;
"""

# How many messages of a conversation are unread is asked for often, and few are.
_UNREAD = "CREATE INDEX messages_unread ON messages (contact) WHERE state = 'received';"

# The index has texts as `separated` (client/storage/search.py) gives them; what is deleted is given to it once more.
_PARTS = """
DROP TRIGGER found_insert;
DROP TRIGGER found_delete;
DROP TRIGGER found_update;
DROP TABLE found;
CREATE VIRTUAL TABLE found USING fts5 (text, content = '');
INSERT INTO found (found, rank) VALUES ('secure-delete', 1);
INSERT INTO found (rowid, text) SELECT id, separated(text) FROM messages;
CREATE TRIGGER found_insert AFTER INSERT ON messages BEGIN
    INSERT INTO found (rowid, text) VALUES (new.id, separated(new.text));
END;
CREATE TRIGGER found_delete AFTER DELETE ON messages BEGIN
    INSERT INTO found (found, rowid, text) VALUES ('delete', old.id, separated(old.text));
END;
CREATE TRIGGER found_update AFTER UPDATE OF text ON messages BEGIN
    INSERT INTO found (found, rowid, text) VALUES ('delete', old.id, separated(old.text));
    INSERT INTO found (rowid, text) VALUES (new.id, separated(new.text));
END;
"""

# Sessions whose keys another machine may have used since: nothing is encrypted in them (client/storage/copies.py).
# `invitation` is the row of that by which the contact is asked for another session, `asked` its text.
_COPIES = """
CREATE TABLE copied (session INTEGER PRIMARY KEY, contact INTEGER NOT NULL, invitation INTEGER, asked TEXT);
CREATE INDEX copied_of_contact ON copied (contact);
"""

# `news`: an incoming message has failed, and nobody was shown it yet. The index: what is unread, or soon may be.
_NEWS = """
ALTER TABLE messages ADD COLUMN news INTEGER NOT NULL DEFAULT 0;
DROP INDEX messages_unread;
CREATE INDEX messages_unread ON messages (contact, id) WHERE state IN ('received', 'receiving') OR news;
"""

# `place`: in which order messages were complete: its number, or for a file that others overtook the next number, which
# no message gets then; null of a file that is still coming.
_PLACES = """
ALTER TABLE messages ADD COLUMN place INTEGER;
UPDATE messages SET place = id WHERE state <> 'receiving';
CREATE INDEX messages_of_place ON messages (place);
CREATE INDEX messages_of_contact_place ON messages (contact, place);
CREATE TRIGGER messages_filed AFTER INSERT ON messages WHEN new.state <> 'receiving' BEGIN
    UPDATE messages SET place = id WHERE id = new.id;
END;
CREATE TRIGGER messages_completed AFTER UPDATE OF state ON messages
WHEN new.place IS NULL AND new.state <> 'receiving' BEGIN
    UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'messages' AND seq > new.id;
    UPDATE messages SET place = (SELECT seq FROM sqlite_sequence WHERE name = 'messages') WHERE id = new.id;
END;
"""

# What the user has begun to write, on this device only.
_DRAFTS = """
CREATE TABLE drafts (
    contact INTEGER PRIMARY KEY REFERENCES contacts (id) ON DELETE CASCADE, text TEXT NOT NULL, changed REAL NOT NULL
);
"""

# Whether a message came before is asked for each one that comes.
# restorations: sessions that took the place of one of a restored profile, ours or the contact's, until that is said.
_CAME = """
CREATE INDEX messages_of_remote ON messages (contact, remote);
CREATE TABLE restorations (session INTEGER PRIMARY KEY, made REAL NOT NULL, ours INTEGER NOT NULL);
"""

# What both sides may do to a message later. `edited`: the version of its text, 0 for the first; `withdrawn`: deleted
# by its author; `named`: what its sender calls one that came, also after a renewal. It disappears `period` seconds
# after it left, or was read if it came: at `disappears` (null: not yet). A contact's period is that of new messages.
_DAILY = """
ALTER TABLE messages ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN period INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN disappears REAL;
ALTER TABLE messages ADD COLUMN named INTEGER;
UPDATE messages SET named = remote WHERE remote > 0;
CREATE INDEX messages_of_name ON messages (contact, named) WHERE named IS NOT NULL;
ALTER TABLE group_posts ADD COLUMN about INTEGER; -- a message of ours that it edits or deletes
CREATE INDEX messages_disappearing ON messages (disappears) WHERE disappears IS NOT NULL;
ALTER TABLE contacts ADD COLUMN period INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN period_version INTEGER NOT NULL DEFAULT 0;
-- Files whose authors deleted them before they began to come, by what their senders call them: the last ones.
CREATE TABLE withdrawals (
    id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    named INTEGER NOT NULL, UNIQUE (contact, named)
);
DROP TRIGGER device_log_contacts_update;
CREATE TRIGGER device_log_contacts_update
AFTER UPDATE OF name, state, standing, note, read_receipts, acknowledgements, period ON contacts
WHEN EXISTS (SELECT 1 FROM devices WHERE role = 'satellite' AND NOT revoked) BEGIN
    DELETE FROM device_log WHERE kind = 'contact' AND item = new.id;
    INSERT INTO device_log (kind, item) VALUES ('contact', new.id);
END;
DROP TRIGGER device_log_messages_update;
CREATE TRIGGER device_log_messages_update
AFTER UPDATE OF state, text, error, sent_at, received_at, edited, withdrawn, period, disappears ON messages
WHEN EXISTS (SELECT 1 FROM devices WHERE role = 'satellite' AND NOT revoked) AND NOT EXISTS (
    SELECT 1 FROM device_log WHERE kind = 'new' AND item = new.id
    AND position > (SELECT coalesce(max(position), 0) FROM device_cursors WHERE kind = 'new')
) BEGIN
    DELETE FROM device_log WHERE kind = 'message' AND item = new.id;
    INSERT INTO device_log (kind, item) VALUES ('message', new.id);
END;
"""

MIGRATIONS = (
    _FIRST,
    _STANDING,
    _ARCHIVE,
    _RENEWAL,
    _PROOFS,
    _MATCHING,
    GROUPS,
    DEVICES,
    _ANONYMOUS,
    GROUP_SPARES,
    DEVICE_GROUPS,
    _UNFINISHED,
    _FORMER,
    GROUP_LEAVERS,
    _NOTES,
    _WIRE_IDS,
    _NAMES,
    _ACCOUNTS,
    _DISCRETION,
    GROUP_AGREEMENT,
    _UNREAD,
    _PARTS,
    _COPIES,
    _NEWS,
    _PLACES,
    _DRAFTS,
    _CAME,
    _DAILY,
)
