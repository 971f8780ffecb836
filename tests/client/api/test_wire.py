"""The bytes of the local protocol, as they were recorded: a program and a daemon of two versions understand each other.

`wire.txt` has for each request its bytes, the bytes of its answer, and what the messenger was asked on the way. To
record a new request: `python -m tests.client.api.test_wire` writes the file anew; look at what changed.
"""

import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
import trio

from mixnet.client.api import framing, protocol
from mixnet.client.api.connection import Connection
from mixnet.client.api.daemon_api import DaemonApi, Kept
from mixnet.client.api.events import EventBus
from mixnet.client.api.protocol import command_untrusted, event_map
from mixnet.client.api.server import serve_api
from mixnet.client.concurrency.worker import InlineWorker
from mixnet.client.model.address_entries import Entry
from mixnet.client.model.code_states import CodeChanged, CodeInfo, CodeState
from mixnet.client.model.group_views import GroupChanged, GroupInfo, GroupMember, GroupState
from mixnet.client.model.match_states import MatchInfo, MatchState, MatchStatus
from mixnet.client.model.views import (
    AddressInfo,
    ContactChanged,
    ContactInfo,
    ContactState,
    Conversation,
    ConversationKind,
    CorrespondentInfo,
    DeviceChanged,
    DeviceInfo,
    DeviceRole,
    DeviceState,
    FileProgress,
    Leg,
    MessageInfo,
    MessageKind,
    MessageReceived,
    MessageState,
    MessageStateChanged,
    ReadReceiptChoice,
    ReceiptState,
    Role,
    Transfer,
)
from mixnet.client.profile import holdings
from mixnet.client.profile.holdings import Holding
from mixnet.client.storage.export_jsonl import Record
from mixnet.client.storage.receipts import Rule
from mixnet.client.storage.search import Filter
from mixnet.client.traffic import provider_mailbox
from mixnet.client.traffic.provider_mailbox import MailboxInfo
from mixnet.errors import RemoteError
from tests.client.worlds.recorded import RECORDED, WIRE, plain

NOW = 1_800_000_000.0

CONTACT = ContactInfo("bob", ContactState.ESTABLISHED, "12345 67890", True, NOW, False, True)
MESSAGE = MessageInfo(
    7,
    "bob",
    True,
    MessageKind.TEXT,
    MessageState.SENT,
    "grüße",
    "",
    0,
    0,
    "",
    NOW,
    NOW + 1,
    0.25,
    0.0,
    True,
    ReceiptState.AWAITED,
)
TRANSFER = Transfer(MESSAGE, Leg.HOME, 3, 1.5, None, NOW)
CODE = CodeInfo(2, True, CodeState.WAITING, "7-candle-otter-violin", "", "", NOW)
DEVICE = DeviceInfo("phone", DeviceRole.SATELLITE, DeviceState.LINKED, NOW, 0.0, 1, 2, "")
GROUP = GroupInfo("club", "Club", GroupState.MEMBER, "ab" * 32, (GroupMember("alice", True, True, False),))
ADDRESS = AddressInfo("id", "mixnet-address1:x", NOW, 0.0, False)
CORRESPONDENT = CorrespondentInfo("reader 1", Role.WRITER, "id", True, 0.0, NOW)
MATCHING = MatchStatus("alice@example.org", 2.5, [MatchInfo("b@example.org", "B", MatchState.MET, "", "")])
MAILBOX = MailboxInfo("aa" * 32, "bb" * 32, True, 3, 9216, NOW, None)
CONVERSATION = Conversation("bob", ConversationKind.CONTACT, 2, 7, NOW, draft=True)
HOLDING = Holding("messages", 1, 2, None)
RECORD = Record(
    origin="cd" * 32,
    number=3,
    identity="ef" * 32,
    contact="bob",
    outgoing=False,
    kind=MessageKind.TEXT,
    state=MessageState.RECEIVED,
    text="hi",
    size=0,
    done=0,
    error="",
    created_at=NOW,
    sent_at=0.0,
    drawn_delay=0.0,
    received_at=NOW,
)
WHERE = Filter(contact="bob", outgoing=True, kind=MessageKind.FILE, since=1.0, until=2.0)
INVITATION = SimpleNamespace(encode=lambda: "mixnet1:text")

