"""The small file from which trust starts: who the authorities are, and how many must sign (SPEC.md section 5.4).

Promises: the network's identifier is a digest of what one trusts (authorities, threshold, time base), so two networks
never share one; an authority's address may change without changing it.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec

from mixnet.clock import Epochs
from mixnet.crypto import Label, digest
from mixnet.errors import LocalError
from mixnet.pki.canonical import Key, encode
from mixnet.pki.descriptor import check_address

MAX_AUTHORITIES = 31
_FORMAT = 1


class BadBootstrap(LocalError):
    """The bootstrap file is damaged or is not one: ask the network's operators for a fresh copy."""


class AuthorityInfo(msgspec.Struct, frozen=True, array_like=True):
    """One authority: its Ed25519 identity (32 bytes) and where it listens ("host:port")."""

    identity: Key
    address: str


class Bootstrap(msgspec.Struct, frozen=True, dict=True):
    """Whom to trust. `threshold` None stands for a bare majority of the authorities.

    Epoch 0 starts at `genesis` (seconds since the Unix epoch) and each epoch lasts `epoch_length` seconds.
    """

    genesis: float
    epoch_length: float
    authorities: tuple[AuthorityInfo, ...]
    threshold: int | None = None

    def __post_init__(self) -> None:
        """Refuse a trust base that could never work; raises BadBootstrap."""
        identities = {authority.identity for authority in self.authorities}
        count = len(self.authorities)
        if not 1 <= count <= MAX_AUTHORITIES or len(identities) != count:
            raise BadBootstrap(f"a bootstrap file names 1 to {MAX_AUTHORITIES} different authorities")
        if any(len(identity) != 32 for identity in identities):
            raise BadBootstrap
        if self.threshold is not None and not self.majority <= self.threshold <= count:
            raise BadBootstrap(f"the threshold must lie between {self.majority} and {count} signatures")
        if not self.epoch_length > 0:
            raise BadBootstrap("`epoch_length` must be longer than 0 seconds")
        for authority in self.authorities:
            try:
                check_address(authority.address)
            except LocalError as error:
                raise BadBootstrap(f"the bootstrap file is wrong: {error}") from None

    @property
    def majority(self) -> int:
        """The smallest number of authorities that is more than half of them."""
        return len(self.authorities) // 2 + 1

    @property
    def required(self) -> int:
        """How many authorities must sign a document."""
        return self.majority if self.threshold is None else self.threshold

    @cached_property
    def identities(self) -> tuple[bytes, ...]:
        """The authorities' identities in ascending order."""
        return tuple(sorted(authority.identity for authority in self.authorities))

    @cached_property
    def network_id(self) -> bytes:
        """32 bytes that name the network and what it trusts."""
        content = (_FORMAT, float(self.genesis), float(self.epoch_length), self.identities, self.required)
        return digest(Label.NETWORK, encode(content))

    @property
    def epochs(self) -> Epochs:
        """The network's division of time."""
        return Epochs(self.genesis, self.epoch_length)

    def save(self, path: Path) -> None:
        """Write the file as JSON, whole or not at all."""
        authorities = [{"identity": one.identity.hex(), "address": one.address} for one in self.authorities]
        table = _File(_FORMAT, self.genesis, self.epoch_length, authorities, self.threshold)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(table), indent=2) + b"\n")
        temporary.replace(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Bootstrap:
        """Read the file that `save` wrote; raises BadBootstrap with what to do."""
        try:
            return cls.parse(Path(path).read_bytes())
        except OSError as error:
            raise BadBootstrap(f"can't read the bootstrap file {path}: {error.strerror}") from None

    @classmethod
    def parse(cls, raw: bytes) -> Bootstrap:
        """The trust base in the bytes of a bootstrap file; raises BadBootstrap."""
        try:
            table = msgspec.json.decode(raw, type=_File)
            authorities = tuple(
                AuthorityInfo(bytes.fromhex(one["identity"]), one["address"]) for one in table.authorities
            )
        except (ValueError, KeyError):
            raise BadBootstrap from None
        if table.version != _FORMAT:
            raise BadBootstrap(f"the bootstrap file has version {table.version}: install a newer release")
        return cls(table.genesis, table.epoch_length, authorities, table.threshold)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    genesis: Annotated[float, msgspec.Meta(ge=0)]
    epoch_length: float
    authorities: list[dict[str, str]]
    threshold: int | None = None
