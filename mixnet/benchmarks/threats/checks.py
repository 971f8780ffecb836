"""Requirements that are answered by attempts, not by figures: each check tries what must not succeed.

See spec/13-measurements.md 13.9.

Promises: a check counts what succeeded of what was tried, on the code that runs in a network, and comes with a positive
control: what the same procedure finds where it is there to be found. Nothing here declares anything.
"""

from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from mixnet.benchmarks.attacks.acting import ENGINE, delivered, passed_on, route, secrets_of
from mixnet.benchmarks.attacks.forged_documents import signed
from mixnet.benchmarks.attacks.tagging import flipped
from mixnet.benchmarks.base.figures import Finding
from mixnet.benchmarks.controls.guards import without_guards
from mixnet.benchmarks.threats.archive import archive
from mixnet.benchmarks.threats.deniability import deniability
from mixnet.benchmarks.threats.scenario import FILE_SIZE, LATER, NAME, TEXT, DirectoryFiles, ScenarioRecord, live
from mixnet.benchmarks.threats.shape import never, pieces, shown
from mixnet.benchmarks.threats.trespass import DIRECTORY, FRAMES, MAILBOXES, PEOPLE, on_disk
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.document import Document, verify_untrusted
from mixnet.sphinx import GEOMETRY, Command, Hop, Kind
from mixnode.mailboxes import Acknowledge, Erase, Limits, Mailboxes, Open, Operation, StorePacket, Sweep

PACKETS, WORD = 20, 8  # packets that are followed, and bytes that no two ciphertexts share by chance
_MESSAGE = b"pay 10 to bob"


def run(seed: int = 1) -> list[Finding]:
    """All checks."""
    seen = live(seed)
    if seen.directory is None:
        raise LocalError("the check's network came to nothing")
    return [
        impostors(seen), documents(seen.directory), *(trespasses(seen, area) for area in AREAS), plaintext(seen),
        tampering(), appearance(), privileges(seen), metadata(seen), deniability(), erasure(seen), delivery(seen),
        archive(seen),
    ]  # fmt: skip


def impostors(seen: ScenarioRecord) -> Finding:
    """T1: a node whose key is not the one in the directory."""
    return Finding(
        "impostors", "An impostor in a node's place", ("T1",), "external, local, active",
        "links authenticate the identity that the directory names", "at two nodes, everybody else's identity expected",
        (never("impostors_believed", "links with an impostor", sum(seen.impostors), len(seen.impostors)),),
        (shown("the same dialler and the right key", sum(seen.itself), len(seen.itself)),),
    )  # fmt: skip


