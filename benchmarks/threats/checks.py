"""Requirements that are answered by trying, not by figures: each check tries what must not succeed (SPEC.md 13.9).

Promises: a check counts what succeeded of what was tried, on the code that runs in a network, and comes with a positive
control: what the same procedure finds where it is there to be found. Nothing here declares anything.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import msgspec

from benchmarks.figures import Bound, Control, Figure, Finding, Role
from benchmarks.statistics import rate
from benchmarks.threats.village import FILE_SIZE, LATER, NAME, TEXT, Papers, Seen, live
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.document import Document, verify_untrusted
from mixnet.sphinx import GEOMETRY, Command, Deliver, Forward, Hop, Kind, SphinxEngine
from mixnode.mailboxes import Acknowledge, Erase, Limits, Mailboxes, Open, Operation, Store, Sweep

T = TypeVar("T")
PIECE = 12  # bytes: as many as no two unrelated ciphertexts share by chance
_ENGINE = SphinxEngine()
_NEVER = Bound(0)
_MESSAGE = b"pay 10 to bob"


def run(seed: int = 1) -> list[Finding]:
    """All checks."""
    seen = live(seed)
    if seen.papers is None:
        raise LocalError("the check's network came to nothing")
    return [
        impostors(seen), documents(seen.papers), plaintext(seen), tampering(), privileges(seen), metadata(seen),
        erasure(), delivery(seen),
    ]  # fmt: skip


def impostors(seen: Seen) -> Finding:
    """T1: a node whose key is not the one in the directory."""
    return _finding(
        "impostors", "An impostor in a node's place", ("T1",), "external, local, active",
        "links authenticate the identity that the directory names", "at two nodes, everybody else's identity expected",
        _never("impostors_believed", "links with an impostor", sum(seen.impostors), len(seen.impostors)),
        _shown("the same dialler and the right key", sum(seen.itself), len(seen.itself)),
    )  # fmt: skip


def documents(papers: Papers) -> Finding:
    """T1, T3: directory documents that no majority of the authorities signed for now."""
    strangers = [SigningKey(os.urandom(32)) for _ in papers.keys]
    true, now = papers.document, papers.now
    minority = papers.keys[: len(papers.keys) // 2]
    wider = msgspec.structs.replace(true, providers=true.providers[:-1])
    signatures = {key.public: true.signature(key) for key in papers.keys}
    names = {real.public: true.signature(false) for real, false in zip(papers.keys, strangers, strict=True)}
    later = now + 3 * papers.bootstrap.epoch_length
    tries = {
        "signed by strangers in the authorities' names": (true.encode(names), now, -1),
        "signed by strangers": (_signed(true, strangers), now, -1),
        "signed by a minority": (_signed(true, minority), now, -1),
        "unsigned": (_signed(true, ()), now, -1),
        "another text under these signatures": (wider.encode(signatures), now, -1),
        "out of date": (_signed(true, papers.keys), later, -1),
        "rolled back": (_signed(true, papers.keys), now, true.epoch + 1),
    }  # fmt: skip
    raw = _signed(true, papers.keys)
    flips = {f"byte {at} flipped": (_flipped(raw, at), now, -1) for at in range(0, len(raw), max(1, len(raw) // 300))}
    believed = [_believed(papers, *one) for one in (tries | flips).values()]
    changed = sum(found is not None and found != true for found in believed)
    accepted = sum(found is not None for found in believed[: len(tries)])
    majority = papers.keys[: len(papers.keys) // 2 + 1]
    control = _believed(papers, _signed(true, majority), now, -1) == true
    return _finding(
        "documents", "Directory documents that are forged, incomplete or old", ("T1", "T3", "P1"),
        "internal, local, active; a minority of the authorities",
        "a majority of the pinned authorities signs each epoch's document", ", ".join(tries) + ", flipped bytes",
        _never("forged_documents_accepted", "false documents believed", accepted + changed, len(believed)),
        _shown("a majority's document is believed", int(control), 1),
    )  # fmt: skip


def plaintext(seen: Seen) -> Finding:
    """T2: pieces of what was written, on links and on nodes' disks."""
    secrets = [TEXT.encode(), LATER.encode(), NAME.encode(), seen.file]
    pieces = [secret[at : at + PIECE] for secret in secrets for at in range(0, len(secret) - PIECE, PIECE)]
    data = bytes(seen.wire) + seen.disks
    planted = data[:1000] + secrets[0] + secrets[3][:100] + data[1000:2000]
    return _finding(
        "plaintext", "Plain text on links and on nodes' disks", ("T2",), "internal or external, global, passive",
        "Sphinx layers, an end-to-end ratchet and authenticated links",
        f"{len(seen.wire):,} bytes of all links and {len(seen.disks):,} of all nodes' disks",
        _never("plaintext_pieces", "pieces of messages found", sum(piece in data for piece in pieces), len(pieces)),
        _shown("the same search where text was put", int(sum(piece in planted for piece in pieces) > 5), 1),
    )  # fmt: skip


def tampering() -> Finding:
    """T3: every byte of a packet, flipped."""
    secrets = [SphinxSecret.generate() for _ in range(4)]
    hops = [Hop(secret.public, Command(Kind.FORWARD, os.urandom(32), 0)) for secret in secrets[:-1]]
    packet = _ENGINE.create([*hops, Hop(secrets[-1].public, Command(Kind.DELIVER))], _MESSAGE, seed=os.urandom(32))
    read = [_read(secrets, _flipped(packet, at)) for at in range(GEOMETRY.packet_size)]
    modified = sum(message not in (None, _MESSAGE) for message in read)
    return _finding(
        "tampering", "A byte of a packet flipped", ("T3",), "internal or external, local, active",
        "a MAC for each header, a wide-block permutation with a MAC for the body",
        f"every one of {GEOMETRY.packet_size} bytes, one bit of each, four hops",
        _never("modified_delivered", "packets delivered modified", modified, len(read)),
        _shown("the packet itself is delivered", int(_read(secrets, packet) == _MESSAGE), 1),
    )  # fmt: skip


