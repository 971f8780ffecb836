"""What the commands of the directory have in common: folders, bootstrap files, names (spec/05-directory.md 5.11).

Promises: what is not there, or is no identity, is said in one line. Never: an import of anything heavy before a command
needs it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mixnet.errors import LocalError

if TYPE_CHECKING:
    from mixnet.directory.config import AuthorityConfig
    from mixnet.pki.trust import Trust

BOOTSTRAP = "bootstrap.json"

Folder = Annotated[
    Path | None,
    Parameter(name="--dir", help="Folder of a local network; $MIXNET_DIR or your data folder if not given."),
]
AuthorityFolder = Annotated[
    Path | None,
    Parameter(
        name="--dir",
        help="Folder of one authority, or of a local network for all of its authorities; $MIXNET_DIR or your data "
        "folder if not given.",
    ),
]
NodeName = Annotated[str, Parameter(help="The node's identity, 64 hexadecimal digits, or its name in a local network.")]
BootstrapFile = Annotated[Path | None, Parameter(name="--bootstrap", help="Bootstrap file of any other network.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")]


def default_folder() -> Path:
    """Where a local network lives unless --dir says otherwise: $MIXNET_DIR, or the user's folder for data."""
    import platformdirs  # noqa: PLC0415  # only a command without --dir needs it

    named = os.environ.get("MIXNET_DIR")
    return Path(named) if named else platformdirs.user_data_path("mixnet") / "local"


def load_trust(folder: Path | None, bootstrap: Path | None) -> Trust:
    """Whom a command trusts; raises BadBootstrap."""
    from mixnet.pki.bootstrap import Bootstrap  # noqa: PLC0415
    from mixnet.pki.trust import Trust  # noqa: PLC0415

    return Trust(Bootstrap.load(bootstrap or (folder or default_folder()) / BOOTSTRAP))


def identity_of(node: str, network: Path) -> bytes:
    """The identity that a user names, by its digits or by its name in a local network."""
    from mixnet.identity import key_from_text, load_identity  # noqa: PLC0415

    key_file = network / node / "identity.key"
    if "/" not in node and key_file.exists():
        return load_identity(key_file).public
    identity = key_from_text(node)
    if identity is None:
        raise LocalError(f"{node!r} is no node: give 64 hexadecimal digits, or the name of a node in {network}")
    return identity


def authorities_in(folder: Path) -> list[tuple[AuthorityConfig, Path]]:
    """The authority, or all authorities of the local network, in `folder`: each with the folder of its data."""
    from mixnet.directory.config import load_config  # noqa: PLC0415

    own = folder / "config.toml"
    configs = [own] if own.exists() else sorted(folder.glob("authority-*/config.toml"))
    if not configs:
        raise LocalError(f"there is no authority in {folder}: choose its folder, or a local network's, with --dir")
    loaded = [load_config(config) for config in configs]
    return [(config, config.data_dir) for config in loaded if config.data_dir is not None]
