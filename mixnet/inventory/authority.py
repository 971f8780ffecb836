"""What a directory authority holds (spec/05-directory.md 5.11): nodes and votes, nothing about users.

Pure. A client that starts without a valid document asks an authority itself: that link is the last row.
"""

from __future__ import annotations

from mixnet.inventory.row import Fields, Figures, Memory, Row, files

_OPERATOR = "the authority's operator"
_END = "the operator removes the authority's folder"
_PUBLIC = "nothing about a user: whoever asks gets it"

AUTHORITY = (
    Row(
        "identity",
        (files("identity.key", "config.toml"),),
        "nothing about a user",
        "the authority proves who it is, and knows whom it approves",
        "as long as the authority is run", "", _OPERATOR, _END, "no", user=False,
    ),
    Row(
        "decisions",
        (files("nodes.json", "successor.json"),),
        "which operators' nodes are approved: no users",
        "the operator decides about nodes and successors while the authority runs",
        "until the operator changes it", "", _OPERATOR, _END, "no", user=False,
    ),
    Row(
        "documents",
        (files("documents/*", "introductions/*"),),
        _PUBLIC, "everybody fetches them",
        "128 epochs; introductions for good", "epoch_length", "everybody", "by itself", "no", user=False,
    ),
    Row(
        "votes",
        (files("descriptors/*", "votes/*", "signed/*", "rounds/*"),),
        "nothing about a user: addresses and keys of nodes, and what authorities said",
        "an authority never says two things, restarts included",
        "4 epochs; how rounds ended, and what was signed, 128", "epoch_length", "everybody", "by itself", "no",
        user=False,
    ),
    Row(
        "evidence",
        (files("evidence/*", "splits/*"),),
        "nothing about a user: which authority contradicted itself",
        "a proof of misbehaviour must not be lost",
        "for good", "", "everybody", _END, "no", user=False,
    ),
    Row(
        "log",
        (
            files("node.log"),
            Fields(("timestamp", "event", "role", "epoch", "version", "problem", "warnings", "signatures", "attempt")),
        ),
        "nothing about a user: when the authority ran, and what hindered a round",
        "the operator can see why there is no document",
        "until the operator removes the file", "", _OPERATOR, "the operator removes the file", "no", user=False,
    ),
    Row(
        "figures",
        (
            files("status.sock"),
            Figures(
                (
                    "role", "layer", "identity", "epoch", "ready", "signatures", "document_epoch", "approved",
                    "descriptors", "problem", "office", "successors_from", "proposed_from", "absent", "suspects",
                    "two_documents", "dropped", "memory_bytes", "cpu_seconds", "uptime_seconds",
                    "pid",
                ),
                counters=True,
            ),
        ),
        "how often documents were asked for, by all together",
        "the operator can see that the authority works",
        "while the process runs", "", _OPERATOR, "end the process", "no", user=False,
    ),
    Row(
        "links of those who ask",
        (Memory("of each peer that asks: its network address (in the kernel only), and a key that clients use once"),),
        "that somebody at an address uses the network, when their client starts for the first time or after a long "
        "absence: what an operator who watches could record",
        "a client without a document must get its first one from somewhere",
        "while the link lasts: seconds", "", "root on the authority's machine", "by itself", "the link: yes",
    ),
)  # fmt: skip
