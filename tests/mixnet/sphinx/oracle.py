"""Whether sphinxmix is to be had here: its tests skip without it, but never in CI."""

import importlib.util
import os

import pytest


def installed() -> bool:
    """Whether sphinxmix and what it needs can be imported."""
    return all(importlib.util.find_spec(name) is not None for name in ("sphinxmix", "petlib"))


def require_sphinxmix() -> None:
    """Skip the module that calls this where sphinxmix can't be imported; fail instead where CI is set."""
    if installed():
        return
    reason = "sphinxmix isn't installed (it needs a compiler); the vectors that it made are tested all the same"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)
