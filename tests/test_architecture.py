"""docs/architecture.md shows the rooms as they are, and its ways lead along files and functions that exist."""

import ast
import re

import pytest

from tests import architecture

WAY = re.compile(r"(?m)^## (A .*)\n\n((?:.+\n)+)")
STEP = re.compile(r"(?m)^\d\. `([\w/]+\.py)`: ((?:.*\n)(?:   .*\n)*)")
NAME = re.compile(r"`([A-Za-z_]\w*)`")


def ways() -> dict[str, list[tuple[str, list[str]]]]:
    """For each way its steps: a file, and the names in it that a reader is told to look at."""
    text = architecture.PAGE.read_text(encoding="utf-8")
    found = {title: STEP.findall(steps) for title, steps in WAY.findall(text)}
    return {title: [(file, NAME.findall(said)) for file, said in steps] for title, steps in found.items()}


def defined(source: str) -> set[str]:
    """All functions, methods, classes and constants of a file."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def test_the_picture_is_that_of_the_imports():
    assert architecture.PAGE.read_text(encoding="utf-8") == architecture.drawn(), "run `make architecture`"


def test_the_picture_has_every_room_and_its_purpose():
    picture = architecture.picture()
    for folder in ("client", "benchmarks"):
        rooms = {path.parent.name for path in (architecture.ROOT / folder).glob("*/__init__.py")}
        assert rooms == {room for layer in architecture.layers_of(folder) for room in layer}
        assert len(rooms) >= 11
        for room in rooms:
            line = next(line for line in picture.splitlines() if line.startswith(f"{room} "))
            assert architecture.purpose(f"{folder}.{room}")
            assert len(line) <= 120
    packages = {path.parent.name for path in architecture.ROOT.glob("*/__init__.py")} - {"tests"}
    assert {folder for layer in architecture.layers_of_folders() for folder in layer} == packages


def test_what_follows_from_other_imports_is_left_out():
    imports = {"a": {"b", "c", "d"}, "b": {"c"}, "c": set(), "d": set()}
    assert architecture.reduced(imports) == {"a": {"b", "d"}, "b": {"c"}, "c": set(), "d": set()}


def test_there_are_five_ways_of_at_most_eight_files():
    found = ways()
    assert len(found) == 5
    for title, steps in found.items():
        assert 5 <= len(steps) <= 8, title
        assert len({file for file, _ in steps}) == len(steps), title
    assert len(architecture.PAGE.read_text(encoding="utf-8").splitlines()) <= 135, "two pages"


@pytest.mark.parametrize(("file", "names"), [step for steps in ways().values() for step in steps])
def test_each_step_leads_to_what_is_there(file, names):
    assert names, "say what to look at"
    missing = set(names) - defined((architecture.ROOT / file).read_text(encoding="utf-8"))
    assert not missing, f"{file} has no {sorted(missing)}"


def test_a_name_that_is_not_there_would_show():
    """Control."""
    assert "send_text" in defined("class A:\n    def send_text(self): ...")
    assert "TABLE" in defined("TABLE: int = 1")
    assert "other" not in defined("def send(): other()")
