"""Makes sphinx-refused.json: packets and replies that every engine must refuse, each with a name for its failure.

Promises: deterministic, so that a test can compare the file with what this script makes. Run it from the repository's
root after a change of the format: `python -m tests.vectors.make_refused`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from mixnet import crypto
from mixnet.crypto import SphinxSecret
from mixnet.sphinx import GEOMETRY, Command, Hop, Kind, SphinxEngine, payload
from mixnet.sphinx.keys import SharedSecret, establish

FILE = Path(__file__).with_name("sphinx-refused.json")
PRIME = 2**255 - 19
ENGINE = SphinxEngine()
PADDED_SIZE = GEOMETRY.body_size - GEOMETRY.gamma_size
DELIVER = bytes([GEOMETRY.command_size]) + Command(Kind.DELIVER).serialize()
PADDED = b"a message\x7f".ljust(PADDED_SIZE, b"\xff")

# The x-coordinates on which every multiple of 8 gives zero (orders 1, 2, 4 and 8, on the curve and on its twist), in
# their least form, and those of them that 255 bits can write a second time.
ORDER_8 = (
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
LOW_ORDER = {
    "zero": 0,
    "one": 1,
    "order-8": ORDER_8[0],
    "order-8-second": ORDER_8[1],
    "minus-one": PRIME - 1,
    "zero-again": PRIME,
    "one-again": PRIME + 1,
}


def fixed(name: str, size: int = 32) -> bytes:
    """Bytes that are random for this purpose and the same at every run."""
    return hashlib.shake_256(f"mixnet refused vectors: {name}".encode()).digest(size)


SECRETS = [SphinxSecret(fixed(f"hop {number}")) for number in range(6)]
FIRST, LAST = SECRETS[0], SECRETS[-1]


def route(final: Kind) -> list[Hop]:
    """Six hops, the longest there are."""
    passing = [Command(Kind.FORWARD, fixed(f"target {number}"), 1_000 * number) for number in range(5)]
    target = fixed("reply block") if final is Kind.REPLY else bytes(32)
    commands = [*passing, Command(final, target)]
    return [Hop(secret.public, command) for secret, command in zip(SECRETS, commands, strict=True)]


def flip(raw: bytes, byte: int, mask: int = 1) -> bytes:
    """`raw` with the bits of `mask` flipped in one byte."""
    position = byte % len(raw)
    return raw[:position] + bytes([raw[position] ^ mask]) + raw[position + 1 :]


def at_last_hop(packet: bytes) -> bytes:
    """`packet` as it reaches the last hop."""
    for secret in SECRETS[:-1]:
        packet = ENGINE.peel_untrusted(secret, packet).packet  # type: ignore[union-attr]
    return packet


def crafted(plain: bytes = DELIVER, padded: bytes = PADDED) -> bytes:
    """A packet of one hop for LAST, authentic throughout: `plain` in its header, `padded` in its body."""
    alpha, (shared,) = establish(fixed("scalar"), [LAST.public])
    return sealed(alpha, shared, plain, padded)


def sealed(alpha: bytes, shared: SharedSecret, plain: bytes = DELIVER, padded: bytes = PADDED) -> bytes:
    """A packet of one hop that is authentic if the hop takes `shared` for the secret that `alpha` gives."""
    beta = crypto.chacha20(shared.rho(), plain + fixed("padding", GEOMETRY.beta_size - len(plain)))
    body = crypto.mac(shared.pi(), padded) + padded
    return alpha + beta + crypto.mac(shared.mu(), beta) + payload.permute(shared.pi(), body)


def header_cases(genuine: bytes) -> dict[str, bytes]:
    """What FIRST must refuse, made from a packet that it accepts."""
    shared = SharedSecret(crypto.x25519(FIRST.expose(), genuine[:32]))
    beta_end = 32 + GEOMETRY.beta_size
    cases = {
        "alpha flipped": flip(genuine, 0),
        "beta flipped in its first byte": flip(genuine, 32),
        "beta flipped in the next hop's command": flip(genuine, 32 + 60),
        "beta flipped in its last byte": flip(genuine, beta_end - 1, 0x80),
        "gamma flipped in its first byte": flip(genuine, beta_end),
        "gamma flipped in its last byte": flip(genuine, beta_end + 15, 0x80),
        "gamma of zeros": genuine[:beta_end] + bytes(16) + genuine[beta_end + 16 :],
        "gamma under the wrong key": genuine[:beta_end]
        + crypto.mac(shared.pi(), genuine[32:beta_end])
        + genuine[beta_end + 16 :],
        "gamma of another packet": genuine[:beta_end] + fixed("gamma", 16) + genuine[beta_end + 16 :],
        "truncated by one byte": genuine[:-1],
        "truncated to its header": genuine[: GEOMETRY.header_size],
        "empty": b"",
        "one byte too long": genuine + b"\0",
        "twice": genuine * 2,
        "for the next hop": at_second_hop(genuine),
        "all zeros": bytes(GEOMETRY.packet_size),
        "all ones": b"\xff" * GEOMETRY.packet_size,
    }
    for name, x in LOW_ORDER.items():
        alpha = x.to_bytes(32, "little")
        cases[f"low order: {name}"] = alpha + genuine[32:]
        cases[f"low order: {name}, made for the zero secret"] = sealed(alpha, SharedSecret(bytes(32)))
        cases[f"low order: {name}, made for the hop's own key as secret"] = sealed(alpha, SharedSecret(FIRST.public))
    return cases


def at_second_hop(packet: bytes) -> bytes:
    """`packet` as it leaves the first hop: the first hop's key is the wrong one for it."""
    return ENGINE.peel_untrusted(FIRST, packet).packet  # type: ignore[union-attr]


