"""Work in pieces: one function called for each set of arguments, here or in many processes (docs/measuring.md).

Promises: results come in the order of the arguments, whatever order the work was done in. A function is one of a
module, its arguments fit into JSON, and what it returns fits into JSON or is a dict of arrays. Results that are kept
are written as soon as a piece is done, and are never used for other arguments or by other code than made them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zipfile import BadZipFile

from mixnet.benchmarks.base.extra import MissingLibrary

T = TypeVar("T")
Job = Mapping[str, Any]
Source = Callable[[Callable[..., Any], Sequence[Job]], Iterator[tuple[int, Any]]]
Watch = Callable[[int, int], None]
LOCAL = "local"
_ROOMS = ("mixnet", "mixnode", "client", "directory", "benchmarks", "deploy")
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "trio")


class Run(Protocol):
    """A runner."""

    def __call__(self, function: Callable[..., T], jobs: Sequence[Job], /) -> list[T]:
        """`function(**job)` for each job, in their order."""


# Where pieces are done: each gives (number of the job, result) as they get done.


def here(function: Callable[..., Any], jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
    """One after the other, in this process."""
    for number, job in enumerate(jobs):
        yield number, function(**job)


def spread(pool: Executor) -> Source:
    """Over the processes of a pool, here or on other machines."""

    def source(function: Callable[..., Any], jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        numbers = {pool.submit(function, **job): number for number, job in enumerate(jobs)}
        try:
            for piece in as_completed(numbers):
                yield numbers[piece], piece.result()
        finally:
            for piece in numbers:
                piece.cancel()

    return source


# What runs them.


class Kept:
    """Results on disk, each under a name that follows from function, arguments and `code`."""

    def __init__(self, folder: Path, code: str) -> None:
        self._folder, self._code = folder, code

    def path(self, function: Callable[..., Any], job: Job) -> Path:
        """Where the result of a piece is, without the ending that says of which sort it is."""
        named = [self._code, function.__module__, function.__qualname__, dict(job)]
        digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()
        return self._folder / f"{function.__name__}-{digest[:32]}"

    def find(self, function: Callable[..., Any], job: Job) -> list[Any]:
        """The result in a list, or nothing."""
        import numpy as np  # noqa: PLC0415

        path = self.path(function, job)
        try:
            if path.with_suffix(".json").exists():
                return [json.loads(path.with_suffix(".json").read_text())]
            if path.with_suffix(".npz").exists():
                with path.with_suffix(".npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                    return [{name: arrays[name] for name in arrays.files}]
        except (OSError, ValueError, EOFError, BadZipFile):
            return []  # spoilt, as by a full disk: done again
        return []

    def put(self, function: Callable[..., Any], job: Job, result: Any) -> None:
        """Write the result; whoever looks meanwhile finds nothing rather than half of it."""
        import numpy as np  # noqa: PLC0415

        self._folder.mkdir(parents=True, exist_ok=True)
        path = self.path(function, job)
        arrays = isinstance(result, dict) and result and all(isinstance(one, np.ndarray) for one in result.values())
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            if arrays:
                np.savez(file, **result)
            else:
                file.write(json.dumps(result).encode())
        part.replace(path.with_suffix(".npz" if arrays else ".json"))


def unheard(_done: int, _total: int) -> None:
    """Nobody hears it."""


def runner(source: Source, *, kept: Kept | None = None, watch: Watch = unheard) -> Run:
    """A runner on a source, which looks among what is kept first, and tells `watch` how many pieces are done."""

    def run(function: Callable[..., T], jobs: Sequence[Job], /) -> list[T]:
        results: dict[int, T] = {}
        for number, job in enumerate(jobs):
            for found in kept.find(function, job) if kept else ():
                results[number] = found
        missing = [number for number in range(len(jobs)) if number not in results]
        watch(len(results), len(jobs))
        if missing:
            for position, result in source(function, [jobs[number] for number in missing]):
                results[missing[position]] = result
                if kept:
                    kept.put(function, jobs[missing[position]], result)
                watch(len(results), len(jobs))
        return [results[number] for number in range(len(jobs))]

    return run


inline: Run = runner(here)


@contextmanager
def shared(
    workers: int, scheduler: str | None = None, *, kept: Kept | None = None, watch: Watch = unheard
) -> Iterator[Run]:
    """A runner on so many processes of this machine, or on a dask cluster.

    That is the cluster of the scheduler at this address, whose machines need this package; LOCAL makes one here.
    """
    with ExitStack() as stack:
        source: Source = here
        if scheduler:
            from distributed import Client  # noqa: PLC0415  # of the extra `bench`

            made: dict[str, Any] = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
            client = stack.enter_context(Client(**(made if scheduler == LOCAL else {"address": scheduler})))  # type: ignore[no-untyped-call]
            source = spread(client.get_executor(pure=False))
        elif workers > 1:
            source = spread(stack.enter_context(ProcessPoolExecutor(workers, mp_context=get_context("spawn"))))
        yield runner(source, kept=kept, watch=watch)


def code() -> str:
    """What stands for the code that computes: its sources and the versions of the libraries that draw and compute."""
    root = Path(__file__).parent.parent.parent
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    for name in _LIBRARIES:
        try:
            digest.update(f"{name} {metadata.version(name)}\0".encode())
        except metadata.PackageNotFoundError:
            raise MissingLibrary(name) from None
    return digest.hexdigest()
