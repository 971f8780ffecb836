"""The actors of a simulated world: names, identities that follow from the seed, configurations.

Promises: an actor is configured as a real one is, by files in a folder of its own; only its storage is in memory,
unless the world is to have disks. A disk that is copied at a crash and put back afterwards is what kill -9 leaves.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mixnet.client.profile.keys import Keys, save_keys
from mixnet.client.profile.profile import Profile
from mixnet.client.storage.database import Store
from mixnet.crypto import SigningKey, SphinxSecret, SymmetricKey
from mixnet.directory.config import AuthorityConfig
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.descriptor import NodeRole
from mixnet.pki.parameters import Parameters
from mixnet.randomness import Source
from mixnode import seal
from mixnode.config import NodeConfig, Storage

PORT = 4000
# When the world begins, in seconds since the Unix epoch. At 0 the time of day is Trio's time to the last bit; a large
# number would round it, by up to 200 ns and differently at each look.
GENESIS = 0.0


class ActorKind(StrEnum):
    """What an actor is."""

    AUTHORITY = "authority"
    MIX = "mix"
    PROVIDER = "provider"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Actor:
    """One actor; its host on the simulated network has its name."""

    kind: ActorKind
    number: int

    @property
    def name(self) -> str:
        """The actor's name, and its host's: `mix-3`."""
        return f"{self.kind}-{self.number}"

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{self.name}:{PORT}"


class NetworkPlan:
    """All actors of one world, their keys and their folders."""

    def __init__(
        self, folder: Path, counts: dict[ActorKind, int], parameters: Parameters, rng: Source, *, disks: bool
    ) -> None:
        """Make the folders under `folder`; with `disks`, nodes keep their state there."""
        self.actors = [Actor(kind, number) for kind, count in counts.items() for number in range(1, count + 1)]
        self._folder = folder
        self._parameters = parameters
        self._disks = disks
        self._rng = rng
        self._stores: dict[Actor, Store] = {}
        self._keys = {member: SigningKey(self._bytes("identity", member.name)) for member in self.actors}
        self.bootstrap = Bootstrap(
            GENESIS,
            parameters.epoch_length,
            tuple(AuthorityInfo(self._keys[one].public, one.address) for one in self.of(ActorKind.AUTHORITY)),
        )
        self.bootstrap.save(folder / "bootstrap.json")
        for member in self.actors:
            self._make_folder(member)

    def of(self, kind: ActorKind) -> list[Actor]:
        """The actors of one kind, by number."""
        return [member for member in self.actors if member.kind is kind]

    def member(self, name: str) -> Actor:
        """The actor of that name."""
        return next(member for member in self.actors if member.name == name)

    def names(self) -> dict[bytes, str]:
        """The name behind each identity; a client's identity is its mailbox."""
        return {key.public: member.name for member, key in self._keys.items()}

    def identity(self, member: Actor) -> SigningKey:
        """The key by which others know it."""
        return self._keys[member]

    def authority(self, member: Actor) -> AuthorityConfig:
        """The configuration of an authority."""
        roles = {ActorKind.MIX: NodeRole.MIX, ActorKind.PROVIDER: NodeRole.PROVIDER}
        return AuthorityConfig(
            identity=self._keys[member],
            address=member.address,
            bootstrap=self.bootstrap,
            approved={self._keys[one].public: roles[one.kind] for one in self.actors if one.kind in roles},
            parameters=self._parameters,
            source=member.name,
        )

    def node(self, member: Actor) -> NodeConfig:
        """The configuration of a mix or provider."""
        return NodeConfig(
            role=NodeRole(member.kind.value),
            address=member.address,
            bootstrap=self._folder / "bootstrap.json",
            key_file=self.folder(member) / "identity.key",
            data_dir=self.folder(member),
            storage=Storage.FILE if self._disks else Storage.MEMORY,
            source=member.name,
        )

    def profile(self, member: Actor) -> Profile:
        """The profile of a client; clients are spread evenly over the providers."""
        providers = self.of(ActorKind.PROVIDER)
        home = providers[(member.number - 1) % len(providers)]
        downloads = self.folder(member) / "downloads"
        downloads.mkdir(mode=0o700, exist_ok=True)
        provider = self._keys[home].public
        return Profile(member.name, self.bootstrap, source=member.name, provider=provider, downloads=downloads)

    def store(self, member: Actor) -> Store:
        """A client's store in memory, which outlives its crashes, with keys that follow from the seed."""
        if member not in self._stores:
            store = self._stores[member] = Store.open(":memory:", SymmetricKey(self._bytes("store", member.name)))
            save_keys(store, Keys(self._keys[member], SphinxSecret(self._bytes("sphinx", member.name))))
        return self._stores[member]

    def folder(self, member: Actor) -> Path:
        """The folder of one actor."""
        return self._folder / member.name

    def photograph(self, member: Actor) -> None:
        """Copy its disk as it is at this instant."""
        copy = self._copy(member)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder(member), copy, ignore=_not_sockets)

    def put_back(self, member: Actor) -> None:
        """Make its disk what it was when it was photographed, whatever was written since."""
        shutil.rmtree(self.folder(member))
        self._copy(member).rename(self.folder(member))
        for tags in self.folder(member).glob("keys/*.tags"):
            if tags.with_suffix(seal.SEAL).exists():
                seal.reseal(tags)  # a node would take the copy for an old backup, and rightly so

    def _copy(self, member: Actor) -> Path:
        return self._folder / f"{member.name}.crashed"

    def _make_folder(self, member: Actor) -> None:
        folder = self.folder(member)
        folder.mkdir(mode=0o700)
        key = folder / "identity.key"
        key.touch(mode=0o600)
        key.write_text(self._keys[member].expose().hex() + "\n")

    def _bytes(self, *label: str) -> bytes:
        return self._rng.stream(*label).randbytes(32)


def _not_sockets(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if (Path(folder) / name).is_socket()}
