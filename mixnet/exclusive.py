"""Options of a command of which one rules another out (spec/09-command.md).

    _EITHER = exclusive()
    block: Annotated[str | None, option(_EITHER)] = None

Promises: two of a group that are given together are refused before the command runs, and both are named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from cyclopts import ArgumentCollection


def exclusive(*, required: bool = False) -> Group:
    """Options and arguments of which one may be given, or must be if that is `required`."""
    return Group(validator=_exactly_one if required else _at_most_one)


def option(*groups: Group) -> Parameter:
    """Of an option: which groups it is in."""
    return Parameter(group=("Parameters", *groups))


def argument(*groups: Group) -> Parameter:
    """The same of an argument without a name."""
    return Parameter(group=("Arguments", *groups))


def _at_most_one(group: ArgumentCollection) -> None:
    given = [one.name for one in group.filter_by(value_set=True)]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given[:2])} can't be given together")


def _exactly_one(group: ArgumentCollection) -> None:
    _at_most_one(group)
    if not group.filter_by(value_set=True):
        raise ValueError(f"give {' or '.join(one.name for one in group)}")
