"""Spoken codes, from Python: `Connection.codes`.

mine = await me.codes.open()            # here
print(mine.code)                        # 7-candle-otter-violin
contact = (await me.codes.wait(mine.id)).contact

theirs = await me.codes.enter("7-candle-otter-violin", "alice")      # over there
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio

from client.api import code_commands
from client.model.code_states import SETTLED, CodeInfo, CodeState
from client.model.errors import UnknownCode
from mixnet.errors import RemoteError

LOOK_AGAIN = 5.0  # seconds after which a waiting program looks even if nothing was announced


class CodeFailed(RemoteError):
    """The code did not lead to a contact: make a new one and try again."""


class CodeAccess:
    """What a program may ask about spoken codes."""

    def __init__(self, asker: Callable[..., Awaitable[Any]], next_change: Callable[[], Awaitable[trio.Event]]) -> None:
        """Ask through a connection."""
        self._ask = asker
        self._next_change = next_change

    async def open(self, on_change: Callable[[CodeInfo], None] = lambda _code: None) -> CodeInfo:
        """A code of ours, once it can be said; CodeFailed, LocalError if there are too many."""
        return await self.wait((await self._one(code_commands.CodeOpen)).id, on_change, until=CodeState.WAITING)

    async def enter(self, code: str, name: str | None = None) -> CodeInfo:
        """Use the code that somebody said; `wait` says how it ends. LocalError if it is none."""
        return await self._one(code_commands.CodeEnter, code=code, name=name)

    async def all(self) -> list[CodeInfo]:
        """Those under way, and the last ones that are over."""
        return msgspec.convert(await self._ask(code_commands.CodeList), list[CodeInfo])

    async def cancel(self, number: int) -> CodeInfo:
        """Give one up; LocalError if there is none of this number."""
        return await self._one(code_commands.CodeCancel, number=number)

    async def wait(
        self,
        number: int,
        on_change: Callable[[CodeInfo], None] = lambda _code: None,
        until: CodeState = CodeState.DONE,
    ) -> CodeInfo:
        """Return once a code has come to `until`, or further; CodeFailed if it fails. `on_change` sees each state."""
        last = None
        while True:
            change = await self._next_change()
            info = next((one for one in await self.all() if one.id == number), None)
            if info is None:
                raise UnknownCode
            if info.state is not last:
                last = info.state
                on_change(info)
            if info.state is CodeState.FAILED:
                raise CodeFailed(info.error)
            if info.state is until or info.state in SETTLED:
                return info
            with trio.move_on_after(LOOK_AGAIN):
                await change.wait()

    async def _one(self, kind: type[Any], **fields: Any) -> CodeInfo:
        return msgspec.convert(await self._ask(kind, **fields), CodeInfo)
