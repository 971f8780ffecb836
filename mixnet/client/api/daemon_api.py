"""The daemon as the commands use it: the user's verbs, and what must be done around each call.

Promises: a verb is one visit to the messenger and stored when it returns; whatever it puts in motion leaves in the
slots of the schedule, never because of it. Before the daemon has its first directory document it tells what it waits
for, and can be stopped. Never: a socket: server.py serves this over one, a simulated world calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import trio

from mixnet.client.api.events import EventBus
from mixnet.client.concurrency.lasting import Lasting
from mixnet.client.concurrency.wakeup import Wakeup
from mixnet.client.concurrency.worker import Worker
from mixnet.client.devices.devices import Devices, User
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.pairing.codes import Codes
from mixnet.client.pairing.matching import Matching
from mixnet.client.pairing.short_code import ShortCodes
from mixnet.client.storage.database import Store
from mixnet.client.traffic.provider_mailbox import ProviderMailbox
from mixnet.clock import Clock
from mixnet.errors import Unavailable
from mixnet.status import process_figures

PATIENCE = 30.0  # seconds after which whoever starts a daemon is told that it still waits for a document

P = ParamSpec("P")
T = TypeVar("T")


class StillWaiting(Unavailable):
    """The daemon still waits for the network's directory: `mixnet client status PROFILE` says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a user's data is: at the provider, in the store, and in the profile's folder (None: one in memory)."""

    mailbox: ProviderMailbox
    store: Store
    folder: Path | None


class DaemonApi:
    """The user's side of a running daemon: closed at first, until `open` is called."""

    def __init__(
        self,
        *,
        name: str,
        worker: Worker,
        clock: Clock,
        event_bus: EventBus,
        lasting: Lasting | None = None,
        problem: Callable[[], str] = str,
    ) -> None:
        """`lasting` hears of faults; `problem` says what is wrong with the directory; empty if that is not known."""
        self.name = name
        self.lasting = lasting or Lasting()
        self.event_bus = event_bus
        self.opened = trio.Event()
        self.stopping = trio.Event()
        self.signed = Wakeup()  # a message was signed, which needs a timestamp
        self.retention_changed = Wakeup()  # for how long messages are kept, or what there is to keep
        self._worker = worker
        self._clock = clock
        self._problem = problem
        self._devices: Devices | None = None
        self._codes: Codes | None = None
        self._matching: Matching | None = None
        self._short_codes: ShortCodes | None = None
        self._kept: Kept | None = None
        self._stir: Callable[[], None] = lambda: None
        self._snapshot: Callable[[], dict[str, Any]] = self._early

    def open(self, devices: Devices, stir: Callable[[], None], snapshot: Callable[[], dict[str, Any]]) -> None:
        """From now on everything can be asked. `stir` is called when there may be something new to send."""
        self._devices, self._stir, self._snapshot = devices, stir, snapshot
        self.opened.set()

    @property
    def waits_for(self) -> str:
        """What the daemon still waits for, for its user; empty once it is open."""
        if self.opened.is_set():
            return ""
        return f"waiting for the network's directory: {self._problem() or 'no authority has answered yet'}"

    def snapshot(self) -> dict[str, Any]:
        """The daemon's figures."""
        return self._snapshot()

    def stop(self) -> None:
        """End the daemon."""
        self.stopping.set()

    # what commands work on; StillWaiting as long as it isn't there

    @property
    def user(self) -> User:
        """What has the verbs of the user: the messenger, or on a satellite what asks the home."""
        return self.devices.user

    @property
    def home(self) -> Messenger:
        """What has the verbs that a satellite does not have; HomeOnly on one."""
        return self.devices.home

    @property
    def devices(self) -> Devices:
        """The user's other devices."""
        return self._there(self._devices)

    @property
    def codes(self) -> Codes:
        """Contacts by spoken codes; HomeOnly on a satellite."""
        self.devices.check_home()
        return self._there(self._codes)

    @codes.setter
    def codes(self, codes: Codes) -> None:
        self._codes = codes

    @property
    def matching(self) -> Matching:
        """Contacts by the address books of both; HomeOnly on a satellite."""
        self.devices.check_home()
        return self._there(self._matching)

    @matching.setter
    def matching(self, matching: Matching) -> None:
        self._matching = matching

    @property
    def short_codes(self) -> ShortCodes:
        """Invitations that lie at providers; a satellite fetches them, too, and has its home accept them."""
        return self._there(self._short_codes)

    @short_codes.setter
    def short_codes(self, short_codes: ShortCodes) -> None:
        self._short_codes = short_codes

    @property
    def kept(self) -> Kept:
        """Where the user's data is."""
        return self._there(self._kept)

    @kept.setter
    def kept(self, kept: Kept) -> None:
        self._kept = kept

    def _there(self, part: T | None) -> T:
        if part is None:
            raise StillWaiting(f"not yet: the daemon is {self.waits_for}")
        return part

    # how commands work on it

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return self._clock.now()

    def past(self) -> float:
        """What was over before this may be deleted."""
        return self._clock.past()

    async def read(self, verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a verb of the messenger that changes nothing returns, or raises."""
        return await self._worker.call(verb, *args, **kwargs)

    async def visit(self, verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a verb that changes something: followers hear of it, and what is to be sent is looked for."""
        done = await self._worker.call(verb, *args, **kwargs)
        # It is stored: all who have to know are told, even if whoever asked was cut off meanwhile.
        with trio.CancelScope(shield=True):
            await self._changed()
        return done

    async def _changed(self) -> None:
        self.event_bus.publish(await self._worker.call(self.user.take_events))
        self._stir()

    def _early(self) -> dict[str, Any]:
        return {**starting_figures(self.name, self.waits_for), **process_figures()}


def starting_figures(name: str, problem: str) -> dict[str, Any]:
    """The figures of a daemon that waits for a document: under the same names as `Figures.snapshot`.

    So nobody who reads a status has to know two kinds; there is no epoch and no provider yet.
    """
    counts = ("connections", "packets_in", "packets_out", "loops_sent", "loops_returned", "loops_late", "loops_lost")
    return {
        "role": "client",
        "name": name,
        "identity": "",
        "layer": None,
        "epoch": None,
        "ready": False,
        "connected": False,
        "problem": problem,
        "alarm": "calm",
        "warnings": [],
        "dropped": {"link": 0, "refused": 0, "faults": 0},
        "frames": {},
        "received": {},
        "loop_times": {"drawn": [], "took": []},
        **dict.fromkeys(counts, 0),
    }
