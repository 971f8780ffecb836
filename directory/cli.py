"""The commands of the directory: `mixnet directory …` looks, `mixnet authority …` decides (SPEC.md section 5.11).

Promises: what is shown was verified against a bootstrap file first; what is refused is said in one line, with exit
status 2. Never: an import of anything heavy before a command runs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

BOOTSTRAP = "bootstrap.json"

app = App(name="directory-commands")
directory = App(
    name="directory", help="Look at the directory document: which nodes there are, and who vouches for them."
)
app.command(directory)
authority = App(name="authority", help="Decide for a directory authority which nodes may be in the network.")
app.command(authority)

Folder = Annotated[
    Path | None,
    Parameter(name="--dir", help="Folder of a local network; $MIXNET_DIR or your data folder if not given."),
]
BootstrapFile = Annotated[Path | None, Parameter(name="--bootstrap", help="Bootstrap file of any other network.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")]


def _default_folder() -> Path:
    """Where a local network lives unless --dir says otherwise: $MIXNET_DIR, or the user's folder for data."""
    import platformdirs  # noqa: PLC0415  # only a command without --dir needs it

    named = os.environ.get("MIXNET_DIR")
    return Path(named) if named else platformdirs.user_data_path("mixnet") / "local"


@directory.command
async def show(
    *,
    folder: Annotated[Path | None, Parameter(name="--dir")] = None,
    bootstrap: Path | None = None,
    save: Path | None = None,
    why: str | None = None,
    json: Json = False,
) -> None:
    """Ask the authorities for the newest document, verify it and show it.

    Example: `mixnet directory show --save consensus`, `mixnet directory show --why mix-3`

    Parameters
    ----------
    folder
        Folder of a local network; $MIXNET_DIR or your data folder if not given.
    bootstrap
        Bootstrap file of any other network.
    save
        Also write the signed document to this file.
    why
        Say instead why this node is absent, or where it stands: its identity (64 hexadecimal digits), or the name of
        a node of a local network.
    """
    import trio  # noqa: PLC0415

    if why is not None:
        await _why(why, folder, bootstrap, json=json)
        return

    from directory.display import show as display  # noqa: PLC0415
    from directory.display import show_json  # noqa: PLC0415
    from mixnet.clock import WallClock  # noqa: PLC0415
    from mixnet.crypto import SigningKey  # noqa: PLC0415
    from mixnet.link import Role  # noqa: PLC0415
    from mixnet.network import TCP  # noqa: PLC0415
    from mixnet.pki.bootstrap import Bootstrap  # noqa: PLC0415
    from mixnet.pki.fetch import fetch_document  # noqa: PLC0415
    from mixnet.pki.trust import Trust  # noqa: PLC0415
    from mixnet.randomness import SystemSource  # noqa: PLC0415

    trust = Bootstrap.load(bootstrap or (folder or _default_folder()) / BOOTSTRAP)
    document, raw = await fetch_document(
        Trust(trust),
        network=TCP(),
        clock=WallClock(),
        identity=SigningKey.generate(),  # the authorities need not know who looks
        role=Role.CLIENT,
        rng=SystemSource().stream("fetch"),
    )
    if save is not None:
        await trio.Path(save).write_bytes(raw)
    if json:
        show_json(document, raw)
    else:
        display(document, raw, trust)


@directory.command
def verify(file: Path, *, bootstrap: Path, at: float | None = None, json: Json = False) -> None:
    """Verify a saved document against a bootstrap file and show it; exit status 2 and the reason if it is refused.

    Example: `mixnet directory verify consensus --bootstrap bootstrap.json`

    Parameters
    ----------
    file
        The signed document, as `mixnet directory show --save` writes it.
    bootstrap
        Whom to trust.
    at
        The time for which to judge, in seconds since the Unix epoch; now if not given.
    """
    from directory.display import show as display  # noqa: PLC0415
    from directory.display import show_json  # noqa: PLC0415
    from mixnet.clock import WallClock  # noqa: PLC0415
    from mixnet.pki.bootstrap import Bootstrap  # noqa: PLC0415
    from mixnet.pki.document import verify_untrusted  # noqa: PLC0415

    trust = Bootstrap.load(bootstrap)
    raw = file.read_bytes()
    document = verify_untrusted(raw, trust, WallClock().now() if at is None else at)
    if json:
        show_json(document, raw)
    else:
        display(document, raw, trust)


@directory.command
async def evidence(*, folder: Folder = None, bootstrap: BootstrapFile = None, json: Json = False) -> None:
    """Ask the authorities for proofs that one of them contradicted itself, verify and show them.

    Example: `mixnet directory evidence --json`
    """
    from directory.display import show_evidence  # noqa: PLC0415
    from directory.inquiry import Inquiry  # noqa: PLC0415
    from directory.reports import verified_evidence  # noqa: PLC0415
    from mixnet.network import TCP  # noqa: PLC0415
    from mixnet.pki.bootstrap import Bootstrap  # noqa: PLC0415
    from mixnet.pki.requests import AskEvidence, EvidenceAnswer  # noqa: PLC0415

    trust = Bootstrap.load(bootstrap or (folder or _default_folder()) / BOOTSTRAP)
    answers = await Inquiry(trust, TCP()).everybody(AskEvidence(), EvidenceAnswer)
    show_evidence(verified_evidence(answers, trust), len(answers), trust, json=json)


