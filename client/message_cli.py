"""The commands about one message: `mixnet message` and `mixnet cancel`.

Promises: as client/cli.py. Never: an import of anything heavy before a command runs.
"""

from __future__ import annotations

from client.options import Folder, Json, talk


async def message(name: str, number: int, /, *, folder: Folder = None, as_json: Json = False) -> None:
    """Show one message and what became of it; nobody learns that you read it.

    Example: `mixnet message alice 7`

    Parameters
    ----------
    name
        Your profile.
    number
        The message's number, as `mixnet inbox` and `mixnet send` show it.
    """
    from client import render  # noqa: PLC0415

    async with talk(folder, name) as me:
        found = await me.message(checked(number))
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
    from client import render  # noqa: PLC0415

    async with talk(folder, name) as me:
        given_up = await me.cancel(checked(number))
    render.json(given_up) if as_json else render.message(given_up)


def checked(number: int) -> int:
    """`number`, if it can be that of a message; UnknownMessage."""
    from client.errors import UnknownMessage  # noqa: PLC0415

    if not 0 <= number < 1 << 63:
        raise UnknownMessage
    return number
