"""The commands about one message: `mixnet message` and `mixnet cancel`.

Promises: as client/cli.py. Never: an import of anything heavy before a command runs.
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from client.cli.files import until_settled
from client.cli.options import Folder, Json, talk


async def message(
    name: str,
    number: int,
    /,
    *,
    wait: Annotated[bool, Parameter(negative="")] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Show one message and what became of it; nobody learns that you read it.

    Example: `mixnet message alice 7`, or `mixnet message alice 7 --wait` while a file is coming in

    Parameters
    ----------
    name
        Your profile.
    number
        The message's number, as `mixnet inbox`, `mixnet files` and `mixnet send` show it.
    wait
        Return only when it is delivered or, if it is a file that is coming in, complete; show how far it is.
    """
    from client.cli import render  # noqa: PLC0415

    async with talk(folder, name) as me:
        found = await until_settled(me, checked(number)) if wait else await me.message(checked(number))
    render.json(found) if as_json else render.message(found)


async def cancel(name: str, number: int, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Give up a text or file that you sent and that isn't delivered yet; what of it has left may still arrive.

    Example: `mixnet cancel alice 7`

    Parameters
    ----------
    name
        Your profile.
    number
        The message's number, as `mixnet send` and `mixnet inbox --sent` show it.
    """
    from client.cli import render  # noqa: PLC0415

    async with talk(folder, name) as me:
        given_up = await me.cancel(checked(number))
    render.json(given_up) if as_json else render.message(given_up)


def checked(number: int) -> int:
    """`number`, if it can be that of a message; UnknownMessage."""
    from client.model.errors import UnknownMessage  # noqa: PLC0415

    if not 0 <= number < 1 << 63:
        raise UnknownMessage
    return number