def privileges(seen: Seen) -> Finding:
    """T5: roles that somebody doesn't have."""
    wrong = [reached for _, allowed, reached in seen.visits if not allowed]
    right = [reached for _, allowed, reached in seen.visits if allowed]
    tried = "; ".join(what for what, allowed, _ in seen.visits if not allowed)
    return _finding(
        "privileges", "Roles that somebody doesn't have", ("T5",), "internal or external, local, active",
        "links carry an identity and a role, which the directory must know", tried,
        _never("privileges_gained", "links granted that must not be", sum(wrong), len(wrong)),
        _shown("anybody is a provider's client", sum(right), len(right)),
    )  # fmt: skip


def metadata(seen: Seen) -> Finding:
    """P4: what nodes log and tell of themselves, searched for clients."""
    marks = [mark for name, key in seen.clients.items() for mark in (name, key.hex()[:12], repr(key)[2:14])]
    texts = [*seen.logs, *seen.snapshots]
    named = sum(any(mark in text for mark in marks) for text in texts)
    planted = [*texts, f"client {next(iter(seen.clients.values())).hex()}"]
    return _finding(
        "metadata", "Clients named in logs and figures", ("P4",), "internal, local, passive",
        "nodes log and count nothing about users", f"{len(texts)} log entries and figures of all nodes",
        _never("clients_named", "entries that name a client", named, len(texts)),
        _shown("an entry that names one", int(sum(any(mark in text for mark in marks) for text in planted) > named), 1),
    )  # fmt: skip


def erasure() -> Finding:
    """P6: what a provider was told to forget, what was fetched and what has expired, on its disk."""
    limits, now = Limits(mailboxes=10, messages=100, size=10**7, age=7 * 86400.0), 1.8e9
    alice, bob, marker = b"A" * 32, b"B" * 32, os.urandom(16)
    removals: list[tuple[list[Operation], float]] = [
        ([Erase(alice)], now), ([Acknowledge(alice, 10**6), Sweep()], now), ([Open(bob), Sweep()], now + 8 * 86400)
    ]  # fmt: skip
    left = there = 0
    for removal, when in removals:
        with TemporaryDirectory(prefix="mixnet-threats-") as folder:
            boxes = Mailboxes(Path(folder) / "mailboxes.sqlite")
            boxes.perform([Open(alice), Open(bob)], limits, now)
            boxes.perform([Store(alice, marker + bytes(3056)), Store(bob, bytes(3072))], limits, now)
            there += marker in _folder(folder)
            boxes.perform(removal, limits, when)
            left += marker in _folder(folder)
            boxes.close()
            left += marker in _folder(folder)
    return _finding(
        "erasure", "Erased, fetched and expired mail on a provider's disk", ("P6",), "internal, local, passive",
        "rows are overwritten when they are deleted, and everything has a term", "a mailbox of each kind; "
        f"SQLite {sqlite3.sqlite_version}; also while the provider runs",
        _never("erased_left", "copies left after removal", left, 2 * len(removals)),
        _shown("the mail is on the disk before", there, len(removals)),
    )  # fmt: skip


def delivery(seen: Seen) -> Finding:
    """F1, F2: text, a file, and text to somebody who is away."""
    expected = {TEXT: "F1", NAME: "F2", LATER: "F1"}
    lost = sum(text not in seen.arrived for text in expected)
    return _finding(
        "delivery", "Text and files, also to somebody who is away", ("F1", "F2"), "", "",
        f"two texts, one of them while the recipient was cut off, and a file of {FILE_SIZE} bytes",
        _never("messages_lost", "messages that did not arrive", lost, len(expected)),
        _shown("each arrived once", int(sorted(seen.arrived) == sorted(expected)), 1),
    )  # fmt: skip


def _finding(  # noqa: PLR0917
    name: str, title: str, threats: tuple[str, ...], adversary: str, defence: str, setting: str,
    figure: Figure, control: Control,
) -> Finding:  # fmt: skip
    return Finding(name, title, threats, adversary, defence, setting, (figure,), (control,))


def _never(key: str, what: str, happened: int, tries: int) -> Figure:
    return Figure(key, f"{what}, of {tries:,}", rate(happened, tries), must=_NEVER)


def _shown(what: str, happened: int, tries: int) -> Control:
    return Control(Role.POSITIVE, what, rate(happened, tries), Bound(1, at_least=True))


def _signed(document: Document, keys: Sequence[SigningKey]) -> bytes:
    return document.encode({key.public: document.signature(key) for key in keys})


def _believed(papers: Papers, raw: bytes, when: float, newest: int) -> Document | None:
    return _tried(lambda: verify_untrusted(raw, papers.bootstrap, when, newest))


def _tried(attempt: Callable[[], T]) -> T | None:
    try:
        return attempt()
    except RemoteError:
        return None


def _read(secrets: Sequence[SphinxSecret], packet: bytes) -> bytes | None:
    """What the last hop reads, or None where a hop refuses."""
    for secret in secrets:
        peeled = _tried(partial(_ENGINE.peel_untrusted, secret, packet))
        match peeled:
            case Forward(packet=inner):
                packet = inner
            case Deliver(message):
                return message
            case _:
                return None
    return None


def _flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << position % 8
    return bytes(changed)


def _folder(folder: str) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(Path(folder).iterdir()))
