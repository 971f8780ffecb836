"""What tests of several folders begin with."""

from __future__ import annotations

import pytest

from tests.client.worlds.town import Town


@pytest.fixture
def network(tmp_path):
    Town().bootstrap.save(tmp_path / "bootstrap.json")
    return tmp_path
