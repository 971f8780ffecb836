"""The errors of a client, each with the sentence that its user reads (spec/08-errors-and-figures.md 8.5).

Promises: every class is one of the three kinds of mixnet/errors.py; the first line of its docstring says what happened
and what to do about it.
"""

from __future__ import annotations

from mixnet.errors import LocalError, RemoteError, Unavailable


class WrongPassphrase(LocalError):
    """The profile does not open with this passphrase or key file: check it and try again."""


class DamagedStore(LocalError):
    """The profile's store is damaged, or was written by a newer version: restore a backup or update the program."""


class StoreUnavailable(Unavailable):
    """The profile's store can't be written now (disk full or not accessible): free some space and try again."""

    exit_status = 1


class MalformedInvitation(RemoteError):
    """This is not a complete invitation: copy the whole text, from `mixnet1:` to its end, and try again."""


class ExpiredInvitation(RemoteError):
    """This invitation has expired: ask your contact for a new one."""


class WrongNetwork(RemoteError):
    """This invitation is for another network: use a profile of that network, or ask for an invitation to yours."""


class OwnInvitation(LocalError):
    """This is your own invitation: give it to the person who should become your contact."""


class AlreadyContact(LocalError):
    """You already have this contact: `mixnet contacts PROFILE` shows the name."""


class UnknownContact(LocalError):
    """There is no contact of this name: `mixnet contacts PROFILE` shows those there are."""


class SameContact(LocalError):
    """These are one contact already: give the old name, and the name under which the person came back."""


class NameTaken(LocalError):
    """There already is a contact or group of this name: choose another one."""


class BadName(LocalError):
    """A name has 1 to 64 characters, of which none is a control character: choose another one."""


class ContactBlocked(LocalError):
    """You blocked this contact: unblock it first with `mixnet contacts PROFILE --unblock CONTACT`."""


class BadLifetime(LocalError):
    """A message can't wait for so long: choose a time that the network allows."""


class NotUnderWay(LocalError):
    """This message is not under way, so it can't be cancelled: `mixnet message PROFILE NUMBER` says why."""


class NotYours(LocalError):
    """This is no message of yours that can be changed for both: `mixnet message PROFILE NUMBER` says what it is."""


class NotSigned(LocalError):
    """This message is not signed, so there is nothing to prove: ask its sender to send it with --signed."""


class NoSession(LocalError):
    """This contact has not answered yet, so there are no keys to forge with: `mixnet contacts PROFILE` says who has."""


class TextTooLong(LocalError):
    """This text is too long for one message: send it as a file."""


class UnusableText(LocalError):
    """A text has at least one character, and no broken ones: write it again."""


class FileMissing(LocalError):
    """The file can't be read: check its path and permissions."""


class FileTooLarge(LocalError):
    """The file is larger than this network's clients accept: send it in parts."""


class UnknownMessage(LocalError):
    """There is no message of this number: `mixnet inbox PROFILE --all --sent` shows those there are."""


class TooManyDrafts(LocalError):
    """There are drafts in 100 conversations: send one of them, or delete it, before you begin another."""


class StillUnderWay(LocalError):
    """This message is still under way: delete it once it is delivered or has failed."""


class SearchTooLong(LocalError):
    """A search has at most 32 words and 1,000 letters: leave some out."""


class UnknownDevice(LocalError):
    """There is no device of this name: `mixnet device list PROFILE` shows those there are."""


class DeviceNameTaken(LocalError):
    """There already is a device of this name: choose another one."""


class TooManyDevices(LocalError):
    """A home has at most 5 satellites: revoke one with `mixnet device revoke PROFILE DEVICE` first."""


class NoContactInvitation(RemoteError):
    """This links devices of one person: use it with `mixnet device accept NEW-PROFILE TEXT`."""


class NoDeviceInvitation(RemoteError):
    """This makes contacts, not devices: use it with `mixnet accept PROFILE TEXT`, or link the device at home."""


class NotFresh(LocalError):
    """This profile has contacts, messages or invitations of its own: make a new one and let that become the device."""


class HomeOnly(LocalError):
    """This profile is a satellite, which can't do this: do it in your home profile, on the device that has that."""


class DeviceRevoked(LocalError):
    """This device was revoked at your home device: read what is here; to write again, link a new profile."""


class HomeAway(Unavailable):
    """Your home device has not taken over 1,000 requests of this one: start its daemon and wait until it has."""


class HomeSilent(Unavailable):
    """Your home device has not answered yet; it will do this once its daemon runs, so don't ask for it again."""


class RefusedAtHome(LocalError):
    """Your home device has refused this: `mixnet device list PROFILE` shows why."""


class NoFile(LocalError):
    """This message is a text: only files have a progress. `mixnet message PROFILE NUMBER` shows what became of it."""


class NotAtHome(LocalError):
    """This message's file is not at your home device: only files that came there can be brought here."""


class NoGroupFiles(LocalError):
    """Files can't go to a group: send the file to each member who is a contact of yours."""


class NotInGroups(LocalError):
    """What is said in a group can't be signed: sign a message to a contact instead."""


class MalformedAddress(RemoteError):
    """This is not a complete address: copy the whole text, from `mixnet-address1:` to its end, and try again."""


class AddressOfOtherNetwork(RemoteError):
    """This address is of another network: use a profile of that network."""


class ExpiredAddress(RemoteError):
    """This address has expired: ask for a newer one where you found it."""


class OwnAddress(LocalError):
    """This is your own address: publish it, or give it to those who should be able to write to you."""


class UnknownAddress(LocalError):
    """There is no address of this number: `mixnet address list PROFILE` shows those there are."""


class TooManyAddresses(LocalError):
    """This profile has as many addresses as it can have: retire one with `mixnet address retire PROFILE ID`."""


class AnonymousOnly(LocalError):
    """This can't be done with somebody anonymous: become contacts by an invitation first."""


class AnonymousTextTooLong(LocalError):
    """An anonymous text has at most 8,192 bytes: shorten it, or send it in parts."""


class NotAnonymous(LocalError):
    """This is no anonymous conversation: `mixnet anonymous PROFILE` shows those there are."""


class NoLongerReached(Unavailable):
    """The sender can no longer be reached: all reply blocks are used or have expired. Wait until they write again."""


class ConversationEnded(LocalError):
    """This conversation has ended: write to the address anew, `mixnet send PROFILE ADDRESS TEXT --anonymous`."""


class TooManyConversations(Unavailable):
    """Too many anonymous conversations are open: end one with `mixnet anonymous PROFILE --end NAME`."""


# Two people who meet by a spoken code or by matching.


class CodesMissing(LocalError):
    """Spoken codes and matching need a library that isn't installed."""

    exit_status = 1


class MalformedShortCode(LocalError):
    """This is no short code, or a letter is wrong: it is MIXNET: and 32 letters and digits, in groups of four."""


class NothingLeft(RemoteError):
    """Nothing is there under this code: it is for one day and one network. Check it, or ask for a new one."""


class MalformedCode(LocalError):
    """A code is a number and three words, like 7-candle-orbit-violin: check what you were told."""


class NobodyWaits(RemoteError):
    """Nobody waits at this number: check it; or the code is over, then ask for a new one."""


class CodeUsed(RemoteError):
    """Somebody else has used this code already, so it is worth nothing now: ask for a new one."""


class WrongCode(RemoteError):
    """The code was wrong, by mistake or by somebody's guess, and is worth nothing now: make a new one and try again."""


class CodeExpired(Unavailable):
    """The code was not used in time: make a new one, and keep both programs running until you are done."""

    exit_status = 1


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
