"""How a client's commands show things: tables at a terminal, plain lines in a pipe, JSON for programs.

Promises: what is piped has one record a line, without colours or frames; what a contact wrote can't move the cursor,
colour the screen or look like anything but text, and no two texts of contacts print alike.
"""

from __future__ import annotations

import io
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from client.model.names import is_invisible
from mixnet.errors import LocalError

if TYPE_CHECKING:
    import segno

    from client.model.views import MessageInfo, MessageState

_EMOJI = "\ufe0f"  # says that the sign before it is one
_MARKS = 4  # accents in a row that are shown as such; more reach into other lines
_SHORT = {"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
_ARROWS = {True: "→", False: "←"}
_RECEIPTS = {  # by the value of a ReceiptState
    "awaited": "no receipt yet: the contact decides",
    "declined": "the contact gives no receipt",
    "refused": "refused: the contact's client says that the signature does not verify",
    "invalid": "a receipt came that does not verify: don't rely on it",
    "delivered": "receipt of delivery",
    "read": "receipt of reading",
    "asked": "asks for a receipt: `mixnet proof consent NAME {}`",
    "withheld": "no receipt given",
    "given": "receipt given",
}


def line(text: str) -> None:
    """One line for a person."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def moment(when: float) -> str:
    """A time since the Unix epoch, in the machine's zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))


def note(text: str) -> None:
    """One line for the person at the keyboard, beside the output."""
    sys.stderr.write(f"mixnet: {harmless(text)}\n")
    sys.stderr.flush()


def json(value: Any) -> None:
    """One JSON value on one line, for a program."""
    import msgspec  # noqa: PLC0415  # a list of commands needs none

    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    made = msgspec.json.encode(plain).decode()
    line("".join(one if one.isprintable() and not is_invisible(one) else _escaped(one) for one in made))


def _escaped(letter: str) -> str:
    """As JSON writes it in ASCII; nothing but the texts in a JSON value has letters that don't print."""
    raw = letter.encode("utf-16-be")
    return "".join(f"\\u{raw[at : at + 2].hex()}" for at in range(0, len(raw), 2))


def jsons(values: Sequence[Any]) -> None:
    """A JSON list on one line."""
    json([asdict(value) for value in values])


def counted(number: int, what: str) -> str:
    """So many of something, in words: "1 member", "2 members"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def harmless(text: str) -> str:
    """`text` with every character that a terminal would act upon, or not show, made visible; no two texts print alike.

    That is why a backslash is doubled: an escape that somebody typed is told from ours. What was made so once is not
    given to this again.
    """
    shown, marks, last = list[str](), _MARKS, ""
    for one in text:
        marks = marks + 1 if unicodedata.combining(one) else 0
        # The form of an emoji doesn't show, but belongs to it.
        plain = (one == _EMOJI and last == "So") or (one.isprintable() and not is_invisible(one))
        shown.append(one if plain and one != "\\" and marks <= _MARKS else _escape(one))
        last = unicodedata.category(one)
    return "".join(shown)


def _escape(one: str) -> str:
    short = _SHORT.get(one)
    if short is not None:
        return short
    code = ord(one)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows of text under column names at a terminal, tab-separated without them elsewhere."""
    clean = [[harmless(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in clean:
            line("\t".join(row))
        return
    from rich.console import Console  # noqa: PLC0415  # only a terminal needs it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = Table(header_style="bold")
    for column in columns:
        drawn.add_column(Text(harmless(column)))
    for row in clean:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def answerable(until: float) -> str:
    """Whether somebody anonymous can be answered."""
    if until > time.time():
        return f"can be answered until {moment(until)}"
    return "can't be answered now: all reply blocks are used or have expired; the sender's client may send new ones"


def message(one: MessageInfo) -> None:
    """One message on one line: number, time, who, what, and for our own what became of it."""
    from client.model.views import MessageKind, MessageState  # noqa: PLC0415

    when = moment(one.received_at or one.created_at)
    state = f"  [{one.state}]" if one.outgoing or one.state is MessageState.FAILED else ""
    if one.error:
        state = f"  [{one.state}: {harmless(one.error)}]"
    # In front of all that a contact can have chosen: whoever writes "signed" into a text or a name is not believed.
    signed = "  signed" if one.signed else ""
    receipt = "" if one.receipt is None else f"  [{_RECEIPTS[one.receipt].format(one.id)}]"
    if one.outgoing and one.members:
        state = f"{state}  {one.reached} of {one.members} have it, {one.readers} have read it"
    if one.answer_until is not None:
        state += f"  [{answerable(one.answer_until)}]"
    author = f"/{harmless(one.author)}" if one.author else ""
    who = f"{_ARROWS[one.outgoing]} {harmless(one.contact)}{author}"
    content = harmless(one.text) if one.kind is MessageKind.TEXT else _file(one)
    line(f"{one.id}  {when}{signed}  {who}: {content}{state}{receipt}")


def _file(one: MessageInfo) -> str:
    where = f", {harmless(one.path)}" if one.path and not one.outgoing else ""
    return f"file {harmless(one.text)} ({one.size:,} bytes{where})"


def status(name: str, figures: Mapping[str, Any]) -> None:
    """A daemon's figures."""
    loops = (
        f"{figures['loops_returned']} of {figures['loops_sent']} returned, {figures['loops_late']} of them late, "
        f"{figures['loops_lost']} lost"
    )
    rows = [
        ("daemon", f"running as process {figures['pid']}"),
        ("provider", "connected" if figures["connected"] else f"not connected: {figures['problem']}"),
        ("epoch", "none yet" if figures["epoch"] is None else str(figures["epoch"])),
        ("frames sent", _counts(figures["frames"])),
        ("frames received", _counts(figures["received"])),
        ("loops", loops),
        ("network", _network(figures) if figures["connected"] else "unknown until the provider is back"),
        ("memory", f"{figures['memory_bytes'] / 1e6:.0f} MB"),
        ("CPU", f"{100 * figures['cpu_seconds'] / max(figures['uptime_seconds'], 1):.1f} % of a core since its start"),
    ]
    table((name, ""), rows)


_ALARMS = {
    "calm": "as it should be",
    "warned": "loops are being lost: mixes may have failed, or somebody drops packets",
    "paused": "next to no loop returns: messages wait until that is over, cover goes on",
}
_WARNINGS = {
    "loops_late": "loops come back late: mixes are overloaded, or somebody holds packets back to single somebody out; "
    "put off what must not be linked to you until this line is gone",
}


def _network(figures: Mapping[str, Any]) -> str:
    """What loops say about it: the alarm, unless only a warning is raised."""
    said = [_WARNINGS[name] for name in figures["warnings"]]
    return "; ".join(said if said and figures["alarm"] == "calm" else [_ALARMS[figures["alarm"]], *said])


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()) if count) or "none"


def qr(text: str) -> None:
    """A QR code at the terminal; LocalError if the text is too long for one."""
    _qr_code(text, "this").terminal(compact=True)


def qr_png(text: str) -> bytes:
    """The same as a picture; LocalError if the text is too long for one."""
    picture = io.BytesIO()
    _qr_code(text, "this invitation").save(picture, kind="png", scale=4)
    return picture.getvalue()


def _qr_code(text: str, what: str) -> segno.QRCode:
    import segno  # noqa: PLC0415  # only this needs it

    try:
        return segno.make_qr(text, error="l")
    except segno.DataOverflowError:
        raise LocalError(f"{what} is too long for a QR code: use --out and send the file") from None


class _Lines:
    """Progress as lines, few of them."""

    def __init__(self) -> None:
        self._said: tuple[MessageState, int] | None = None

    def __call__(self, one: MessageInfo) -> None:
        from client.model.views import MessageState  # noqa: PLC0415

        tenth = 10 * one.done // one.size if one.size else 0
        if (one.state, tenth) != self._said and one.state in (MessageState.QUEUED, MessageState.SENT):
            share = f", {10 * tenth} % of {one.size:,} bytes" if one.size else ""
            note(f"message {one.id} is {one.state}{share}")
        self._said = one.state, tenth


@contextmanager
def waiting(what: str) -> Iterator[Callable[[MessageInfo], None]]:
    """A sign that something goes on; a message that is given shows how far it has come.

    A bar at a terminal; elsewhere a line of the standard error for each new state and each tenth of a file.
    """
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console  # noqa: PLC0415  # only a terminal needs it
    from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda one: bar.update(task, completed=one.done, total=max(one.size, 1))
