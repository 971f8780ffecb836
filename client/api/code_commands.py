"""The requests of the local protocol that are about spoken codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from client.api.command import Command, Number

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi


class CodeOpen(Command[Any], frozen=True, tag="code_open"):
    """-> a code of ours, which can be said once it is `waiting`."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(service.codes.open())


class CodeEnter(Command[Any], frozen=True, tag="code_enter"):
    """-> the code that somebody said, on its way to a contact."""

    code: str
    name: str | None = None

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.codes.enter(self.code, self.name))


class CodeList(Command[Any], frozen=True, tag="codes"):
    """-> the codes under way, and the last ones that are over."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return [msgspec.to_builtins(code) for code in service.codes.all()]


class CodeCancel(Command[Any], frozen=True, tag="code_cancel"):
    """-> the code, given up."""

    number: Number

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(service.codes.cancel(self.number))


AnyCodeCommand = CodeOpen | CodeEnter | CodeList | CodeCancel
