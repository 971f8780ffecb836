"""What an extra needs is said as a command that installs just that, however this program was installed."""

import re
import shlex
import sys
import tomllib

import pytest

from mixnet import extras

MAKEFILE = (extras.CLONE / "Makefile").read_text()
DECLARED = tomllib.loads((extras.CLONE / "pyproject.toml").read_text())["project"]["optional-dependencies"]
FOR_USERS = sorted(DECLARED.keys() - {"test", "profile", "mutants", "oracle"})


@pytest.mark.parametrize("extra", FOR_USERS)
def test_the_command_of_each_extra_installs_it(extra, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", str(extras.CLONE / ".venv"))
    assert shlex.split(extras.installation(extra)) == ["make", "-C", str(extras.CLONE), "extras"]
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    words = shlex.split(extras.installation(extra))
    assert words[:4] == [sys.executable, "-m", "pip", "install"]
    assert sorted(words[4:]) == sorted(DECLARED[extra])
    assert f"`{extras.installation(extra)}`" in extras.lacking(extra)


def test_the_target_of_the_makefile_installs_all_of_them():
    people = re.search(r"^PEOPLE := ([a-z,]+)$", MAKEFILE, re.MULTILINE)
    found = re.search(r"^extras: .*?\.\[([a-z,]+)\$\(PEOPLE\)\]", MAKEFILE, re.MULTILINE | re.DOTALL)
    assert people is not None and found is not None
    assert sorted((found[1] + people[1]).split(",")) == FOR_USERS
    assert "make extras" in MAKEFILE
