"""The inventory: what each role holds about a user, where, how long and why (spec/08-errors-and-figures.md 8.4).

Pure. Promises: it is the one list from which `mixnet privacy` and docs/privacy-impact.md are made; tests compare it
with tables, files, log fields and figures of the real thing, so nothing is kept that it doesn't name.
"""

from __future__ import annotations

from mixnet.inventory.authority import AUTHORITY
from mixnet.inventory.client import ROWS
from mixnet.inventory.node import MIX, PROVIDER
from mixnet.inventory.row import Columns, Fields, Figures, Files, Memory, Place, Role, Row, Settings, holders
from mixnet.inventory.text import as_maps, markdown, refreshed, retention_markdown

INVENTORY: dict[Role, tuple[Row, ...]] = {
    Role.CLIENT: ROWS,
    Role.PROVIDER: PROVIDER,
    Role.MIX: MIX,
    Role.AUTHORITY: AUTHORITY,
}

__all__ = [
    "INVENTORY", "Columns", "Fields", "Figures", "Files", "Memory", "Place", "Role", "Row", "Settings", "as_maps",
    "holders", "markdown", "refreshed", "retention_markdown",
]  # fmt: skip
