"""The commands of the directory: `mixnet directory …` looks, `mixnet authority …` decides (spec/05-directory.md 5.11).

Promises: what is shown was verified against a bootstrap file first; what is refused is said in one line, with exit
status 2. Never: an import of anything heavy before a command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from mixnet.directory.options import (
    AuthorityFolder,
    BootstrapFile,
    Folder,
    Json,
    NodeName,
    authorities_in,
    default_folder,
    identity_of,
    load_trust,
)
from mixnet.directory.proposing import propose, succession, withdraw
from mixnet.exclusive import exclusive, option

app = App(name="directory-commands")
directory = App(
    name="directory", help="Look at the directory document: which nodes there are, and who vouches for them."
)
app.command(directory)
_SHOWN = exclusive()
authority = App(
    name="authority", help="Decide for a directory authority: which nodes are in, which authorities follow."
)
app.command(authority)
for command in (succession, propose, withdraw):
    authority.command(command)


@directory.command
async def show(
    *,
    folder: Folder = None,
    bootstrap: BootstrapFile = None,
    out: Annotated[Path | None, option(_SHOWN)] = None,
    why: Annotated[str | None, option(_SHOWN)] = None,
    json: Json = False,
) -> None:
    """Ask the authorities for the newest document, verify it and show it.

    Example: `mixnet directory show --out consensus`, `mixnet directory show --why mix-3`

    Parameters
    ----------
    out
        Also write the signed document to this file.
    why
        Say instead why this node is absent, or where it stands: its identity (64 hexadecimal digits), or the name of
        a node of a local network.
    """
    import trio  # noqa: PLC0415

    if why is not None:
        await _why(why, folder, bootstrap, json=json)
        return

    from mixnet.directory.client import newest_document  # noqa: PLC0415
    from mixnet.directory.display import show_document  # noqa: PLC0415

    trust = load_trust(folder, bootstrap)
    document, raw = await newest_document(trust)
    if out is not None:
        await trio.Path(out).write_bytes(raw)
    show_document(document, raw, trust, json=json)


@directory.command(name="bootstrap")
async def newest_bootstrap(
    *, out: Path, folder: Folder = None, bootstrap: BootstrapFile = None, json: Json = False
) -> None:
    """Write the bootstrap file of the authorities of now, as documents signed by those before introduced them.

    Example: `mixnet directory bootstrap --bootstrap bootstrap.json --out bootstrap-new.json`

    Parameters
    ----------
    out
        The file to write.
    """
    from mixnet.directory.client import newest_document, present  # noqa: PLC0415
    from mixnet.directory.display import say, say_json  # noqa: PLC0415
    from mixnet.directory.successors_diff import changes  # noqa: PLC0415

    trust = load_trust(folder, bootstrap)
    document, _ = await newest_document(trust)
    now = trust.at(max(document.epoch, present(trust)))
    now.save(out)
    if json:
        said = {"out": str(out), "authorities": len(now.authorities), "required": now.required}
        say_json({**said, "changes_of_authorities": [change.table() for change in changes(trust)]})
        return
    same = "the authorities are the same as before; " if now == trust.sets[0] else ""
    say(f"{same}written to {out}: {len(now.authorities)} authorities, {now.required} must sign")
    for change in changes(trust):
        for line in change.lines(document.epoch):
            say(line)


@directory.command
def verify(
    file: Path,
    /,
    *,
    bootstrap: Path,
    introduction: Annotated[tuple[Path, ...], Parameter(negative="")] = (),
    at: float | None = None,
    json: Json = False,
) -> None:
    """Verify a saved document against a bootstrap file and show it; exit status 2 and the reason if it is refused.

    Example: `mixnet directory verify consensus --bootstrap bootstrap.json`

    Parameters
    ----------
    file
        The signed document, as `mixnet directory show --out` writes it.
    bootstrap
        Whom to trust.
    introduction
        An older document that introduces the authorities of this one, if they are not those of the bootstrap file. May
        be given more than once, in order.
    at
        The time for which to judge, in seconds since the Unix epoch; now if not given.
    """
    from mixnet.clock import WallClock  # noqa: PLC0415
    from mixnet.directory.display import show_document  # noqa: PLC0415
    from mixnet.pki.document import verify_untrusted  # noqa: PLC0415

    trust = load_trust(None, bootstrap)
    for path in introduction:
        trust.follow_untrusted(path.read_bytes())
    raw = file.read_bytes()
    document = verify_untrusted(raw, trust, WallClock().now() if at is None else at)
    trust.follow(document, raw)
    show_document(document, raw, trust, json=json)


@directory.command
async def evidence(*, folder: Folder = None, bootstrap: BootstrapFile = None, json: Json = False) -> None:
    """Ask the authorities for proofs that one of them contradicted itself, verify and show them.

    Example: `mixnet directory evidence --json`
    """
    from mixnet.directory.client import followed  # noqa: PLC0415
    from mixnet.directory.display import show_evidence  # noqa: PLC0415
    from mixnet.directory.queries import DirectoryQueries  # noqa: PLC0415
    from mixnet.directory.reports import verified_evidence  # noqa: PLC0415
    from mixnet.network import TCP  # noqa: PLC0415
    from mixnet.pki.requests import AskEvidence, EvidenceAnswer  # noqa: PLC0415

    trust = await followed(load_trust(folder, bootstrap))
    answers = await DirectoryQueries(trust, TCP()).everybody(AskEvidence(), EvidenceAnswer)
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
    from mixnet.directory.client import followed, present  # noqa: PLC0415
    from mixnet.directory.display import show_history  # noqa: PLC0415
    from mixnet.directory.queries import DirectoryQueries  # noqa: PLC0415
    from mixnet.network import TCP  # noqa: PLC0415

    trust = await followed(load_trust(folder, bootstrap))
    last = max(present(trust), 0)
    reports = await DirectoryQueries(trust, TCP()).history(max(last - max(epochs, 1) + 1, 0), last)
    show_history(reports, trust, json=json)


async def _why(node: str, folder: Path | None, bootstrap: Path | None, *, json: bool) -> None:
    from mixnet.directory.client import followed, present  # noqa: PLC0415
    from mixnet.directory.display import show_why  # noqa: PLC0415
    from mixnet.directory.queries import DirectoryQueries  # noqa: PLC0415
    from mixnet.network import TCP  # noqa: PLC0415

    identity = identity_of(node, folder or default_folder())
    trust = await followed(load_trust(folder, bootstrap))
    sentence, words = await DirectoryQueries(trust, TCP()).why(identity, present(trust))
    show_why(identity, sentence, words, json=json)


@authority.command
def approve(
    node: NodeName,
    /,
    *,
    role: Literal["mix", "provider"] = "mix",
    folder: AuthorityFolder = None,
    json: Json = False,
) -> None:
    """Let a node into the network, from the next voting round on; nothing is restarted.

    Example: `mixnet authority approve 9f86…0a08 --role mix --dir /var/lib/mixnet/authority`

    Parameters
    ----------
    role
        What the node may be.
    """
    from mixnet.directory.allowlist import load_changes, save_changes  # noqa: PLC0415
    from mixnet.directory.display import say, say_json  # noqa: PLC0415
    from mixnet.pki.descriptor import NodeRole  # noqa: PLC0415

    where = folder or default_folder()
    identity, found = identity_of(node, where), authorities_in(where)
    for _, one in found:
        save_changes(one, load_changes(one).approve(identity, NodeRole(role)))
    if json:
        say_json({"identity": identity.hex(), "role": role, "approved_at": len(found)})
        return
    say(f"approved {identity.hex()[:16]} as a {role} at {len(found)} authorities, from the next round on")


@authority.command
def revoke(node: NodeName, /, *, folder: AuthorityFolder = None, json: Json = False) -> None:
    """Keep a node out of the network, from the next voting round on; nothing is restarted.

    Example: `mixnet authority revoke mix-3`
    """
    from mixnet.directory.allowlist import load_changes, save_changes  # noqa: PLC0415
    from mixnet.directory.display import say, say_json  # noqa: PLC0415

    where = folder or default_folder()
    identity, found = identity_of(node, where), authorities_in(where)
    for _, one in found:
        save_changes(one, load_changes(one).revoke(identity))
    if json:
        say_json({"identity": identity.hex(), "revoked_at": len(found)})
        return
    say(f"revoked {identity.hex()[:16]} at {len(found)} authorities, from the next round on")
