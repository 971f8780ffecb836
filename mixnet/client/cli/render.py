"""How a client's commands show things: tables at a terminal, plain lines in a pipe, JSON for programs.

Promises: what is piped has one record a line, without colours, and no two texts of contacts give the same one: a line
break in a text is an escape there. At a terminal it has its own lines, indented. What a contact wrote can't move the
cursor, colour the screen, turn our words around or be taken for them: all that we say stands before it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from mixnet import hints, shown
from mixnet.letters import is_hidden

if TYPE_CHECKING:
    from mixnet.client.model.views import MessageInfo, MessageState

_ARROWS = {True: ("→", ">"), False: ("←", "<")}
_BARS_FROM = 60  # columns
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
    """One line for the person at the keyboard, beside the output; its commands are for the network that was named."""
    said = shown.one_line(hints.here(text))
    sys.stderr.write(f"mixnet: {shown.isolated_names(said) if sys.stderr.isatty() else said}\n")
    sys.stderr.flush()


def json(value: Any) -> None:
    """One JSON value on one line, for a program; letters that don't show, or that the output doesn't have, as codes."""
    import msgspec  # noqa: PLC0415  # a list of commands needs none

    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    try:
        made = msgspec.json.encode(plain).decode()
    except UnicodeEncodeError:  # a path of bytes that are no text
        from json import dumps  # noqa: PLC0415

        made = dumps(msgspec.to_builtins(plain))
    line("".join(_escaped(one) if is_hidden(one) or not has(one) else one for one in made))


def arrow(one: MessageInfo) -> str:
    """Where a message goes."""
    best, plain = _ARROWS[one.outgoing]
    return best if has(best) else plain


def has(letters: str) -> bool:
    """Whether the output can show them."""
    try:
        letters.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _escaped(letter: str) -> str:
    """As JSON writes it in ASCII; nothing but the texts in a JSON value has letters that don't show."""
    raw = letter.encode("utf-16-be")
    return "".join(f"\\u{raw[at : at + 2].hex()}" for at in range(0, len(raw), 2))


def jsons(values: Sequence[Any]) -> None:
    """A JSON list on one line."""
    json([asdict(value) for value in values])


def counted(number: int, what: str) -> str:
    """So many of something, in words: "1 member", "2 members"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def harmless(text: str) -> str:
    """`text` as it may stand in a line of ours. What was made so once is not given to this again."""
    made = shown.one_line(text)
    return shown.isolated(made) if sys.stdout.isatty() else made


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows of text under column names at a terminal, tab-separated without them elsewhere."""
    clean = [[harmless(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        made: Iterable[str] = shown.table([harmless(column) for column in columns], clean, shown.width())
    else:
        made = map("\t".join, clean)
    for one in made:
        line(one)


def told(ours: str, text: str) -> None:
    """What somebody wrote, after words of ours: in its own lines at a terminal, on one line elsewhere."""
    if not sys.stdout.isatty():
        line(ours + shown.one_line(text))
        return
    first, *others = map(shown.isolated, shown.lines(text))
    indent = " " * shown.INDENT
    for one in (ours + first, *(indent + other for other in others)):
        for part in shown.wrapped(one, shown.width()):
            line(part)


def answerable(until: float) -> str:
    """Whether somebody anonymous can be answered."""
    if until > time.time():
        return f"can be answered until {moment(until)}"
    return "can't be answered now: all reply blocks are used or have expired; the sender's client may send new ones"


def message(one: MessageInfo) -> None:
    """One message: number, time, what became of it, who, what; on one line, but for a text's lines at a terminal."""
    from mixnet.client.model import wording  # noqa: PLC0415
    from mixnet.client.model.views import MessageKind  # noqa: PLC0415

    # All of ours stands in front of what a contact can have chosen: whoever writes "signed" or a state is not believed.
    author = f"/{harmless(one.author)}" if one.author else ""
    who = f"{arrow(one)} {harmless(one.contact)}{author}"
    ours = "  ".join([str(one.id), moment(one.received_at or one.created_at), *_remarks(one), who])
    if one.withdrawn:
        line(f"{ours}: {wording.deleted(one)}")
        return
    if one.kind is MessageKind.TEXT:
        told(f"{ours}: ", one.text)
        return
    from mixnet.client.media.kept import duration, seconds  # noqa: PLC0415

    length = seconds(one.path)
    what = f"file of {one.size:,} bytes" if length is None else f"voice message, {duration(length)}"
    told(f"{ours}: {what}: ", one.text if one.outgoing else one.path or one.text)


def _remarks(one: MessageInfo) -> list[str]:
    from mixnet.client.model.durations import spoken  # noqa: PLC0415
    from mixnet.client.model.views import MessageState  # noqa: PLC0415

    said = ["signed"] * one.signed + ["[edited]"] * one.edited
    if one.disappears is not None:
        said.append(f"[disappears {moment(one.disappears)}]")
    elif one.period:
        said.append(f"[disappears {spoken(one.period)} after {'it left' if one.outgoing else 'it is read'}]")
    if one.error:
        said.append(f"[{'not confirmed' if one.may_arrive else one.state}: {harmless(one.error)}]")
    elif one.outgoing or one.state is MessageState.FAILED:
        said.append(f"[{one.state}]")
    if one.outgoing and one.members:
        said.append(f"{one.reached} of {one.members} have it, {one.readers} have read it")
    if one.answer_until is not None:
        said.append(f"[{answerable(one.answer_until)}]")
    if one.receipt is not None:
        said.append(f"[{_RECEIPTS[one.receipt].format(one.id)}]")
    return said


def status(name: str, figures: Mapping[str, Any]) -> None:
    """A daemon's figures."""
    from mixnet.client.model import wording  # noqa: PLC0415  # a list of commands needs none

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
        ("network", wording.network(figures) if figures["connected"] else "unknown until the provider is back"),
        ("memory", f"{figures['memory_bytes'] / 1e6:.0f} MB"),
        ("CPU", f"{100 * figures['cpu_seconds'] / max(figures['uptime_seconds'], 1):.1f} % of a core since its start"),
    ]
    table((name, ""), rows)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()) if count) or "none"


class _Lines:
    """Progress as lines, few of them."""

    def __init__(self) -> None:
        self._said: tuple[MessageState, int] | None = None

    def __call__(self, one: MessageInfo) -> None:
        from mixnet.client.model.views import MessageState  # noqa: PLC0415

        tenth = 10 * one.done // one.size if one.size else 0
        if (one.state, tenth) != self._said and one.state in (MessageState.QUEUED, MessageState.SENT):
            share = f", {10 * tenth} % of {one.size:,} bytes" if one.size else ""
            note(f"message {one.id} is {one.state}{share}")
        self._said = one.state, tenth


def has_bars() -> bool:
    """Whether progress is shown as bars: a narrow terminal has no room for them beside what they are of."""
    return sys.stderr.isatty() and shown.width() >= _BARS_FROM


@contextmanager
def waiting(what: str, *, message: bool = False) -> Iterator[Callable[[MessageInfo], None]]:
    """A sign that something goes on; a `message` that is given shows how far it has come.

    A bar at a wide terminal; elsewhere a line of the standard error, for a message one for each new state and each
    tenth of a file.
    """
    if not has_bars():
        if not message:
            note(what)
        yield _Lines()
        return
    from rich.console import Console  # noqa: PLC0415  # only a terminal needs it
    from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415

    words = TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold"))
    columns = (SpinnerColumn(), words, BarColumn(20), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda one: bar.update(task, completed=one.done, total=max(one.size, 1))
