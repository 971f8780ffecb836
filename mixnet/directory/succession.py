"""Who the authorities are, epoch by epoch, and whom this one's operator wants next (spec/05-directory.md 5.12).

Promises: an introduction is in the ledger before the document that brought it counts, so no restart forgets one; what
was introduced goes before what was proposed. The operator's proposal, `successor.json` beside the authority's data, is
read again whenever it was replaced; one that is damaged, of another network or too late counts for nothing, and that is
told. Never: a vote for authorities who are no news.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from mixnet.clock import Epochs
from mixnet.directory.consensus import introducible
from mixnet.directory.files import Stamp, stamp
from mixnet.directory.ledger import INTRODUCTIONS, Ledger
from mixnet.pki.bootstrap import AuthorityInfo, BadBootstrap, Bootstrap, Successor
from mixnet.pki.document import Document
from mixnet.pki.trust import Trust

PROPOSAL = "successor.json"
MOST_AHEAD = 10_000  # epochs: an introduction can't be taken back, so a slip of the pen must not last for years


class AuthorityMembership(StrEnum):
    """Whether an authority is one at a given time."""

    PROPOSED = "proposed"  # by its own operator; nobody has introduced it yet
    COMING = "coming"
    SERVING = "serving"
    REPLACED = "replaced"
    NONE = "none"


def date_of(epochs: Epochs, epoch: int) -> str:
    """When an epoch begins, for people."""
    return datetime.fromtimestamp(math.floor(epochs.start(epoch)), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def known_trust(bootstrap: Bootstrap, folder: Path) -> Trust:
    """What the authority with its data in `folder` knows of all sets, for a command that only reads there."""
    kept = sorted(path for path in (folder / INTRODUCTIONS).glob("[0-9]*"))
    return Trust(bootstrap, [path.read_bytes() for path in kept])


def objection(proposed: Bootstrap, trust: Trust, present: int, *, voting_on: int) -> str:
    """Why nobody should propose these authorities in epoch `present`, and what to do; empty if there is no reason.

    `voting_on` is the epoch of the next document that could introduce them.
    """
    newest, epochs = trust.newest, trust.epochs
    if (proposed.network_id, proposed.epochs) != (trust.network_id, epochs):
        return "the proposed authorities are another network's: make the file from this network's bootstrap file"
    if newest.first_epoch > present:
        return (
            f"other authorities are introduced already and take over with epoch {newest.first_epoch} "
            f"({date_of(epochs, newest.first_epoch)}): propose others after that"
        )
    if not introducible(proposed.successor, voting_on):
        return (
            f"epoch {proposed.first_epoch} is past or too near to introduce new authorities for it: agree on a later "
            "one with `mixnet authority succession`"
        )
    if proposed.first_epoch > present + MOST_AHEAD:
        return f"epoch {proposed.first_epoch} is {proposed.first_epoch - present} epochs ahead: agree on an earlier one"
    if _same_set(proposed, newest):
        return "the proposed authorities are those of now: there is nothing to propose"
    return ""


def _same_set(one: Bootstrap, other: Bootstrap) -> bool:
    return one.successor.authorities == other.successor.authorities and one.required == other.required


class Proposal:
    """What the operator of one authority proposes, as of now."""

    def __init__(self, folder: Path | None) -> None:
        """Without a `folder` nothing is proposed."""
        self._path = None if folder is None else folder / PROPOSAL
        self._stamp: Stamp | None = None
        self._current: Bootstrap | None = None
        self.damage = ""  # what is wrong with the file itself, and what to do

    def current(self) -> Bootstrap | None:
        """The proposed authorities, whatever they are worth; None if there is no proposal that can be read."""
        if self._path is not None and (found := stamp(self._path)) != self._stamp:
            self._stamp = found
            self._current, self.damage = None, ""
            if found is not None:
                try:
                    self._current = Bootstrap.load(self._path)
                except BadBootstrap as problem:
                    self.damage = f"the proposal {self._path} can't be used ({problem}): propose again, or withdraw it"
        return self._current


class Succession:
    """One authority's knowledge of all sets of authorities, and its part in what comes next."""

    def __init__(self, root: Bootstrap, *, me: bytes, ledger: Ledger, folder: Path | None) -> None:
        """Begin with the bootstrap file's set and the introductions in the ledger; `me` is one's own identity."""
        self.trust = Trust(root, ledger.introductions())
        self._me = me
        self._ledger = ledger
        self._proposal = Proposal(folder)

    def learn(self, document: Document, raw: bytes) -> None:
        """Go by whom a verified document introduces."""
        if self.trust.follow(document, raw):
            self._keep()

    def learn_untrusted(self, raw: bytes, newest_epoch: int) -> bool:
        """The same for a document that somebody gave as an introduction; False if it was no news; raises RemoteError.

        `newest_epoch` is that of the newest document that one has.
        """
        followed = self.trust.follow_untrusted(raw, newest_epoch)
        if followed:
            self._keep()
        return followed

    def _keep(self) -> None:
        self._ledger.keep_introduction(self.trust.newest.first_epoch, self.trust.introductions[-1])

    def serves(self, epoch: int) -> bool:
        """Whether this authority has a part in making the document for `epoch`."""
        return self._me in self.trust.at(epoch).identities

    def admits(self, identity: bytes, present: int) -> bool:
        """Whether somebody may ask what only an authority may: as one of the present, the coming or the newest set."""
        return any(identity == one.identity for one in self.serving(present))

    def serving(self, present: int) -> list[AuthorityInfo]:
        """The authorities of the present, the coming and the newest set, each once."""
        sets = (self.trust.at(present), self.trust.at(present + 1), self.trust.newest)
        return list({one.identity: one for known in sets for one in known.authorities}.values())

    def others(self, present: int) -> list[AuthorityInfo]:
        """Everybody else who may know more: the authorities of now, those introduced, those proposed."""
        proposed = self._proposal.current()
        sets = [self.trust.newest, self.trust.at(present), *([] if proposed is None else [proposed])]
        found = {one.identity: one for known in reversed(sets) for one in known.authorities}
        return [one for identity, one in found.items() if identity != self._me]

    def wanted(self, epoch: int) -> Successor | None:
        """Whom to name in a vote on the document for `epoch`: those introduced, else those proposed."""
        newest = self.trust.newest
        if newest.first_epoch > epoch:
            return newest.successor
        proposed = self._proposal.current()
        return (
            None if proposed is None or objection(proposed, self.trust, epoch, voting_on=epoch) else proposed.successor
        )

    @property
    def proposed(self) -> Bootstrap | None:
        """What the operator proposes that was not introduced, whatever it is worth."""
        proposed = self._proposal.current()
        return None if proposed is None or self._introduced(proposed) else proposed

    def membership(self, present: int) -> AuthorityMembership:
        """Whether this authority is one in epoch `present`."""
        if self.serves(present):
            return AuthorityMembership.SERVING
        if self._me in self.trust.newest.identities:  # it is not the present set
            return AuthorityMembership.COMING
        if any(self._me in one.identities for one in self.trust.sets):
            return AuthorityMembership.REPLACED
        proposed = self._proposal.current()
        return (
            AuthorityMembership.PROPOSED
            if proposed is not None and self._me in proposed.identities
            else AuthorityMembership.NONE
        )

    def problem(self, present: int) -> str:
        """What the operator should know about who is an authority; empty if nothing."""
        return self._trouble(present) or _ABOUT[self.membership(present)].format(
            epoch=self._turn(present), date=date_of(self.trust.epochs, self._turn(present))
        )

    def _trouble(self, present: int) -> str:
        proposed = self._proposal.current()
        if self._proposal.damage:
            return self._proposal.damage
        if proposed is None or self._introduced(proposed):
            return ""
        return objection(proposed, self.trust, present, voting_on=present + 1)

    def _introduced(self, proposed: Bootstrap) -> bool:
        known = any(proposed.successor == one.successor for one in self.trust.sets)
        return known and proposed.network_id == self.trust.network_id

    def _turn(self, present: int) -> int:
        """The epoch at which one's membership changes or changed."""
        membership = self.membership(present)
        if membership is AuthorityMembership.COMING:
            return self.trust.newest.first_epoch
        if membership is AuthorityMembership.REPLACED:
            sets = self.trust.sets
            last = max(number for number, one in enumerate(sets) if self._me in one.identities)
            return sets[last + 1].first_epoch
        proposed = self._proposal.current()
        return present if proposed is None else proposed.first_epoch


_ABOUT = {
    AuthorityMembership.PROPOSED: (
        "this authority is proposed from epoch {epoch} ({date}) on; the present authorities have not introduced it yet"
    ),
    AuthorityMembership.COMING: "this authority takes over with epoch {epoch} ({date}): keep it running",
    AuthorityMembership.SERVING: "",
    AuthorityMembership.REPLACED: "this authority was replaced with epoch {epoch} ({date}): it can be stopped",
    AuthorityMembership.NONE: (
        "this authority is in no set of authorities that it knows: give it the proposal that names it"
    ),
}
