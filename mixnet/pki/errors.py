"""Why a document or descriptor was refused: each reason is a type of its own (spec/05-directory.md 5.8).

Promises: every refusal of a directory object is one of these; the first line of the docstring is what a user reads.
"""

from __future__ import annotations

from mixnet.errors import RemoteError, Unavailable


class Refused(RemoteError):
    """A directory object was refused."""


class Oversized(Refused):
    """The directory object is larger than any honest one: do not trust the server that gave it."""


class Malformed(Refused):
    """The directory object is not encoded as the specification demands: do not trust the server that gave it."""


class Forged(Refused):
    """The directory object carries a signature that does not verify: do not trust the server that gave it."""


class MinoritySigned(Refused):
    """Too few authorities signed the directory document: ask again later, or check the bootstrap file."""


class WrongNetwork(Refused):
    """The directory object is another network's, or of authorities unknown here: get a fresh bootstrap file."""


class Expired(Refused):
    """The directory document is out of date: check this machine's clock, then ask again."""


class NotYetValid(Refused):
    """The directory document is for a later time: check this machine's clock, then ask again."""


class RolledBack(Refused):
    """The directory document is older than one seen before: do not trust the server that gave it."""


class SplitView(Refused):
    """The authorities signed two directory documents that contradict each other: tell the network's operators."""


class NoDocument(Unavailable):
    """There is no valid directory document at the moment: wait for the authorities to agree on one."""


class ClockWrong(NoDocument):
    """This machine's clock differs from the network's: set it."""


class NoKey(Unavailable):
    """A node has published no key for the time at which a packet would arrive: wait for the next directory document."""
