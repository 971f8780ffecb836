"""The table of the local protocol in spec/07-client.md 7.9, against the requests that there are."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mixnet.client.api import protocol
from mixnet.client.api.anonymous import AnonymousAccess
from mixnet.client.api.archive import ArchiveAccess
from mixnet.client.api.codes import CodeAccess
from mixnet.client.api.command import Command
from mixnet.client.api.connection import Connection
from mixnet.client.api.devices import DeviceAccess
from mixnet.client.api.files import FileAccess
from mixnet.client.api.groups import GroupAccess
from mixnet.client.api.mailbox import MailboxAccess
from mixnet.client.api.matching import MatchAccess
from mixnet.client.api.proofs import ProofAccess

SPEC = Path(__file__).parents[3] / "spec" / "07-client.md"
OTHERWISE = {  # op → where Python has it, if not under its own name
    "follow": "messages",
    "export": "archive.export",
    "identity": "archive.import_file",
    "strangers": "archive.import_file",
    "import": "archive.import_file",
    **{op: f"archive.{op}" for op in ("delete", "clear", "retention", "retain")},
    "proof": "proofs.export",
    "receipt_rule": "proofs.rule",
    **{op: f"proofs.{op}" for op in ("consent", "forge")},
    "erase_mailbox": "mailbox.erase",
    "holdings": "mailbox.holdings",
    "send_anonymous": "anonymous.send",
    "end_correspondence": "anonymous.end",
    **{op: f"anonymous.{op}" for op in ("create_address", "addresses", "retire_address", "correspondents")},
    "match_start": "matching.start",
    "match_stop": "matching.stop",
    "groups": "groups.list",
    "codes": "codes.all",
    "devices": "devices.all",
    "mailbox": "mailbox.show",
    "matching": "matching.status",
    "files": "files.under_way",
    "file": "files.one",
}
PARTS = {
    "archive": ArchiveAccess,
    "proofs": ProofAccess,
    "mailbox": MailboxAccess,
    "devices": DeviceAccess,
    "files": FileAccess,
    "groups": GroupAccess,
    "codes": CodeAccess,
    "matching": MatchAccess,
    "anonymous": AnonymousAccess,
}
PREFIXES = {"code_": "codes", "device_": "devices", "group_": "groups"}  # op → its part of a connection


def ops() -> dict[str, type[Command[Any]]]:
    return {kind.__struct_config__.tag: kind for kind in protocol.COMMANDS}


def rows() -> dict[str, set[str]]:
    """op → its arguments, as the table has them."""
    section = SPEC.read_text().split("### 7.9 ")[1].split("\n### ")[0]
    found = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = re.findall(r"`([a-z_]+)`", cells[0])
        if line.startswith("| `") and len(cells) == 3:
            found.update({name: set(re.findall(r"`([a-z_]+)`", cells[1])) for name in names})
    return found


def test_every_request_is_in_the_specification_with_its_arguments_and_nothing_else():
    assert len(rows()) > 20
    assert rows().keys() == ops().keys()
    for op, kind in ops().items():
        fields = {field.name for field in msgspec.structs.fields(kind)} - {"id"}
        assert rows()[op] == fields, op


def integers(of: type | msgspec.inspect.Type) -> Iterator[msgspec.inspect.IntType]:
    """All that a type, or what is in it, takes as whole numbers."""
    info = of if isinstance(of, msgspec.inspect.Type) else msgspec.inspect.type_info(of)
    match info:
        case msgspec.inspect.IntType():
            yield info
        case msgspec.inspect.UnionType():
            for one in info.types:
                yield from integers(one)
        case msgspec.inspect.StructType() | msgspec.inspect.DataclassType():
            for field in info.fields:
                yield from integers(field.type)
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            yield from integers(info.item_type)


@pytest.mark.parametrize("op", sorted(ops()))
def test_no_number_of_a_request_is_beyond_what_the_store_can_hold(op):
    for number in integers(ops()[op]):
        above = number.lt if number.le is None else number.le + 1
        assert number.ge is not None and number.ge >= 0 and above is not None and above <= 1 << 63


def test_every_request_has_its_method_in_python_with_a_docstring():
    for op in ops():
        name = OTHERWISE.get(op, op)
        for prefix, part in PREFIXES.items():
            if name.startswith(prefix):
                name = f"{part}.{name.removeprefix(prefix)}"
        part, _, last = name.rpartition(".")
        assert inspect.getdoc(getattr(PARTS[part] if part else Connection, last)), op
