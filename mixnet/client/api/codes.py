"""Contacts by spoken codes: their commands, and `Connection.codes`.

mine = await me.codes.open()            # here
print(mine.code)                        # 7-candle-orbit-violin
contact = (await me.codes.wait(mine.id)).contact

theirs = await me.codes.enter("7-candle-orbit-violin", "alice")      # over there
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mixnet.client.api.command import Access, Asks, Command, Number, wait_for
from mixnet.client.model.code_states import SETTLED, CodeInfo, CodeState
from mixnet.client.model.errors import UnknownCode
from mixnet.errors import RemoteError

if TYPE_CHECKING:
    from mixnet.client.api.daemon_api import DaemonApi


class CodeOpen(Command[CodeInfo], frozen=True, tag="code_open"):
    """-> a code of ours, which can be said once it is `waiting`."""

    async def run(self, daemon: DaemonApi) -> CodeInfo:
        return daemon.codes.open()


class CodeEnter(Command[CodeInfo], frozen=True, tag="code_enter"):
    """-> the code that somebody said, on its way to a contact: `wait` says how it ends; LocalError if it is none."""

    code: str
    name: str | None = None

    async def run(self, daemon: DaemonApi) -> CodeInfo:
        return await daemon.codes.enter(self.code, self.name)


class CodeList(Command[list[CodeInfo]], frozen=True, tag="codes"):
    """-> the codes under way, and the last ones that are over."""

    async def run(self, daemon: DaemonApi) -> list[CodeInfo]:
        return daemon.codes.all()


class CodeCancel(Command[CodeInfo], frozen=True, tag="code_cancel"):
    """-> the code, given up; LocalError if there is none of this number."""

    number: Number

    async def run(self, daemon: DaemonApi) -> CodeInfo:
        return daemon.codes.cancel(self.number)


class CodeFailed(RemoteError):
    """The code did not lead to a contact: make a new one and try again."""


class CodeAccess(Access):
    """What a program may ask about spoken codes."""

    async def open(self, on_change: Callable[[CodeInfo], None] = lambda _code: None) -> CodeInfo:
        """A code of ours, once it can be said; CodeFailed, LocalError if there are too many."""
        return await self.wait((await self._ask(CodeOpen())).id, on_change, until=CodeState.WAITING)

    enter = Asks(CodeEnter)
    all = Asks(CodeList)
    cancel = Asks(CodeCancel)

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
            await wait_for(change)
