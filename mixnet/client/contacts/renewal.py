"""Renewing a session: a new one with the same contact replaces one that no longer works.

Promises: a session is given up by both sides or by none, and only for one that both know to work; from then on nothing
is delivered in it, so what each side says of it is final: what the other side has is delivered, and all else goes
out again in the new session, before what waits behind it. What nobody can tell has failed, with that reason. The
contact's name, its archive and whether it is verified stay as they are, because its identity is the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from mixnet.client.arq.delivery_tags import TAG_SIZE, agree, tag
from mixnet.client.arq.sender import USER
from mixnet.client.core.conversation import Conversation, Parcel
from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import (
    Abort,
    Confirm,
    MessageEvent,
    Reason,
    Refuse,
    Resume,
    Seen,
    decode_untrusted,
    encode,
)
from mixnet.client.files.disk import START_DIGEST, examine
from mixnet.client.files.receiver import FileReceiver
from mixnet.client.files.sender import FileSender
from mixnet.client.model.errors import FileMissing
from mixnet.client.storage.database import Row
from mixnet.client.storage.messages import DRAWN

UNKNOWN = "nobody can tell whether it was delivered before a profile was restored from an old copy: ask whether it came"
INTERRUPTED = "the session with this contact was renewed before the file was complete: its sender begins it again"
THERE = (
    "this contact's profile was restored from a backup of {when}: a new session has begun by itself, and the safety"
    " number is the same"
)
LOST_THERE = "; what it had got from you since the backup{since} is not there any more: send again what matters"
HERE = (
    "this profile was restored from a backup of {when}: a new session with this contact has begun by itself; what had"
    " come here after the backup does not come again"
)
LOST_HERE = ", and the contact has messages of yours that are not here"
_SAID = -1.0  # in the place of a time: it was said
GRACE = 3600.0  # seconds in which packets of before may still come after a contact has given a session up
_CONTROL = (Confirm, Resume, Seen, Abort, Refuse)  # of the old session alone: numbers may be given again after it
_POSTED = "SELECT body FROM posted WHERE session = ? ORDER BY lane, number"
_OF_LANE_0 = (
    "SELECT number, tag, message, body, expires, account FROM stranded WHERE session = ? AND lane = 0 ORDER BY number"
)


class Renewal:
    """Gives sessions up, and settles what was under way in them."""

    def __init__(self, core: Core, sending: FileSender, receiving: FileReceiver) -> None:
        self._core, self._sending, self._receiving = core, sending, receiving

    def answered(self, conversation: Conversation, now: float) -> None:
        """The inviter has proven to have a session that we began: give up those of before."""
        if conversation.begun_here:
            self.replace(conversation, conversation.id - 1, now)

    def replace(self, new: Conversation, newest: int, now: float) -> None:
        """Give up the contact's sessions up to number `newest` for a `new` one that works."""
        old = [
            one
            for one in self._core.conversations.values()
            if one.contact == new.contact and one.id <= newest and one is not new
        ]
        if not old:
            return
        with self._core.change():
            for one in old:
                self.give_up(one, new, now)
            self.forget_what_came(new.contact)
            self._release(new)
            self._core.contact_changed(new.contact)

    def resumed(self, via: Conversation, said: Resume, now: float) -> None:
        """The contact has given a session up, and says what it has of it."""
        core = self._core
        old = core.by_outgoing.get(said.heard)
        if old is via:
            return
        self._say_restored(via, said, now)
        if old is not None and old.contact == via.contact:
            self.give_up(old, via, now)
            self.forget_what_came(via.contact)
        row = core.store.one(
            "SELECT s.id, r.settled, s.expected_0, s.expected_1 FROM sessions s JOIN retired r ON r.session = s.id"
            " WHERE s.outgoing = ? AND s.contact = ?",
            said.heard,
            via.contact,
        )
        if row is not None:
            if not row[1]:
                self._settle(int(row[0]), via.contact, said, now)
            if row[1] <= 1:  # from when on the contact does not use it any more
                core.store.run("UPDATE retired SET settled = ? WHERE session = ?", int(now), row[0])
            elif said.asks and self._is_copy(via, row[1], now) and not self._under_way(said.spoke):
                # It says so again: a copy of before, which never got what we said then, with tags.
                known = Resume(said.spoke, said.heard, (row[2], row[3]), (b"", b""), asks=False)
                via.post(self._control(known, now))
            self._release(via)
            core.contact_changed(via.contact)
        elif said.asks and via.sender.has_window(0):  # a copy of before that session: nothing of it is here
            nothing = Resume(said.spoke, said.heard, (0, 0), (b"", b""), asks=False)
            via.post(self._control(nothing, now))
            core.hush(via)

    def _say_restored(self, via: Conversation, said: Resume, now: float) -> None:
        """Tell the user, once, if this session took the place of a copied one, and what can't come back."""
        core = self._core
        row = core.store.one("SELECT made, ours FROM restorations WHERE session = ? AND made <> ?", via.id, _SAID)
        if row is None:
            return
        made, ours = row
        core.store.run("UPDATE restorations SET made = ? WHERE session = ?", _SAID, via.id)
        if core.contacts.get(via.contact).role != "contact":
            return
        text = (HERE if ours else THERE).format(when=_when(made))
        if self._lost(said):
            since = core.messages.delivered_since(via.contact, made)
            text += (
                LOST_HERE if ours else LOST_THERE.format(since=f" ({since} of them left after that)" if since else "")
            )
        core.warn(via.contact, text, now)

    def _lost(self, said: Resume) -> bool:
        """Whether more of an older session was delivered than the store of one of us knows, so that it was put back."""
        store = self._core.store
        row = store.one("SELECT id, numbers_0, numbers_1 FROM sessions WHERE outgoing = ?", said.heard)
        if row is None:
            return False
        under_way = (
            "SELECT count(*) FROM (SELECT session, lane, number FROM stranded UNION SELECT session, lane, number"
        )
        under_way += " FROM outbound) WHERE session = ? AND lane = ?"
        for lane, numbers in enumerate(row[1:]):
            delivered = numbers - (store.value(int, under_way, row[0], lane) or 0)
            if said.expected[lane] < delivered or said.expected[lane] > numbers:
                return True
        return False

    def _is_copy(self, via: Conversation, settled: int, now: float) -> bool:
        """Whether who says that it gave a session up may not have heard what we said of it when that was settled."""
        restored = self._core.store.has("SELECT 1 FROM restorations WHERE session = ?", via.id)
        return (now >= settled + GRACE or restored) and via.sender.has_window(0)

    def give_up(self, old: Conversation, new: Conversation, now: float) -> None:
        """Nothing is delivered in the old session from now on; what is under way in it is put aside."""
        core = self._core
        said = Resume(
            heard=old.incoming.channel,
            spoke=old.outgoing.channel,
            expected=(old.receiver.expected(0), old.receiver.expected(1)),
            tags=(_joined(old, 0), _joined(old, 1)),
            asks=True,
        )
        query = (
            "SELECT o.lane, o.number, s.ciphertext, o.message, o.last, p.body, o.expires, o.account FROM outbound o"
            " JOIN sealed s USING (session, lane, number) LEFT JOIN posted p USING (session, lane, number)"
            " WHERE o.session = ?"
        )
        for lane, number, ciphertext, message, last, body, *rest in core.store.all(query, old.id):
            if message is not None or (body is not None and not _is_control(body)):
                values = (old.id, old.contact, lane, number, tag(bytes(ciphertext)), message, last, body, *rest)
                core.store.run("INSERT INTO stranded VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *values)
        undone = [decode_untrusted(bytes(row[0])) for row in core.store.all(_POSTED, old.id)]
        settled = not core.store.has("SELECT 1 FROM stranded WHERE session = ?", old.id)
        core.store.run("INSERT INTO retired VALUES (?, ?, ?)", old.id, old.contact, settled)
        core.leave(old)
        for body in (*(one for one in undone if isinstance(one, Resume)), said):  # what was said of older ones, too
            new.post(self._control(body, now))
        core.hush(new)
        if settled:
            self._begin_files_again(old.contact, [], now)

    def _under_way(self, heard: bytes) -> bool:
        """Whether what we have of a session is being said: that it is heard first, with its tags."""
        said = (decode_untrusted(bytes(row[0])) for row in self._core.store.all("SELECT body FROM posted"))
        return any(isinstance(one, Resume) and one.heard == heard for one in said)

    def _control(self, body: Resume, now: float) -> Parcel:
        expires = now + self._core.settings.message_lifetime
        self._core.expires(expires)
        return Parcel(0, encode(body), None, False, 0, expires)

    def forget_what_came(self, contact: int) -> None:
        """Files that were not complete come again from their beginning; receipts of before say nothing any more."""
        core = self._core
        self._receiving.give_up(contact, INTERRUPTED)
        core.store.run("UPDATE receiving SET remote = -message WHERE contact = ? AND remote >= 0", contact)
        numbers = "contact = ? AND remote < ? OR contact = ? AND state = 'failed' AND remote IS NOT NULL"
        core.store.run(f"UPDATE messages SET remote = -1 WHERE {numbers}", contact, DRAWN, contact)  # noqa: S608
        for number, body in core.store.all("SELECT id, body FROM waiting WHERE contact = ?", contact):
            if _is_control(body):
                core.store.run("DELETE FROM waiting WHERE id = ?", number)

    def _settle(self, session: int, contact: int, said: Resume, now: float) -> None:
        """Of what was put aside: what the contact has is delivered, and the rest waits again, before all else."""
        core = self._core
        again: list[Row] = []
        for number, mark, message, body, *rest in core.store.all(_OF_LANE_0, session):
            has = _has(said, 0, number, bytes(mark))
            if has is False:
                again.append((contact, 0, body, message, *rest))
            elif message is not None:
                core.step_message(message, MessageEvent.DELIVER) if has else core.fail_message(message, UNKNOWN)
        # Their numbers are below those of all that waits: these leave first, in the order in which they were sent.
        first = min(0, core.store.value(int, "SELECT min(id) FROM waiting") or 0) - len(again)
        for at, values in enumerate(again):
            held = values[-1] != USER and contact in core.hushed
            query = (
                "INSERT INTO waiting (id, contact, lane, body, message, expires, account, held)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            )
            core.store.run(query, first + at, *values, held)
            core.waits(contact, 0, values[-1], held=held)
        files = core.store.all(
            "SELECT number, tag, message, last, expires FROM stranded WHERE session = ? AND lane = 1 ORDER BY number",
            session,
        )
        core.store.run("DELETE FROM stranded WHERE session = ?", session)
        core.store.run("UPDATE retired SET settled = 1 WHERE session = ?", session)
        # A file is across only if its end is: the last word on it decides, whatever is known of its other parts.
        unfinished: dict[int, float] = {}
        for number, mark, message, last, expires in files:
            if last and _has(said, 1, number, bytes(mark)):
                core.step_message(message, MessageEvent.DELIVER)
                unfinished.pop(message, None)
            else:
                unfinished[message] = expires
        self._begin_files_again(contact, list(unfinished.items()), now)

    def _begin_files_again(self, contact: int, unfinished: list[tuple[int, float]], now: float) -> None:
        """Files that the contact knows of, and doesn't have, start from their beginning."""
        core = self._core
        known = dict(unfinished)
        begun = "SELECT message, expires FROM sending WHERE contact = ? AND offered"
        known.update(dict(core.store.all(begun, contact)))
        for message, expires in sorted(known.items()):
            core.store.run("DELETE FROM sending WHERE message = ?", message)
            info = core.messages.get(message)
            try:
                size, stamp = examine(Path(info.path))
            except FileMissing:
                self._sending.give_up(message, Reason.VANISHED, now)
                continue
            if size != info.size:
                self._sending.give_up(message, Reason.CHANGED, now)
                continue
            core.store.run(
                "INSERT INTO sending VALUES (?, ?, ?, ?, ?, 0, ?, 0, 0, ?)",
                *(message, contact, info.path, stamp, size, START_DIGEST, expires),
            )
            core.messages.progress(message, 0)
            core.files.add(contact)

    def _release(self, via: Conversation) -> None:
        """Let messages go out in a session, once nothing of an older one is unsettled."""
        if via.contact not in self._core.routes and not self._core.holds(via.contact):
            self._core.route(via)


def _when(made: float) -> str:
    """A time in the words of a message, which may be read in any place."""
    return datetime.fromtimestamp(made, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _joined(conversation: Conversation, lane: int) -> bytes:
    return b"".join(conversation.history.tags(lane, conversation.receiver.expected(lane)))


def _has(said: Resume, lane: int, number: int, ours: bytes) -> bool | None:
    """Whether the contact has a message; None if it can't tell."""
    if number >= said.expected[lane]:
        return False
    raw = said.tags[lane]
    tags = [raw[at : at + TAG_SIZE] for at in range(0, len(raw), TAG_SIZE)]
    return agree(ours, number, said.expected[lane], tags)


def _is_control(body: bytes) -> bool:
    return isinstance(decode_untrusted(bytes(body)), _CONTROL)
