"""What each role tries that it may not do, on a running network (spec/13-measurements.md 13.9).

Promises: every attempt is made over a real link with the best key that such a person can have, and says whether it
succeeded; beside each kind stands an attempt that is allowed, which must succeed. Success is what the actor did: a link
that it kept, an answer that it gave, mail that it took in, handed out or deleted.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeVar
from unittest.mock import patch

import msgspec
import trio

from mixnet.benchmarks.attacks.acting import ENGINE
from mixnet.benchmarks.attacks.adversary import VisitOutcome, dial, document, identity_of, visit
from mixnet.benchmarks.simulation.network_plan import PORT
from mixnet.benchmarks.simulation.world import World
from mixnet.client.model.views import ContactState
from mixnet.counters import Event
from mixnet.crypto import SigningKey, SphinxSecret, credentials
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Frame, FrameKind, Role, ask, split
from mixnet.link.tls import TlsIdentity
from mixnet.network import Address
from mixnet.pki.descriptor import Descriptor, NodeRole
from mixnet.pki.document import Node
from mixnet.pki.requests import AskDocument, AskStep, DocumentAnswer, StepAnswer, Upload, UploadAnswer, encode
from mixnet.pki.requests import parse_answer_untrusted as parse
from mixnet.sphinx import Command, Hop, Kind

Answer = TypeVar("Answer", UploadAnswer, StepAnswer, DocumentAnswer)
FRAMES, MAILBOXES, DIRECTORY, PEOPLE = "frames", "mailboxes", "directory", "people"
PAD = [Frame(FrameKind.PAD)]
ERASE = split(msgspec.msgpack.encode({"op": "erase"}), FrameKind.REQUEST, 1)
QUESTION = split(encode(AskDocument()), FrameKind.REQUEST, 1)
NEVER_SENT = 10**6  # the number of a frame of a down-link


class Attempt(NamedTuple):
    """What was tried, whether it is allowed, and whether it succeeded."""

    area: str
    what: str
    allowed: bool
    succeeded: bool


def _request(**fields: object) -> list[Frame]:
    return split(msgspec.msgpack.encode(fields), FrameKind.REQUEST, 1)


_NOBODYS = {  # frames that neither clients nor nodes may send to a provider
    "mail": [Frame(FrameKind.MAIL, bytes(3072))],
    "an answer": [Frame(FrameKind.RESPONSE, b"x", sequence=1)],
    "a second greeting": [Frame(FrameKind.HELLO, b"x")],
    "an unknown request": _request(op="list"),
    "a node's request": split(encode(Upload(b"x")), FrameKind.REQUEST, 1),
    "a long request": split(bytes(5000), FrameKind.REQUEST, 1),
}
_NODES = {"a question": QUESTION, "erasing a mailbox": ERASE}  # which clients may


async def frames(world: World) -> list[Attempt]:
    """Frames that are another role's to send, and packets that end where they enter."""
    stranger, mix, host = SigningKey.generate(), identity_of(world, "mix-1"), "provider-1"
    found = []
    for who, identity, role, forbidden, allowed in (
        ("client", stranger, Role.CLIENT, _NOBODYS, [*PAD, *QUESTION]),
        ("node", mix, Role.NODE, {**_NOBODYS, **_NODES}, PAD),
    ):
        for what, sent in forbidden.items():
            kept = await visit(world, host, identity, role, sent) is VisitOutcome.OPEN
            found.append(Attempt(FRAMES, f"{what} from a {who}", False, kept))
        kept = await visit(world, host, identity, role, allowed) is VisitOutcome.OPEN
        found.append(Attempt(FRAMES, f"what a {who} may send", True, kept))
    provider = next(one for one in (await document(world)).providers if one.address.startswith(host))
    for what, identity, role in (("client", stranger, Role.CLIENT), ("node", mix, Role.NODE)):
        packet = Frame(FrameKind.PACKET, _deposit(provider, stranger.public))
        await visit(world, host, identity, role, [packet])
        stored = _waiting(world, host, stranger.public) > 0
        found.append(Attempt(FRAMES, f"a {what} puts mail into a mailbox itself", role is Role.NODE, stored))
    return found


