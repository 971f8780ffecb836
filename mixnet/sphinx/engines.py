"""The engines that a configuration may name (spec/02-sphinx.md 2.9)."""

from __future__ import annotations

from functools import cache

from mixnet.errors import LocalError
from mixnet.sphinx.engine import Engine, SphinxEngine


def _reference() -> Engine:
    """The oracle as an engine: imported only when somebody chose it."""
    from mixnet.sphinx.reference import ReferenceEngine  # noqa: PLC0415

    return ReferenceEngine()


ENGINES = {"mixnet": SphinxEngine, "sphinxmix": _reference}


@cache
def engine_by_name(name: str) -> Engine:
    """The engine that a configuration names: `mixnet`, or `sphinxmix` where it is installed; LocalError otherwise."""
    try:
        make = ENGINES[name]
    except KeyError:
        raise LocalError(f"no engine `{name}`: choose {' or '.join(ENGINES)}") from None
    return make()
