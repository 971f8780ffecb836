"""The sub-commands that look at the directory: `mixnet directory …` (SPEC.md section 5.11).

Promises: what is shown was verified against a bootstrap file first; what is refused is said in one line, with exit
status 2. Never: an import of anything heavy before a command runs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

BOOTSTRAP = "bootstrap.json"

app = App(name="directory-commands")
directory = App(
    name="directory", help="Look at the directory document: which nodes there are, and who vouches for them."
)
app.command(directory)

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
    json: Json = False,
) -> None:
    """Ask the authorities for the newest document, verify it and show it.

    Example: `mixnet directory show --save consensus`

    Parameters
    ----------
    folder
        Folder of a local network; $MIXNET_DIR or your data folder if not given.
    bootstrap
        Bootstrap file of any other network.
    save
        Also write the signed document to this file.
    """
    import trio  # noqa: PLC0415

    from directory.display import show as display  # noqa: PLC0415
    from directory.display import show_json  # noqa: PLC0415
    from mixnet.clock import WallClock  # noqa: PLC0415
    from mixnet.crypto import SigningKey  # noqa: PLC0415
    from mixnet.link import Role  # noqa: PLC0415
    from mixnet.network import TCP  # noqa: PLC0415
    from mixnet.pki.bootstrap import Bootstrap  # noqa: PLC0415
    from mixnet.pki.fetch import fetch_document  # noqa: PLC0415
    from mixnet.randomness import SystemSource  # noqa: PLC0415

    trust = Bootstrap.load(bootstrap or (folder or _default_folder()) / BOOTSTRAP)
    document, raw = await fetch_document(
        trust,
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
