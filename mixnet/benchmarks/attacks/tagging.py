"""Tagging: a packet is changed on its way, to recognise it later or to change what is delivered.

See spec/13-measurements.md 13.5.

Promises: the real engine at every hop; every byte position of the packet is tried on the first link (all of them on all
links unless the size is quick). What is delivered unchanged is counted too: only the bit without a meaning may be.
Whoever has the first hop's link and the last hop's keys also puts a mark into bodies and looks for it behind the last
layer, where no MAC hinders him. He also wrecks bodies, which leaves headers genuine; each node on the way and whoever
is at the end says whether a packet is a wreck. Positive controls: bodies without MAC, without permutation, headers
without MAC; in the null controls nothing is flipped, or no mark put in.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from mixnet.benchmarks.attacks.acting import (
    ENGINE,
    always,
    delivered,
    never,
    no_files,
    passed_on,
    route,
    secrets_of,
    share,
)
from mixnet.benchmarks.base.figures import Bound, Control, Figure, Finding, Subject, at_least
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import exact
from mixnet.benchmarks.controls.guards import without_guards
from mixnet.crypto import xor
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import GEOMETRY, Command, Forward, Hop, Kind, Mailbox, Reply
from mixnet.sphinx.engine import unwrap_untrusted

SUBJECT = Subject(
    "tagging",
    "Tagging: packets changed on their way",
    ("T3", "P2"),
    "internal or external, active",
    "a MAC over each header, a wide-block permutation of the body at each hop, and a MAC over the message",
    "The one bit that changes nothing vanishes at the next hop. A mark is lost in noise; but noise is no message, and "
    "the recipient knows: whoever controls the recipient, and your provider or the link to it, learns with one packet "
    "that it was you who wrote.",
)
LINKS = GEOMETRY.max_hops
STEPS = {Size.QUICK: 11, Size.STANDARD: 1, Size.FULL: 1}  # every so many positions on links after the first
MARKS = {Size.QUICK: 300, Size.STANDARD: 2000, Size.FULL: 20_000}  # packets that are marked
MARK_SIZE = 16  # bytes
CONTROL_MARKS = 50
WRECKS = {Size.QUICK: 200, Size.STANDARD: 1000, Size.FULL: 5000}  # packets of each kind
BITS = {Size.QUICK: 1, Size.STANDARD: 1, Size.FULL: 8}  # how many bits of a byte are tried, one by one
PADDING = b"\xff" * MARK_SIZE  # what stands there in a packet that carries nothing
MESSAGE_START = GEOMETRY.header_size + GEOMETRY.gamma_size
UNCHANGED = "unchanged"
MODIFIED = "modified"
REFUSED = "refused"
score = no_files(SUBJECT.name)


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Flip bits on every link, of packets and of replies."""
    steps = [1, *[STEPS[size]] * (LINKS - 1)]
    jobs = [
        {"link": link, "step": step, "bit": bit, "seed": seed}
        for link, step in enumerate(steps)
        for bit in range(BITS[size])
    ]
    packets = _sum(run(flip, jobs))
    replies = _sum(run(flip_reply, [{"step": max(3, STEPS[size]), "seed": seed}]))
    (marks,) = run(mark, [{"packets": MARKS[size], "seed": seed}])
    (wrecks,) = run(wreck, [{"packets": WRECKS[size], "seed": seed}])
    figures = _figures(packets, replies, marks, MARKS[size]) + _wrecks(wrecks, WRECKS[size])
    controls = _controls(run, seed)
    setting = (
        f"the packet engine, routes of {LINKS} hops; {packets.total():,} flips of one bit on {LINKS} links, "
        f"{replies.total():,} of replies on the first; seed {seed}"
    )
    return SUBJECT.finding(setting, figures, controls)


