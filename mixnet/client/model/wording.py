"""What the commands, the terminal program and the page say alike of messages and of the network. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mixnet.client.model.views import UNDER_WAY, ContactInfo, ContactState, MessageInfo, MessageKind, MessageState

_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_CALM = "calm"
_ALARMS = {
    _CALM: "as it should be",
    "warned": "loops are being lost: mixes may have failed, or somebody drops packets",
    "paused": "next to no loop returns: messages wait until that is over, cover goes on",
}
_WARNINGS = {
    "loops_late": "loops come back late: mixes are overloaded, or somebody delays packets to learn who writes to whom."
    " Until this line is gone, don't send what nobody may know that you sent",
}


def size(count: float) -> str:
    """Bytes for a person."""
    return next((f"{count / unit:.1f} {name}" for unit, name in _SIZES if count >= unit), f"{count:.0f} bytes")


def network(figures: Mapping[str, Any]) -> str:
    """What loops say about it: the alarm, unless only a warning is raised."""
    said = [_WARNINGS[name] for name in figures["warnings"]]
    return "; ".join(said if said and figures["alarm"] == _CALM else [_ALARMS[figures["alarm"]], *said])


def trouble(figures: Mapping[str, Any]) -> str:
    """What a user should know of the network; empty if all is well."""
    if not figures.get("connected"):
        return f"not connected: {figures.get('problem') or 'the provider has not answered yet'}"
    return network(figures) if figures["warnings"] or figures["alarm"] != _CALM else ""


def became(one: MessageInfo, clean: Callable[[str], str]) -> str:
    """What became of a message, in words; `clean` makes harmless what others chose."""
    if one.kind is MessageKind.FILE and one.state in UNDER_WAY and one.size:
        return f"{one.state}, {100 * one.done // one.size} %"
    if one.error:
        return f"{'not confirmed' if one.may_arrive else one.state}: {clean(one.error)}"
    if not one.outgoing:
        return "" if one.state in (MessageState.RECEIVED, MessageState.READ) else str(one.state)
    if one.members:
        return f"{one.state}: {one.reached} of {one.members} have it, {one.readers} have read it"
    return str(one.state)


def standing(contact: ContactInfo | None) -> str:
    """What there is to know of a contact before one writes; empty if nothing is unusual."""
    if contact is None:
        return ""
    if contact.blocked:
        return "blocked"
    return {ContactState.PENDING: "invited", ContactState.EXPIRED: "expired"}.get(contact.state, "")


def deleted(one: MessageInfo) -> str:
    """What stands in the place of a message that its author has deleted; empty if it is there."""
    if not one.withdrawn:
        return ""
    return "(deleted by you)" if one.outgoing else "(deleted by its author)"


def marks(one: MessageInfo) -> list[str]:
    """What its author said of a message: that it is signed, edited, or will disappear."""
    said = {"signed": one.signed, "edited": one.edited, "disappears": one.period > 0}
    return [name for name, so in said.items() if so]
