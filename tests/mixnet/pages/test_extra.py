"""Who lacks the extra is told the command that helps; any other missing module stays our bug."""

import tomllib
from pathlib import Path

import pytest

from mixnet.pages.extra import WANTED, PagesMissing, needed


def test_what_is_wanted_is_the_extra():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert sorted(WANTED.values()) == sorted(project["optional-dependencies"]["ui"])


@pytest.mark.parametrize("name", ["starlette.routing", "hypercorn"])
def test_the_command_is_named(name):
    with pytest.raises(PagesMissing, match=r"-m pip install 'starlette>=\S+' 'hypercorn>=\S+'"), needed():
        raise ModuleNotFoundError(name=name)


def test_other_modules_stay_missing():
    with pytest.raises(ModuleNotFoundError), needed():
        raise ModuleNotFoundError(name="mixnet.nothing")
