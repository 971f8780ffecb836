"""One network for all checks of this folder: it takes seconds."""

import pytest

from mixnet.benchmarks.threats.scenario import live


@pytest.fixture(scope="package")
def seen():
    return live(1)
