"""What a client keeps on its user's own machine (spec/07-client.md 7.7 and 7.8).

Pure. Promises: every table and column of client/storage/schema.py, every setting, file of a profile's folder, log
field and figure is in exactly one row; tests compare.
"""

from __future__ import annotations

from mixnet.inventory.row import Fields, Figures, Memory, Row, Settings, columns, files

_ME = "you, while the store is open"
_OWNER = "your account on this machine"
_PROFILE_END = "`mixnet profile erase`"
_SEALED = "yes: the store"
_NEVER = "until the profile is erased"

ROWS = (
    Row(
        "keys",
        (
            columns("settings", "name value"),
            Settings(("identity", "mailbox identity", "sphinx secret")),
        ),
        "who you are to contacts, and who you are to your provider: whoever has them can pose as you",
        "nothing can be sent, received or opened without them",
        _NEVER, "", _ME, _PROFILE_END, _SEALED,
    ),
    Row(
        "provider",
        (Settings(("provider",)),),
        "at which provider your mailbox is",
        "the daemon must find its mailbox again",
        _NEVER, "", _ME, _PROFILE_END, _SEALED,
    ),
    Row(
        "directory",
        (Settings(("directory document", "directory introduction*", "directory evidence *")),),
        "nothing about you but the network that you use: the documents are public",
        "no older or forged directory can be passed off on you",
        "the newest document until the next one; introductions and evidence until the profile is erased",
        "epoch_length", _ME, _PROFILE_END, _SEALED, user=False,
    ),
    Row(
        "contacts",
        (
            columns(
                "contacts",
                "id name identity state added_at session standing role note read_receipts acknowledgements period "
                "period_version",
            ),
            columns("former_identities", "identity contact"),
        ),
        "with whom you talk, since when, what you call them, whom you verified and whom you blocked, what you noted "
        "about them, what you let them learn, and by which key you knew who began anew",
        "messages need somebody to go to; a verified contact stays verified",
        _NEVER, "", _ME, "`mixnet contacts PROFILE --delete CONTACT`", _SEALED,
        age="contacts.added_at",
    ),
    Row(
        "names that were in use",
        (columns("used_names", "look"), Settings(("looks key",))),
        "of a name that somebody guesses, whether one that looks so was ever used here; no name can be read out of it",
        "nobody can take the name of somebody whom you knew by it",
        _NEVER, "", _ME, _PROFILE_END, _SEALED,
    ),
    Row(
        "invitations",
        (columns("invitations", "id channel secret transcript prekeys expires used session hidden"),),
        "that you invited somebody, and the one-time keys of that invitation",
        "the first message of whoever accepts must open, once",
        "7 days; the one-time keys until the invitation is used", "its own expiry", _ME, "by itself", _SEALED,
    ),
    Row(
        "sessions",
        (
            columns(
                "sessions",
                "id contact incoming incoming_key outgoing outgoing_key entry entry_key provider mailbox "
                "sphinx_public ratchet numbers_0 numbers_1 expected_0 expected_1",
            ),
        ),
        "a contact's mailbox and provider, and the state of the encryption with them",
        "end-to-end encryption; old message keys are not in it",
        _NEVER, "", _ME, _PROFILE_END, _SEALED,
    ),
    Row(
        "copies",
        (
            columns("copied", "session contact invitation asked"),
            columns("restorations", "session made ours"),
            Settings(("copy", "mailbox claim", "place")),
        ),
        "that this profile was made of a backup, of when it was and when that was done, whose sessions are not begun "
        "anew yet, and with whom they were begun anew for that",
        "no key that the copied profile may have used since encrypts anything else",
        _NEVER, "", _ME, _PROFILE_END, _SEALED,
    ),
    Row(
        "under way",
        (
            columns("waiting", "id contact lane body message expires account held"),
            columns("outbound", "session lane number length acked message last size expires account"),
            columns("sealed", "session lane number ciphertext"),
            columns("posted", "session lane number body"),
            columns("inbound", "session lane number length position part"),
        ),
        "what you send that is not delivered yet, and pieces of what is arriving",
        "a restart loses nothing",
        "until delivered, cancelled or too old", "message_age", _ME, "by itself; `mixnet cancel`", _SEALED,
    ),
    Row(
        "messages",
        (
            columns(
                "messages",
                "id contact outgoing kind state text path size done error created_at sent_at drawn_delay received_at "
                "remote wire news place edited withdrawn period disappears named",
            ),
            columns("found", "text"),
            columns("imported", "message origin number"),
            columns("withdrawals", "id contact named"),
        ),
        "what you wrote and read, with whom and when",
        "your archive and its search",
        "until you or their author deletes them, or as long as you chose for a conversation", "`mixnet retention`", _ME,
        "`mixnet delete`, `mixnet retention`, `mixnet disappear`", _SEALED, age="messages.created_at",
    ),
    Row(
        "drafts",
        (columns("drafts", "contact text changed"),),
        "what you have begun to write, to whom, and when",
        "it is there when you come back to the conversation",
        "until you send or delete it, or its conversation goes", "`mixnet retention`", _ME,
        "`mixnet chat`; `mixnet delete --contact`", _SEALED, age="drafts.changed",
    ),
    Row(
        "files under way",
        (
            columns("sending", "message contact path stamp size position digest offered served expires"),
            columns("receiving", "message contact remote partial size position digest expires"),
            files("downloads/.*"),
        ),
        "which file of yours is being sent, and a part of one that is coming",
        "a file of many parts goes on after a restart",
        "until complete, cancelled or too old", "message_age", _ME, "by itself; `mixnet cancel`",
        "the tables: yes; the part of a file that came: no",
    ),
    Row(
        "choices",
        (
            columns("retention", "contact seconds"),
            columns("consents", "contact rule"),
            Settings(("receipts", "read receipts")),
        ),
        "for how long you keep which conversation, to whom you give signed receipts, and whether contacts learn "
        "what you read",
        "old messages are deleted, and receipts given or not, without your being asked again",
        _NEVER, "", _ME,
        "`mixnet retention PROFILE CONTACT off`, `mixnet proof receipts`, `mixnet contacts --default-read-receipts`",
        _SEALED,
    ),
    Row(
        "renewals",
        (
            columns("taken", "session lane number tag"),
            columns("retired", "session contact settled"),
            columns("stranded", "session contact lane number tag message last body expires account"),
            columns("invited_after", "invitation session"),
        ),
        "tags of the last messages that a contact sent, and what was under way in a session that another one replaced",
        "after an old copy was restored each message is delivered once, or you learn that nobody can tell",
        "tags of 1,000 messages a session; what was under way until the contact says what it has, or it is too old",
        "message_age", _ME, _PROFILE_END, _SEALED,
    ),
    Row(
        "proofs",
        (
            columns("signed", "message statement signature chain receipt"),
            columns("receipts", "message event time signature"),
            columns("submissions", "message salt witness time signature consensus"),
            columns("consensuses", "name content"),
        ),
        "signatures by which anybody can be shown who sent and got a message, if its sender asked for them",
        "you can prove what was signed",
        "as long as the message", "`mixnet retention`", _ME, "`mixnet delete`, `mixnet retention`", _SEALED,
    ),
    Row(
        "address book",
        (
            columns("matching", "address label state contact error day secret progress"),
            Settings(("matching",)),
        ),
        "your own address and those of the people you look for",
        "you find people who look for you",
        "until you end the search; keys of a day until the next one", "", _ME, "`mixnet match PROFILE --off`", _SEALED,
    ),
    Row(
        "groups",
        (
            columns("groups", "id identifier contact state key agree sponsor next_number"),
            columns("group_offers", "grp contact"),
            columns("group_changes", "grp position raw"),
            columns("group_peers", "grp key contact greeted tries introduced first expected doubted answered"),
            columns("group_leavers", "grp key contact expected last until"),
            columns("group_held", "id contact body expires grp author number"),
            columns("group_passes", "grp source target sealed"),
            columns("group_posts", "id grp author number raw message delivered plans expires retry ends told about"),
            columns("group_hops", "id post target plan onward spares key"),
            columns("group_claims", "id grp author number mark key claimant expires"),
            columns("group_proofs", "grp author number first second told expires"),
            columns("group_awaited", "post member"),
            columns("group_receipts", "post plan parent receipts due"),
            columns("group_messages", "message author members reached writer number"),
            columns("group_reads", "message member name"),
            columns("group_names", "grp key name"),
        ),
        "in which groups you are, who was in them when and by whose decision, when each last answered, who has read "
        "your texts, who signed two posts as one, and posts that you pass on, which their receivers alone can read",
        "all members agree on who is in, and a post reaches those who are offline",
        "who was in, until the profile is erased; posts to pass on until all have them, or they are too old",
        "message_age", _ME, _PROFILE_END + "; `mixnet delete` for what was said", _SEALED,
    ),
    Row(
        "your devices",
        (
            columns("devices", "contact name role linked_at seen history floor revoked problem"),
            columns("device_invitations", "invitation name"),
            columns("device_log", "position kind item"),
            columns("device_cursors", "device kind position"),
            columns("device_pieces", "id device lane content"),
            columns("device_asks", "number kind message contact expires"),
            columns("device_requests", "device number message"),
            columns("mirrored", "message number"),
            columns("mirrored_groups", "contact title state members"),
            columns("device_outgoing", "device number path stamp size position digest offered request"),
            columns("device_incoming", "device number partial name size position digest complete"),
            Settings(("newest message at home",)),
        ),
        "which devices you have, on what day each was last heard of, and what they were not told yet",
        "all your devices show the same",
        "until a device is revoked and has been told, 90 days at most; changes until all have them", "", _ME,
        "`mixnet device revoke`", _SEALED,
    ),
    Row(
        "anonymous conversations",
        (
            columns("addresses", "id channel text prekeys created_at closes"),
            columns("anonymous", "contact role address session listens supply touched expires"),
            columns("anonymous_openings", "digest address session arrived"),
            columns("anonymous_blocks", "id contact surb expires"),
            columns("anonymous_given", "surb_id contact keys until expires"),
            columns("anonymous_parts", "session number position tries left_at"),
        ),
        "which public addresses are yours, to which ones you wrote, and the keys of these conversations",
        "somebody without a name can be answered",
        "an address's keys until it is retired or expires; reply blocks one epoch", "epoch_length", _ME,
        "`mixnet address retire`, `mixnet anonymous PROFILE --end NAME`", _SEALED,
    ),
    Row(
        "downloads",
        (files("downloads/[!.]*", "downloads/sent/*"),),
        "files that contacts sent you, under the names that they gave; voice messages of yours",
        "you want to open them",
        "until you remove them: they belong to you", "", _OWNER, "remove the file; " + _PROFILE_END, "no",
    ),
    Row(
        "files sent from the page",
        (files("uploads/*/*"),),
        "which files you send to contacts by `mixnet ui`, and what is in them",
        "a browser gives the bytes of a file and not its place, and the daemon reads it for as long as it sends it",
        "until delivered or given up, and the page is started or sends another one", "message_age", _OWNER,
        "by itself; " + _PROFILE_END, "no",
    ),
    Row(
        "store",
        (files("store.db", "store.db-wal", "store.db-shm"),),
        "to somebody without the key: its size, and when it last changed",
        "the database in which the rows above lie; the shared-memory file is there while the daemon runs",
        _NEVER, "", "whoever opens it with the key file or the passphrase", _PROFILE_END,
        "yes: AEGIS-256, the journal too",
    ),
    Row(
        "key of the store",
        (files("key"),),
        "the key itself, or with a passphrase only a salt",
        "the daemon must open the store",
        _NEVER, "", _OWNER, _PROFILE_END, "no: use a passphrase where others may copy the folder",
    ),
    Row(
        "profile",
        (files("profile.toml", "bootstrap.json"),),
        "the name in your invitations, your network, and the local address or provider that you asked for",
        "the daemon must know what it runs for",
        _NEVER, "", _OWNER, _PROFILE_END, "no",
    ),
    Row(
        "log",
        (
            files("daemon.log", "daemon.err"),
            Fields(("timestamp", "event", "role", "epoch", "version", "problem", "warnings", "signatures", "attempt")),
        ),
        "when your daemon ran, to the second, and what hindered it",
        "you can see why a daemon does not run",
        "until you remove the file: nothing shortens it", "", _OWNER, "remove the file; " + _PROFILE_END, "no",
    ),
    Row(
        "daemon",
        (
            files("daemon.lock", "api.sock", "status.sock"),
            Figures(
                (
                    "role", "name", "identity", "layer", "epoch", "ready", "connected", "connections", "problem",
                    "alarm", "warnings", "packets_in", "packets_out", "dropped", "frames", "received", "loops_sent",
                    "loops_returned", "loops_late", "loops_lost", "loop_times", "memory_bytes", "cpu_seconds",
                    "uptime_seconds", "pid",
                )
            ),
        ),
        "that the daemon runs, how many frames carried messages, and your provider's first digits",
        "programs of yours talk to the daemon, and you can see how it is",
        "while the daemon runs; the lock file's process number stays", "", _OWNER, "`mixnet client stop`", "no",
    ),
    Row(
        "memory",
        (Memory("keys, open messages, packets that wait for their slots, reply blocks that may still come back"),),
        "all of the above, to whoever can read the memory of the process",
        "the daemon works",
        "while the daemon runs; Python can't wipe memory, and it may be in swap", "", "root on this machine",
        "`mixnet client stop`", "no",
    ),
)  # fmt: skip
