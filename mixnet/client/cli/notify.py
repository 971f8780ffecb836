"""The command `mixnet notify`: notices on the desktop of what comes, by the session's own service for them.

On D-Bus (org.freedesktop.Notifications), by dbus-fast: desktop-notifier, which knows other systems too, can't say that
a notice is not to be kept, nor put one in another's place, and swallows the error when nobody shows any.
"""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mixnet.client.cli import render
from mixnet.client.cli.options import Flag, Folder, Profile, completed, profile_folder, talk
from mixnet.errors import LocalError, Unavailable

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

    from mixnet.client.cli.notices import Notice

RETRY = 2.0  # seconds until the daemon is looked for again
PATIENCE = 10.0  # seconds for an answer of the desktop
_NAME, _PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"


class NoNotices(LocalError):
    """No service shows notices here: start this in a desktop session; in a terminal: `mixnet chat PROFILE --bell`."""


def notify(
    name: Profile,
    /,
    *,
    names: Flag = False,
    every: Annotated[int, Parameter(help="Show one notice in so many seconds at most.")] = 30,
    folder: Folder = None,
) -> None:
    """Show a notice on the desktop when something new came, until Ctrl-C: how many messages, and nothing of them.

    Nothing is sent, and nothing is marked as read. What shows it, and every program of your desktop session, learns
    when something came. Notices ask not to be kept, and go when you have read what came.

    Example: `mixnet notify alice --names`

    Parameters
    ----------
    names
        Say from whom, too; never what.
    """
    if importlib.util.find_spec("dbus_fast") is None:
        install = shlex.join([sys.executable, "-m", "pip", "install", "dbus-fast>=5.0"])
        raise LocalError(f"this needs a library that isn't installed: `{install}`, then try again")
    if every < 1:
        raise LocalError("--every takes a number of seconds, 1 or more")
    import anyio  # noqa: PLC0415
    import trio  # noqa: PLC0415

    async def greet() -> None:
        async with talk(folder, name) as me:  # offers to start the daemon
            await me.status()

    trio.run(greet)
    anyio.run(_follow, name, folder, names, float(every), backend="asyncio")  # dbus-fast knows no other


async def _follow(name: str, folder: Path | None, names: bool, every: float) -> None:
    """However often the daemon ends and begins."""
    import anyio  # noqa: PLC0415

    from mixnet.client.api.connection import connect  # noqa: PLC0415
    from mixnet.client.cli.notices import follow  # noqa: PLC0415

    try:
        desktop = await Desktop.reach()
    except NoNotices as error:
        error.args = (completed(str(error), name, folder),)
        raise
    said = False
    try:
        while True:
            try:
                async with connect(profile_folder(folder, name)) as me:
                    said = False
                    await follow(me, desktop, names=names, every=every)
            except Unavailable as error:
                if not said:
                    render.note(completed(f"{error} (looking for it again)", name, folder))
                said = True
            await anyio.sleep(RETRY)
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(RETRY):
            await desktop.leave()


class Desktop:
    """The notice service of this desktop session."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._number = 0  # of the notice that is shown

    @classmethod
    async def reach(cls) -> Desktop:
        """NoNotices if there is none."""
        import anyio  # noqa: PLC0415
        from dbus_fast.aio import MessageBus  # noqa: PLC0415

        bus: MessageBus | None = None
        try:
            bus = MessageBus()
            with anyio.fail_after(PATIENCE):
                await bus.connect()
        except Exception as error:  # dbus-fast has no class for all that may be wrong with an address or a socket
            if bus is not None:
                _close(bus)
            raise NoNotices from error
        desktop = cls(bus)
        try:
            await desktop._call("GetServerInformation")
        except NoNotices:
            _close(bus)
            raise
        return desktop

    async def leave(self) -> None:
        """Take the notice away, and go."""
        await self.clear()
        _close(self._bus)

    async def show(self, notice: Notice) -> None:
        """See `Face`."""
        from dbus_fast import Variant  # noqa: PLC0415

        hints = {"transient": Variant("b", True), "category": Variant("s", "im.received")}
        what = ["mixnet", self._number, "", notice.title, notice.text, [], hints, -1]
        self._number = (await self._call("Notify", "susssasa{sv}i", *what)).body[0]

    async def clear(self) -> None:
        """See `Face`."""
        if self._number:
            number, self._number = self._number, 0
            await self._call("CloseNotification", "u", number, may_fail=True)  # its user may have closed it

    async def _call(self, member: str, signature: str = "", *body: object, may_fail: bool = False) -> Message:
        import anyio  # noqa: PLC0415
        from dbus_fast import Message, MessageType  # noqa: PLC0415

        asked = Message(_NAME, _PATH, _NAME, member, signature=signature, body=list(body))
        try:
            with anyio.fail_after(PATIENCE):
                answer = await self._bus.call(asked)
        except (OSError, EOFError) as error:  # the session has ended, or what shows notices hangs (TimeoutError)
            raise NoNotices from error
        if answer is None or (answer.message_type is MessageType.ERROR and not may_fail):
            raise NoNotices
        return answer


def _close(bus: MessageBus) -> None:
    """At once: dbus-fast leaves a socket open on which nobody has answered yet."""
    bus.disconnect()
    if bus._sock is not None:
        bus._sock.close()