# A verb of the Python API for each request, and what it returns.
ASKED: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], Any]] = {
    "status": ("status", (), {}, {"role": "client", "epoch": None, "frames": {"mail": 1}, "warnings": ["late"]}),
    "invite": ("invite", (), {}, "mixnet1:text"),
    "accept": ("accept", ("mixnet1:text", "bob"), {}, CONTACT),
    "contacts": ("contacts", (), {}, [CONTACT]),
    "verify": ("verify", ("bob",), {}, CONTACT),
    "rename": ("rename", ("bob", "robert"), {}, CONTACT),
    "note": ("note", ("bob", "met in Oslo"), {}, CONTACT),
    "read_receipts": ("read_receipts", ("bob", "off"), {}, CONTACT),
    "default_read_receipts": ("default_read_receipts", ("on",), {}, ReadReceiptChoice.ON),
    "delete_contact": ("delete_contact", ("bob",), {}, None),
    "acknowledgements": ("acknowledgements", ("bob", "delayed"), {}, CONTACT),
    "block": ("block", ("bob",), {}, CONTACT),
    "unblock": ("unblock", ("bob",), {}, CONTACT),
    "relink": ("relink", ("bob", "bob 2"), {}, CONTACT),
    "send": ("send", ("bob", "grüße"), {"expires": 60.0, "signed": True}, 7),
    "send_file": ("send_file", ("bob", "/tmp/file"), {}, 8),
    "cancel": ("cancel", (7,), {}, MESSAGE),
    "edit": ("edit", (7, "grüßen"), {}, MESSAGE),
    "withdraw": ("withdraw", (7,), {}, MESSAGE),
    "let_disappear": ("let_disappear", ("bob", 3600), {}, None),
    "period": ("period", ("bob",), {}, 3600),
    "estimate": ("estimate", (7,), {}, 1.5),
    "message": ("message", (7,), {}, MESSAGE),
    "messages": ("page", ("bob", 3), {}, [MESSAGE]),
    "history": ("history", ("bob",), {"before": 9}, [MESSAGE]),
    "conversations": ("conversations", (), {}, [CONVERSATION]),
    "mark_read": ("mark_read", (7,), {}, None),
    "mark_shown": ("mark_shown", ([7, 9],), {}, None),
    "count": ("count", ("bob",), {}, (2, 7)),
    "draft": ("draft", ("bob",), {}, "begun"),
    "set_draft": ("set_draft", ("bob", "begun"), {}, None),
    "search": ("search", ("words", WHERE, 20), {}, [MESSAGE]),
    "stop": ("stop", (), {}, None),
    "identity": ("archive.identity", (), {}, "01" * 32),
    "delete": ("archive.delete", (7,), {}, None),
    "retention": ("archive.retention", ("bob",), {}, None),
    "retain": ("archive.retain", ("bob", 3600.0), {}, None),
    "files": ("files.under_way", (), {}, [TRANSFER]),
    "file": ("files.one", (7,), {}, TRANSFER),
    "proof": ("proofs.export", (7,), {}, b"proof \xff"),
    "consent": ("proofs.consent", (7,), {"give": False}, MESSAGE),
    "receipt_rule": ("proofs.rule", ("bob",), {}, Rule.ASK),
    "forge": ("proofs.forge", ("bob", ["a", "b"]), {}, "transcript"),
    "code_open": ("codes.open", (), {}, CODE),
    "code_enter": ("codes.enter", ("7-candle", "bob"), {}, CODE),
    "codes": ("codes.all", (), {}, [CODE]),
    "code_cancel": ("codes.cancel", (2,), {}, CODE),
    "mailbox": ("mailbox.show", (), {}, MAILBOX),
    "erase_mailbox": ("mailbox.erase", (), {}, None),
    "holdings": ("mailbox.holdings", (), {}, [HOLDING]),
    "match_start": ("matching.start", ("a@example.org", [Entry("b@example.org", "B")]), {}, MATCHING),
    "match_stop": ("matching.stop", (), {}, None),
    "matching": ("matching.status", (), {}, MATCHING),
    "device_link": ("devices.link", ("phone",), {}, "mixnet1:text"),
    "device_accept": ("devices.accept", ("mixnet1:text",), {}, DEVICE),
    "devices": ("devices.all", (), {}, [DEVICE]),
    "device_revoke": ("devices.revoke", ("phone",), {}, DEVICE),
    "device_rename": ("devices.rename", ("phone", "tablet"), {}, DEVICE),
    "device_fetch": ("devices.fetch", (7,), {}, None),
    "groups": ("groups.list", (), {}, [GROUP]),
    "group_create": ("groups.create", ("club",), {}, GROUP),
    "group_show": ("groups.show", ("club",), {}, GROUP),
    "group_invite": ("groups.invite", ("club", "bob"), {}, GROUP),
    "group_accept": ("groups.accept", ("club",), {}, GROUP),
    "group_leave": ("groups.leave", ("club",), {}, GROUP),
    "group_remove": ("groups.remove", ("club", "bob"), {}, GROUP),
    "group_promote": ("groups.promote", ("club", "bob"), {}, GROUP),
    "group_demote": ("groups.demote", ("club", "bob"), {}, GROUP),
    "group_rename": ("groups.rename", ("club", "readers"), {}, GROUP),
    "group_send": ("groups.send", ("club", "hi"), {"expires": 60.0}, 7),
    "group_readers": ("groups.readers", (7,), {}, ("bob",)),
    "create_address": ("anonymous.create_address", (), {"expires": 60.0}, ADDRESS),
    "addresses": ("anonymous.addresses", (), {}, [ADDRESS]),
    "retire_address": ("anonymous.retire_address", ("id",), {}, ADDRESS),
    "send_anonymous": ("anonymous.send", ("mixnet-address1:x", "hi"), {"answers": 5.0, "expires": 6.0}, 9),
    "correspondents": ("anonymous.correspondents", (), {}, [CORRESPONDENT]),
    "leave_invitation": ("leave_invitation", ("mixnet1:text",), {}, "MIXNET:ABCD"),
    "fetch_invitation": ("fetch_invitation", ("MIXNET:ABCD",), {}, "mixnet1:text"),
    "end_correspondence": ("anonymous.end", ("reader 1",), {}, None),
}
# Requests that a verb makes along with others.
ALONE = {
    "follow": {},
    "export": {"where": msgspec.to_builtins(WHERE), "after": 5},
    "strangers": {"identities": ["ef" * 32]},
    "import": {"records": [msgspec.to_builtins(RECORD)]},
    "clear": {"contact": "bob"},
}
# Requests after which there is nothing new to send; codes, matching and the provider's mailbox see to that themselves.
SHOWS = {"status", "contacts", "estimate", "message", "messages", "search", "files", "file", "stop", "follow"}
SHOWS |= {"identity", "strangers", "export", "retention", "proof", "receipt_rule", "forge"}
SHOWS |= {"history", "conversations", "count", "draft", "set_draft", "period"}
SHOWS |= {"devices", "groups", "group_show", "group_readers", "addresses", "correspondents"}
SHOWS |= {"code_open", "code_enter", "codes", "code_cancel", "match_start", "match_stop", "matching"}
SHOWS |= {"leave_invitation", "fetch_invitation"}
SHOWS |= {"mailbox", "erase_mailbox", "holdings"}
STIR = "stir"
EVENTS = [
    MessageReceived(MESSAGE),
    MessageStateChanged(MESSAGE),
    ContactChanged(CONTACT),
    FileProgress(MESSAGE),
    CodeChanged(CODE),
    DeviceChanged(DEVICE),
    GroupChanged(GROUP),
]


