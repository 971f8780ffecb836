"""What a user's programs can ask of a daemon.

Promises: each verb is one visit to the messenger and stored when it returns; whatever it puts in motion leaves in the
slots of the schedule, never because of it. Before the daemon has its first directory document it tells what it waits
for, and can be stopped. Never: a socket: `api.py` serves this over one, a simulated world calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import trio

from client.api.archive_service import PAGE, ArchiveService, page
from client.api.early import starting_figures
from client.api.events import EventBus
from client.api.file_service import FileService
from client.api.mailbox_service import MailboxService
from client.api.proof_service import ProofService
from client.concurrency.worker import Worker
from client.devices.devices import Devices
from client.messenger.verbs import UserVerbs
from client.model.views import ContactInfo, Event, MessageInfo
from client.pairing.codes import Codes
from client.pairing.matching import Matching
from client.traffic.provider_queries import ProviderQueries
from mixnet.clock import Clock
from mixnet.errors import LocalError, Unavailable
from mixnet.status import process_figures

P = ParamSpec("P")
T = TypeVar("T")


class StillWaiting(Unavailable):
    """The daemon still waits for the network's directory: `mixnet client status` says why."""


class DaemonApi:
    """The user's side of a running daemon: closed at first, until `open` is called."""

    def __init__(
        self,
        *,
        name: str,
        worker: Worker,
        clock: Clock,
        event_bus: EventBus,
        problem: Callable[[], str] = str,
    ) -> None:
        """`problem` says what is wrong with the directory; empty if that is not known."""
        self.name = name
        self.event_bus = event_bus
        self.opened = trio.Event()
        self.stopping = trio.Event()
        self._worker = worker
        self._clock = clock
        self._problem = problem
        self.archive = ArchiveService(worker, clock, lambda: self._messenger)
        self.files = FileService(worker, clock, lambda: self._messenger)
        self.proofs = ProofService(worker, clock, lambda: self._messenger, self._changed)
        self.services: ProviderQueries | None = None  # questions to providers, once it is open
        self._codes: Codes | None = None
        self.mailbox = MailboxService(worker, self._not_yet)
        self._matching: Matching | None = None
        self._opened_for: Devices | None = None
        self._stir: Callable[[], None] = lambda: None
        self._snapshot: Callable[[], dict[str, Any]] = self._early

    def open(self, devices: Devices, stir: Callable[[], None], snapshot: Callable[[], dict[str, Any]]) -> None:
        """From now on everything can be asked. `stir` is called when there may be something new to send."""
        self._opened_for, self._stir, self._snapshot = devices, stir, snapshot
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

    @property
    def user(self) -> UserVerbs:
        """Where the verbs of the user are: the messenger, on a satellite what asks the home; Unavailable too early."""
        return self.devices.user

    @property
    def devices(self) -> Devices:
        """The user's devices; Unavailable too early."""
        if self._opened_for is None:
            raise self._not_yet()
        return self._opened_for

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return self._clock.now()

    async def read(self, verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a verb of the messenger that changes nothing returns, or raises."""
        return await self._worker.call(verb, *args, **kwargs)

    async def visit(self, verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a verb that changes something: followers hear of it, and what is to be sent is looked for."""
        done = await self._worker.call(verb, *args, **kwargs)
        await self._changed()
        return done

    async def invite(self) -> str:
        """The text of a new single-use invitation."""
        invitation = await self._worker.call(self._messenger.create_invitation, self.name, self._clock.now())
        return invitation.encode()

    async def accept(self, invitation: str, name: str | None = None) -> ContactInfo:
        """Become a contact of the inviter, called `name` here (None: as the invitation says)."""
        contact = await self._worker.call(self._messenger.accept_invitation, invitation, name, self._clock.now())
        await self._changed()
        return contact

    async def contacts(self) -> list[ContactInfo]:
        """All contacts, oldest first."""
        return await self._worker.call(self._messenger.contacts)

    async def verify(self, contact: str) -> ContactInfo:
        """Record that the safety numbers match."""
        verified = await self._worker.call(self._messenger.mark_verified, contact)
        await self._changed()
        return verified

    async def rename(self, contact: str, name: str) -> ContactInfo:
        """Call a contact by another name, here only."""
        renamed = await self._worker.call(self._messenger.rename_contact, contact, name)
        await self._changed()
        return renamed

    async def block(self, contact: str) -> ContactInfo:
        """Hear nothing from a contact, and send nothing to it."""
        blocked = await self._worker.call(self._messenger.block, contact, self._clock.now())
        await self._changed()
        return blocked

    async def unblock(self, contact: str) -> ContactInfo:
        """Hear from a contact again."""
        unblocked = await self._worker.call(self._messenger.unblock, contact)
        await self._changed()
        return unblocked

    async def relink(self, contact: str, new: str) -> ContactInfo:
        """Let a contact be who came back as `new`, with another identity."""
        linked = await self._worker.call(self._messenger.relink, contact, new, self._clock.now())
        await self._changed()
        return linked

    async def send(self, contact: str, text: str, expires: float | None = None, *, signed: bool = False) -> int:
        """Queue a text, for at most `expires` seconds; its number."""
        number = await self._worker.call(
            self._messenger.send_text, contact, text, self._clock.now(), expires, signed=signed
        )
        if signed:
            self.proofs.signed.wake()
        await self._changed()
        return number

    async def send_file(self, contact: str, path: Path, expires: float | None = None, *, signed: bool = False) -> int:
        """Queue a file, for at most `expires` seconds; its number. `path` is absolute: a daemon has its own folder."""
        if not path.is_absolute():
            raise LocalError("give the daemon the whole path of a file")
        number = await self._worker.call(
            self._messenger.send_file, contact, path, self._clock.now(), expires, signed=signed
        )
        if signed:
            self.proofs.signed.wake()
        await self._changed()
        return number

    async def cancel(self, number: int) -> MessageInfo:
        """Give up a message of ours that is queued or under way."""
        cancelled = await self._worker.call(self._messenger.cancel, number, self._clock.now())
        await self._changed()
        return cancelled

    async def estimate(self, number: int) -> float | None:
        """Seconds that a file of ours still takes at the network's rate; None if there is nothing to tell."""
        return await self._worker.call(self._messenger.estimate, number)

    async def message(self, number: int) -> MessageInfo:
        """One message."""
        return await self._worker.call(self._messenger.message, number)

    async def messages(self, contact: str | None = None, after: int = 0) -> list[MessageInfo]:
        """The first page of messages with numbers above `after`; empty if there are none."""
        return page(await self._worker.call(self._messenger.messages, contact, after, PAGE))

    async def mark_read(self, number: int) -> None:
        """Tell the sender of a message that it was read."""
        await self._worker.call(self._messenger.mark_read, number, self._clock.now())
        await self._changed()

    def follow(self) -> AbstractContextManager[trio.MemoryReceiveChannel[Event]]:
        """What happens from now on."""
        return self.event_bus.follow()

    def next_change(self) -> trio.Event:
        """What is set when something happens after this call."""
        return self.event_bus.next_change()

    def stop(self) -> None:
        """End the daemon."""
        self.stopping.set()

    @property
    def codes(self) -> Codes:
        """Contacts by spoken codes; HomeOnly on a satellite."""
        self._refuse_satellites()
        if self._codes is None:
            raise self._not_yet()
        return self._codes

    @codes.setter
    def codes(self, codes: Codes) -> None:
        self._codes = codes

    @property
    def matching(self) -> Matching:
        """Contacts by the address books of both; HomeOnly on a satellite."""
        self._refuse_satellites()
        if self._matching is None:
            raise self._not_yet()
        return self._matching

    @matching.setter
    def matching(self, matching: Matching) -> None:
        self._matching = matching

    @property
    def _messenger(self) -> UserVerbs:
        return self.devices.user

    def _refuse_satellites(self) -> None:
        """What makes contacts of its own isn't for a satellite, which has the home's."""
        if self._opened_for is not None:
            self._opened_for.check_home()

    def _not_yet(self) -> StillWaiting:
        return StillWaiting(f"not yet: the daemon is {self.waits_for}")

    def _early(self) -> dict[str, Any]:
        return {**starting_figures(self.name, self.waits_for), **process_figures()}

    async def _changed(self) -> None:
        self.event_bus.publish(await self._worker.call(self._messenger.take_events))
        self._stir()
