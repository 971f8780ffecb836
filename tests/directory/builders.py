"""The configuration of an authority of a town (tests/mixnet/pki/builders.py)."""

from __future__ import annotations

from typing import Any

from mixnet.directory.config import AuthorityConfig
from tests.mixnet.pki.builders import Town, key


def authority_config(town: Town, number: int, **changes: Any) -> AuthorityConfig:
    settings: dict[str, Any] = {
        "identity": key(f"{town.name}authority {number}"),  # those of later sets have higher numbers
        "address": f"10.0.0.{number + 1}:7000",
        "bootstrap": town.bootstrap,
        "approved": town.approved,
        "parameters": town.parameters,
        "source": f"10.0.0.{number + 1}",
    }
    return AuthorityConfig(**(settings | changes))
