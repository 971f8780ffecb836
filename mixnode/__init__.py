"""Mixes and providers: packets in, peeled, held, and on their way; mailboxes at the edge.

See spec/04-mixing.md and spec/06-providers.md.

What is imported from here is loaded when it is asked for: a worker process (spec/04-mixing.md 4.7) needs none of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixnode.config import NodeConfig, Storage, load_config
    from mixnode.node import Serving, serve

__all__ = ["NodeConfig", "Serving", "Storage", "load_config", "serve"]
_WHERE = {"NodeConfig": "config", "Storage": "config", "load_config": "config", "Serving": "node", "serve": "node"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
