"""`mixnet privacy`: what each role holds about a user, and what a profile holds now.

See spec/08-errors-and-figures.md 8.4.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from mixnet.client.cli import render
from mixnet.client.cli.options import Folder, Json, PassphraseFile, profile_folder, unlock
from mixnet.errors import LocalError

if TYPE_CHECKING:
    from mixnet.client.profile.holdings import Holding

Roles = Literal["client", "provider", "mix", "authority"]


async def privacy(
    name: Annotated[str | None, Parameter(name="PROFILE")] = None,
    /,
    *,
    role: Roles | None = None,
    markdown: Annotated[Path | None, Parameter(show=False)] = None,
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Show what each role holds about you, why and how long; with a profile, what that one holds now.

    Example: `mixnet privacy --role provider` or `mixnet privacy alice`

    Parameters
    ----------
    name
        Your profile; its daemon need not run.
    role
        Only what this role holds.
    markdown
        Rewrite the tables of this document (docs/privacy-impact.md).
    """
    from mixnet.inventory import INVENTORY, Role, as_maps, refreshed  # noqa: PLC0415

    if markdown is not None:
        markdown.write_text(refreshed(markdown.read_text(), INVENTORY))
        return
    if name is not None:
        if role not in (None, "client"):
            raise LocalError("only a client's data can be counted from here: leave the profile out, or the role")
        _show_holdings(await _holdings(profile_folder(folder, name), passphrase_file), as_json=as_json)
        return
    chosen = {one: rows for one, rows in INVENTORY.items() if role in (None, one)}
    if as_json:
        render.json(as_maps(chosen))
        return
    columns = ("who", "what", "what it reveals", "how long", "erased by", "encrypted")
    render.table(
        columns,
        [
            (str(Role(who)), row.kind, row.reveals, row.kept, row.erased, row.encrypted)
            for who, rows in chosen.items()
            for row in rows
        ],
    )
    render.note("where each lies and why: --json, or docs/privacy-impact.md")


async def _holdings(directory: Path, passphrase_file: Path | None) -> list[Holding]:
    """From the daemon if it runs, else from the store itself."""
    from mixnet.client.api.connection import connect  # noqa: PLC0415
    from mixnet.client.model import paths  # noqa: PLC0415
    from mixnet.client.profile import holdings, lock, profile  # noqa: PLC0415

    paths.check_profile(directory)
    if lock.holder(directory / paths.LOCK) is not None:
        async with connect(directory) as me:
            return await me.mailbox.holdings()
    words = unlock(directory, passphrase_file)
    with lock.hold(directory / paths.LOCK):
        store = profile.open_store(profile.load(directory), words)
        try:
            inside = [holdings.stored(store, row) for row in holdings.rows()]
        finally:
            store.close()
        return [one + holdings.on_disk(directory, row) for one, row in zip(inside, holdings.rows(), strict=True)]


def _show_holdings(found: list[Holding], *, as_json: bool) -> None:
    from mixnet.inventory import INVENTORY, Role  # noqa: PLC0415

    rows = {row.kind: row for row in INVENTORY[Role.CLIENT]}
    told = [(one, rows[one.kind]) for one in found]
    if as_json:
        render.json(
            [{**asdict(one), "kept": row.kept, "erased": row.erased, "encrypted": row.encrypted} for one, row in told]
        )
        return
    render.table(
        ("what", "items", "bytes", "oldest", "how long", "erased by"),
        [
            (
                one.kind,
                f"{one.items:,}",
                f"{one.bytes:,}",
                "-" if one.oldest is None else render.moment(one.oldest),
                row.kept,
                row.erased,
            )
            for one, row in told
        ],
    )