def _figures(packets: Counter[str], replies: Counter[str], marks: int, marked: int) -> tuple[Figure, ...]:
    return (
        never("tagging_delivered_modified", "flipped packets delivered modified", packets[MODIFIED], packets.total()),
        never("tagging_replies_modified", "flipped replies opened modified", replies[MODIFIED], replies.total()),
        Figure(
            "tagging_delivered_unchanged",
            "flipped packets delivered as if nothing were: the top bit of alpha, once a link and round of bits",
            exact(packets[UNCHANGED]),
            must=Bound(LINKS),
        ),
        Figure(
            "tagging_replies_unchanged",
            "flipped replies opened as if nothing were: the same bit",
            exact(replies[UNCHANGED]),
            must=Bound(1),
        ),
        never("tagging_marks_found", "marks put in at the first hop, found behind the last layer", marks, marked),
    )


def _wrecks(told: dict[str, int], tries: int) -> tuple[Figure, ...]:
    return (
        Figure(
            "tagging_wrecks_at_recipient",
            f"packets with a wrecked body that the recipient itself tells from others, of {tries:,}",
            share(told["recipient"], tries),
        ),
        Figure(
            "tagging_wrecks_at_service",
            f"questions with a wrecked body that the provider they are for tells from others, of {tries:,}",
            share(told["service"], tries),
        ),
        never(
            "tagging_wrecks_at_provider", "wrecked messages that the mailbox's provider tells", told["mailbox"], tries
        ),
        never("tagging_wrecks_on_the_way", "wrecked packets that a mix tells", told["mix"], 3 * tries),
    )


def _controls(run: Run, seed: int) -> tuple[Control, ...]:
    """Each guard off by itself, and nothing done at all."""
    off = {"packets": CONTROL_MARKS, "seed": seed, "off": ["permutation"]}
    unpermuted, unmarked = run(mark, [off, {**off, "marked": False}])
    (untouched,) = run(wreck, [{"packets": CONTROL_MARKS, "seed": seed, "wrecked": False}])
    headers, bare, still = run(
        flip,
        [
            {"link": 0, "step": 11, "seed": seed, "off": ["headers"]},
            {"link": 0, "step": 7, "seed": seed, "off": ["bodies"], "start": MESSAGE_START},
            {"link": 0, "step": 97, "seed": seed, "bit": None},
        ],
    )
    return (
        Control.positive(
            "no MACs, no permutation: modified messages delivered",
            share(bare[MODIFIED], sum(bare.values())),
            at_least(0.99),
        ),
        always("no permutation: marks found", unpermuted, CONTROL_MARKS),
        Control.positive(
            f"headers without MAC: delivered as if nothing were, of {sum(headers.values())}",
            exact(headers[UNCHANGED]),
            at_least(LINKS + 1),
        ),
        Control.null("no permutation and no mark: marks found", share(unmarked, CONTROL_MARKS), chance=0.0),
        always("nothing flipped: delivered", still[UNCHANGED], sum(still.values())),
        Control.null(
            "no body wrecked: told as a wreck by anybody", share(sum(untouched.values()), CONTROL_MARKS), chance=0.0
        ),
        Control.null("nothing flipped: modified", share(still[MODIFIED], sum(still.values())), chance=0.0),
    )


def flip(
    *, link: int, step: int, seed: int, bit: int | None = 0, off: Sequence[str] = (), start: int = 0
) -> dict[str, int]:
    """What becomes of a packet that is flipped on a link at every `step`-th position. A job.

    `bit` is added to the position to choose the bit; None flips nothing.
    """
    rng = random.Random(f"tagging {seed}")
    secrets = secrets_of(rng, LINKS)
    message = rng.randbytes(GEOMETRY.message_size)
    tally: Counter[str] = Counter()
    with without_guards(off):
        packet = ENGINE.create(route(secrets, rng), message, seed=rng.randbytes(32))
        for secret in secrets[:link]:
            packet = passed_on(secret, packet)
        for position in range(start, GEOMETRY.packet_size, step):
            got = delivered(secrets[link:], packet if bit is None else flipped(packet, position, bit))
            tally[_verdict(got, message)] += 1
    return {key: tally[key] for key in (UNCHANGED, MODIFIED, REFUSED)}


