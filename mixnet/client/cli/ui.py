"""The command `mixnet ui`: the page in a browser, for the profile's running daemon."""

from __future__ import annotations

import sys
import webbrowser
from typing import Annotated

from cyclopts import Parameter

from mixnet.client.cli import render
from mixnet.client.cli.options import Flag, Folder, Profile, completed, profile_folder, talk
from mixnet.pages.extra import needed


async def ui(
    name: Profile,
    /,
    *,
    port: Annotated[int | None, Parameter(help="The port of the page, at 127.0.0.1; as for `ssh -L`.")] = None,
    open_: Annotated[Flag, Parameter(name="--open", help="Open the page in your browser at once.")] = False,
    folder: Folder = None,
) -> None:
    """Talk in a browser of this machine: conversations, files, groups, search and safety numbers on one page.

    It prints a link, which works once; Enter makes another one, and Ctrl-C ends the page. No other machine can reach
    it, and no other user of this one. What you see in it is marked as read; whether its sender learns that is your
    choice. When the page ends, the daemon goes on.

    Example: `mixnet ui alice --open`
    """
    with needed():
        from mixnet.client.ui.app import page  # noqa: PLC0415
    import trio  # noqa: PLC0415

    from mixnet.client.api.connection import connect  # noqa: PLC0415
    from mixnet.client.ui.desk import Desk  # noqa: PLC0415

    async with talk(folder, name) as me:  # offers to start the daemon
        await me.status()
    directory = profile_folder(folder, name)
    desk = Desk(name, lambda: connect(directory), lambda text: completed(text, name, folder))
    async with page(desk, directory, port, lambda fault: render.note(f"the page failed: {fault}")) as door:
        while True:
            link = door.link()
            render.line(link)
            if open_:
                await trio.to_thread.run_sync(webbrowser.open, link, abandon_on_cancel=True)
            if not sys.stdin.isatty():
                await trio.sleep_forever()
            render.note("open it in a browser of this machine; it works once. Enter makes another, Ctrl-C ends")
            await trio.lowlevel.wait_readable(sys.stdin)
            if not sys.stdin.readline():
                await trio.sleep_forever()
            open_ = False