class Messenger:
    """Answers every verb from a table, and notes what it was asked."""

    def __init__(self, noted: list[str], answers: dict[str, Any], path: str = "") -> None:
        self._noted, self._answers, self._path = noted, answers, path

    def __getattr__(self, name: str) -> Any:
        path = f"{self._path}.{name}".lstrip(".")
        if path not in self._answers:
            return Messenger(self._noted, self._answers, path)
        if not callable(self._answers[path]):
            return self._answers[path]

        def verb(*args: Any, **named: Any) -> Any:
            if path not in ("take_events", "devices.check_home"):
                self._noted.append(
                    f"{path}({', '.join([*map(repr, args), *(f'{k}={v!r}' for k, v in named.items())])})"
                )
            return self._answers[path]()

        return verb


def call(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> str:
    return f"{name}({', '.join([*map(repr, args), *(f'{key}={value!r}' for key, value in named.items())])})"


def gives(path: str, **values: Any) -> dict[str, Any]:
    """The verbs of a part of the messenger, and what they return."""
    return {f"{path}{name}": (lambda value=value: value) for name, value in values.items()}


def all_give(path: str, value: Any, *names: str) -> dict[str, Any]:
    return gives(path, **dict.fromkeys(names, value))


ANSWERS = {
    "identity": b"\x01" * 32,
    **gives("", take_events=[], create_invitation=INVITATION, contacts=[CONTACT], message=MESSAGE, messages=[MESSAGE]),
    **all_give("", CONTACT, "accept_invitation", "relink"),
    **gives("", default_read_receipts=ReadReceiptChoice.ON, delete_contact=None),
    **all_give("people.", CONTACT, "verify", "rename", "note", "read_receipts", "acknowledgements", "block", "unblock"),
    **gives("", send_text=7, send_file=8, estimate=1.5, cancel=MESSAGE, search=[MESSAGE]),
    **gives("", mark_read=None, mark_shown=None),
    **gives("drafts.", get="begun", set=None),
    **gives("", history=[MESSAGE], conversations=[CONVERSATION], count=(2, 7)),
    **gives("revisions.", edit=MESSAGE, withdraw=MESSAGE, let_disappear=None),
    **gives("", period=3600),
    **gives("", files=[TRANSFER], transfer=TRANSFER, send_anonymous=9, proof=b"proof \xff", forge="transcript"),
    **gives("archive.", page=[(6, RECORD)], strangers=[b"\x02" * 32], take_in=1, clear=(3, 1)),
    **gives("archive.", retention=None, delete=None, retain=None),
    **gives("attestations.", consent=MESSAGE, rule=Rule.ASK, set_rule=None),
    **gives("anonymous.", create_address=ADDRESS, addresses=[ADDRESS], retire_address=ADDRESS, end=None),
    **gives("anonymous.", correspondents=[CORRESPONDENT]),
    **gives("devices.", check_home=None, all=[DEVICE], rename=DEVICE, fetch=None),
    **gives("devices.linking.", invite=INVITATION, accept=DEVICE, revoke=DEVICE),
    **all_give("groups.", GROUP, "show", "create", "invite", "accept", "leave"),
    **all_give("groups.", GROUP, "remove", "promote", "demote", "rename", "call"),
    **gives("groups.", list=[GROUP], send=7),
    **gives("groups.reading.", readers=["bob"]),
}


def noting(noted: list[str], name: str, answer: Any) -> Any:
    """A function of the daemon's own that is none of the messenger's."""

    async def verb(*args: Any, **named: Any) -> Any:
        await trio.lowlevel.checkpoint()
        noted.append(call(name, args, named))
        return answer

    return verb


def daemon_of(noted: list[str]) -> DaemonApi:
    """A daemon with a messenger, codes, matching and a provider that note what they are asked."""
    clock = SimpleNamespace(now=lambda: NOW)
    daemon = DaemonApi(name="alice", worker=InlineWorker(), clock=clock, event_bus=EventBus())  # type: ignore[arg-type]
    devices: Any = Messenger(noted, ANSWERS, "devices")
    devices.user = devices.home = Messenger(noted, ANSWERS)
    daemon.open(devices, stir=lambda: noted.append(STIR), snapshot=lambda: ASKED["status"][3])
    codes: Any = SimpleNamespace(
        open=lambda: CODE,
        all=lambda: [CODE],
        cancel=lambda number: noted.append(f"codes.cancel({number})") or CODE,
        enter=noting(noted, "codes.enter", CODE),
    )
    matching: Any = SimpleNamespace(
        start=noting(noted, "matching.start", MATCHING),
        stop=noting(noted, "matching.stop", None),
        status=noting(noted, "matching.status", MATCHING),
    )
    short: Any = SimpleNamespace(
        leave=noting(noted, "short_codes.leave", "MIXNET:ABCD"),
        fetch=noting(noted, "short_codes.fetch", "mixnet1:text"),
    )
    daemon.codes, daemon.matching, daemon.short_codes = codes, matching, short
    give_mailbox(daemon)
    return daemon


def give_mailbox(daemon: DaemonApi) -> None:
    """What `provider_mailbox` and `holdings` are asked with: they are replaced themselves."""
    anything: Any = "provider"
    daemon.kept = Kept(anything, anything, None)


async def exchange(directory: Path, requests: dict[str, bytes]) -> dict[str, tuple[bytes, list[str]]]:
    """op → (the daemon's answer, what it asked the messenger)."""
    noted: list[str] = []
    found = {}
    with (
        patch.object(provider_mailbox, "look", noting(noted, "look", MAILBOX)),
        patch.object(provider_mailbox, "erase", noting(noted, "erase", None)),
        patch.object(holdings, "rows", lambda: ["row"]),
        patch.object(holdings, "stored", lambda *_: HOLDING),
        patch.object(holdings, "on_disk", lambda *_: Holding("messages", 0, 0, None)),
    ):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_api, directory / "socket", daemon_of(noted))
            async with await trio.open_unix_socket(directory / "socket") as stream:
                for op, request in requests.items():
                    noted.clear()
                    await stream.send_all(request)
                    answer = await receive(stream)
                    found[op] = answer, list(noted)
            nursery.cancel_scope.cancel()
    return found


