"""The command `mixnet chat`: the terminal program, for the profile's running daemon."""

from __future__ import annotations

import sys

from mixnet.client.cli.options import Flag, Folder, Profile, command, completed, profile_folder, talk
from mixnet.errors import LocalError
from mixnet.extras import lacking


class ChatMissing(LocalError):
    """The terminal program needs a library that isn't installed."""

    exit_status = 1


def chat(name: Profile, /, *, bell: Flag = False, folder: Folder = None) -> None:
    """Talk in the terminal: conversations, files, groups, search and safety numbers on one screen.

    The keys are shown at the bottom, and all of them with Ctrl-G. What you see in it is marked as read; whether its
    sender learns that is your choice (`mixnet contacts --help`). When you leave, the daemon goes on.

    Example: `mixnet chat alice`

    Parameters
    ----------
    bell
        Let the terminal ring when something came that you don't have in view, once in 10 seconds at most.
    """
    try:
        from mixnet.client.chat.app import ChatApp  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "textual":
            raise
        raise ChatMissing(lacking("tui")) from None
    import trio  # noqa: PLC0415

    from mixnet.client.api.connection import connect  # noqa: PLC0415

    if not (sys.stdin.isatty() and sys.stderr.isatty()):  # it is drawn on the standard error
        elsewhere = command(folder, "inbox", name)
        raise LocalError(f"this needs a terminal, also for its standard error; in a pipe: `{elsewhere}`")

    async def greet() -> None:
        async with talk(folder, name) as me:  # offers to start the daemon
            await me.status()

    trio.run(greet)
    directory = profile_folder(folder, name)
    ChatApp(
        name,
        lambda: connect(directory),
        directory=directory,
        explain=lambda text: completed(text, name, folder),
        bell=bell,
    ).run(mouse=False)
