"""Whether everybody has the same history: each message once, in its author's order, and nothing stuck.

Promises: pure: histories come in as data, complaints go out as sentences, none if all is well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mixnet.client.model.views import MessageKind, MessageState

FINAL = (MessageState.DELIVERED, MessageState.READ, MessageState.FAILED)
ARRIVED = (MessageState.DELIVERED, MessageState.READ)
HERE = (MessageState.RECEIVED, MessageState.READ)


@dataclass(frozen=True)
class Line:
    """A message as a home shows it; `where` and `author` are the plan's names, whatever they are called there."""

    where: str  # a person, or a group
    author: str
    text: str
    kind: MessageKind
    state: MessageState
    error: str = ""
    content: bytes = b""  # of a file that came


@dataclass(frozen=True)
class Meant:
    """What somebody wanted to send, from which device, and what else was to become of it."""

    who: str
    device: int
    to: str
    text: str
    kind: MessageKind = MessageKind.TEXT
    content: bytes = b""
    may_fail: bool = False  # it was to expire soon, or was cancelled


@dataclass(frozen=True)
class Circle:
    """A group: who was in it all the time, who left, and who was removed."""

    stayed: tuple[str, ...]
    left: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.stayed, *self.left, *self.removed)


def compare(
    meant: Sequence[Meant], histories: Mapping[str, Sequence[Line]], circles: Mapping[str, Circle]
) -> list[str]:
    """What is wrong with the histories of the homes of these people."""
    complaints: list[str] = []
    for who, lines in histories.items():
        complaints += _own(who, lines, [one for one in meant if one.who == who], circles)
        for other in histories:
            if other != who:
                complaints += _pair(who, other, lines, histories[other])
    for name, circle in circles.items():
        complaints += _group(name, circle, histories)
    return complaints


def _own(who: str, lines: Sequence[Line], meant: Sequence[Meant], circles: Mapping[str, Circle]) -> list[str]:
    """What `who` wanted to send was sent, once, in order, and came to an end."""
    own = [line for line in lines if line.author == who]
    complaints = _same(f"{who} sent", Counter(one.text for one in meant), Counter(line.text for line in own))
    wanted = {one.text: one for one in meant}
    for line in own:
        one = wanted.get(line.text)
        removed = line.where in circles and who in circles[line.where].removed
        if line.state not in FINAL:
            complaints.append(f"{who}: {line.text[:40]!r} to {line.where} is {line.state} for ever")
        if line.state is MessageState.FAILED and (one is None or not (one.may_fail or removed)):
            complaints.append(f"{who}: {line.text[:40]!r} to {line.where} failed: {line.error}")
        if line.state is MessageState.FAILED and not line.error:
            complaints.append(f"{who}: {line.text[:40]!r} to {line.where} failed without a reason")
    for device in {one.device for one in meant}:
        for to in {one.to for one in meant}:
            order = [one.text for one in meant if (one.device, one.to, one.kind) == (device, to, MessageKind.TEXT)]
            filed = [line.text for line in own if line.text in set(order)]
            if len(order) == len(filed) and order != filed:
                complaints.append(f"{who}'s device {device}: what it wrote to {to} is in another order at home")
    return complaints


def _pair(author: str, reader: str, sent: Sequence[Line], read: Sequence[Line]) -> list[str]:
    """What `author` wrote to `reader` is there, once, in order, with the same end."""
    out = [line for line in sent if line.where == reader and line.author == author]
    came = [line for line in read if line.where == author and line.author == author]
    complaints = _ordered(f"{author} to {reader}", out, came)
    here = {line.text: line for line in came}
    for line in out:
        there = here.get(line.text)
        if there is not None and line.kind is MessageKind.FILE and there.content != line.content:
            complaints.append(f"{author} to {reader}: the file {line.text} is another one")
        unlike = there is not None and (line.state is MessageState.READ) != (there.state is MessageState.READ)
        if unlike and line.state is not MessageState.FAILED:
            complaints.append(f"{author} to {reader}: {line.text[:40]!r} is {line.state} here and not there, or there")
    return complaints


def _group(name: str, circle: Circle, histories: Mapping[str, Sequence[Line]]) -> list[str]:
    """Those who stayed have all of each other and of who left; of and at those who went otherwise may be less."""
    complaints: list[str] = []
    for author in circle.all:
        out = [line for line in histories[author] if line.where == name and line.author == author]
        for reader in circle.all:
            if reader != author:
                came = [line for line in histories[reader] if line.where == name and line.author == author]
                whole = author not in circle.removed and reader in circle.stayed
                complaints += _ordered(f"{author} in {name} for {reader}", out, came, whole=whole)
    return complaints


def _ordered(what: str, out: Sequence[Line], came: Sequence[Line], *, whole: bool = True) -> list[str]:
    """Each that arrived is there, once; nothing else is; each kind is in its order."""
    complaints: list[str] = []
    sent, here = {line.text for line in out}, Counter(line.text for line in came if line.state in HERE)
    arrived = {line.text for line in out if line.state in ARRIVED}
    complaints += [f"{what}: {text[:40]!r} is there {count} times" for text, count in here.items() if count > 1]
    complaints += [f"{what}: nobody sent {text[:40]!r}" for text in here if text not in sent]
    if whole:
        complaints += [f"{what}: {text[:40]!r} is lost" for text in arrived if text not in here]
    failed = {line.text for line in out if line.state is MessageState.FAILED}
    for line in came:
        if line.state not in HERE and not (line.state is MessageState.FAILED and line.text in failed):
            complaints.append(f"{what}: {line.text[:40]!r} is {line.state}: {line.error}")
    for kind in MessageKind:
        order = [line.text for line in out if line.kind is kind]
        filed = [line.text for line in came if line.kind is kind and line.state in HERE and line.text in sent]
        places = [order.index(text) for text in dict.fromkeys(filed) if text in order]
        if places != sorted(places):
            complaints.append(f"{what}: not in the author's order")
    return complaints


def devices_agree(who: str, home: Sequence[tuple[object, ...]], satellite: Sequence[tuple[object, ...]]) -> list[str]:
    """Whether both devices show the same, in one order."""
    complaints = _same(f"{who}: the satellite has", Counter(home), Counter(satellite))
    if not complaints and list(home) != list(satellite):
        complaints.append(f"{who}: the satellite has another order")
    return complaints


def _same(what: str, wanted: Counter[object], found: Counter[object]) -> list[str]:
    missing, more = wanted - found, found - wanted
    return [f"{what} not {_brief(one)}" for one in missing.elements()] + [
        f"{what} once more {_brief(one)}" for one in more.elements()
    ]


def _brief(one: object) -> str:
    parts: Iterable[object] = one if isinstance(one, tuple) else (one,)
    return " ".join(str(part)[:60] for part in parts)