def flip_reply(*, step: int, seed: int, off: Sequence[str] = ()) -> dict[str, int]:
    """The same for a packet that was made with a reply block. A job."""
    rng = random.Random(f"tagging replies {seed}")
    secrets = secrets_of(rng, LINKS)
    message = rng.randbytes(GEOMETRY.message_size)
    tally: Counter[str] = Counter()
    with without_guards(off):
        surb, keys = ENGINE.create_surb(rng.randbytes(32), route(secrets, rng, Kind.REPLY), seed=rng.randbytes(64))
        packet = ENGINE.use_surb(surb, message)

        def opened(raw: bytes) -> bytes | None:
            for secret in secrets:
                try:
                    peeled = ENGINE.peel_untrusted(secret, raw)
                    if isinstance(peeled, Reply):
                        return ENGINE.open_reply_untrusted(keys, peeled.body)
                except RemoteError:
                    return None
                if isinstance(peeled, Forward | Mailbox):
                    raw = peeled.packet
            return None

        if opened(packet) != message:
            raise LocalError("a reply that nobody touched does not open: report it")
        for position in range(0, GEOMETRY.packet_size, step):
            tally[_verdict(opened(flipped(packet, position)), message)] += 1
    return {key: tally[key] for key in (UNCHANGED, MODIFIED, REFUSED)}


def mark(*, packets: int, seed: int, off: Sequence[str] = (), marked: bool = True) -> int:
    """In how many packets whoever opens the last layer finds what was added on the first link. A job.

    The mark is added (XOR) to padding, whose content he knows; he reads the last body before anything is verified.
    """
    rng = random.Random(f"tagging marks {seed}")
    found = 0
    with without_guards(off):
        for _ in range(packets):
            secrets, pattern = secrets_of(rng, LINKS), rng.randbytes(MARK_SIZE)
            packet = ENGINE.create(route(secrets, rng), b"", seed=rng.randbytes(32))
            start = rng.randrange(MESSAGE_START + 1, len(packet) - MARK_SIZE)
            if marked:
                packet = packet[:start] + xor(packet[start : start + MARK_SIZE], pattern) + packet[start + MARK_SIZE :]
            for secret in secrets[:-1]:
                packet = passed_on(secret, packet)
            body = unwrap_untrusted(secrets[-1], packet).body
            at = start - GEOMETRY.header_size
            found += xor(body[at : at + MARK_SIZE], PADDING) == pattern
    return found


def wreck(*, packets: int, seed: int, wrecked: bool = True) -> dict[str, int]:
    """How many packets, wrecked on the first link, who says to be wrecks: each by its keys and the real engine. A job.

    A node on the way tells what it peels: all it can test is whether the packet is refused.
    """
    rng = random.Random(f"tagging wrecks {seed}")
    told: Counter[str] = Counter()
    for _ in range(packets):
        secrets = secrets_of(rng, LINKS)
        for last, places in (
            ("recipient", ["", "mix", "mix", "mix", "mailbox", "recipient"]),
            ("service", ["", "mix", "mix", "mix", "service"]),
        ):
            hops = route(secrets, rng)
            if last == "service":
                hops = [*hops[: len(places) - 1], Hop(secrets[len(places) - 1].public, Command(Kind.DELIVER))]
            packet = ENGINE.create(hops, rng.randbytes(64), seed=rng.randbytes(32))
            if wrecked:
                packet = flipped(packet, rng.randrange(GEOMETRY.header_size, len(packet)), rng.randrange(8))
            for secret, place in zip(secrets, places, strict=False):
                try:
                    peeled = ENGINE.peel_untrusted(secret, packet)
                except RemoteError:
                    unwrap_untrusted(secret, packet)  # its header is genuine, and meant for this one
                    told[place] += 1
                    break
                if isinstance(peeled, Forward | Mailbox):
                    packet = peeled.packet
    return {place: told[place] for place in ("mix", "mailbox", "recipient", "service")}


def flipped(packet: bytes, position: int, bit: int = 0) -> bytes:
    """The packet with one bit of one byte flipped; at the last byte of alpha bit 0 chooses the top one."""
    changed = bytearray(packet)
    changed[position] ^= 1 << (position + bit) % 8
    return bytes(changed)


def _verdict(got: bytes | None, message: bytes) -> str:
    if got is None:
        return REFUSED
    return UNCHANGED if got == message else MODIFIED


def _sum(tallies: Sequence[dict[str, int]]) -> Counter[str]:
    return sum(map(Counter[str], tallies), Counter[str]())
