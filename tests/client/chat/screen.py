"""The terminal program before a daemon in this process: the one in a thread with asyncio, the other under Trio."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from textual.events import Paste
from textual.pilot import Pilot

from mixnet.client.api.connection import connect
from mixnet.client.chat.app import ChatApp
from mixnet.client.media.sound import Sound
from mixnet.client.model.views import MessageKind, MessageReceived, MessageState
from mixnet.client.storage.messages import NewMessage
from tests.client.worlds.service import invitation, served

LIMIT = 60  # seconds until a test gives up


class Screen:
    """The program as its user has it."""

    def __init__(self, app: ChatApp, pilot: Pilot, world) -> None:
        self.app, self.pilot, self._world = app, pilot, world

    @property
    def text(self) -> str:
        """All that is on the screen."""
        lines = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in lines)

    async def until(self, shown: str | Callable[[], object]) -> None:
        """Return once that is on the screen, or so."""
        try:
            async with asyncio.timeout(LIMIT):
                while not (shown() if callable(shown) else shown in self.text):
                    await self.pilot.pause(0.02)
        except TimeoutError:
            raise AssertionError(f"not shown: {shown}\n{self.text}") from None

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def write(self, text: str) -> None:
        """As if it were pasted."""
        self.app.post_message(Paste(text))
        await self.pilot.pause()

    def at_daemon(self, do: Callable[..., object], *given: object) -> object:
        """Something that happens in the daemon."""
        return trio.from_thread.run_sync(do, self._world, *given)


def receive(world, contact: str, text: str, at: float = 1e9, **more) -> int:
    """As if a text had come from a contact."""
    core = world.service.user._core
    entry = NewMessage(
        core.contacts.named(contact).id,
        more.get("kind", MessageKind.TEXT),
        more.get("state", MessageState.RECEIVED),
        text,
        more.get("path", ""),
        more.get("size", 0),
        at,
        1,
    )
    number = core.messages.add(entry, at)
    world.event_bus.publish([MessageReceived(core.messages.get(number))])
    return number


@asynccontextmanager
async def conversation(folder: Path, *names: str):
    """A daemon with these contacts."""
    async with served(folder) as world:
        async with connect(folder) as me:
            for name in names:
                await me.accept(await invitation(name), name)
        yield world


async def use(
    folder: Path,
    world,
    play: Callable[[Screen], Awaitable[None]],
    size: tuple[int, int] = (80, 24),
    sound: Sound | None = None,
    *,
    bell: bool = False,
) -> None:
    """Let somebody use the program."""

    async def run() -> None:
        app = ChatApp("alice", lambda: connect(folder), directory=folder, sound=sound, bell=bell)
        async with app.run_test(size=size, notifications=True) as pilot:
            await play(Screen(app, pilot, world))

    await trio.to_thread.run_sync(lambda: asyncio.run(run()))
