"""The multicast tree: who passes a message on to whom, so that everybody who has it sends it in every slot.

The scheme is Rollercoaster's (Hugenroth, Kleppmann, Beresford, USENIX Security 2021), where all who have the message
double in each step. Its tree is that of the postal model (Bar-Noy and Kipnis, 1992): a packet under way for `latency`
slots doesn't keep its sender from sending. With `latency` 0 the two are the same; where slots are fast and mixing takes
many of them, everybody serves more children and the tree is flatter, which is faster.

Promises: pure; every target is reached once; the time grows with the logarithm of the number of targets
(spec/07-client.md 7.17).

    F(t) = members reached from one within t slots, itself included = F(t - 1) + F(t - 1 - latency), F(≤ latency) = 1
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)
LATENCY_LIMIT = 1000  # slots: with more, a tree of any size that occurs is flat


@dataclass(frozen=True, slots=True)
class Branch(Generic[T]):
    """Send to `child`, which passes it on to `onward`."""

    child: T
    onward: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class TreePlace(Generic[T]):
    """Where somebody is in a tree: who sends to it (None: the source), how many hops and slots from the source."""

    parent: T | None
    depth: int
    step: int


@lru_cache(maxsize=256)
def _sizes(count: int, latency: int) -> tuple[int, ...]:
    """How many of `count` targets each child of one sender gets, itself included, in the order of sending."""
    reached = [1] * (latency + 1)
    while reached[-1] < count + 1:
        reached.append(reached[-1] + reached[-1 - latency])
    sizes: list[int] = []
    left, steps = count, len(reached) - 1
    while left:
        size = min(left, reached[steps - len(sizes) - 1 - latency])
        sizes.append(size)
        left -= size
    return tuple(sizes)


def split(targets: Sequence[T], latency: int) -> list[Branch[T]]:
    """To whom a member that has the message sends it, in this order, so that all of `targets` get it."""
    branches: list[Branch[T]] = []
    at = 0
    for size in _sizes(len(targets), min(latency, LATENCY_LIMIT)):
        branches.append(Branch(targets[at], tuple(targets[at + 1 : at + size])))
        at += size
    return branches


def places(targets: Sequence[T], latency: int) -> dict[T, TreePlace[T]]:
    """Where each target is in the tree over `targets`."""
    found: dict[T, TreePlace[T]] = {}
    open_: list[tuple[T | None, int, int, Sequence[T]]] = [(None, 1, 0, targets)]
    while open_:
        parent, depth, start, rest = open_.pop()
        for number, branch in enumerate(split(rest, latency), 1):
            step = start + number + latency
            found[branch.child] = TreePlace(parent, depth, step)
            open_.append((branch.child, depth + 1, step, branch.onward))
    return found


def arrange(able: Sequence[T], doubtful: Sequence[T], latency: int) -> list[T]:
    """An order of all, such that those in doubt have nobody behind them, as far as there are leaves enough."""
    count = len(able) + len(doubtful)
    shape = places(range(count), latency)
    inner = {place.parent for place in shape.values()}
    positions = sorted(range(count), key=lambda at: (at not in inner, shape[at].step, at))
    order: list[T | None] = [None] * count
    for position, member in zip(positions, (*able, *doubtful), strict=True):
        order[position] = member
    return [member for member in order if member is not None]
