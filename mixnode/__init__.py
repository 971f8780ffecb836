"""Mixes and providers: packets in, peeled, held, and on their way; mailboxes at the edge (SPEC.md sections 4 and 6)."""

from mixnode.config import NodeConfig, Storage, load_config
from mixnode.node import Serving, serve

__all__ = ["NodeConfig", "Serving", "Storage", "load_config", "serve"]