def last_hop_cases(genuine: bytes) -> dict[str, bytes]:
    """What LAST must refuse: bodies changed on the way, and authentic packets with malformed insides."""
    command = DELIVER[1:]
    arrived = at_last_hop(genuine)
    return {
        "body tampered at the first hop": at_last_hop(flip(genuine, GEOMETRY.header_size)),
        "body tampered in its first byte": flip(arrived, GEOMETRY.header_size),
        "body tampered in its last byte": flip(arrived, -1, 0x80),
        "body of another packet": arrived[: GEOMETRY.header_size] + fixed("body", GEOMETRY.body_size),
        "body without an end": crafted(padded=b"\xff" * PADDED_SIZE),
        "body with a wrong end": crafted(padded=b"a message\x80".ljust(PADDED_SIZE, b"\xff")),
        "command kind 5": crafted(bytes([37, 5]) + command[1:]),
        "command kind 255": crafted(bytes([37, 255]) + command[1:]),
        "command length 0": crafted(bytes([0]) + command),
        "command length 36": crafted(bytes([36]) + command),
        "command length 38": crafted(bytes([38]) + command),
        "command length 255": crafted(bytes([255]) + command),
    }


def same_tag_cases(genuine: bytes) -> dict[str, bytes]:
    """Packets that FIRST peels to the tag of the genuine one, so that the replay check refuses the second of them."""
    return {
        "replayed": genuine,
        "replayed with another body": genuine[: GEOMETRY.header_size] + fixed("body", GEOMETRY.body_size),
        "replayed with alpha's ignored bit flipped": flip(genuine, 31, 0x80),
    }


def replies() -> dict[str, Any]:
    """A reply that opens, and ones that must not."""
    surb, keys = ENGINE.create_surb(fixed("first hop"), route(Kind.REPLY), seed=fixed("surb seed", 64))
    packet = at_last_hop(ENGINE.use_surb(surb, b"a reply"))
    body = ENGINE.peel_untrusted(LAST, packet).body  # type: ignore[union-attr]
    return {
        "keys": keys.expose().hex(),
        "message": b"a reply".hex(),
        "genuine": body.hex(),
        "refused": [
            {"name": name, "body": wrong.hex()}
            for name, wrong in {
                "reply tampered in its first byte": flip(body, 0),
                "reply tampered in its last byte": flip(body, -1, 0x80),
                "reply truncated": body[:-1],
                "reply too long": body + b"\0",
                "reply of zeros": bytes(len(body)),
            }.items()
        ],
    }


def build() -> dict[str, Any]:
    """The whole file."""
    genuine = ENGINE.create(route(Kind.DELIVER), b"a message", seed=fixed("seed"))

    def listed(secret: SphinxSecret, cases: dict[str, bytes]) -> list[dict[str, str]]:
        return [{"name": name, "secret": secret.expose().hex(), "packet": raw.hex()} for name, raw in cases.items()]

    return {
        "comment": "made by make_refused.py; genuine ones are accepted, so that a refusal has the reason in its name",
        "genuine": [
            *listed(FIRST, {"genuine at its first hop": genuine}),
            *listed(LAST, {"genuine at its last hop": at_last_hop(genuine), "crafted control": crafted()}),
        ],
        "refused": [
            *listed(FIRST, header_cases(genuine)),
            *listed(SphinxSecret(fixed("a stranger")), {"wrong key": genuine}),
            *listed(LAST, last_hop_cases(genuine)),
        ],
        "same_tag": listed(FIRST, same_tag_cases(genuine)),
        "reply": replies(),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
