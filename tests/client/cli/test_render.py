"""What commands print: whatever a contact wrote, a terminal gets text."""

import io
import json
from contextlib import redirect_stdout

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mixnet.client.api.daemon_api import starting_figures
from mixnet.client.cli import render
from mixnet.client.model.views import MessageInfo, MessageKind, MessageState, ReceiptState
from mixnet.letters import is_hidden, steers
from tests.client.worlds.hostile import HOSTILE


def received(text: str, *, contact: str = "bob", kind: MessageKind = MessageKind.TEXT) -> MessageInfo:
    return MessageInfo(1, contact, False, kind, MessageState.RECEIVED, text, text, 1, 1, "", 1.0, 0.0, 0.0, 2.0)


@given(st.text(max_size=50))
def test_json_prints_nothing_that_a_terminal_acts_upon_and_reads_back(text):
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "line", printed.append)
        render.json(received(text))
    assert not any(map(is_hidden, printed[0]))
    assert json.loads(printed[0])["text"] == text


@pytest.mark.parametrize("kind", list(MessageKind))
def test_a_line_of_the_inbox_is_one_line_of_text(capsys, kind):
    render.message(received(HOSTILE, contact=HOSTILE, kind=kind))
    printed = capsys.readouterr().out
    assert printed.endswith("\n")
    assert not any(map(steers, printed[:-1])) and "\u202e" not in printed and "\u2028" not in printed


def test_there_are_words_for_each_state_of_a_receipt():
    assert set(render._RECEIPTS) == set(ReceiptState)


def test_why_a_message_failed_is_said(capsys):
    failed = MessageInfo(
        1, "bob", True, MessageKind.TEXT, MessageState.FAILED, "hi", "", 0, 0, "too\x1b late", 1.0, 0, 0, 0
    )
    render.message(failed)
    assert "[failed: too\\x1b late]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("alarm", "warnings", "said", "unsaid"),
    [
        ("calm", [], ["as it should be"], ["late: mixes"]),
        ("calm", ["loops_late"], ["loops come back late", "don't send what nobody may know"], ["as it should be"]),
        ("warned", ["loops_late"], ["being lost", "loops come back late"], []),
        ("paused", [], ["messages wait"], ["loops come back late"]),
    ],
)
def test_the_status_says_in_words_what_the_loops_tell(capsys, alarm, warnings, said, unsaid):
    figures = starting_figures("alice", "") | {
        "pid": 1,
        "memory_bytes": 0,
        "cpu_seconds": 3.0,
        "uptime_seconds": 60.0,
        "connected": True,
        "loops_late": 7,
    }
    render.status("alice", figures | {"alarm": alarm, "warnings": warnings})
    printed = " ".join(capsys.readouterr().out.split())
    assert "7 of them late" in printed
    assert "5.0 % of a core" in printed
    assert all(words in printed for words in said)
    assert not any(words in printed for words in unsaid)


@pytest.mark.parametrize("name", ["[bold]bob", "[/]", "[link=x]"])
def test_a_name_is_no_markup_of_tables_and_bars(capsys, monkeypatch, name):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    render.table((name, ""), [(name, "x")])
    with render.waiting(f"waiting for {name}") as show:
        show(received("x"))
    assert capsys.readouterr().out.count(name) == 2


UGLY = st.text(
    st.characters() | st.sampled_from("\\abxu0\u0301\u3164\u202e\u200d\ufe0f❤\x1b\n\t\U000e0061"), max_size=12
)


@given(UGLY, UGLY)
@example("\x1b", "\\x1b")
@example("\n", "\\n")
@example("\u3164", "\\u3164")
def test_no_two_texts_print_alike(one, other):
    assert (render.harmless(one) == render.harmless(other)) == (one == other)


@given(UGLY)
def test_json_says_the_same_without_what_hides(text):
    with redirect_stdout(io.StringIO()) as out:
        render.json({"text": text.encode(errors="replace").decode()})
    assert msgspec.json.decode(out.getvalue()) == {"text": text.encode(errors="replace").decode()}
    assert not any(is_hidden(one) for one in out.getvalue()[:-1])


def test_of_what_its_author_deleted_one_line_says_so_and_nothing_else(capsys):
    gone = MessageInfo(
        7, "bob", False, MessageKind.FILE, MessageState.READ, "", "", 0, 0, "", 0.0, 0.0, 0.0, 1.0, withdrawn=True
    )
    render.message(gone)
    (shown,) = capsys.readouterr().out.splitlines()
    assert shown.endswith("bob: (deleted by its author)")
