"""The bootstrap file: who the authorities are, and how many must sign (spec/05-directory.md 5.4).

Promises: the network's identifier is a digest of whom it trusted first (authorities, threshold, time base), so two
networks never share one; an authority's address may change without changing it, and so may the authorities, one set
succeeding another.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Protocol

import msgspec

from mixnet.clock import Epochs
from mixnet.crypto import Label, digest
from mixnet.errors import LocalError
from mixnet.files import replace_file
from mixnet.network import Address
from mixnet.pki.canonical import Epoch, Key, encode
from mixnet.pki.descriptor import check_address
from mixnet.reach import Reach, reach_of

MAX_AUTHORITIES = 31
_FORMAT = 1


class BadBootstrap(LocalError):
    """The bootstrap file is damaged or is not one: ask the network's operators for a fresh copy."""


class AuthorityInfo(msgspec.Struct, frozen=True, array_like=True):
    """One authority: its Ed25519 identity (32 bytes) and where it listens ("host:port")."""

    identity: Key
    address: str


class Successor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The authorities, ascending by identity, that sign the documents from `first_epoch` on, as a document says it."""

    first_epoch: Epoch
    authorities: tuple[AuthorityInfo, ...]
    threshold: int | None = None

    def __post_init__(self) -> None:
        """Refuse a set that could never work; raises BadBootstrap."""
        _check_set(self.authorities, self.threshold)
        if list(self.authorities) != sorted(self.authorities, key=lambda one: one.identity):
            raise BadBootstrap("a successor lists its authorities in ascending order")


class Trusted(Protocol):
    """Whom a reader goes by: one set of authorities for ever (Bootstrap), or one after another (Trust)."""

    def at(self, epoch: int, /) -> Bootstrap:
        """The authorities that sign the document for `epoch`."""

    @property
    def network_id(self) -> bytes:
        """32 bytes that name the network, whoever its authorities are."""

    @property
    def epochs(self) -> Epochs:
        """The network's division of time."""

    @property
    def epoch_length(self) -> float:
        """Seconds; alike for all sets of a network."""


class Bootstrap(msgspec.Struct, frozen=True, dict=True):
    """Whom to trust. `threshold` None stands for a bare majority of the authorities.

    Epoch 0 starts at `genesis` (seconds since the Unix epoch) and each epoch lasts `epoch_length` seconds. A set that
    succeeded another says which `network` it serves (32 bytes) and from which epoch on.
    """

    genesis: float
    epoch_length: float
    authorities: tuple[AuthorityInfo, ...]
    threshold: int | None = None
    network: bytes | None = None
    first_epoch: int = 0

    def __post_init__(self) -> None:
        """Refuse a trust base that could never work; raises BadBootstrap."""
        _check_set(self.authorities, self.threshold)
        if not self.epoch_length > 0:
            raise BadBootstrap("`epoch_length` must be longer than 0 seconds")
        if (self.network is None) != (self.first_epoch == 0) or (self.network is not None and len(self.network) != 32):
            raise BadBootstrap(
                "authorities that succeeded others name the `network` (64 hexadecimal digits) and their `first_epoch`"
            )

    def at(self, _epoch: int, /) -> Bootstrap:
        """Itself: whoever goes by a bootstrap file alone knows no other authorities."""
        return self

    @property
    def majority(self) -> int:
        """The smallest number of authorities that is more than half of them."""
        return _majority(self.authorities)

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
        """32 bytes that name the network, and whom it trusted first."""
        if self.network is not None:
            return self.network
        content = (_FORMAT, float(self.genesis), float(self.epoch_length), self.identities, self.required)
        return digest(Label.NETWORK, encode(content))

    @cached_property
    def reach(self) -> Reach:
        """From where the network can be reached: no node's address has less reach than that of an authority."""
        return min(reach_of(Address.parse(authority.address).host) for authority in self.authorities)

    @property
    def epochs(self) -> Epochs:
        """The network's division of time."""
        return Epochs(self.genesis, self.epoch_length)

    @property
    def successor(self) -> Successor:
        """This set as a document introduces it."""
        ascending = tuple(sorted(self.authorities, key=lambda one: one.identity))
        return Successor(self.first_epoch, ascending, self.threshold)

    def succeeded_by(self, successor: Successor) -> Bootstrap:
        """The set that follows this one, in the same network."""
        return msgspec.structs.replace(
            self,
            authorities=successor.authorities,
            threshold=successor.threshold,
            network=self.network_id,
            first_epoch=successor.first_epoch,
        )

    def save(self, path: Path) -> None:
        """Write the file as JSON, whole or not at all."""
        authorities = [{"identity": one.identity.hex(), "address": one.address} for one in self.authorities]
        table = _File(_FORMAT, self.genesis, self.epoch_length, authorities, self.threshold)
        if self.network is not None:
            table = msgspec.structs.replace(table, network=self.network.hex(), first_epoch=self.first_epoch)
        replace_file(path, msgspec.json.format(msgspec.json.encode(table), indent=2) + b"\n", mode=0o666)  # public

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
            network = None if table.network is msgspec.UNSET else bytes.fromhex(table.network)
        except (ValueError, KeyError):
            raise BadBootstrap from None
        if table.version != _FORMAT:
            raise BadBootstrap(f"the bootstrap file has version {table.version}: install a newer release")
        return cls(table.genesis, table.epoch_length, authorities, table.threshold, network, table.first_epoch or 0)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    genesis: Annotated[float, msgspec.Meta(ge=0)]
    epoch_length: float
    authorities: list[dict[str, str]]
    threshold: int | None = None
    network: str | msgspec.UnsetType = msgspec.UNSET
    first_epoch: Annotated[int, msgspec.Meta(ge=0, lt=2**48)] | msgspec.UnsetType = msgspec.UNSET


def _majority(authorities: tuple[AuthorityInfo, ...]) -> int:
    return len(authorities) // 2 + 1


def _check_set(authorities: tuple[AuthorityInfo, ...], threshold: int | None) -> None:
    """Refuse authorities that could never agree; raises BadBootstrap."""
    identities = {authority.identity for authority in authorities}
    count, majority = len(authorities), _majority(authorities)
    if not 1 <= count <= MAX_AUTHORITIES or len(identities) != count:
        raise BadBootstrap(f"a bootstrap file names 1 to {MAX_AUTHORITIES} different authorities")
    if any(len(identity) != 32 for identity in identities):
        raise BadBootstrap
    if threshold is not None and not majority <= threshold <= count:
        raise BadBootstrap(f"the threshold must lie between {majority} and {count} signatures")
    for authority in authorities:
        try:
            check_address(authority.address)
        except LocalError as error:
            raise BadBootstrap(f"the bootstrap file is wrong: {error}") from None
