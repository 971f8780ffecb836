"""What an operator decides about one authority (spec/05-directory.md 5.11).

Promises: an unknown or ill-typed setting is refused with one line that names the file and the setting; relative paths
are relative to the configuration's own folder; after `load_config` nothing is left that could be wrong with the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mixnet.crypto import SigningKey
from mixnet.errors import LocalError
from mixnet.identity import key_from_text, load_identity
from mixnet.network import Address
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.descriptor import NodeRole
from mixnet.pki.parameters import Parameters, parameters_from

STARTUP_WAIT = 15.0
CONNECTION_LIMIT = 1024
STRANGER_RATE = 4 << 20  # bytes a second: 40 first documents a second of a network of 200 nodes


class AuthorityConfigError(LocalError):
    """The authority's configuration can't be used: correct it and start again."""


@dataclass(frozen=True, kw_only=True)
class AuthorityConfig:
    """One authority's settings. `approved` is its allow-list, identity (32 bytes) to role.

    `data_dir` None keeps everything in memory, for the simulated world. For `startup_wait` seconds after its start the
    authority votes only if all approved nodes have come.
    """

    identity: SigningKey
    address: str  # "host:port"
    bootstrap: Bootstrap
    approved: Mapping[bytes, NodeRole]
    parameters: Parameters
    data_dir: Path | None = None
    source: str | None = None  # the local IP address to dial from
    log_file: Path | None = None
    startup_wait: float = STARTUP_WAIT
    connection_limit: int = CONNECTION_LIMIT
    stranger_rate: int = STRANGER_RATE  # bytes a second that all strangers together get


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The TOML file: names at its top level, identities as 64 hexadecimal digits."""

    address: str
    bootstrap: str
    key_file: str
    data_dir: str
    mixes: list[str]
    providers: list[str]
    parameters: dict[str, Any] = {}
    source: str | None = None
    log_file: str | None = None
    startup_wait: float = STARTUP_WAIT
    connection_limit: int = CONNECTION_LIMIT
    stranger_rate: int = STRANGER_RATE


def load_config(path: Path) -> AuthorityConfig:
    """The configuration in the TOML file `path`, with the files that it names; raises LocalError with what to do."""
    try:
        file = msgspec.toml.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise AuthorityConfigError(f"can't read the configuration {path}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise AuthorityConfigError(f"the configuration {path} is wrong: {error}") from None
    folder = path.absolute().parent
    bootstrap = Bootstrap.load(folder / file.bootstrap)
    parameters = parameters_from({"epoch_length": bootstrap.epoch_length, **file.parameters})
    if parameters.epoch_length != bootstrap.epoch_length:
        raise AuthorityConfigError(f"`epoch_length` in {path} differs from the bootstrap file's: make them equal")
    Address.parse(file.address)
    if min(file.connection_limit, file.stranger_rate) < 1:
        raise AuthorityConfigError(f"the configuration {path} is wrong: a limit is at least 1")
    return AuthorityConfig(
        identity=load_identity(folder / file.key_file),
        address=file.address,
        bootstrap=bootstrap,
        approved=_approved(path, file),
        parameters=parameters,
        data_dir=folder / file.data_dir,
        source=file.source,
        log_file=None if file.log_file is None else folder / file.log_file,
        startup_wait=file.startup_wait,
        connection_limit=file.connection_limit,
        stranger_rate=file.stranger_rate,
    )


def _approved(path: Path, file: _File) -> dict[bytes, NodeRole]:
    approved: dict[bytes, NodeRole] = {}
    for role, listed in ((NodeRole.MIX, file.mixes), (NodeRole.PROVIDER, file.providers)):
        for text in listed:
            identity = _identity(path, text)
            if identity in approved:
                raise AuthorityConfigError(f"the configuration {path} approves {text[:16]}… twice: remove one")
            approved[identity] = role
    return approved


def _identity(path: Path, text: str) -> bytes:
    identity = key_from_text(text)
    if identity is None:
        raise AuthorityConfigError(
            f"the configuration {path} is wrong: an identity has 64 hexadecimal digits, not {text!r}"
        )
    return identity
