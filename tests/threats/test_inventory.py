"""P4 and P6: what each role holds is what the inventory (mixnet/inventory) says, and nothing else.

Tables, settings, files, log fields and figures are compared with a real network of processes on this machine: whoever
adds one must say in the inventory what it reveals and how long it is kept. Marks of two users are looked for in all
that the nodes keep: they are found where the inventory says that they are, which is the control, and nowhere else.
"""

import base64
import json
import sqlite3
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from mixnet.client import connect
from mixnet.client.daemon import background
from mixnet.client.model import paths as names
from mixnet.client.profile.keys import load_keys
from mixnet.client.profile.profile import create, load, open_store
from mixnet.client.storage.database import Store
from mixnet.counters import Dropped, Event
from mixnet.crypto import SymmetricKey
from mixnet.inventory import INVENTORY, Columns, Fields, Figures, Role, Row, Settings, holders
from mixnet.log import FIELDS, Log, LogEntry
from mixnet.pki.parameters import RANGES
from mixnet.status import SOCKET_NAME, read_status
from mixnode.mailboxes import Mailboxes

pytestmark = pytest.mark.timeout(300)
NODES = {"authority-1": Role.AUTHORITY, "mix-1": Role.MIX, "provider-1": Role.PROVIDER}
TEXT = "marked text: under the third oak behind the mill"
CONTENT = b"marked content of a file, which a contact sends"
FILE_NAME = "marked-name.bin"
PEOPLE = ("alice-marked", "bob-marked")
ADD = "say in mixnet/inventory/{} what it reveals, why it is kept, how long, and how it is erased, in one Row's `where`"


def exactly_once(found: set, named: list, file: str) -> None:
    """Everything that there is, is named once, and nothing else is."""
    missing, gone = sorted(found - set(named)), sorted(set(named) - found)
    twice = sorted({one for one in named if named.count(one) > 1})
    assert not missing, f"{missing} is not in the inventory: {ADD.format(file)}"
    assert not gone, f"{gone} is in mixnet/inventory/{file}, but not there any more: remove it"
    assert not twice, f"{twice} is named twice in mixnet/inventory/{file}: one row each"


def columns_named(role: Role) -> list[tuple[str, str]]:
    places = [place for row in INVENTORY[role] for place in row.where if isinstance(place, Columns)]
    return [(place.table, name) for place in places for name in place.names]