async def receive(stream: trio.SocketStream) -> bytes:
    """One message with its length."""
    answer = bytes(await stream.receive_some(4))
    length = int.from_bytes(answer, "big")
    while len(answer) < 4 + length:
        answer += await stream.receive_some(4 + length - len(answer))
    return answer


class Recording:
    """A channel that keeps the bytes of what is asked, and answers from a table."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.sent: dict[str, bytes] = {}
        self._answers = answers

    async def ask(self, command: Any) -> Any:
        await trio.lowlevel.checkpoint()
        asked = msgspec.to_builtins(command)
        if asked["op"] in self.sent:  # the next page
            return []
        self.sent[asked["op"]] = framing.encode(asked)
        return self._answers[asked["op"]]

    async def next_change(self) -> trio.Event:
        await trio.lowlevel.checkpoint()
        return trio.Event()


async def ask(op: str, answers: dict[str, Any]) -> tuple[bytes, Any]:
    """(the bytes of the request, what the program got)."""
    name, args, named, _ = ASKED[op]
    channel = Recording(answers)
    part: Any = Connection(channel)
    for step in name.split("."):
        part = getattr(part, step)
    got = await part(*args, **named)
    return channel.sent[op], got


def alone(op: str) -> bytes:
    """The bytes of a request that no verb makes alone."""
    return framing.encode(msgspec.to_builtins(command_untrusted({"op": op, "id": 0, **ALONE[op]})))


def test_all_requests_and_events_are_recorded():
    ops = {kind.__struct_config__.tag for kind in protocol.COMMANDS}
    assert WIRE.keys() == ops | {f"event {type(event).__name__}" for event in EVENTS}
    assert ASKED.keys() | ALONE.keys() == ops
    assert len(ops) > 60


@pytest.mark.parametrize("op", ASKED)
async def test_a_verb_sends_the_recorded_bytes_and_reads_the_recorded_answer(op):
    request = WIRE[op][0]
    sent, got = await ask(op, {op: plain(answer)["ok"] for op, (_, answer, _) in WIRE.items() if " " not in op})
    assert sent == request
    assert got == ASKED[op][3] and type(got) is type(ASKED[op][3])


@pytest.mark.parametrize("op", [*ASKED, *ALONE])
def test_a_recorded_request_is_read_and_written_as_the_same_bytes(op):
    request, _, _ = WIRE[op]
    command = command_untrusted(plain(request))
    assert framing.encode(msgspec.to_builtins(command)) == request
    assert type(command).__struct_config__.tag == op


@pytest.mark.parametrize("op", [*ASKED, *ALONE])
def test_a_request_without_a_number_or_with_more_than_it_takes_is_refused(op):
    fields = plain(WIRE[op][0])
    with pytest.raises(RemoteError, match="more"):
        command_untrusted({**fields, "more": 1})
    del fields["id"]
    with pytest.raises(RemoteError, match="`id`"):
        command_untrusted(fields)


async def test_a_daemon_answers_the_recorded_bytes_and_asks_its_messenger_as_ever(tmp_path):
    for op, (answer, calls) in (await exchange(tmp_path, {op: WIRE[op][0] for op in [*ASKED, *ALONE]})).items():
        assert (op, answer, [one for one in calls if one != STIR]) == (op, *WIRE[op][1:])
        assert (calls.count(STIR) == 0) == (op in SHOWS), op


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_has_the_recorded_bytes(event):
    assert framing.encode(event_map(event)) == WIRE[f"event {type(event).__name__}"][1]


async def record() -> None:
    """Write the file anew, from the classes as they are."""
    guessed = {op: msgspec.to_builtins(row[3]) for op, row in ASKED.items()}
    guessed["proof"] = [7, "cHJvb2Yg/w=="]
    requests = {op: (await ask(op, guessed))[0] for op in ASKED} | {op: alone(op) for op in ALONE}
    with tempfile.TemporaryDirectory() as directory:
        answered = await exchange(Path(directory), requests)
    lines = [
        f"{op}\t{requests[op]!r}\t{answer!r}\t{[one for one in calls if one != STIR]!r}"
        for op, (answer, calls) in answered.items()
    ]
    lines += [f"event {type(event).__name__}\tb''\t{framing.encode(event_map(event))!r}\t[]" for event in EVENTS]
    RECORDED.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(trio.run(record))
