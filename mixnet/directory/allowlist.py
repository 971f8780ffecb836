"""Which nodes an authority has approved, changed by its operator while it runs (spec/05-directory.md 5.11).

Promises: the configuration's lists hold but for what `nodes.json` beside the authority's data changes; that file is
read again whenever it was replaced, so approving or revoking a node needs no restart; it is written whole or not at
all. A damaged file changes nothing, and is told to the operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from mixnet.crypto import KEY_SIZE
from mixnet.directory.files import Stamp, replace, stamp
from mixnet.errors import LocalError
from mixnet.pki.descriptor import NodeRole

CHANGES = "nodes.json"


class BadAllowList(LocalError):
    """The list of approved nodes is damaged: correct it, or remove it and approve the nodes again."""


class Changes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the operator decided since the configuration was written: identities as 64 hexadecimal digits."""

    approved: dict[str, NodeRole] = {}
    revoked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no identity; raises ValueError."""
        for text in (*self.approved, *self.revoked):
            if len(bytes.fromhex(text)) != KEY_SIZE:
                raise ValueError("an identity has 64 hexadecimal digits")

    def approve(self, identity: bytes, role: NodeRole) -> Changes:
        """The same changes, and this node approved."""
        others = tuple(text for text in self.revoked if text != identity.hex())
        return Changes({**self.approved, identity.hex(): role}, others)

    def revoke(self, identity: bytes) -> Changes:
        """The same changes, and this node revoked."""
        others = {text: role for text, role in self.approved.items() if text != identity.hex()}
        return Changes(others, tuple(sorted({*self.revoked, identity.hex()})))

    def applied(self, base: Mapping[bytes, NodeRole]) -> dict[bytes, NodeRole]:
        """The configuration's allow-list with these changes."""
        listed = {**base, **{bytes.fromhex(text): role for text, role in self.approved.items()}}
        gone = {bytes.fromhex(text) for text in self.revoked}
        return {identity: role for identity, role in listed.items() if identity not in gone}


def load_changes(folder: Path) -> Changes:
    """The changes in an authority's `folder`, none if there is no such file; raises BadAllowList."""
    try:
        return msgspec.json.decode((folder / CHANGES).read_bytes(), type=Changes)
    except FileNotFoundError:
        return Changes()
    except (OSError, ValueError) as error:
        raise BadAllowList(f"{folder / CHANGES} is damaged ({error}): correct it, or remove it") from None


def save_changes(folder: Path, changes: Changes) -> None:
    """Replace the file in one step."""
    replace(folder / CHANGES, msgspec.json.format(msgspec.json.encode(changes), indent=2) + b"\n")


class AllowList:
    """The nodes that one authority approves, as of now."""

    def __init__(self, base: Mapping[bytes, NodeRole], folder: Path | None) -> None:
        """`base` is the configuration's list; without a `folder` nothing changes it."""
        self._base = base
        self._folder = folder
        self._stamp: Stamp | None = None
        self._current = dict(base)
        self.problem = ""

    def current(self) -> dict[bytes, NodeRole]:
        """Identity (32 bytes) to role."""
        if self._folder is not None and (found := stamp(self._folder / CHANGES)) != self._stamp:
            self._stamp = found
            try:
                self._current, self.problem = load_changes(self._folder).applied(self._base), ""
            except BadAllowList as problem:
                self.problem = str(problem)
        return self._current
