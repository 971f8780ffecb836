"""What every request of the local protocol is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi

Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]  # what the store can hold


class Command(msgspec.Struct, frozen=True, tag_field="op", forbid_unknown_fields=True, kw_only=True):
    """What every request has: a number that its answer repeats."""

    id: Number

    async def run(self, service: DaemonApi) -> Any:
        """Do it; what it raises is answered as an error."""
        raise NotImplementedError