def columns_of(run) -> set[tuple[str, str]]:
    """(table, column) of all tables; an index' own tables belong to it."""
    tables = run("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
    virtual = [name for name, sql in tables if sql.startswith("CREATE VIRTUAL")]
    own = [name for name, _ in tables if not any(name.startswith(f"{index}_") for index in virtual)]
    return {(table, row[1]) for table in own for row in run(f"PRAGMA table_info('{table}')")}


def test_every_column_of_a_clients_store_is_in_one_row() -> None:
    store = Store.open(":memory:", SymmetricKey.generate())
    found = columns_of(store.all)
    assert len(found) > 90
    exactly_once(found, columns_named(Role.CLIENT), "client.py")


def test_a_new_table_would_be_missed() -> None:
    """Control: an unknown table and an unknown column fail the comparison, with what to do."""
    store = Store.open(":memory:", SymmetricKey.generate())
    store.run("CREATE TABLE spies (name TEXT)")
    store.run("ALTER TABLE contacts ADD COLUMN shoe_size REAL")
    with pytest.raises(AssertionError, match=r"shoe_size.*spies.*say in mixnet/inventory/client.py"):
        exactly_once(columns_of(store.all), columns_named(Role.CLIENT), "client.py")


def test_every_column_of_a_providers_database_is_in_one_row(tmp_path) -> None:
    Mailboxes(tmp_path / "mailboxes.sqlite").close()
    database = sqlite3.connect(tmp_path / "mailboxes.sqlite")
    exactly_once(columns_of(lambda query: database.execute(query).fetchall()), columns_named(Role.PROVIDER), "node.py")
    database.close()


@pytest.mark.parametrize("role", Role)
def test_every_log_field_is_in_one_row(role, tmp_path) -> None:
    log = Log(tmp_path / "log")
    log.write(LogEntry.STARTED, **dict.fromkeys(FIELDS, "some"))
    log.close()
    written = json.loads((tmp_path / "log").read_text())
    named = [
        name for row in INVENTORY[role] for place in row.where if isinstance(place, Fields) for name in place.names
    ]
    exactly_once(set(written), named, f"{role}")


@pytest.mark.parametrize("role", Role)
def test_every_row_says_everything(role) -> None:
    rows = INVENTORY[role]
    assert len({row.kind for row in rows}) == len(rows)
    for row in rows:
        told = (row.reveals, row.purpose, row.kept, row.readers, row.erased, row.encrypted)
        assert all(told), row.kind
        assert row.where, row.kind
        if row.bound.isidentifier():
            assert row.bound in RANGES, f"{row.kind}: there is no parameter {row.bound}"


def command(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mixnet", *arguments],
        check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass
class Lived:
    """A network in which two people wrote to each other: its folder, and what was seen while it ran."""

    folder: Path
    files: dict[str, set[str]] = field(default_factory=dict)  # of each node and profile, at any time
    disks: dict[str, dict[str, bytes]] = field(default_factory=dict)  # of each node: file → content, while it ran
    figures: dict[str, dict] = field(default_factory=dict)
    mailboxes: list[bytes] = field(default_factory=list)
    settings: set[str] = field(default_factory=set)

    def homes(self) -> dict[str, Path]:
        found = {name: self.folder / name for name in NODES}
        return found | {name: self.folder / "clients" / name for name in PEOPLE}

    def look(self) -> None:
        """What lies in every folder now."""
        for name, home in self.homes().items():
            paths = [path for path in home.rglob("*") if not path.is_dir()]
            self.files.setdefault(name, set()).update(str(path.relative_to(home)) for path in paths)
            if name in NODES:
                files = {str(path.relative_to(home)): path.read_bytes() for path in paths if path.is_file()}
                self.disks.setdefault(name, {}).update(files)


async def talk(seen: Lived, sent: Path) -> None:
    """Two daemons, a text and a file between them; one of them is stopped at the end."""
    alice, bob = (seen.folder / "clients" / person for person in PEOPLE)
    for home in (alice, bob):
        create(home, name=home.name, bootstrap=seen.folder / "bootstrap.json")
        await background.start(home)
    async with connect(alice) as me, connect(bob) as other:
        await other.accept(await me.invite())
        await other.wait_established(PEOPLE[0])
        await me.wait_established(PEOPLE[1])
        await me.send(PEOPLE[1], TEXT, wait=True)
        await me.wait_delivered(await me.send_file(PEOPLE[1], sent))
    seen.look()
    for name, home in seen.homes().items():
        seen.figures[name] = await read_status(home / SOCKET_NAME)
    await background.stop(bob)


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inventory") / "network"
    at = ("--dir", str(folder))
    seen = Lived(folder)
    sent = folder.parent / FILE_NAME
    sent.write_bytes(CONTENT)
    try:
        command("up", *at, "--layers", "1", "--width", "1", "--providers", "1", "--authorities", "1")
        trio.run(talk, seen, sent)
    finally:
        subprocess.run([sys.executable, "-P", "-m", "mixnet", "down", *at], check=False, capture_output=True)
    seen.look()
    for person in PEOPLE:
        store = open_store(load(folder / "clients" / person))
        seen.mailboxes.append(load_keys(store).mailbox.public)
        seen.settings |= {name for (name,) in store.all("SELECT name FROM settings")}
        store.close()
    return seen


def role_of(name: str) -> Role:
    return NODES.get(name, Role.CLIENT)


@pytest.mark.parametrize("home", [*NODES, PEOPLE[0]])
def test_every_file_is_in_one_row(lived, home) -> None:
    files = lived.files[home]
    assert len(files) > 8
    for name in sorted(files):
        rows = [row.kind for row in holders(INVENTORY[role_of(home)], name)]
        assert rows, f"the {role_of(home)}'s file {name} is not in the inventory: {ADD.format('...')}"
        assert len(rows) == 1, f"{name} is in several rows: {rows}"


def test_every_setting_is_in_one_row(lived) -> None:
    places = [place for row in INVENTORY[Role.CLIENT] for place in row.where if isinstance(place, Settings)]
    assert len(lived.settings) >= 5
    for name in lived.settings:
        found = [place for place in places if place.has(name)]
        assert len(found) == 1, f"the setting {name!r} is not in one row: {ADD.format('client.py')}"


@pytest.mark.parametrize("home", [*NODES, PEOPLE[0]])
def test_every_figure_is_in_one_row(lived, home) -> None:
    role = role_of(home)
    places = [place for row in INVENTORY[role] for place in row.where if isinstance(place, Figures)]
    counters = {str(event) for event in Event} if any(place.counters for place in places) else set()
    found = set(lived.figures[home])
    assert counters <= found
    assert not counters or set(lived.figures[home]["dropped"]) <= {str(reason) for reason in Dropped}
    exactly_once(found - counters, [name for place in places for name in place.names], f"{role}")


def forms(mark: bytes) -> list[bytes]:
    """A mark as it is, and as a careless line would write it."""
    number = str(int.from_bytes(mark, "big"))[:12].encode()
    return [mark, mark.hex()[:12].encode(), repr(mark)[2:14].encode(), base64.b64encode(mark)[:12], number]


def marks_in(lived: Lived, home: str, marks: list[bytes]) -> set[str]:
    """The files of a node in which any of the marks is, in any form."""
    wanted = [form for mark in marks for form in forms(mark)]
    return {name for name, content in lived.disks[home].items() if any(form in content for form in wanted)}


USERS = [name.encode() for name in PEOPLE]
CONTENTS = [TEXT.encode()[:16], CONTENT[:16], FILE_NAME.encode()]


@pytest.mark.parametrize("home", NODES)
def test_no_node_keeps_a_name_or_a_content(lived, home) -> None:
    assert len(lived.disks[home]) > 5
    assert marks_in(lived, home, [*USERS, *CONTENTS]) == set()


def test_a_pseudonym_is_where_the_inventory_says_and_nowhere_else(lived) -> None:
    rows = {row.kind: row for row in INVENTORY[Role.PROVIDER]}
    for mailbox in lived.mailboxes:
        found = marks_in(lived, "provider-1", [mailbox])
        assert found  # the control: the search finds what is there
        assert all(holders(INVENTORY[Role.PROVIDER], name) == [rows["database"]] for name in found)
        assert marks_in(lived, "mix-1", [mailbox]) == marks_in(lived, "authority-1", [mailbox]) == set()


def test_only_what_the_inventory_says_is_in_clear_at_the_user(lived) -> None:
    home = lived.folder / "clients" / PEOPLE[1]
    rows: dict[str, list[Row]] = {}
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for mark in (*CONTENTS, *USERS):
                if mark in content or mark in path.name.encode():
                    rows.setdefault(mark.decode(), []).extend(
                        holders(INVENTORY[Role.CLIENT], str(path.relative_to(home)))
                    )
    kinds = {mark: {row.kind for row in found} for mark, found in rows.items()}
    assert kinds == {
        CONTENT[:16].decode(): {"downloads"},
        FILE_NAME: {"downloads"},
        PEOPLE[1]: {"profile"},
    }
    assert tomllib.loads((home / names.SETTINGS).read_text())["name"] == PEOPLE[1]


def test_the_command_counts_what_a_profile_holds(lived) -> None:
    """On a profile whose daemon has stopped: what was really sent and received."""
    told = json.loads(command("privacy", PEOPLE[1], "--dir", str(lived.folder), "--json"))
    by_kind = {one["kind"]: one for one in told}
    assert by_kind["messages"]["items"] == 2
    assert by_kind["contacts"]["items"] == 1
    assert by_kind["contacts"]["bytes"] > len(PEOPLE[0])
    assert by_kind["messages"]["oldest"] >= by_kind["contacts"]["oldest"] > 1.7e9
    assert (by_kind["downloads"]["items"], by_kind["downloads"]["bytes"]) == (1, len(CONTENT))
    assert by_kind["store"]["bytes"] > 100_000
