"""How files on their way are shown, alike at both ends: a table, bars at a terminal, lines elsewhere.

Promises: as client/cli/render.py: one record a line in a pipe, and nothing that a contact chose acts on a terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mixnet.client.cli.render import arrow, harmless, has_bars, note, table
from mixnet.client.model import wording
from mixnet.client.model.durations import about
from mixnet.client.model.views import UNDER_WAY, Leg, MessageState, Transfer

_QUIET = 600.0  # seconds without a part after which that is said
Show = Callable[[Sequence[Transfer]], None]


def files(under_way: Sequence[Transfer]) -> None:
    """All of them as a table."""
    if not under_way:
        return
    columns = ("message", "who", "file", "bytes", "share", "rate", "left", "state")
    table(columns, [_row(one) for one in under_way])


def _row(one: Transfer) -> tuple[str, ...]:
    size = one.message.size
    across = f"{one.done:,} of {size:,}"
    left = "-" if one.left is None else f"about {about(one.left)}"
    return str(one.message.id), _who(one), one.message.text, across, _share(one), _rate(one) or "-", left, _state(one)


def _who(one: Transfer) -> str:
    return f"{arrow(one.message)} {one.message.contact}"


def _share(one: Transfer) -> str:
    """Rounded down: 100 % is all of it."""
    return f"{100 * one.done // one.message.size if one.message.size else 100} %"


def _rate(one: Transfer) -> str:
    """In words; empty if it isn't known."""
    if not one.rate:
        return ""
    return f"{wording.size(one.rate)}/s"


def _state(one: Transfer) -> str:
    state = str(one.message.state)
    if one.leg is Leg.HOME:
        goes = one.message.outgoing and one.message.state is MessageState.QUEUED  # else it is fetched
        state = "going to your home device" if goes else "coming from your home device"
    elif one.leg is Leg.ELSEWHERE:
        state = f"{state} at your home device"
    if one.heard_at and time.time() - one.heard_at > _QUIET:
        state += f", nothing for {about(time.time() - one.heard_at)}"
    return state


def pace(one: Transfer) -> str:
    """Rate, expected end, and anything that is not as usual, in words."""
    left = "" if one.left is None else f"about {about(one.left)} left"
    return ", ".join(part for part in (_rate(one), left, _state(one)) if part)


class _Lines:
    """As lines of the standard error: one for each new state and each tenth of a file."""

    def __init__(self) -> None:
        self._said: dict[int, tuple[MessageState, Leg, int]] = {}

    def __call__(self, under_way: Sequence[Transfer]) -> None:
        for one in under_way:
            tenth = 10 * one.done // one.message.size if one.message.size else 10
            now = (one.message.state, one.leg, tenth)
            if self._said.get(one.message.id) != now and (one.message.state in UNDER_WAY or one.leg is Leg.HOME):
                share = f"{10 * tenth} % of {one.message.size:,} bytes"
                note(f"file {one.message.id} ({_who(one)}: {one.message.text}): {share}, {pace(one)}")
            self._said[one.message.id] = now


@contextmanager
def bars() -> Iterator[Show]:
    """A bar for each file that is given, as long as it is; lines of the standard error elsewhere than at a terminal."""
    if not has_bars():
        yield _Lines()
        return
    from rich.console import Console  # noqa: PLC0415  # only a terminal needs it
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415

    def words(what: str) -> TextColumn:
        return TextColumn(what, markup=False, table_column=Column(overflow="fold"))

    share = TextColumn("{task.fields[share]}", markup=False)
    of, pace_of = words("{task.description}"), words("{task.fields[pace]}")
    with Progress(of, BarColumn(10), share, DownloadColumn(), pace_of, console=Console(stderr=True)) as drawn:
        tasks: dict[int, TaskID] = {}

        def show(under_way: Sequence[Transfer]) -> None:
            given = {one.message.id: one for one in under_way}
            for gone in tasks.keys() - given.keys():
                drawn.remove_task(tasks.pop(gone))
            for number, one in given.items():
                if number not in tasks:
                    tasks[number] = drawn.add_task("", pace="", share="")
                drawn.update(
                    tasks[number],
                    description=harmless(f"{number} {_who(one)}: {one.message.text}"),
                    completed=one.done,
                    total=max(one.message.size, 1),
                    pace=harmless(pace(one)),
                    share=_share(one),
                )

        yield show
