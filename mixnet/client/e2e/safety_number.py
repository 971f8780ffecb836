"""The safety number, which two contacts compare to detect an attacker in the middle.

Promises: both sides compute the same number; it depends on nothing but the two identity keys. To sit in the middle
unseen takes two keys of the attacker's with which both numbers collide: about 2^66 trials for 40 digits.
"""

from __future__ import annotations

from mixnet import crypto
from mixnet.crypto import Label

GROUPS = 8
_DIGITS = 5


def safety_number(own: bytes, theirs: bytes) -> str:
    """Eight groups of five digits for two identity keys (32 bytes each), in either order."""
    digest = crypto.digest(Label.SAFETY, *sorted((own, theirs)))
    number = int.from_bytes(digest, "big") % 10 ** (GROUPS * _DIGITS)
    digits = f"{number:0{GROUPS * _DIGITS}}"
    return " ".join(digits[at : at + _DIGITS] for at in range(0, len(digits), _DIGITS))
