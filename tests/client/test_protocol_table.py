"""The table of the local protocol in SPEC.md, section 7.9, against the requests that there are."""

import inspect
import re
from pathlib import Path
from typing import get_args

import msgspec

from client import commands
from client.archive_access import ArchiveAccess
from client.connection import Connection

SPEC = Path(__file__).parents[2] / "SPEC.md"
OTHERWISE = {  # op → where Python has it
    "follow": "messages",
    "export": "archive.export",
    "identity": "archive.import_file",
    "strangers": "archive.import_file",
    "import": "archive.import_file",
    "delete": "archive.delete",
    "clear": "archive.clear",
    "retention": "archive.retention",
    "retain": "archive.retain",
}


def ops() -> dict[str, type[commands.Command]]:
    return {kind.__struct_config__.tag: kind for kind in get_args(commands.AnyCommand)}


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


def test_every_request_has_its_method_in_python_with_a_docstring():
    for op in ops():
        holder, name = Connection, OTHERWISE.get(op, op)
        if name.startswith("archive."):
            holder, name = ArchiveAccess, name.removeprefix("archive.")
        assert inspect.getdoc(getattr(holder, name)), op
