"""Clients: a daemon with cover traffic, end-to-end encryption and delivery.

async with client.connect(profile_directory) as me:
    await me.send("bob", "hi")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from client.api.connection import Connection, connect

__all__ = ["Connection", "connect"]


def __getattr__(name: str) -> Any:
    """Load what is asked for: the command's `--help` shall not wait for cryptography and databases."""
    if name in __all__:
        from client.api import connection  # noqa: PLC0415

        return getattr(connection, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
