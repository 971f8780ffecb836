"""What tests of several folders begin with, and how each ends: without a fault, if it doesn't make one itself."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.client.worlds import faults
from tests.client.worlds.town import Town

faults.watch()


@pytest.fixture
def network(tmp_path):
    Town().bootstrap.save(tmp_path / "bootstrap.json")
    return tmp_path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Those of fixtures that several tests share count where they are made."""
    try:
        result = yield
    finally:
        noted = faults.taken()
    assert not noted or item.get_closest_marker("faults"), f"faults of the program: {Counter(noted)}"
    return result
