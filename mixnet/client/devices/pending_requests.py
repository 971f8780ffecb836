"""A satellite's requests to its home that have no answer yet.

Promises: a request has a number that is never given twice, and waits until the home has answered it, however long that
takes; a message that is not taken over in its time has failed here, and the home won't send it later. Once the device
is revoked nothing is asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mixnet.client.arq.sender import USER
from mixnet.client.core.conversation import Parcel
from mixnet.client.core.state import Core
from mixnet.client.devices import bodies
from mixnet.client.devices.bodies import DeviceRequest, DeviceResponse, DeviceVerb, encode, raw
from mixnet.client.devices.channel import CONTROL_LANE, tell
from mixnet.client.devices.replica import Replica
from mixnet.client.e2e.bodies import DevicePiece, decode_untrusted
from mixnet.client.groups.registry import UnknownGroup
from mixnet.client.model.contact_states import ContactEvent
from mixnet.client.model.errors import DeviceRevoked, HomeAway, HomeOnly, RefusedAtHome
from mixnet.client.model.failures import LATE_AT_HOME
from mixnet.client.model.group_views import GroupInfo, PendingRequest
from mixnet.client.model.views import ContactState
from mixnet.client.storage.database import Row
from mixnet.client.storage.devices import Device
from mixnet.errors import RemoteError

_REMEMBERED = 64  # answers, for those who wait for them
LIMIT = 1000  # requests that wait
REVOKED = "this device was revoked at your home device before that was done"
UNTOLD = "this device was revoked before it learned what became of it: look at your home device"
_OPEN = "SELECT id FROM messages WHERE state IN ('queued', 'sent', 'receiving') ORDER BY id"


class PendingRequests:
    """Requests that are not answered."""

    def __init__(self, core: Core, replica: Replica) -> None:
        self._core, self._replica = core, replica
        self._answers: dict[int, tuple[str, bytes | None]] = {}  # (error, group) of the last ones

    def home(self) -> Device:
        """Whom to ask; DeviceRevoked, HomeAway if too much waits for it."""
        home = self._core.device_table.home()
        if home is None:
            raise HomeOnly
        if home.revoked:
            raise DeviceRevoked
        if self._core.device_table.asked() >= LIMIT:
            raise HomeAway
        return home

    def number(
        self, kind: str, *, message: int | None = None, contact: int | None = None, expires: float | None = None
    ) -> int:
        """The number of a new request, inside of a change; what it is about is settled when it is answered."""
        if expires is not None:
            self._core.expires(expires)
        query = "INSERT INTO device_asks (kind, message, contact, expires) VALUES (?, ?, ?, ?)"
        return self._core.store.insert(query, kind, message, contact, expires)

    def ask(self, home: Device, number: int, request: DeviceVerb) -> None:
        """Let a request wait for its turn to leave, inside of a change."""
        tell(self._core, home.contact, self._ask(number, request))

    def ask_now(self, kind: str, request: DeviceVerb) -> None:
        """The same for a request of which nobody needs the number; DeviceRevoked, HomeAway."""
        home = self.home()
        self.ask(home, self.number(kind), request)

    def later(self, number: int, request: DeviceVerb) -> bytes:
        """A request that follows a file."""
        return encode(self._ask(number, request))

    def _ask(self, number: int, request: DeviceVerb) -> DeviceRequest:
        lowest = self._core.store.value(int, "SELECT min(number) FROM device_asks")
        return DeviceRequest(number, number if lowest is None else lowest, raw(request))

    def made(self, message: int) -> int | None:
        """The request that is to make a message; None if there is none."""
        return self._core.store.value(int, "SELECT number FROM device_asks WHERE message = ?", message)

    def answered(self, home: int, answer: DeviceResponse) -> None:
        """The home has done or refused a request."""
        core = self._core
        row = core.store.one("SELECT message FROM device_asks WHERE number = ?", answer.number)
        if row is None:
            return
        message = row[0]
        self._remember(answer.number, answer.error, answer.group)
        here = message is not None and core.store.has("SELECT 1 FROM messages WHERE id = ?", message)
        if here and answer.message:
            self._replica.link(message, answer.message)
        if answer.error:
            core.device_table.trouble(home, answer.error)
            self.failed(answer.number, answer.error)
        core.store.run("DELETE FROM device_asks WHERE number = ?", answer.number)
        asked = core.device_table.home()
        if message is not None and not here and answer.message and asked is not None:
            # The user deleted it here when the request for it had left already.
            self.ask(asked, self.number("delete"), bodies.Delete(answer.message))

    def failed(self, number: int, error: str) -> None:
        """A request will not be done: nor will its message be sent, or its invitation be accepted."""
        core = self._core
        row = core.store.one("SELECT message, contact FROM device_asks WHERE number = ?", number)
        if row is None:
            return
        core.store.run("DELETE FROM device_asks WHERE number = ?", number)
        self._remember(number, error, None)
        message, contact = row
        if message is not None:
            core.fail_message(message, error)
        if contact is not None and core.contacts.get(contact).state is ContactState.PENDING:
            core.contacts.step(core.contacts.get(contact), ContactEvent.EXPIRE)
            core.contact_changed(contact)

    def _remember(self, number: int, error: str, group: bytes | None) -> None:
        """For `outcome`, which believes it only when the request is gone from the store."""
        while len(self._answers) >= _REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self._answers[number] = error, group

    def outcome(self, asked: PendingRequest) -> GroupInfo | None:
        """The group after a request; None as long as the home has not answered. RefusedAtHome, UnknownGroup."""
        core = self._core
        if core.store.has("SELECT 1 FROM device_asks WHERE number = ?", asked.number):
            return None
        error, group = self._answers.get(asked.number, ("", None))
        if error:
            raise RefusedAtHome(error)
        contact = core.contacts.known(group or asked.group or b"")
        shown = None if contact is None else self._replica.groups.get(contact.id)
        if shown is None:
            raise UnknownGroup
        return shown

    def _waiting(self) -> tuple[dict[int, list[int]], list[Row]]:
        """The rows of each request of which nothing has left; and those of one of which a part has.

        A request that follows its file is not known.
        """
        home = self._core.device_table.home()
        query = "SELECT id, body FROM waiting WHERE contact = ? AND lane = ? ORDER BY id"
        whole: dict[int, list[int]] = {}
        begun: list[Row] = []
        rows: list[Row] = []
        content = b""
        for row in self._core.store.all(query, 0 if home is None else home.contact, CONTROL_LANE):
            piece = decode_untrusted(bytes(row[1]))
            if not isinstance(piece, DevicePiece):
                continue
            rows.append(row)
            content += piece.content
            if piece.left:
                continue
            try:
                request = bodies.decode_untrusted(content)
            except RemoteError:  # its beginning has left
                begun += rows
            else:
                if isinstance(request, DeviceRequest):
                    whole[request.number] = [number for number, _ in rows]
            rows, content = [], b""
        return whole, begun

    def forget(self, messages: Sequence[int]) -> None:
        """The user has deleted messages: what still waits to ask for them isn't sent, since it has their texts."""
        run = self._core.store.run
        asked = {number for message in messages if (number := self.made(message)) is not None}
        home = self._core.device_table.home()
        if not asked or home is None:
            return
        whole, begun = self._waiting()
        for number in asked & whole.keys():
            for row in whole[number]:
                run("DELETE FROM waiting WHERE id = ?", row)
            run("DELETE FROM device_asks WHERE number = ?", number)
        for row, body in begun:  # what devices have encrypted nobody can read here any more
            run("DELETE FROM waiting WHERE id = ?", row)
            self._core.routes[home.contact].post(Parcel(CONTROL_LANE, body, None, False, 0, math.inf, USER, False))

    def expire(self, now: float) -> None:
        """Messages that the home did not take over in time have failed; inside of a change."""
        core = self._core
        over = core.store.all("SELECT number, message FROM device_asks WHERE expires <= ?", now)
        here = self._waiting()[0] if over else {}
        for number, message in over:
            core.store.run("UPDATE device_asks SET expires = NULL WHERE number = ?", number)
            if message is not None:
                late = LATE_AT_HOME.unsent if number in here else LATE_AT_HOME.sent
                core.fail_message(message, late)

    def revoked(self) -> None:
        """Nothing that waits will be done, and nothing more is told: of what has left the home may have done some."""
        here, _ = self._waiting()
        for (number,) in self._core.store.all("SELECT number FROM device_asks ORDER BY number"):
            self.failed(number, REVOKED if number in here else UNTOLD)
        for (message,) in self._core.store.all(_OPEN):
            self._core.fail_message(message, UNTOLD)
