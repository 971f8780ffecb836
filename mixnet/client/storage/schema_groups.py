"""The tables of groups (spec/07-client.md 7.17). A script that was published is never changed."""

from __future__ import annotations

# `role`: 'contact' of the user, 'member' (known by a group only), 'group' (a group's conversation), or 'anonymous'.
GROUPS = """
ALTER TABLE contacts ADD COLUMN role TEXT NOT NULL DEFAULT 'contact';
ALTER TABLE invitations ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;

-- `contact` is the row under which the conversation is filed; `sponsor` the contact who invited us.
CREATE TABLE groups (
    id INTEGER PRIMARY KEY, identifier BLOB NOT NULL UNIQUE, contact INTEGER NOT NULL UNIQUE REFERENCES contacts (id),
    state TEXT NOT NULL, key BLOB NOT NULL, agree BLOB NOT NULL, sponsor INTEGER, next_number INTEGER NOT NULL
);
CREATE TABLE group_offers (grp INTEGER NOT NULL, contact INTEGER NOT NULL, PRIMARY KEY (grp, contact)) WITHOUT ROWID;
CREATE TABLE group_changes (
    grp INTEGER NOT NULL, position INTEGER NOT NULL, raw BLOB NOT NULL, PRIMARY KEY (grp, position)
) WITHOUT ROWID;

-- `first`: the number of our first post for it; `expected`: that of its next post, null before its hello.
CREATE TABLE group_peers (
    grp INTEGER NOT NULL, key BLOB NOT NULL, contact INTEGER, greeted INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0, introduced REAL NOT NULL DEFAULT 0, first INTEGER NOT NULL, expected INTEGER,
    doubted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (grp, key)
) WITHOUT ROWID;
CREATE TABLE group_passes (
    grp INTEGER NOT NULL, source BLOB NOT NULL, target BLOB NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (grp, source, target)
);

-- `plans`: of others' posts, which trees were served, as bits; of our own, how many were made.
CREATE TABLE group_posts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, grp INTEGER NOT NULL, author BLOB NOT NULL, number INTEGER NOT NULL,
    raw BLOB NOT NULL, message INTEGER, delivered INTEGER NOT NULL, plans INTEGER NOT NULL, expires REAL NOT NULL,
    UNIQUE (grp, author, number)
);
CREATE TABLE group_hops (
    id INTEGER PRIMARY KEY AUTOINCREMENT, post INTEGER NOT NULL REFERENCES group_posts (id) ON DELETE CASCADE,
    target BLOB NOT NULL, plan INTEGER NOT NULL, onward BLOB NOT NULL
);
CREATE TABLE group_awaited (
    post INTEGER NOT NULL REFERENCES group_posts (id) ON DELETE CASCADE, member BLOB NOT NULL,
    PRIMARY KEY (post, member)
) WITHOUT ROWID;
CREATE TABLE group_receipts (
    post INTEGER NOT NULL REFERENCES group_posts (id) ON DELETE CASCADE, plan INTEGER NOT NULL,
    parent INTEGER NOT NULL, receipts BLOB NOT NULL, due REAL, PRIMARY KEY (post, plan)
);
CREATE TABLE group_messages (
    message INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE, author TEXT NOT NULL,
    members INTEGER NOT NULL, reached INTEGER NOT NULL
);
"""

# `answered`: when a member's last receipt came. `retry`: when a post that waits for earlier ones of its author need not
# wait for one of them any more. `ends`: when a post expires that has a time of its own.
# `writer`: the key of who wrote a message that came; `number`: that of the post of ours. group_reads: who read ours.
GROUP_SPARES = """
ALTER TABLE group_peers ADD COLUMN answered REAL NOT NULL DEFAULT 0;
ALTER TABLE group_hops ADD COLUMN spares INTEGER NOT NULL DEFAULT 0;
ALTER TABLE group_posts ADD COLUMN retry REAL;
ALTER TABLE group_posts ADD COLUMN ends REAL;
ALTER TABLE group_messages ADD COLUMN writer BLOB;
ALTER TABLE group_messages ADD COLUMN number INTEGER;
CREATE INDEX group_messages_of_number ON group_messages (number);
CREATE TABLE group_reads (
    message INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE, member BLOB NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (message, member)
) WITHOUT ROWID;
"""

# Who left: the session in which it is heard, the number of its next post, that of the last one that is taken, and when
# nothing more is. group_held: posts that wait for changes, by the contact from which they came.
GROUP_LEAVERS = """
CREATE TABLE group_leavers (
    grp INTEGER NOT NULL, key BLOB NOT NULL, contact INTEGER, expected INTEGER, last INTEGER NOT NULL,
    until REAL NOT NULL, PRIMARY KEY (grp, key)
) WITHOUT ROWID;
CREATE TABLE group_held (
    id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER NOT NULL, body BLOB NOT NULL, expires REAL NOT NULL
);
"""

# `group_posts.raw` and copies are readable by their receivers alone once a post is filed: `group_hops.key` has its key,
# sealed for the target. What has the old encoding and is filed can't be passed on any more; what isn't is made anew
# (client/groups/older_posts.py). `told`: a post of ours has named it.
# group_claims: marks of posts that others have and that are not here yet; `key` is what the marks were made with.
# group_proofs: two posts under one number, both signed by their author, without what they say.
GROUP_AGREEMENT = """
ALTER TABLE group_posts ADD COLUMN told INTEGER NOT NULL DEFAULT 1;
ALTER TABLE group_hops ADD COLUMN key BLOB NOT NULL DEFAULT x'';
DELETE FROM group_hops;
DELETE FROM group_posts WHERE delivered = 1 AND id NOT IN (SELECT post FROM group_awaited);
DELETE FROM group_held;
ALTER TABLE group_held ADD COLUMN grp INTEGER NOT NULL DEFAULT 0;
ALTER TABLE group_held ADD COLUMN author BLOB NOT NULL DEFAULT x'';
ALTER TABLE group_held ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
CREATE TABLE group_claims (
    id INTEGER PRIMARY KEY AUTOINCREMENT, grp INTEGER NOT NULL, author BLOB NOT NULL, number INTEGER NOT NULL,
    mark BLOB NOT NULL, key BLOB NOT NULL, claimant BLOB NOT NULL, expires REAL NOT NULL
);
CREATE INDEX group_claims_of_post ON group_claims (grp, author, number);
CREATE TABLE group_proofs (
    grp INTEGER NOT NULL, author BLOB NOT NULL, number INTEGER NOT NULL, first BLOB NOT NULL, second BLOB NOT NULL,
    told INTEGER NOT NULL, expires REAL NOT NULL, PRIMARY KEY (grp, author, number)
) WITHOUT ROWID;
"""
