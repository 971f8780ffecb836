"""Counts what a profile holds, by the rows of the inventory (spec/08-errors-and-figures.md 8.4).

Promises: contents are counted and measured, never given out; each call of the store is for one row.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from mixnet.client.storage.database import Store
from mixnet.inventory import INVENTORY, Columns, Files, Role, Row, Settings

_SETTINGS = "settings"
_KEPT = Columns | Settings | Files


@dataclass(frozen=True, slots=True)
class Holding:
    """`items` are rows of tables, settings or files; `oldest` is a time since the Unix epoch, if there is one."""

    kind: str
    items: int
    bytes: int
    oldest: float | None

    def __add__(self, other: Holding) -> Holding:
        times = [when for when in (self.oldest, other.oldest) if when is not None]
        return Holding(self.kind, self.items + other.items, self.bytes + other.bytes, min(times, default=None))


def rows() -> list[Row]:
    """The rows of which something lies in the store or in the folder."""
    return [row for row in INVENTORY[Role.CLIENT] if any(isinstance(place, _KEPT) for place in row.where)]


def stored(store: Store, row: Row) -> Holding:
    """What the store holds of a row; an index is none of it, as it lists what is in another table."""
    items = size = 0
    for place in row.where:
        if isinstance(place, Settings):
            found = [_count(store, _SETTINGS, ("name", "value"), name) for name in place.names]
        elif isinstance(place, Columns) and place.table not in (_SETTINGS, "found"):
            found = [_count(store, place.table, place.names)]
        else:
            continue
        items += sum(one[0] for one in found)
        size += sum(one[1] for one in found)
    return Holding(row.kind, items, size, _oldest(store, row))


def on_disk(folder: Path | None, row: Row) -> Holding:
    """What lies of a row in the profile's folder."""
    items, size = 0, 0
    oldest: float | None = None
    for path, name in [] if folder is None else [(path, str(path.relative_to(folder))) for path in folder.rglob("*")]:
        if not any(isinstance(place, Files) and place.has(name) for place in row.where):
            continue
        state = path.lstat()
        if not stat.S_ISDIR(state.st_mode):
            items, size = items + 1, size + (state.st_size if stat.S_ISREG(state.st_mode) else 0)
            oldest = state.st_mtime if oldest is None else min(oldest, state.st_mtime)
    return Holding(row.kind, items, size, oldest)


def _count(store: Store, table: str, columns: tuple[str, ...], pattern: str | None = None) -> tuple[int, int]:
    """(rows, bytes in their columns); names of tables and columns are the inventory's."""
    size = " + ".join(f"ifnull(length(CAST({column} AS BLOB)), 0)" for column in columns)
    where, values = ("", ()) if pattern is None else (" WHERE name GLOB ?", (pattern,))
    row = store.one(f"SELECT count(*), ifnull(sum({size}), 0) FROM {table}{where}", *values)  # noqa: S608
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def _oldest(store: Store, row: Row) -> float | None:
    if not row.age:
        return None
    table, column = row.age.split(".")
    found = store.one(f"SELECT min({column}) FROM {table}")  # noqa: S608
    return None if found is None or found[0] is None else float(found[0])
