"""What the tests of this folder begin with."""

import pytest

from tests.client.worlds.circle import Circle


@pytest.fixture
def circle(tmp_path):
    """Three people in a group, and nothing under way."""
    made = Circle(tmp_path, 3, seed=11)
    made.found()
    assert made.run(300, lambda: made["alice"].store.one("SELECT 1 FROM group_awaited") is None)
    return made
