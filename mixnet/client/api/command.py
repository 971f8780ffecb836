"""The base of every request of the local protocol, and of every part of a connection.

Promises: a verb is written once, as a class with what it takes, what it answers and what the daemon does for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar, get_args, get_origin

import anyio
import msgspec

if TYPE_CHECKING:  # a program that only asks need not load what a daemon is made of
    from mixnet.client.api.daemon_api import DaemonApi

LOOK_AGAIN = 5.0  # seconds after which a waiting program looks even if nothing was announced

P = ParamSpec("P")
R = TypeVar("R")
NUMBER_LIMIT = (1 << 63) - 1  # what the store can hold
Number = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_LIMIT)]
Seconds = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]  # no NaN, no infinity; which are allowed, the verb says


class Command(msgspec.Struct, Generic[R], frozen=True, tag_field="op", forbid_unknown_fields=True, kw_only=True):
    """A request whose answer is an R: what `run` returns in the daemon, and the program gets."""

    returns: ClassVar[Any]  # R, to read an answer by
    id: Number = 0  # its answer repeats it; `Connection.ask` gives it

    def __init_subclass__(cls) -> None:
        """Take R from `Command[R]` among the bases, so that nobody has to write it twice."""
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Command:
                (cls.returns,) = get_args(base)

    async def run(self, daemon: DaemonApi) -> R:
        """Do it; what it raises is answered as an error."""
        raise NotImplementedError


class Change(Protocol):
    """What is set when something happens: an event of AnyIO's, or in the daemon's own process one of Trio's."""

    async def wait(self) -> None:
        """Return once it is set."""


class Ask(Protocol):
    """How a part of a connection reaches the daemon: `Connection.ask`."""

    def __call__(self, command: Command[R]) -> Coroutine[Any, Any, R]:
        """The answer to `command`, or the error that it ended in."""


class Access:
    """A part of a connection: what a program may ask about one thing."""

    def __init__(self, ask: Ask, next_change: Callable[[], Awaitable[Change]]) -> None:
        """`next_change` gives what is set when something happens after it, or the daemon ends."""
        self._ask = ask
        self._next_change = next_change


class Asks(Generic[P, R]):
    """A method of such a part, for a request that is only asked: it takes what the request takes."""

    def __init__(self, request: Callable[P, Command[R]]) -> None:
        """Ask `request`, and answer as that says."""
        self._request, self.__doc__ = request, request.__doc__

    def __get__(self, access: Access, owner: type[Access]) -> Callable[P, Coroutine[Any, Any, R]]:
        def ask(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
            return access._ask(self._request(*args, **kwargs))

        ask.__doc__ = self.__doc__
        return ask


async def wait_for(change: Change) -> None:
    """Wait until something happened, or long enough to look all the same."""
    with anyio.move_on_after(LOOK_AGAIN):
        await change.wait()
