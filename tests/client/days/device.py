"""One daemon of a person in a village: started, stopped and killed, with its store on a disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import trio

from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.api.daemon_api import DaemonApi
from mixnet.client.daemon.daemon import serve
from mixnet.client.storage.database import Store
from mixnet.crypto import SymmetricKey
from tests.client.days.village import Village
from tests.client.worlds.crashes import Killed

T = TypeVar("T")


class Mortal(Store):
    """A store whose process can die in the middle of a write: what is in the files then is all that is left."""

    fuse: int | None = None  # so many writes are still done
    folder: Path
    saved: dict[str, bytes] | None = None  # the files at the moment of death
    on_death: Callable[[], None]

    def run(self, statement: str, *values: object) -> None:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.die()
        if self.saved is not None:
            raise Killed
        super().run(statement, *values)

    def die(self) -> None:
        """From now on nothing is written; whoever tries is dead, too."""
        if self.saved is None:
            # Not the index of the journal: it is shared memory, which goes with the process.
            files = (path for path in self.folder.glob("store.db*") if not path.name.endswith("-shm"))
            self.saved = {path.name: path.read_bytes() for path in files}
            self.on_death()


class Device:
    """`user` is what the programs of the person use, as long as it is up."""

    def __init__(self, village: Village, name: str, number: int, folder: Path, skew: float = 0.0) -> None:
        self.name = name
        self.folder = folder / name
        self.downloads = self.folder / "downloads"
        self.downloads.mkdir(parents=True)
        self.lives = self.deaths = 0
        self.user: Connection | None = None
        self.service: DaemonApi | None = None
        self.store: Mortal | None = None
        self.key = SymmetricKey.generate()
        self.wanted = True  # whether its person has it on
        self.host = f"10.0.9.{number}"
        self._village, self._number, self._skew = village, number, skew
        self._scope = trio.CancelScope()
        self._changed = trio.Event()
        self._uses: list[trio.CancelScope] = []  # what its user does at this moment
        self.starting = False

    def move(self, village: Village) -> None:
        """Live in another village from the first start on."""
        self._village = village

    async def start(self, nursery: trio.Nursery) -> None:
        """Return when its user can use it, or when it was stopped before that."""
        self.starting = True
        self.service = await nursery.start(self._live)
        self.starting = False
        if self.service is not None:
            self.user = Connection(DirectChannel(self.service))
            self._turn()

    async def _live(self, task_status: trio.TaskStatus[DaemonApi | None]) -> None:
        village, self.lives = self._village, self.lives + 1
        store = self._open_store()
        try:
            with trio.CancelScope() as self._scope:
                store.on_death = self._scope.cancel
                await serve(
                    village.profile(self.name, self._number, self.downloads),
                    network=village.network,
                    clock=village.clock_of(self._skew),
                    rng=village.rng.child("client", self.name, str(self.lives)),
                    engine=village.engine,
                    store=store,
                    task_status=task_status,
                )
        except BaseException as error:
            if not _only_deaths(error):
                raise
        finally:
            self.user = self.service = None
            for use in self._uses:
                use.cancel()  # before the store is closed
            self._turn()
            self._bury(store)
        if self.starting:
            task_status.started(None)

    def _open_store(self) -> Mortal:
        store = self.store = Mortal.open(self.folder / "store.db", self.key)  # type: ignore[assignment]
        assert isinstance(store, Mortal)
        store._connection.pragma("synchronous", 0)  # processes die here, no machines
        store.folder = self.folder
        self._village.furnish(store, self.name)
        return store

    def _bury(self, store: Mortal) -> None:
        if store.saved is None:
            store.close()
            return
        self.deaths += 1
        self._village.network.crash(self.host)
        store._connection.close()
        for path in self.folder.glob("store.db*"):
            path.unlink()
        for name, content in store.saved.items():
            (self.folder / name).write_bytes(content)

    def kill(self, writes: int = 0) -> None:
        """As kill -9: now, or in the middle of so many writes."""
        if self.user is not None and self.store is not None:
            if writes:
                self.store.fuse = writes
            else:
                self.store.die()

    def stop(self) -> None:
        """As its user stops it."""
        self._scope.cancel()

    async def until_up(self) -> Connection:
        while self.user is None:
            await self._changed.wait()
        return self.user

    async def until_down(self) -> None:
        while self.user is not None:
            await self._changed.wait()

    async def do(self, action: Callable[[Connection], Awaitable[T]]) -> T:
        """Do it while the device is up; if it dies meanwhile, again: the action itself looks what is done already."""
        while True:
            user = await self.until_up()
            try:
                with trio.CancelScope() as use:
                    self._uses.append(use)
                    return await action(user)
            except BaseException as error:
                if not _only_deaths(error):
                    raise
            finally:
                self._uses.remove(use)
            await self.until_down()

    def _turn(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def _only_deaths(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only_deaths(one) for one in error.exceptions)
    return isinstance(error, Killed)