def _deposit(provider: Node, mailbox: bytes) -> bytes:
    """A packet whose first hop is the provider of the mailbox for which it is."""
    key = provider.key_at(provider.epoch)
    hops = [Hop(key, Command(Kind.DELIVER_MAILBOX, mailbox)), Hop(key, Command(Kind.DELIVER))]
    return ENGINE.create(hops, b"", seed=os.urandom(32))


async def mailboxes(world: World, owner: str, host: str, greeting: Sequence[bytes]) -> list[Attempt]:
    """A stranger at the provider where mail waits for the absent `owner`: to read, acknowledge and erase it.

    `greeting` is what the owner's link began with, recorded.
    """
    victim, thief = identity_of(world, owner), SigningKey.generate()
    waiting = _waiting(world, host, victim.public)
    requests = {
        "reads mail": PAD,
        "acknowledges mail": [Frame(FrameKind.PAD, acknowledged=NEVER_SENT)],
        "erases a mailbox": ERASE,
        "erases a mailbox by its name": _request(op="erase", mailbox=victim.public),
        "asks for a mailbox by its name": _request(op="fetch", mailbox=victim.public),
    }
    found = []
    for what, sent in requests.items():
        heard: list[Frame] = []
        await visit(world, host, thief, Role.CLIENT, sent, heard=heard)
        got = _mail(heard) or _waiting(world, host, victim.public) < waiting
        found.append(Attempt(MAILBOXES, f"a stranger {what}", False, got))
    shown = _with_certificate_of(victim, thief)
    got = await visit(world, host, shown, Role.CLIENT, PAD) is not VisitOutcome.REFUSED
    found.append(Attempt(MAILBOXES, "a stranger shows the owner's certificate", False, got))
    got = await _replayed(world, host, greeting)
    found.append(Attempt(MAILBOXES, "a stranger repeats how the owner's link began", False, got))
    heard = []
    await visit(world, host, victim, Role.CLIENT, PAD, heard=heard)
    kept = _waiting(world, host, victim.public) >= waiting > 0
    found.append(Attempt(MAILBOXES, "who has the mailbox's key hears the mail that waits", True, _mail(heard) and kept))
    return found


def _mail(heard: Sequence[Frame]) -> bool:
    return any(frame.kind is FrameKind.MAIL for frame in heard)


def _waiting(world: World, host: str, mailbox: bytes) -> int:
    """How many packets the provider's database holds for a mailbox; -1 if there is no such mailbox."""
    with closing(sqlite3.connect(folder(world, host) / "mailboxes.sqlite")) as database:
        if database.execute("SELECT 1 FROM mailboxes WHERE mailbox = ?", (mailbox,)).fetchone() is None:
            return -1
        return int(database.execute("SELECT count(*) FROM packets WHERE mailbox = ?", (mailbox,)).fetchone()[0])


def folder(world: World, name: str) -> Path:
    """Where an actor keeps its state."""
    return world.plan.folder(world.plan.member(name))


def _with_certificate_of(victim: SigningKey, thief: SigningKey) -> TlsIdentity:
    """The victim's certificate, which its provider has seen, beside another's key."""
    _, shown = credentials(victim)
    with patch("mixnet.link.tls.credentials", lambda identity: (identity._key, shown)):
        return TlsIdentity(thief)


async def _replayed(world: World, host: str, greeting: Sequence[bytes]) -> bool:
    """Whether a provider takes these writes of another link for a client's."""
    counters = world.nodes[host].counters
    before = counters[Event.LINKS_ACCEPTED] + counters[Event.LINKS_REPLACED]
    stream = await world.network.dial(Address(host, PORT), source="intruder")
    async with stream:
        with trio.move_on_after(5):
            try:
                for data in greeting:
                    await stream.send_all(data)
                    await stream.receive_some(65536)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
    return counters[Event.LINKS_ACCEPTED] + counters[Event.LINKS_REPLACED] > before


