"""The cost of a voting round: bytes between the authorities, CPU, and readers.

See spec/05-directory.md 5.7.

Promises: the rounds are those of real authorities, `mixnet.directory.voting.Round`, every one of them honest and there;
every bundle and every value that one asks another for is counted, without the frames of links, which round each message
up to whole frames. CPU is that of the process while all authorities go through the round, divided by their number; that
of a reader is measured on the document that they made (reading.py).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from mixnet.benchmarks.cost import reading
from mixnet.crypto import SigningKey
from mixnet.deploy.display import tabulate
from mixnet.directory.consensus import NO_DOCUMENT, commit, encode_vote
from mixnet.directory.voting import Phase, Round, Statement
from mixnet.errors import LocalError
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.descriptor import KEY_EPOCHS, Descriptor, NodeRole
from mixnet.pki.parameters import Parameters
from mixnet.randomness import SeededSource, Source

_GENESIS = 1_800_000_000.0
_PROVIDER_EVERY = 10  # one node in so many is a provider


def measure(*, authorities: int = 7, nodes: int = 1000, seed: int = 1, seconds: float = 3.0) -> dict[str, Any]:
    """Take `authorities` through one round for `nodes`, and read their document for about `seconds` of CPU.

    Bytes are those that cross between authorities, in all. Raises LocalError if they don't agree, which would be a bug.
    """
    source = SeededSource(seed)
    keys = [_key(source, "authority", number) for number in range(authorities)]
    infos = tuple(AuthorityInfo(key.public, f"10.0.0.{number}:7400") for number, key in enumerate(keys, 1))
    trust = Bootstrap(_GENESIS, 1200.0, infos)
    descriptors = _descriptors(trust, source, nodes)
    statements = [_statement(trust, key, source, descriptors) for key in keys]
    rounds = [Round(trust, 0, 1, key, {}) for key in keys]
    sizes: list[int] = []
    begun = time.process_time()
    for round_, stated in zip(rounds, statements, strict=True):
        round_.cast(stated)
    while not all(round_.over for round_ in rounds):
        _step(rounds, keys, sizes)
    spent = time.process_time() - begun
    raw = rounds[0].signed()
    if raw is None or {round_.phase for round_ in rounds} != {Phase.PUBLISHED}:
        raise LocalError("honest authorities did not agree on a document: report it")
    return {
        "authorities": authorities,
        "nodes": nodes,
        "steps": rounds[0].step + 1,
        "vote_bytes": len(statements[0].vote),
        "bytes_exchanged": sum(sizes),
        "bytes_per_authority": sum(sizes) / authorities,
        "largest_message": max(sizes, default=0),
        "document_bytes": len(raw),
        "cpu_seconds_per_authority": spent / authorities,
        "reader": reading.measure(raw, trust, _GENESIS, seconds=seconds),
    }


def _step(rounds: list[Round], keys: list[SigningKey], sizes: list[int]) -> None:
    """All ask all others for their part in the step, and for the values that they lack."""
    for receiver in rounds:
        for sender, key in zip(rounds, keys, strict=True):
            bundle = sender.bundle(sender.step)
            if sender is receiver or bundle is None:
                continue
            wanted = receiver.wanted_untrusted(receiver.step, bundle)
            values = [value for print_ in wanted if (value := sender.value(print_)) is not None]
            sizes += [len(bundle), *map(len, values)]
            receiver.take_untrusted(key.public, receiver.step, bundle, values)
    for round_ in rounds:
        round_.close()
        if round_.undecided:
            round_.sign()


def _key(source: Source, kind: str, number: int) -> SigningKey:
    return SigningKey(source.stream(kind, str(number)).randbytes(32))


def _descriptors(trust: Bootstrap, source: Source, count: int) -> list[bytes]:
    """Signed descriptors of mixes and some providers, ascending by identity."""
    made = []
    for number in range(count):
        identity = _key(source, "node", number)
        role = NodeRole.MIX if number % _PROVIDER_EVERY else NodeRole.PROVIDER
        # An authority never uses a node's Sphinx keys, so any 32 bytes cost it the same.
        keys = tuple(source.stream("sphinx", str(number), str(epoch)).randbytes(32) for epoch in range(KEY_EPOCHS))
        address = f"10.{number // 65536 + 1}.{number // 256 % 256}.{number % 256}:7400"
        descriptor = Descriptor(trust.network_id, identity.public, role, address, 0, keys)
        made.append((identity.public, descriptor.sign(identity)))
    return [raw for _, raw in sorted(made)]


def _statement(trust: Bootstrap, key: SigningKey, source: Source, descriptors: list[bytes]) -> Statement:
    secret = source.stream("secret", key.public.hex()).randbytes(32)
    commitment = commit(trust, 0, key.public, secret)
    return Statement(encode_vote(NO_DOCUMENT, Parameters(), commitment, descriptors), secret)


def render(figures: Mapping[str, Any]) -> None:
    """A table for a person."""
    tabulate(
        f"A round of {figures['authorities']} authorities for {figures['nodes']:,} nodes, {figures['steps']} steps",
        ("", ""),
        [
            ("vote", f"{figures['vote_bytes']:,} bytes"),
            ("exchanged by all", f"{figures['bytes_exchanged']:,} bytes"),
            ("... by each", f"{figures['bytes_per_authority']:,.0f} bytes"),
            ("largest message", f"{figures['largest_message']:,} bytes"),
            ("document", f"{figures['document_bytes']:,} bytes"),
            ("CPU of each authority", f"{figures['cpu_seconds_per_authority']:.2f} s"),
        ],
    )
    tabulate(
        "A reader verifies the document: CPU in multiplications of X25519",
        ("what", "figure", "95 % interval", "must"),
        reading.rows(figures["reader"]),
    )
