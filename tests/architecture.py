"""Draws the rooms of the code in docs/architecture.md, from the imports themselves: `make architecture`.

Promises: the order is that of the contracts in pyproject.toml, which `lint-imports` enforces; a room's purpose is the
first line of its package; an import that follows from another one is left out. Nothing is written by hand between the
two markers, so the picture can't go stale: tests/test_architecture.py compares.

    python -m tests.architecture
"""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("mixnet", "mixnode")
BEGIN, END = "<!-- rooms: made by `make architecture` -->", "<!-- end of rooms -->"
NAME, PURPOSE, IMPORTS = 13, 78, 29  # columns


def drawn() -> str:
    """The page with the rooms as they are now."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return f"{before}{BEGIN}\n{picture()}\n{END}{rest.split(END)[1]}"


def picture() -> str:
    """All rooms, those that import others above those that are imported."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imported = {short(one): set(map(short, graph.find_modules_directly_imported_by(one))) for one in graph.modules}
    parts = [_table("folder", "", layers_of_folders(), imported)]
    parts += [_table(f"{folder}/", f"{folder}.", layers_of(folder), imported) for folder in ("client", "benchmarks")]
    return "\n".join(["```text", "\n\n".join(parts), "```"])


def layers_of_folders() -> list[list[str]]:
    """The folders, as the contract between them orders them; what is beside them is `mixnet`, on which all stand."""
    above = next(_split(contract["layers"]) for contract in _contracts() if "containers" not in contract)
    return [[short(folder) for folder in layer] for layer in above] + [["mixnet"]]


def short(module: str) -> str:
    """The name of a module from its folder on: `client.cli` for `mixnet.client.cli`."""
    inner = module.removeprefix("mixnet.")
    return inner if (ROOT / inner.split(".")[0]).is_symlink() else module


def layers_of(folder: str) -> list[list[str]]:
    """The rooms of a folder, highest first; those of one layer don't import each other."""
    return next(_split(one["layers"]) for one in _contracts() if one.get("containers") == [f"mixnet.{folder}"])


def purpose(package: str) -> str:
    """The first line of a package, without the sections of the specification that it cites."""
    source = (ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    line = (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]
    return re.sub(r" \((?:spec|docs)/[^)]*\)", "", line).rstrip(".")


def reduced(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """The imports without those that follow from others: A → C goes where A → B → C is."""

    def reached(room: str) -> set[str]:
        return imports[room] | {far for near in imports[room] for far in reached(near)}

    return {
        room: {one for one in direct if not any(one in reached(other) for other in direct - {one})}
        for room, direct in imports.items()
    }


def _contracts() -> list[dict[str, list[str]]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [one for one in settings["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]


def _split(layers: list[str]) -> list[list[str]]:
    return [re.split(r"\s*[|:]\s*", layer) for layer in layers]


def _table(title: str, prefix: str, layers: list[list[str]], imported: dict[str, set[str]]) -> str:
    rooms = [room for layer in layers for room in layer]
    direct: dict[str, set[str]] = {room: set() for room in rooms}
    for module, others in imported.items():
        here = _room(module, prefix)
        for there in (_room(other, prefix) for other in others):
            if here in direct and there in direct and rooms.index(here) < rooms.index(there):  # no other may be
                direct[here].add(there)
    lines = [_columns(title, "what is in it", "imports"), "─" * (NAME + PURPOSE + IMPORTS)]
    for room, needs in reduced(direct).items():
        lines += _row(room, purpose(prefix + room), ", ".join(one for one in rooms if one in needs))
    return "\n".join(lines)


def _room(module: str, prefix: str) -> str:
    return module.removeprefix(prefix).split(".")[0] if module.startswith(prefix) else ""


def _row(name: str, text: str, imports: str) -> list[str]:
    left, right = textwrap.wrap(text, PURPOSE - 2), textwrap.wrap(imports, IMPORTS)
    count = max(len(left), len(right), 1)
    left, right = left + [""] * (count - len(left)), right + [""] * (count - len(right))
    names = [name] + [""] * (count - 1)
    return [_columns(*cells) for cells in zip(names, left, right, strict=True)]


def _columns(name: str, text: str, imports: str) -> str:
    return f"{name:{NAME}}{text:{PURPOSE}}{imports}".rstrip()


if __name__ == "__main__":
    PAGE.write_text(drawn(), encoding="utf-8")