async def erasing(world: World, host: str) -> tuple[bool, bool]:
    """(whether a client's mailbox was on its provider's disk, whether it is after its own request for erasure)."""
    owner = SigningKey.generate()
    await visit(world, host, owner, Role.CLIENT, PAD)
    before = owner.public in on_disk(folder(world, host))
    await visit(world, host, owner, Role.CLIENT, ERASE)
    return before, owner.public in on_disk(folder(world, host))


def on_disk(where: Path) -> bytes:
    """All files in a folder, one after the other."""
    return b"".join(path.read_bytes() for path in sorted(where.rglob("*")) if path.is_file())


async def directory(world: World) -> list[Attempt]:
    """Descriptors of those who are no node or another one, and a vote that is nobody's business."""
    stranger, host = SigningKey.generate(), "authority-1"
    mix, other = identity_of(world, "mix-1"), identity_of(world, "mix-2")
    tries = (
        ("an unknown node publishes a descriptor", stranger, Role.NODE, stranger, NodeRole.MIX, False),
        ("a client publishes a descriptor", stranger, Role.CLIENT, stranger, NodeRole.MIX, False),
        ("a mix publishes itself as provider", mix, Role.NODE, mix, NodeRole.PROVIDER, False),
        ("a client publishes a mix' descriptor", stranger, Role.CLIENT, mix, NodeRole.MIX, False),
        ("a mix publishes another's descriptor", mix, Role.NODE, other, NodeRole.MIX, False),
        ("a mix publishes its descriptor", mix, Role.NODE, mix, NodeRole.MIX, True),
    )
    found = []
    for what, identity, role, described, claimed, allowed in tries:
        answer = await _answered(world, host, identity, role, _descriptor(world, described, claimed), UploadAnswer)
        found.append(Attempt(DIRECTORY, what, allowed, answer is not None and answer.taken))
    voters = (
        ("a client", stranger, Role.CLIENT, False),
        ("a stranger as authority", stranger, Role.AUTHORITY, False),
        ("a mix", mix, Role.NODE, False),
        ("a mix as authority", mix, Role.AUTHORITY, False),
        ("an authority", identity_of(world, "authority-2"), Role.AUTHORITY, True),
    )
    for what, identity, role, allowed in voters:
        step = await _answered(world, host, identity, role, encode(AskStep(0, 1, 0)), StepAnswer)
        told = step is not None and step.bundle is not None
        found.append(Attempt(DIRECTORY, f"{what} asks for a step of a vote", allowed, told))
    read = await _answered(world, host, stranger, Role.CLIENT, encode(AskDocument()), DocumentAnswer)
    told = read is not None and read.document is not None
    found.append(Attempt(DIRECTORY, "a client asks for the document", True, told))
    return found


def _descriptor(world: World, described: SigningKey, role: NodeRole) -> bytes:
    keys = tuple(SphinxSecret.generate().public for _ in range(3))
    what = Descriptor(world.plan.bootstrap.network_id, described.public, role, "elsewhere:1", 0, keys)
    return encode(Upload(what.sign(described)))


async def _answered(  # noqa: PLR0917
    world: World, host: str, identity: SigningKey, role: Role, request: bytes, kind: type[Answer]
) -> Answer | None:
    """The answer, or None where there is no link or no answer."""
    try:
        async with await dial(world, host, identity, role) as link:
            return parse(await ask(link, request, timeout=5), kind)
    except (RemoteError, Unavailable):
        return None


async def guests(world: World) -> list[Attempt]:
    """What has become of an invitation of the first client's that the second one accepted, and later the third."""
    inviter, first, second = [await client.contacts() for client in world.clients]
    numbers = {contact.safety_number for contact in inviter}
    late = {contact.safety_number for contact in second if contact.state is not ContactState.PENDING}
    taken = bool(late) or any(contact.safety_number in numbers for contact in second) or len(inviter) > 1
    welcome = len(inviter) == 1 and {contact.safety_number for contact in first} == numbers
    return [
        Attempt(PEOPLE, "a second guest of an invitation becomes a contact", False, taken),
        Attempt(PEOPLE, "its first guest becomes one", True, welcome),
    ]
