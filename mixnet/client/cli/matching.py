"""Matching at the command line: `mixnet match`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mixnet.client.cli import render
from mixnet.client.cli.options import Flag, Folder, Json, Profile, talk
from mixnet.errors import LocalError
from mixnet.exclusive import exclusive, option

if TYPE_CHECKING:
    from mixnet.client.model.match_states import MatchStatus

_ME, _CONTACTS = exclusive(), exclusive()


async def match(
    name: Profile,
    /,
    *,
    me: Annotated[str | None, option(_ME)] = None,
    contacts: Annotated[Path | None, Parameter(name="--address-book"), option(_CONTACTS)] = None,
    off: Annotated[Flag, option(_ME, _CONTACTS)] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Find people of your address book who look for you, too; without options, show how far that has come.

    Both of you must have the other's address and turn it on. The daemon then looks, again and again, in payload slots.
    No provider learns an address. Whoever knows both addresses can learn that you look, and pretend to be the other
    one, until you compare safety numbers. They see the name of your profile.

    Example: `mixnet match alice --me alice@example.org --address-book contacts.vcf`

    Parameters
    ----------
    me
        Your own e-mail address or phone number (+49...), as the others have it.
    contacts
        The addresses to look for: a vCard file, or one a line. They take the place of earlier ones.
    off
        Look for nobody any more, and forget all addresses; contacts that were found stay.
    """
    from mixnet.client.model import address_entries  # noqa: PLC0415

    if (me is None) != (contacts is None):
        raise LocalError("give --me and --address-book together, or none of them")
    async with talk(folder, name) as mine:
        if off:
            await mine.matching.stop()
        if me is not None and contacts is not None:
            found = address_entries.read(_text(contacts))
            if found.skipped:
                render.note(f"{found.skipped} left out: phone numbers need their country (+49...), e-mail an @")
            await mine.matching.start(me, found.entries)
        status = await mine.matching.status()
    render.json(status) if as_json else _show(status)


def _text(path: Path) -> str:
    from mixnet.client.model.address_entries import FILE_LIMIT  # noqa: PLC0415

    with path.open("rb") as file:
        raw = file.read(FILE_LIMIT + 1)
    if len(raw) > FILE_LIMIT:
        raise LocalError(f"{path.name} is too large: a file of at most {FILE_LIMIT >> 20} MiB is read")
    return raw.decode(errors="replace")


def _show(status: MatchStatus) -> None:
    if not status.me:
        render.note("matching is off: turn it on with `mixnet match PROFILE --me ADDRESS --address-book FILE`")
        return
    rows = [(one.address, one.label, one.state, one.contact or one.error) for one in status.entries]
    render.table(("address", "name", "state", "contact, or what there is to know"), rows)
    if status.visits:
        render.note(f"you are {status.me}; each of those is looked for {_often(status.visits)} times a day on average")
        render.note("the daemon goes on looking: `mixnet match PROFILE` shows how far it is, --off ends it")
    if any(one.contact for one in status.entries):
        render.note(
            "found by addresses alone: compare the safety number before you trust who it is: `mixnet contacts PROFILE`"
        )


def _often(visits: float) -> str:
    """A number without digits that mean nothing."""
    return f"{visits:,.0f}" if visits >= 10 else f"{visits:.1f}"
