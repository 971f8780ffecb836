"""What a row of the inventory says, and where data can lie (spec/08-errors-and-figures.md 8.4).

Pure. Promises: a place is named by its type and its names alone, so that tests can compare the inventory with the real
thing; a file's name is a pattern of `fnmatch`, relative to the folder of the profile or node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


class Role(StrEnum):
    """Who holds data about a user."""

    CLIENT = "client"
    PROVIDER = "provider"
    MIX = "mix"
    AUTHORITY = "authority"


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a table in the role's database."""

    table: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{DATABASE}: {self.table} ({', '.join(self.names)})"


@dataclass(frozen=True, slots=True)
class Settings:
    """Entries of the client's table `settings`, by patterns of their names."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{DATABASE}: settings {', '.join(repr(name) for name in self.names)}"

    def has(self, name: str) -> bool:
        """Whether an entry of this name is one of these."""
        return any(fnmatchcase(name, pattern) for pattern in self.names)


@dataclass(frozen=True, slots=True)
class Files:
    """Files in the role's folder, by patterns; `*` stands for one name or a part of it, never for a slash."""

    patterns: tuple[str, ...]

    def __str__(self) -> str:
        return "files: " + ", ".join(self.patterns)

    def has(self, name: str) -> bool:
        """Whether a file of this name, relative to the folder, is one of these."""
        return any(_matches(name.split("/"), pattern.split("/")) for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of a log's entries."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return "log fields: " + ", ".join(self.names)


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures on the status socket; `counters` stands for every event and reason of mixnet/counters.py."""

    names: tuple[str, ...]
    counters: bool = False

    def __str__(self) -> str:
        return "figures: " + ", ".join((*self.names, *(("every counter",) if self.counters else ())))


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of the process only."""

    what: str

    def __str__(self) -> str:
        return f"memory: {self.what}"


Place = Columns | Settings | Files | Fields | Figures | Memory
DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of data that a role holds.

    `bound` is the parameter, setting or command that limits how long; `erased` how it goes before that. `user` says
    whether it is about a user at all: what is not is listed so that nothing is left out. `age` is the column, as
    TABLE.COLUMN, that tells how old an item is.
    """

    kind: str
    where: tuple[Place, ...]
    reveals: str
    purpose: str
    kept: str
    bound: str
    readers: str
    erased: str
    encrypted: str
    user: bool = True
    age: str = ""


def columns(table: str, names: str) -> Columns:
    """Columns by their names with spaces between."""
    return Columns(table, tuple(names.split()))


def files(*patterns: str) -> Files:
    """Files by their patterns."""
    return Files(patterns)


def holders(rows: Sequence[Row], file: str) -> list[Row]:
    """The rows that name a file: exactly one, if the inventory is right."""
    return [row for row in rows if any(isinstance(place, Files) and place.has(file) for place in row.where)]


def _matches(name: Sequence[str], pattern: Sequence[str]) -> bool:
    return len(name) == len(pattern) and all(map(fnmatchcase, name, pattern))
