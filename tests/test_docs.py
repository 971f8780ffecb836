"""What the documents say about commands, files and storage is so."""

import ast
import re
import tokenize
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import pytest
from cyclopts import App

from mixnet.benchmarks.attacks import ATTACKS
from mixnet.benchmarks.threats.catalogue import REQUIREMENTS
from mixnet.cli import build
from mixnet.inventory import INVENTORY, refreshed
from tests.mixnet.commands import commands

ROOT = Path(__file__).parents[1]
IMPACT, COMMANDS, README = ROOT / "docs" / "privacy-impact.md", ROOT / "docs" / "commands.md", ROOT / "README.md"
CALLED = re.compile(r"`mixnet ([a-z][^`]*)`")
SPEC = ROOT / "spec"
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")


@cache
def every() -> dict[tuple[str, ...], App]:
    found = commands(build())
    assert len(found) > 35
    return found


def command_of(text: str) -> tuple[str, ...] | None:
    """The command that a text after `mixnet` calls; None if there is none, or only a group of several."""
    words = text.split()
    return next((path for path in every() if tuple(words[: len(path)]) == path), None)


def options_of(path: tuple[str, ...]) -> set[str]:
    arguments = every()[path].assemble_argument_collection()
    return {name for argument in arguments for name in (*argument.names, *argument.negatives)}


def rows(document: Path) -> list[str]:
    return [line for line in document.read_text().splitlines() if line.startswith("| `mixnet ")]


def test_each_command_is_named() -> None:
    named = [command_of(CALLED.search(row)[1]) for row in rows(COMMANDS)]
    assert None not in named
    missing = sorted(" ".join(path) for path in set(every()) - set(named))
    assert not missing, f"docs/commands.md lacks {missing}: add a row for each"


def test_each_command_is_in_the_readmes_table() -> None:
    section = README.read_text().split("## Commands")[1].split("## ")[0]
    named = {words.split()[0] for words in re.findall(r"`([a-z][a-z ]*)`", section)}
    missing = {path[0] for path in every()} - named
    assert not missing, f"README.md's section Commands lacks {sorted(missing)}"
    assert named <= {path[0] for path in every()}
    assert "docs/commands.md" in section


@pytest.mark.parametrize("row", rows(COMMANDS))
def test_each_option_that_is_named_exists(row) -> None:
    path = command_of(CALLED.search(row)[1])
    assert set(re.findall(r"--[a-z][a-z-]+", row)) <= options_of(path)


def test_an_option_that_does_not_exist_would_show() -> None:
    """Control."""
    assert "--leave" in options_of(("mailbox", "erase"))
    assert "--verify" in options_of(("contacts",))
    assert "--all" not in options_of(("delete",))
    assert command_of("mailbox destroy alice") is None


def test_the_assessment_has_the_tables_of_the_inventory() -> None:
    text = IMPACT.read_text()
    remake = "run `mixnet privacy --markdown docs/privacy-impact.md`"
    assert refreshed(text, INVENTORY) == text, f"the inventory has changed: {remake}"
    for role, held in INVENTORY.items():
        for row in held:
            if row.user:
                assert f"| {role} | {row.kind} |" in text


def test_what_the_assessment_calls_a_command_is_one() -> None:
    called = CALLED.findall(IMPACT.read_text())
    assert len(called) > 20
    wrong = [text for text in called if command_of(text) is None]
    assert wrong == []
    for text in called:
        assert set(re.findall(r"--[a-z][a-z-]+", text)) <= options_of(command_of(text)), text


def test_what_the_assessment_points_at_is_there() -> None:
    text = IMPACT.read_text()
    paths = re.findall(r"`(tests/[^`]+)`", text)
    assert len(set(paths)) > 8
    assert [path for path in paths if not (ROOT / path).is_file()] == []
    links = LINK.findall(text)
    assert len(links) > 8
    for file, anchor in links:
        target = (IMPACT.parent / file).read_text()
        heads = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in _heads(target)}
        assert not anchor or anchor in heads, f"{file}#{anchor}"


def _heads(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("#")]


def test_each_risk_has_requirements_measures_and_what_remains() -> None:
    section = IMPACT.read_text().split("## 6. Risks")[1].split("## 7.")[0]
    risks = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:2] == "| "]
    names, risks = risks[0], risks[2:]
    assert names == ["risk", "requirement", "likelihood", "severity", "measures", "shown by", "what remains"]
    assert len(risks) >= 10
    for risk in risks:
        assert len(risk) == len(names), risk
        assert all(risk), risk
        assert set(risk[1].split(", ")) <= set(REQUIREMENTS), risk
    assert {"P4", "P6"} <= {name for risk in risks for name in risk[1].split(", ")}


CITATION = re.compile(r"spec/([\w-]+\.md)(?: ((?:\d+\.\d+)(?:(?:, | and | to )\d+\.\d+)*))?")


def citations():
    """(file, chapter, section or None) for each citation of the specification in code and documents."""
    for path in sorted(ROOT.rglob("*.py")) + sorted((ROOT / "docs").glob("*.md")):
        if {".venv", "mutants"} & set(path.relative_to(ROOT).parts):
            continue
        text = re.sub(r"\s+(?:# )?", " ", path.read_text(encoding="utf-8"))
        for chapter, sections in CITATION.findall(text):
            for section in re.findall(r"\d+\.\d+", sections) or [None]:
                yield path.relative_to(ROOT).as_posix(), chapter, section


