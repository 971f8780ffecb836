"""The states of a signed receipt, asked for and given.

Promises: what may follow is read from one table; a receipt that verified is never forgotten for what comes later. Pure.
"""

from __future__ import annotations

from enum import StrEnum

from mixnet.client.model.views import ReceiptState


class Rule(StrEnum):
    """What a profile does when a contact's signed message asks for a receipt."""

    NEVER = "never"
    ASK = "ask"
    ALWAYS = "always"


# A receipt is evidence against whoever signs it, so nothing is signed without the user's say; and what the user has not
# said, no, is not said for them either.
DEFAULT_RULE = Rule.ASK

FIRST_STATE = {Rule.NEVER: ReceiptState.WITHHELD, Rule.ASK: ReceiptState.ASKED, Rule.ALWAYS: ReceiptState.GIVEN}


class ReceiptEvent(StrEnum):
    """What may happen to the receipts of a message of ours."""

    DECLINE = "decline"  # the receiver gives none
    REFUSE = "refuse"  # our signature does not verify at the receiver's
    FORGE = "forge"  # something came whose signature does not verify here
    DELIVERY = "delivery"
    READING = "reading"


_WITHOUT = (ReceiptState.AWAITED, ReceiptState.DECLINED, ReceiptState.REFUSED, ReceiptState.INVALID)
TRANSITIONS: dict[tuple[ReceiptState, ReceiptEvent], ReceiptState] = {
    **{(state, ReceiptEvent.DECLINE): ReceiptState.DECLINED for state in _WITHOUT},
    **{(state, ReceiptEvent.REFUSE): ReceiptState.REFUSED for state in _WITHOUT},
    **{(state, ReceiptEvent.FORGE): ReceiptState.INVALID for state in _WITHOUT},
    **{(state, ReceiptEvent.DELIVERY): ReceiptState.DELIVERED for state in _WITHOUT},
    **{(state, ReceiptEvent.READING): ReceiptState.READ for state in (*_WITHOUT, ReceiptState.DELIVERED)},
}


def after(state: ReceiptState, event: ReceiptEvent) -> ReceiptState:
    """The state that follows; the same one if `event` changes nothing."""
    return TRANSITIONS.get((state, event), state)
