"""What can go wrong between two people who meet by a spoken code or by matching, as their users read it.

Promises: as client/errors.py.
"""

from __future__ import annotations

from mixnet.errors import LocalError, RemoteError, Unavailable


class CodesMissing(LocalError):
    """Spoken codes and matching need one more package: install this program with its extra `codes`."""


class MalformedCode(LocalError):
    """A code is a number and three words, like 7-candle-otter-violin: check what you were told."""


class NobodyWaits(RemoteError):
    """Nobody waits at this number: check it; or the code is over, then ask for a new one."""


class CodeUsed(RemoteError):
    """Somebody else has used this code already, so it is worth nothing now: ask for a new one."""


class WrongCode(RemoteError):
    """The code was wrong, by mistake or by somebody's guess, and is worth nothing now: make a new one and try again."""


class CodeExpired(Unavailable):
    """The code was not used in time: make a new one, and keep both programs running until you are done."""


class NoNumber(Unavailable):
    """All numbers that were tried are taken, or the services are full: try again later."""


class TooManyCodes(LocalError):
    """Too many codes are under way: wait for one, or cancel one with `mixnet codes PROFILE --cancel NUMBER`."""


class UnknownCode(LocalError):
    """There is no code of this number: `mixnet codes PROFILE` shows those there are."""


class BadAddress(LocalError):
    """This is neither an e-mail address nor a phone number in international form (like +4930123456): correct it."""


class NoEntries(LocalError):
    """There is no e-mail address or phone number in this file: give a vCard file, or one address a line."""


class TooManyEntries(LocalError):
    """More entries than matching can look for in a day: leave some out."""
