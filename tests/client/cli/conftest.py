"""What the tests of the commands begin with."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("MIXNET_DIR", "MIXNET_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
