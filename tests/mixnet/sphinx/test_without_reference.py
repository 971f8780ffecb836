"""Where sphinxmix isn't installed: the engine says what to do, and everything else runs."""

import subprocess
import sys

import pytest

from tests.mixnet.sphinx import oracle

_BLOCK = """
import sys
sys.modules["sphinxmix"] = None
from mixnet.errors import LocalError
from mixnet.sphinx import engine_by_name
assert engine_by_name("mixnet").name == "mixnet"
try:
    engine_by_name("sphinxmix")
except LocalError as problem:
    print(problem)
"""


def test_choosing_an_engine_that_is_not_installed_says_what_to_install():
    done = subprocess.run([sys.executable, "-c", _BLOCK], capture_output=True, text=True, check=True)
    assert "pip install" in done.stdout
    assert "sphinxmix==" in done.stdout
    assert done.stdout.count("\n") == 1


def test_nothing_imports_sphinxmix_unless_it_is_chosen():
    script = (
        "import sys, mixnet.sphinx as s; s.engine_by_name('mixnet');"
        "assert not {'sphinxmix', 'petlib', 'mixnet.sphinx.reference'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_oracle_tests_skip_without_it_but_never_in_ci(monkeypatch):
    monkeypatch.setattr(oracle.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="isn't installed"):
        oracle.require_sphinxmix()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="isn't installed"):
        oracle.require_sphinxmix()
