"""The commands by which operators replace authorities: make a file, propose it, withdraw it.

See spec/05-directory.md 5.12.

Promises: what could never be introduced is refused in one line before anything is written; what was introduced can't be
withdrawn. Every command says what comes next.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mixnet.directory.options import AuthorityFolder, Json, default_folder
from mixnet.errors import LocalError

DEFAULT_LEAD = 6  # epochs from now to the takeover, unless the operators choose another


def succession(
    *,
    bootstrap: Path,
    out: Path,
    remove: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    add: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    threshold: int | None = None,
    first_epoch: int | None = None,
    json: Json = False,
) -> None:
    """Write down which authorities shall take over from those of now: a file for all operators to agree on.

    Example: `mixnet authority succession --bootstrap bootstrap.json --remove 9f86d081884c7d65
    --add <64 digits>@192.0.2.7:7400 --out successor.json`

    Parameters
    ----------
    bootstrap
        The bootstrap file of the authorities of now: `mixnet directory bootstrap` writes it.
    out
        The file to write.
    remove
        An authority that goes: its identity, or the first digits of it. May be given more than once.
    add
        An authority that comes, as IDENTITY@HOST:PORT. May be given more than once.
    threshold
        How many of the new ones must sign a document; as now if their number is, else more than half of them.
    first_epoch
        The epoch with which they take over; six epochs from now if not given.
    """
    from mixnet.clock import WallClock  # noqa: PLC0415
    from mixnet.directory.display import say, say_json  # noqa: PLC0415
    from mixnet.directory.new_authorities import cautions, changed, fingerprint, next_steps  # noqa: PLC0415
    from mixnet.directory.succession import objection  # noqa: PLC0415
    from mixnet.directory.successors_diff import SuccessorsChange  # noqa: PLC0415
    from mixnet.pki.bootstrap import Bootstrap, Successor  # noqa: PLC0415
    from mixnet.pki.trust import Trust  # noqa: PLC0415

    if out.exists():
        raise LocalError(f"{out}: there is such a file already: choose another name")
    before = Bootstrap.load(bootstrap)
    authorities = changed(before, remove, add)
    if threshold is None and len(authorities) == len(before.authorities):
        threshold = before.threshold
    present = int(before.epochs.at(WallClock().now()))
    first = present + DEFAULT_LEAD if first_epoch is None else first_epoch
    after = before.succeeded_by(Successor(first, authorities, threshold))
    problem = objection(after, Trust(before), present, voting_on=present + 1)
    if problem:
        raise LocalError(problem)
    after.save(out)
    if json:
        said = {"out": str(out), "fingerprint": fingerprint(after), "cautions": cautions(before, after)}
        say_json({**said, **SuccessorsChange(before, after).table()})
        return
    for line in (*SuccessorsChange(before, after).lines(present), *cautions(before, after), *next_steps(after, out)):
        say(line)


def propose(file: Path, /, *, folder: AuthorityFolder = None, json: Json = False) -> None:
    """Have an authority vote for those that shall take over; nothing is restarted.

    Example: `mixnet authority propose successor.json --dir /var/lib/mixnet/authority`

    Parameters
    ----------
    file
        What `mixnet authority succession` wrote; all operators have the same.
    """
    from mixnet.clock import WallClock  # noqa: PLC0415
    from mixnet.directory.display import say, say_json  # noqa: PLC0415
    from mixnet.directory.files import replace  # noqa: PLC0415
    from mixnet.directory.new_authorities import fingerprint  # noqa: PLC0415
    from mixnet.directory.options import authorities_in  # noqa: PLC0415
    from mixnet.directory.succession import PROPOSAL, known_trust, objection  # noqa: PLC0415
    from mixnet.directory.successors_diff import SuccessorsChange  # noqa: PLC0415
    from mixnet.pki.bootstrap import Bootstrap  # noqa: PLC0415

    proposed = Bootstrap.load(file)
    found = authorities_in(folder or default_folder())
    known = [(config, data, known_trust(config.bootstrap, data)) for config, data in found]
    present = int(proposed.epochs.at(WallClock().now()))
    for config, data, trust in known:
        problem = objection(proposed, trust, present, voting_on=present + 1)
        if problem:
            raise LocalError(f"{data}: {problem}")
        if config.identity.public not in (*trust.newest.identities, *proposed.identities):
            raise LocalError(f"the authority in {data} is neither one of now nor one of those proposed")
    for _, data, _ in known:
        replace(data / PROPOSAL, file.read_bytes())
    _, _, trust = known[0]
    change = SuccessorsChange(trust.newest, proposed)
    if json:
        say_json({"proposed_at": len(known), "fingerprint": fingerprint(proposed), **change.table()})
        return
    for line in change.lines(present):
        say(line)
    say(
        f"proposed at {len(known)} authorities, fingerprint {fingerprint(proposed)}; "
        f"it takes {trust.newest.majority} of the {len(trust.newest.authorities)} of now to introduce them"
    )


def withdraw(*, folder: AuthorityFolder = None, json: Json = False) -> None:
    """Take back what `mixnet authority propose` proposed, if it has not been introduced yet.

    Example: `mixnet authority withdraw --dir /var/lib/mixnet/authority`
    """
    from mixnet.clock import WallClock  # noqa: PLC0415
    from mixnet.directory.display import say, say_json  # noqa: PLC0415
    from mixnet.directory.options import authorities_in  # noqa: PLC0415
    from mixnet.directory.succession import PROPOSAL, known_trust  # noqa: PLC0415

    found = [(config, data) for config, data in authorities_in(folder or default_folder())]
    for config, data in found:
        trust = known_trust(config.bootstrap, data)
        if trust.newest.first_epoch > trust.epochs.at(WallClock().now()):
            raise LocalError(
                f"{data}: other authorities are introduced already and take over with epoch "
                f"{trust.newest.first_epoch}: that can't be taken back, but they may be replaced afterwards"
            )
    held = [data / PROPOSAL for _, data in found if (data / PROPOSAL).exists()]
    if not held:
        raise LocalError("nothing is proposed: there is nothing to withdraw")
    for path in held:
        path.unlink()
    if json:
        say_json({"withdrawn_at": len(held)})
        return
    say(f"withdrawn at {len(held)} authorities; a voting round that has begun may still introduce them")
