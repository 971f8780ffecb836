"""The configuration of one node; nothing in it must be the same in the whole network (spec/04-mixing.md 4.2 and 4.7).

Promises: an unknown or ill-typed setting is refused with one line that names the file and the setting; relative paths
are relative to the configuration's own folder. Never: rates, delays or geometry; those are in the signed document.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec

from mixnet.errors import LocalError
from mixnet.pki.descriptor import NodeRole

MOST_WORKERS = 8  # the rest of a node's work is one process's, which can't keep more of them busy


class NodeConfigError(LocalError):
    """The node's configuration can't be used: correct it and start again."""


class Storage(StrEnum):
    """Where tags, keys and mailboxes live: files that survive kill -9, or memory for the simulated world."""

    FILE = "file"
    MEMORY = "memory"


class NodeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One node's own settings; the TOML file has the same names at its top level."""

    role: NodeRole
    address: str  # "host:port": where others reach this node
    listen: str | None = None  # "host:port" to listen at, if it differs from `address`
    bootstrap: Path  # the network's authorities
    key_file: Path  # the Ed25519 identity: 64 hexadecimal digits
    data_dir: Path
    engine: str = "mixnet"  # or "sphinxmix"
    workers: int = 0  # processes that peel beside the node's own: 0 to 8
    storage: Storage = Storage.FILE
    source: str | None = None  # the local IP address to dial from
    log_file: Path | None = None
    metrics_address: str | None = None  # "host:port" of a Prometheus end point
    connection_limit: int = 1024
    mailbox_limit: int = 10_000  # on a provider
    storage_limit: int = 16 * 2**30  # bytes of packets in all mailboxes of a provider
    replay_limit: int = 10_000_000  # packets under one key: 160 MB of disk, and at most 150 MB of memory


def load_config(path: Path) -> NodeConfig:
    """The configuration in the TOML file `path`; NodeConfigError says what is wrong with it."""
    try:
        config = msgspec.toml.decode(path.read_bytes(), type=NodeConfig, dec_hook=_decode)
    except OSError as error:
        raise NodeConfigError(f"can't read the configuration {path}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NodeConfigError(f"the configuration {path} is wrong: {error}") from None
    if min(config.connection_limit, config.mailbox_limit, config.storage_limit, config.replay_limit) < 1:
        raise NodeConfigError(f"the configuration {path} is wrong: a limit is at least 1")
    if not 0 <= config.workers <= MOST_WORKERS:
        raise NodeConfigError(f"the configuration {path} is wrong: `workers` is 0 to {MOST_WORKERS}")
    return _anchored(config, path.resolve().parent)


def _anchored(config: NodeConfig, folder: Path) -> NodeConfig:
    """The same settings with every path absolute."""
    return msgspec.structs.replace(
        config,
        bootstrap=folder / config.bootstrap,
        key_file=folder / config.key_file,
        data_dir=folder / config.data_dir,
        log_file=None if config.log_file is None else folder / config.log_file,
    )


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError
