"""What a mix and a provider hold.

See spec/04-mixing.md 4.2 and spec/06-providers.md 6.1 and spec/08-errors-and-figures.md 8.4.

Pure. Promises: a mix holds nothing about a user but packets on their way; all that a provider holds beyond that is in
the rows of `PROVIDER` that are not in `MIX`.
"""

from __future__ import annotations

from mixnet.inventory.row import Fields, Figures, Memory, Row, columns, files

_OPERATOR = "the node's operator"
_NODE_END = "the operator removes the node's folder"

_COMMON = (
    Row(
        "identity",
        (files("identity.key", "config.toml"),),
        "nothing about a user",
        "the node proves who it is, and knows where to listen",
        "as long as the node is run", "", _OPERATOR, _NODE_END, "no", user=False,
    ),
    Row(
        "sphinx keys",
        (files("keys/*.key", "keys/*.new", "keys/*.old"),),
        "which packets went through this hop, to whoever also recorded the links of that epoch",
        "packets are peeled",
        "from two epochs before the key's own to half an epoch (at most 10 minutes) after it", "epoch_length",
        _OPERATOR, "by itself", "no",
    ),
    Row(
        "replay tags",
        (files("keys/*.tags", "keys/*.seal", "keys/*.seal-new", "keys/*.count"),),
        "how many packets were peeled in an epoch; a tag tells nothing without the key that goes with it",
        "no packet is accepted twice, restarts included",
        "as long as the key", "epoch_length", _OPERATOR, "by itself", "no",
    ),
    Row(
        "directory",
        (files("directory/document", "directory/introduction-*", "directory/evidence-*", "directory/*.new"),),
        "nothing about a user: the documents are public",
        "no older directory can be passed off on the node",
        "the newest document until the next one; introductions and evidence for good", "epoch_length", _OPERATOR,
        _NODE_END, "no", user=False,
    ),
    Row(
        "log",
        (
            files("node.log"),
            Fields(("timestamp", "event", "role", "epoch", "version", "problem", "warnings", "signatures", "attempt")),
        ),
        "nothing about a user: when the node ran, and what hindered it",
        "the operator can see why a node does not run",
        "until the operator removes the file", "", _OPERATOR, "the operator removes the file", "no", user=False,
    ),
    Row(
        "figures",
        (
            files("status.sock"),
            Figures(
                (
                    "role", "layer", "identity", "ready", "epoch", "connections", "held", "warnings", "dropped",
                    "problem", "memory_bytes", "cpu_seconds", "uptime_seconds", "pid", "workers",
                ),
                counters=True,
            ),
        ),
        "how many packets and links, of all users together; rounded to tens where it may leave the machine",
        "the operator can see that the node works",
        "while the process runs", "", f"{_OPERATOR}; with `metrics_address`, whoever may ask there", "end the process",
        "no",
    ),
)  # fmt: skip

_ON_THEIR_WAY = Row(
    "packets on their way",
    (Memory("packets that are held, the neighbours' identities and, in the kernel, their addresses"),),
    "from which neighbour a packet came and to which it goes: what an operator who watches could record",
    "mixing: each packet waits for the time that its sender drew",
    "the packet's own delay, on average mean_delay", "mean_delay", "root on the node's machine", "by itself",
    "the packet's content: yes, in layers",
)  # fmt: skip

MIX = (*_COMMON, _ON_THEIR_WAY)

PROVIDER = (
    *_COMMON,
    _ON_THEIR_WAY,
    Row(
        "mailboxes",
        (columns("mailboxes", "mailbox expires"), columns("holders", "mailbox holder")),
        "that a pseudonym uses this provider, whether its client was ever restored from a backup, and to within a "
        "168th of mailbox_age (an hour of a week) when it was last opened or renewed",
        "packets need a mailbox to go to",
        "mailbox_age after its owner last had a link", "mailbox_age", _OPERATOR, "`mixnet mailbox erase --leave`", "no",
    ),
    Row(
        "mail",
        (columns("packets", "number mailbox expires packet"),),
        "how many packets wait for a pseudonym, in which order they came, and to within a 168th of mailbox_age when",
        "mail waits for a client that is away",
        "until the client has it, at most mailbox_age", "mailbox_age", _OPERATOR, "`mixnet mailbox erase`",
        "the packet: yes, for its owner",
    ),
    Row(
        "deletions",
        (columns("doomed", "mailbox through erased"),),
        "that much of a pseudonym's mail is being deleted, and up to which packet",
        "a long deletion goes on after a restart",
        "until the packets are deleted: seconds", "0 s", _OPERATOR, "by itself", "no",
    ),
    Row(
        "database",
        (files("mailboxes.sqlite", "mailboxes.sqlite-wal", "mailboxes.sqlite-shm"),),
        "what the three rows above say",
        "they survive a restart; the shared-memory file is there while the provider runs",
        "as those rows; what was erased leaves the journal within seconds, what was acknowledged at the next sweep, a "
        "168th of mailbox_age (at most 10 minutes) later",
        "mailbox_age", _OPERATOR, "`mixnet mailbox erase`; never from a backup that the operator made", "no",
    ),
    Row(
        "links of clients",
        (
            Memory(
                "of each client that is connected: its mailbox' name, its network address (in the kernel only), what "
                "it sends and is sent, the random stream of its down-link"
            ),
        ),
        "from which address a pseudonym connects, when, and how much mail comes for it: what an operator who watches "
        "could record",
        "a link needs two ends",
        "while the client is connected; the random stream until the mailbox is deleted or the process ends", "",
        "root on the provider's machine", "`mixnet client stop`", "the link: yes; what is in it: yes, for its owner",
    ),
)  # fmt: skip