@cache
def sections() -> dict[str, set[str]]:
    """The sections of each chapter of the specification, by file."""
    return {path.name: set(re.findall(r"(?m)^### (\d+\.\d+) ", path.read_text())) for path in SPEC.glob("*.md")}


def test_each_section_that_is_cited_exists():
    cited = [one for one in citations() if one[0] != "tests/test_docs.py"]
    assert len(cited) > 300
    assert [one for one in cited if one[1] not in sections() or (one[2] and one[2] not in sections()[one[1]])] == []


def test_a_citation_names_a_section_where_the_chapter_has_sections():
    """Only the `__init__` of a package of a whole chapter may cite the chapter."""
    chapters = [one for one in citations() if one[2] is None and one[0].endswith(".py") and sections().get(one[1])]
    assert [one for one in chapters if not one[0].endswith("__init__.py") and one[0] != "tests/test_docs.py"] == []


def test_each_section_that_the_documents_refer_to_exists():
    """In words, "section 7.5" or "section 7", and in the specification also the bare "(7.5)"."""
    known = {section for each in sections().values() for section in each}
    known |= {re.match(r"## (\d+)\.", path.read_text())[1] for path in SPEC.glob("[0-9]*.md")}
    found = 0
    for path in [*SPEC.glob("*.md"), *(ROOT / "docs").glob("*.md"), README]:
        text = path.read_text()
        named = set(re.findall(r"\b[Ss]ections? (\d+(?:\.\d+)?)", re.sub(r"RFC \d+ section \d+", "", text)))
        if path.parent == SPEC and path.name < "11":  # chapter 13 has figures in brackets
            named |= set(re.findall(r"\((\d+\.\d+)\)", text))
        found += len(named)
        assert named <= known, f"{path.name}: there is no section {sorted(named - known)}"
    assert found > 50


def test_the_specification_describes_each_attack():
    chapter = (SPEC / "13-measurements.md").read_text()
    described = chapter[chapter.index("### 13.2 ") : chapter.index("### 13.6 ")].lower()
    lacking = [name for name in ATTACKS if f"**{name}**" not in described and f"{name} (" not in described]
    assert not lacking, f"spec/13-measurements.md 13.5 lacks {lacking}: say what is tried, and the controls"


CODE = ("mixnet", "mixnode", "directory", "client", "benchmarks", "deploy", "tests", "docs", "spec", "changes.d")
PATH = re.compile(rf"`((?:{'|'.join(CODE)})/[\w./-]*|[\w./-]*\.py)`")
IN_A_NODES_FOLDER = {"directory/document", "directory/introduction-1", "directory/evidence-EPOCH-1"}


def test_each_name_that_an_example_imports_exists():
    found = set()
    for path in [*SPEC.glob("*.md"), *(ROOT / "docs").glob("*.md"), README]:
        for module, names in re.findall(r"(?m)^ *from ([a-z_.]+) import ([\w, ]+)$", path.read_text()):
            found |= {(module, name.split(" as ")[0].strip()) for name in names.split(",")}
    assert len(found) > 5
    # Also a module of its package, which is no attribute of it before somebody imports it.
    missing = [one for one in sorted(found) if not (hasattr(import_module(one[0]), one[1]) or find_spec(".".join(one)))]
    assert missing == []


@pytest.mark.parametrize("document", ["README.md", "SECURITY.md", "docs/*.md", "spec/*.md"])
def test_each_file_that_is_named_exists(document):
    """Files are named whole, from the root of the repository, and a folder's name ends in a slash or is one."""
    named = {(path.name, file) for path in ROOT.glob(document) for file in PATH.findall(path.read_text())}
    assert named
    missing = sorted((where, file) for where, file in named if not (ROOT / file).exists())
    assert [one for one in missing if one[1] not in IN_A_NODES_FOLDER] == []


def test_the_index_of_the_specification_names_each_section():
    index = (SPEC / "README.md").read_text()
    for path in SPEC.glob("[0-9]*.md"):
        assert f"]({path.name})" in index
        for heading in re.findall(r"(?m)^### (\d+\.\d+ .*)$", path.read_text()):
            assert heading in index


def comments():
    """(file, text) of each docstring and each comment in code."""
    for path in sorted(ROOT.rglob("*.py")):
        if {".venv", "mutants"} & set(path.relative_to(ROOT).parts):
            continue
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, ast.get_docstring(node) or ""
        for token in tokenize.generate_tokens(StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield path, token.string


def test_each_file_that_a_comment_names_exists():
    """From the root of the repository, or in the same folder."""
    found = [(path, name) for path, text in comments() for name in re.findall(r"(?<![\w/.{}<>*-])[\w/]+\.py\b", text)]
    assert len(found) > 50
    missing = {
        (path.relative_to(ROOT).as_posix(), name)
        for path, name in found
        if not (ROOT / name).is_file() and not (path.parent / name).is_file()
    }
    assert missing == set()
