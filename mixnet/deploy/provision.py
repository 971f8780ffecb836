"""Makes the folder of a new local network: keys, bootstrap file, configurations (spec/10-local-network.md 10.1).

Promises: the folder appears whole or not at all; every key is fresh from the operating system's generator; each process
finds in its own folder all that it needs, and paths are relative, so a stopped network may be moved.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from mixnet.crypto import SigningKey
from mixnet.deploy.folders import BOOTSTRAP, CLIENTS, CONFIG, KEY, LOG, PLAN, make_private, toml
from mixnet.deploy.plan import LocalMember, LocalPlan, MemberKind
from mixnet.errors import LocalError
from mixnet.files import named, replace_file
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap

Keys = dict[str, SigningKey]  # by the member's name


def provision(folder: Path, plan: LocalPlan, *, parameters: dict[str, Any] | None = None) -> None:
    """Make `folder`, which must be empty or absent. `parameters` overrides the network's defaults, by their names."""
    if folder.exists() and any(folder.iterdir()):
        raise LocalError(f"{folder} holds something else: choose an empty folder with --dir")
    make_private(folder.parent)
    with named(folder):
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))  # it is made 0700
    try:
        with named(folder):
            _fill(draft, plan, parameters or {})
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _fill(folder: Path, plan: LocalPlan, parameters: dict[str, Any]) -> None:
    members = plan.members()
    keys = {member.name: SigningKey.generate() for member in members}
    authorities = [member for member in members if member.kind is MemberKind.AUTHORITY]
    # Epochs count from a whole number of lengths before now, so that the first one has just begun.
    trust = Bootstrap(
        genesis=float(int(time.time())),
        epoch_length=plan.epoch,
        authorities=tuple(AuthorityInfo(keys[member.name].public, member.address) for member in authorities),
        threshold=plan.threshold,
    )
    trust.save(folder / BOOTSTRAP)
    for member in members:
        own = folder / member.name
        make_private(own)
        replace_file(own / KEY, keys[member.name].expose().hex().encode() + b"\n")
        replace_file(own / CONFIG, toml(_settings(member, plan, keys, parameters)))
    make_private(folder / CLIENTS)
    numbers = {name: value for name, value in msgspec.to_builtins(plan).items() if value is not None}
    replace_file(folder / PLAN, toml(numbers))


def _settings(member: LocalMember, plan: LocalPlan, keys: Keys, parameters: dict[str, Any]) -> dict[str, Any]:
    """What the member's configuration file holds."""
    common = {
        "address": member.address,
        "bootstrap": f"../{BOOTSTRAP}",
        "key_file": KEY,
        "data_dir": ".",
        "log_file": LOG,
        "source": member.host,
    }
    if member.kind is not MemberKind.AUTHORITY:
        workers = {"workers": plan.workers} if plan.workers else {}
        return {"role": str(member.kind), **common, "engine": plan.engine, **workers}

    def approved(kind: MemberKind) -> list[str]:
        return [keys[other.name].public.hex() for other in plan.members() if other.kind is kind]

    return {
        **common,
        "mixes": approved(MemberKind.MIX),
        "providers": approved(MemberKind.PROVIDER),
        "parameters": {"epoch_length": plan.epoch, "layers": plan.layers, **parameters},
    }