@directory.command
async def history(
    *, folder: Folder = None, bootstrap: BootstrapFile = None, epochs: int = 10, json: Json = False
) -> None:
    """Show the last epochs: who signed, who was missing, what changed, and which rounds failed.

    Example: `mixnet directory history --epochs 20`

    Parameters
    ----------
    epochs
        How many epochs to look back.
    """
    from directory.display import show_history  # noqa: PLC0415
    from directory.inquiry import Inquiry  # noqa: PLC0415
    from mixnet.clock import WallClock  # noqa: PLC0415
    from mixnet.network import TCP  # noqa: PLC0415
    from mixnet.pki.bootstrap import Bootstrap  # noqa: PLC0415

    trust = Bootstrap.load(bootstrap or (folder or _default_folder()) / BOOTSTRAP)
    last = max(trust.epochs.at(WallClock().now()), 0)
    reports = await Inquiry(trust, TCP()).history(max(last - max(epochs, 1) + 1, 0), last)
    show_history(reports, trust, json=json)


async def _why(node: str, folder: Path | None, bootstrap: Path | None, *, json: bool) -> None:
    from directory.display import show_why  # noqa: PLC0415
    from directory.inquiry import Inquiry  # noqa: PLC0415
    from mixnet.clock import WallClock  # noqa: PLC0415
    from mixnet.network import TCP  # noqa: PLC0415
    from mixnet.pki.bootstrap import Bootstrap  # noqa: PLC0415

    network = folder or _default_folder()
    trust = Bootstrap.load(bootstrap or network / BOOTSTRAP)
    identity = _identity(node, network)
    sentence, words = await Inquiry(trust, TCP()).why(identity, trust.epochs.at(WallClock().now()))
    show_why(identity, sentence, words, json=json)


def _identity(node: str, network: Path) -> bytes:
    """The identity that a user names, by its digits or by its name in a local network."""
    from directory.config import load_identity  # noqa: PLC0415
    from mixnet.errors import LocalError  # noqa: PLC0415

    key_file = network / node / "identity.key"
    if "/" not in node and key_file.exists():
        return load_identity(key_file).public
    try:
        identity = bytes.fromhex(node)
    except ValueError:
        identity = b""
    if len(identity) != 32:
        raise LocalError(f"{node!r} is no node: give 64 hexadecimal digits, or the name of a node in {network}")
    return identity


def _authorities(folder: Path) -> list[Path]:
    """The data folders of the authority, or of all authorities of the local network, in `folder`."""
    from directory.config import load_config  # noqa: PLC0415
    from mixnet.errors import LocalError  # noqa: PLC0415

    own = folder / "config.toml"
    configs = [own] if own.exists() else sorted(folder.glob("authority-*/config.toml"))
    folders = [load_config(config).data_dir for config in configs]
    if not configs:
        raise LocalError(f"there is no authority in {folder}: choose its folder, or a local network's, with --dir")
    return [found for found in folders if found is not None]


@authority.command
def approve(node: str, *, role: Literal["mix", "provider"] = "mix", folder: Folder = None) -> None:
    """Let a node into the network, from the next voting round on; nothing is restarted.

    Example: `mixnet authority approve 9f86…0a08 --role mix --dir /var/lib/mixnet/authority`

    Parameters
    ----------
    node
        The node's identity, 64 hexadecimal digits, or its name in a local network.
    role
        What the node may be.
    folder
        Folder of one authority, or of a local network for all of its authorities.
    """
    from directory.allowlist import load_changes, save_changes  # noqa: PLC0415
    from directory.display import say  # noqa: PLC0415
    from mixnet.pki.descriptor import NodeRole  # noqa: PLC0415

    where = folder or _default_folder()
    identity, found = _identity(node, where), _authorities(where)
    for one in found:
        save_changes(one, load_changes(one).approve(identity, NodeRole(role)))
    say(f"approved {identity.hex()[:16]} as a {role} at {len(found)} authorities, from the next round on")


@authority.command
def revoke(node: str, *, folder: Folder = None) -> None:
    """Keep a node out of the network, from the next voting round on; nothing is restarted.

    Example: `mixnet authority revoke mix-3`

    Parameters
    ----------
    node
        The node's identity, 64 hexadecimal digits, or its name in a local network.
    folder
        Folder of one authority, or of a local network for all of its authorities.
    """
    from directory.allowlist import load_changes, save_changes  # noqa: PLC0415
    from directory.display import say  # noqa: PLC0415

    where = folder or _default_folder()
    identity, found = _identity(node, where), _authorities(where)
    for one in found:
        save_changes(one, load_changes(one).revoke(identity))
    say(f"revoked {identity.hex()[:16]} at {len(found)} authorities, from the next round on")
