"""How one set of authorities differs from the next, for people and programs (spec/05-directory.md 5.12).

Pure. Promises: who comes, who goes and who moves, from which epoch on and when that begins, out of two sets alone.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from mixnet.directory.succession import date_of
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.trust import Trust

_SHORT = 16  # hexadecimal digits of an identity


@dataclass(frozen=True, slots=True)
class SuccessorsChange:
    """One set of authorities follows another."""

    before: Bootstrap
    after: Bootstrap

    @property
    def first_epoch(self) -> int:
        """The first epoch of the new set."""
        return self.after.first_epoch

    @property
    def coming(self) -> list[AuthorityInfo]:
        """Those who were none before."""
        return _without(self.after, self.before)

    @property
    def going(self) -> list[AuthorityInfo]:
        """Those who are none any more."""
        return _without(self.before, self.after)

    @property
    def moving(self) -> list[AuthorityInfo]:
        """Those who stay, at another address."""
        stay = [one for one in self.after.authorities if one.identity in self.before.identities]
        return [one for one in stay if one not in self.before.authorities]

    def lines(self, present: int) -> list[str]:
        """What a person reads in epoch `present`."""
        turn = "took over" if self.first_epoch <= present else "take over"
        after = self.after
        head = (
            f"{len(after.authorities)} authorities, of which {after.required} must sign, {turn} with epoch "
            f"{self.first_epoch} ({date_of(after.epochs, self.first_epoch)})"
        )
        said = (("comes", self.coming), ("goes", self.going), ("moves", self.moving))
        listed = [f"  {verb:5}  {one.identity.hex()[:_SHORT]}  {one.address}" for verb, ones in said for one in ones]
        return [head, *listed]

    def table(self) -> dict[str, Any]:
        """The same for programs; the time in seconds since the Unix epoch."""
        return {
            "first_epoch": self.first_epoch,
            "from": self.after.epochs.start(self.first_epoch),
            "authorities": [one.identity.hex() for one in self.after.authorities],
            "required": self.after.required,
            "coming": [one.identity.hex() for one in self.coming],
            "going": [one.identity.hex() for one in self.going],
            "moving": [one.identity.hex() for one in self.moving],
        }


def changes(trust: Trust) -> list[SuccessorsChange]:
    """Every change since the bootstrap file, oldest first; the last may be still to come."""
    return [SuccessorsChange(before, after) for before, after in itertools.pairwise(trust.sets)]


def _without(these: Bootstrap, those: Bootstrap) -> list[AuthorityInfo]:
    return [one for one in these.authorities if one.identity not in those.identities]
