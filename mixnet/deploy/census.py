"""Figures of a running network that no single process knows (spec/11-demonstration.md)."""

from __future__ import annotations

from pathlib import Path

import msgspec
import trio

from mixnet.deploy.folders import BOOTSTRAP
from mixnet.deploy.local import load_plan, status
from mixnet.deploy.plan import MemberKind
from mixnet.directory.client import newest_document
from mixnet.directory.queries import DirectoryQueries
from mixnet.network import TCP
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.document import parse_untrusted
from mixnet.pki.trust import Trust

IDLE = 4.0  # seconds over which the load of an idle network is taken


class SignedEpoch(msgspec.Struct, frozen=True, kw_only=True):
    """What `mixnet directory history` shows of one epoch's document: names of authorities, as in the folder."""

    epoch: int
    document: bool
    signed: list[str]
    missing: list[str]


async def _cpu_seconds(folder: Path) -> dict[str, float]:
    """What each process has used so far."""
    return {node.member.name: node.figures["cpu_seconds"] for node in await status(folder) if node.figures}


async def idle_load(folder: Path) -> float:
    """What all nodes together use of one core while no client is there, in percent."""
    begun, before = trio.current_time(), await _cpu_seconds(folder)
    await trio.sleep(IDLE)
    after = await _cpu_seconds(folder)
    used = sum(after[name] - before[name] for name in before.keys() & after.keys())
    return 100 * used / (trio.current_time() - begun)


async def count_signatures(folder: Path) -> int:
    """How many authorities signed the document that is valid now; it is verified as a client would."""
    _, raw = await newest_document(Trust(Bootstrap.load(folder / BOOTSTRAP)))
    _, signatures = parse_untrusted(raw)
    return len(signatures)


async def signed_since(folder: Path, first: int, last: int) -> list[SignedEpoch]:
    """The epochs from `first` to `last`, as the authorities' history tells them and their signatures prove."""
    trust = Bootstrap.load(folder / BOOTSTRAP)
    by_address = {
        member.address: member.name for member in load_plan(folder).members() if member.kind is MemberKind.AUTHORITY
    }
    names = {one.identity: by_address[one.address] for one in trust.authorities}
    return [
        SignedEpoch(
            epoch=report.epoch,
            document=report.document is not None,
            signed=sorted(names[one] for one in report.signed),
            missing=sorted(names[one] for one in report.missing),
        )
        for report in await DirectoryQueries(trust, TCP()).history(first, last)
    ]
