"""A spoken code: a number, which names a slot, and three words (spec/07-client.md 7.12).

Promises: 24 bits from the operating system's generator, of which whoever doesn't know the code has one guess; a code is
read in any case, with hyphens or spaces, and with words cut short as long as they are unambiguous. Pure.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Self

from mixnet.client.model.errors import MalformedCode
from mixnet.client.pairing.exchange import Meeting
from mixnet.client.pairing.wordlist import WORDS, complete

COUNT = 3  # words
NUMBER_LIMIT = 999_999
_LONGEST = 100
_CODE = re.compile(r"([0-9]{1,6})" + r"[\s-]+([a-z]+)" * COUNT)


@dataclass(frozen=True, slots=True)
class Code:
    """The number of a slot, and the words."""

    number: int
    words: tuple[str, ...] = field(repr=False)

    @classmethod
    def make(cls, number: int) -> Self:
        """A new one with random words."""
        return cls(number, tuple(WORDS[one] for one in os.urandom(COUNT)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The code in what somebody typed; MalformedCode."""
        found = _CODE.fullmatch(text.strip().casefold()) if len(text) <= _LONGEST else None
        if found is None or not 1 <= int(found[1]) <= NUMBER_LIMIT:
            raise MalformedCode
        return cls(int(found[1]), tuple(complete(word) for word in found.groups()[1:]))

    @property
    def text(self) -> str:
        """How it is shown."""
        return "-".join((str(self.number), *self.words))

    @property
    def password(self) -> bytes:
        """The words, for SPAKE2."""
        return "-".join(self.words).encode()

    def meeting(self, network_id: bytes) -> Meeting:
        """Where those meet who know the number, on a network (32 bytes)."""
        return Meeting(network_id, b"code", str(self.number).encode())
