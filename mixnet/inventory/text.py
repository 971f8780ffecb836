"""The inventory as text: maps for JSON, and tables for docs/privacy-impact.md. Pure.

See spec/08-errors-and-figures.md 8.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mixnet.errors import LocalError
from mixnet.inventory.row import Role, Row

Inventory = Mapping[Role, Sequence[Row]]


def as_maps(inventory: Inventory) -> list[dict[str, Any]]:
    """For JSON: a map for each row, with its role."""
    return [
        {
            "role": str(role),
            "kind": row.kind,
            "about_a_user": row.user,
            "where": [str(place) for place in row.where],
            "reveals": row.reveals,
            "purpose": row.purpose,
            "kept": row.kept,
            "bound": row.bound,
            "readers": row.readers,
            "erased": row.erased,
            "encrypted": row.encrypted,
        }
        for role, rows in inventory.items()
        for row in rows
    ]


def markdown(inventory: Inventory) -> str:
    """A section for each role, with a table of what it holds."""
    sections = []
    for role, rows in inventory.items():
        lines = [f"### {str(role).capitalize()}", "", *_head("what", "where", "what it reveals", "why", "encrypted")]
        for row in rows:
            places = "; ".join(str(place) for place in row.where)
            lines.append(_line(row.kind, places, row.reveals, row.purpose, row.encrypted))
        sections.append("\n".join(lines))
    return "\n\n".join(sections) + "\n"


def retention_markdown(inventory: Inventory) -> str:
    """One table: how long everything about a user is kept, what bounds that, who can read it, how it goes."""
    lines = _head("who", "what", "how long", "bound by", "who can read it", "erased by")
    for role, rows in inventory.items():
        for row in rows:
            if row.user:
                bound = f"`{row.bound}`" if row.bound.isidentifier() else row.bound
                lines.append(_line(str(role), row.kind, row.kept, bound, row.readers, row.erased))
    return "\n".join(lines) + "\n"


def refreshed(document: str, inventory: Inventory) -> str:
    """The document with its tables made anew between `<!-- inventory -->`, `<!-- retention -->` and their ends."""
    for name, table in (("inventory", markdown(inventory)), ("retention", retention_markdown(inventory))):
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        before, _, rest = document.partition(begin)
        _, _, after = rest.partition(end)
        if not rest or end not in rest:
            raise LocalError(f"the document has no place for the {name}: put {begin.strip()} and {end.strip()} there")
        document = f"{before}{begin}\n{table}\n{end}{after}"
    return document


def _head(*names: str) -> list[str]:
    return [_line(*names), _line(*("---" for _ in names))]


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
