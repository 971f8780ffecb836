"""Who lacks the extra is told the command that helps; any other missing module stays our bug."""

import pytest

from mixnet.pages.extra import PagesMissing, needed


@pytest.mark.parametrize("name", ["starlette.routing", "hypercorn"])
def test_the_command_is_named(name):
    with pytest.raises(PagesMissing, match="libraries that aren't installed: `"), needed():
        raise ModuleNotFoundError(name=name)


def test_other_modules_stay_missing():
    with pytest.raises(ModuleNotFoundError), needed():
        raise ModuleNotFoundError(name="mixnet.nothing")