def documents(directory: DirectoryFiles) -> Finding:
    """T1, T3: directory documents that no majority of the authorities signed for now."""
    strangers = [SigningKey(os.urandom(32)) for _ in directory.keys]
    true, now = directory.document, directory.now
    minority = directory.keys[: len(directory.keys) // 2]
    wider = msgspec.structs.replace(true, providers=true.providers[:-1])
    signatures = {key.public: true.signature(key) for key in directory.keys}
    names = {real.public: true.signature(false) for real, false in zip(directory.keys, strangers, strict=True)}
    later = now + 3 * directory.bootstrap.epoch_length
    tries = {
        "signed by strangers in the authorities' names": (true.encode(names), now, -1),
        "signed by strangers": (signed(true, strangers), now, -1),
        "signed by a minority": (signed(true, minority), now, -1),
        "unsigned": (signed(true, ()), now, -1),
        "another text under these signatures": (wider.encode(signatures), now, -1),
        "out of date": (signed(true, directory.keys), later, -1),
        "rolled back": (signed(true, directory.keys), now, true.epoch + 1),
    }  # fmt: skip
    raw = signed(true, directory.keys)
    flips = {f"byte {at} flipped": (flipped(raw, at), now, -1) for at in range(0, len(raw), max(1, len(raw) // 300))}
    believed = [_believed(directory, *one) for one in (tries | flips).values()]
    changed = sum(found is not None and found != true for found in believed)
    accepted = sum(found is not None for found in believed[: len(tries)])
    majority = directory.keys[: len(directory.keys) // 2 + 1]
    control = _believed(directory, signed(true, majority), now, -1) == true
    return Finding(
        "documents", "Directory documents that are forged, incomplete or old", ("T1", "T3", "P1"),
        "internal, local, active; a minority of the authorities",
        "a majority of the pinned authorities signs each epoch's document", ", ".join(tries) + ", flipped bytes",
        (never("forged_documents_accepted", "false documents believed", accepted + changed, len(believed)),),
        (shown("a majority's document is believed", int(control), 1),),
    )  # fmt: skip


def plaintext(seen: ScenarioRecord) -> Finding:
    """T2: pieces of what was written, on links and on nodes' disks."""
    secrets = [TEXT.encode(), LATER.encode(), NAME.encode(), seen.file]
    parts = pieces(secrets)
    data = bytes(seen.wire) + seen.disks
    planted = data[:1000] + secrets[0] + secrets[3][:100] + data[1000:2000]
    return Finding(
        "plaintext", "Plain text on links and on nodes' disks", ("T2",), "internal or external, global, passive",
        "Sphinx layers, an end-to-end ratchet and authenticated links",
        f"{len(seen.wire):,} bytes of all links and {len(seen.disks):,} of all nodes' disks",
        (never("plaintext_pieces", "pieces of messages found", sum(part in data for part in parts), len(parts)),),
        (shown("the same search where text was put", int(sum(part in planted for part in parts) > 5), 1),),
    )  # fmt: skip


def tampering() -> Finding:
    """T3: every byte of a packet, flipped."""
    secrets = [SphinxSecret.generate() for _ in range(4)]
    hops = [Hop(secret.public, Command(Kind.FORWARD, os.urandom(32), 0)) for secret in secrets[:-1]]
    packet = ENGINE.create([*hops, Hop(secrets[-1].public, Command(Kind.DELIVER))], _MESSAGE, seed=os.urandom(32))
    read = [delivered(secrets, flipped(packet, at)) for at in range(GEOMETRY.packet_size)]
    modified = sum(message not in (None, _MESSAGE) for message in read)
    return Finding(
        "tampering", "A byte of a packet flipped", ("T3",), "internal or external, local, active",
        "a MAC for each header, a wide-block permutation with a MAC for the body",
        f"every one of {GEOMETRY.packet_size} bytes, one bit of each, four hops",
        (never("modified_delivered", "packets delivered modified", modified, len(read)),),
        (shown("the packet itself is delivered", int(delivered(secrets, packet) == _MESSAGE), 1),),
    )  # fmt: skip


def privileges(seen: ScenarioRecord) -> Finding:
    """T5: roles that somebody doesn't have."""
    wrong = [reached for _, allowed, reached in seen.visits if not allowed]
    right = [reached for _, allowed, reached in seen.visits if allowed]
    tried = "; ".join(what for what, allowed, _ in seen.visits if not allowed)
    return Finding(
        "privileges", "Roles that somebody doesn't have", ("T5",), "internal or external, local, active",
        "links carry an identity and a role, which the directory must know", tried,
        (never("privileges_gained", "links granted that must not be", sum(wrong), len(wrong)),),
        (shown("anybody is a provider's client", sum(right), len(right)),),
    )  # fmt: skip


def appearance() -> Finding:
    """P2: whether a packet shows on one link what it showed on another."""
    again = sum(_seen_again() for _ in range(PACKETS))
    with without_guards(["permutation"]):
        bare = sum(_seen_again() for _ in range(PACKETS))
    return Finding(
        "appearance", "A packet known again by its bytes", ("P2",), "external, global, passive",
        "every byte of a packet changes at every hop",
        f"{PACKETS} packets on {GEOMETRY.max_hops} links each; any {WORD} bytes, wherever they stand",
        (never("appearance_again", "packets of which bytes are seen on two links", again, PACKETS),),
        (shown("bodies that are not permuted", bare, PACKETS),),
    )  # fmt: skip


def _seen_again() -> bool:
    """Whether any WORD bytes of a packet are on two of the links on its way."""
    rng = random.Random(os.urandom(16))
    secrets = secrets_of(rng, GEOMETRY.max_hops)
    packet = ENGINE.create(route(secrets, rng), os.urandom(GEOMETRY.message_size), seed=os.urandom(32))
    before: set[bytes] = set()
    for secret in secrets:
        words = {packet[at : at + WORD] for at in range(len(packet) - WORD + 1)}
        if words & before:
            return True
        before |= words
        packet = passed_on(secret, packet) if secret is not secrets[-1] else packet
    return False


AREAS = {  # (title, requirements, adversary, defence) of what trespass.py tries
    FRAMES: (
        "Frames and packets that are another role's to send", ("T5",), "internal or external, local, active",
        "each kind of link takes the frames of its role only; a client's packets are forwarded or dropped",
    ),
    MAILBOXES: (
        "Somebody else's mailbox", ("T1", "T5", "P4"), "external, local, active: a client of the same provider",
        "a mailbox is the identity that a link proves; no request names one",
    ),
    DIRECTORY: (
        "Descriptors and votes of those who have none", ("T1", "T5"), "internal or external, local, active",
        "authorities take descriptors from the approved node that signed them, and votes from one another",
    ),
    PEOPLE: (
        "A copied invitation, used a second time", ("T1",), "external, local, active: somebody with a copy",
        "an invitation is used once; who came first is named by the safety number",
    ),
}  # fmt: skip


def trespasses(seen: ScenarioRecord, area: str) -> Finding:
    """T1, T5: what each role tries on the running network and may not."""
    title, threats, adversary, defence = AREAS[area]
    tried = [one for one in seen.attempts if one.area == area]
    wrong, right = ([one for one in tried if one.allowed is allowed] for allowed in (False, True))
    gained, granted = (sum(one.succeeded for one in some) for some in (wrong, right))
    return Finding(
        f"trespass_{area}", title, threats, adversary, defence, "; ".join(one.what for one in wrong),
        (never(f"trespass_{area}_succeeded", "attempts that succeeded", gained, len(wrong)),),
        (shown("; ".join(one.what for one in right), granted, len(right)),),
    )  # fmt: skip


def metadata(seen: ScenarioRecord) -> Finding:
    """P4: what nodes log and tell of themselves, searched for clients."""
    marks = [mark for name, key in seen.clients.items() for mark in (name, key.hex()[:12], repr(key)[2:14])]
    texts = [*seen.logs, *seen.snapshots]
    named = sum(any(mark in text for mark in marks) for text in texts)
    planted = [*texts, f"client {next(iter(seen.clients.values())).hex()}"]
    noticed = sum(any(mark in text for mark in marks) for text in planted) > named
    return Finding(
        "metadata", "Clients named in logs and figures", ("P4",), "internal, local, passive",
        "nodes log and count nothing about users", f"{len(texts)} log entries and figures of all nodes",
        (never("clients_named", "entries that name a client", named, len(texts)),),
        (shown("an entry that names one", int(noticed), 1),),
    )  # fmt: skip


def erasure(seen: ScenarioRecord) -> Finding:
    """P6: what a provider was told to forget, what was fetched and what has expired, on its disk."""
    limits, now = Limits(mailboxes=10, messages=100, size=10**7, age=7 * 86400.0), 1.8e9
    alice, bob, marker = b"A" * 32, b"B" * 32, os.urandom(16)
    removals: list[tuple[list[Operation], float]] = [
        ([Erase(alice)], now), ([Acknowledge(alice, 10**6), Sweep()], now), ([Open(bob), Sweep()], now + 8 * 86400)
    ]  # fmt: skip
    there, left = map(int, seen.erased)  # by the owner's request over a link, while the network runs
    for removal, when in removals:
        with TemporaryDirectory(prefix="mixnet-threats-") as folder:
            boxes = Mailboxes(Path(folder) / "mailboxes.sqlite")
            boxes.perform([Open(alice), Open(bob)], limits, now)
            boxes.perform([StorePacket(alice, marker + bytes(3056)), StorePacket(bob, bytes(3072))], limits, now)
            there += marker in on_disk(Path(folder))
            boxes.perform(removal, limits, when)
            boxes.clean()
            left += marker in on_disk(Path(folder))
            boxes.close()
            left += marker in on_disk(Path(folder))
    tries = len(removals) + 1
    return Finding(
        "erasure", "Erased, fetched and expired mail on a provider's disk", ("P6",), "internal, local, passive",
        "rows are overwritten when they are deleted, and everything has a term", "a mailbox of each kind, and one "
        f"that its owner erases by a request to a provider that runs; SQLite {sqlite3.sqlite_version}",
        (never("erased_left", "mailboxes of which something is left after removal", left, tries),),
        (shown("the mail is on the disk before", there, tries),),
    )  # fmt: skip


def delivery(seen: ScenarioRecord) -> Finding:
    """F1, F2: text, a file, and text to somebody who is away."""
    expected = {TEXT: "F1", NAME: "F2", LATER: "F1"}
    lost = sum(text not in seen.arrived for text in expected)
    return Finding(
        "delivery", "Text and files, also to somebody who is away", ("F1", "F2"), "", "",
        f"two texts, one of them while the recipient was cut off, and a file of {FILE_SIZE} bytes",
        (never("messages_lost", "messages that did not arrive", lost, len(expected)),),
        (shown("each arrived once", int(sorted(seen.arrived) == sorted(expected)), 1),),
    )  # fmt: skip


def _believed(directory: DirectoryFiles, raw: bytes, when: float, newest: int) -> Document | None:
    try:
        return verify_untrusted(raw, directory.bootstrap, when, newest)
    except RemoteError:
        return None
