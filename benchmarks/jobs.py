"""Work in pieces: one function called once for each set of arguments, here or in many processes (docs/measuring.md).

Promises: results come in the order of the arguments, whatever order the work was done in. A function is one of a
module, its arguments fit into JSON, and what it returns fits into JSON or is a dict of arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Run(Protocol):
    """A runner."""

    def __call__(self, function: Callable[..., T], jobs: Sequence[Mapping[str, Any]], /) -> list[T]:
        """`function(**job)` for each job, in their order."""


def inline(function: Callable[..., T], jobs: Sequence[Mapping[str, Any]], /) -> list[T]:
    """One after the other, in this process."""
    return [function(**job) for job in jobs]


def processes(workers: int) -> Run:
    """A runner that spreads the work over so many processes of this machine."""

    def run(function: Callable[..., T], jobs: Sequence[Mapping[str, Any]], /) -> list[T]:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            pieces = [pool.submit(function, **job) for job in jobs]
            return [piece.result() for piece in pieces]

    return run


@contextmanager
def cluster(address: str) -> Iterator[Run]:
    """A runner on a dask cluster, whose scheduler has this address; the machines need this package installed."""
    from distributed import Client  # noqa: PLC0415  # of the extra `bench`

    with Client(address) as client:  # type: ignore[no-untyped-call]

        def run(function: Callable[..., T], jobs: Sequence[Mapping[str, Any]], /) -> list[T]:
            futures = [client.submit(function, **job, pure=False) for job in jobs]
            done: list[T] = client.gather(futures)
            return done

        yield run
