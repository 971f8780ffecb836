"""Clients: a daemon with cover traffic, end-to-end encryption and delivery.

from mixnet import client

async with client.connect(profile_directory) as me:
    await me.send("bob", "hi")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixnet.client.public import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """Load what is asked for: the command's `--help` shall not wait for cryptography and databases."""
    if name == "__all__" or not name.startswith("_"):
        public = import_module("mixnet.client.public")
        if name in ("__all__", *public.__all__):
            return getattr(public, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
