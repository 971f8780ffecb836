"""Every field of everything that leaves for another person, and why it tells nothing of anybody else.

No row may be a count, a time or a size over several contacts.
"""

RANDOM = "drawn at random for this message"
SAID = "what the user says to just these people"
OWN = "of this very message, file or session"
PLACE = "where the user is reached: one for all, so contacts can tell that it is one person, and nothing more"
KEY = "a key, a signature, a MAC or a digest"
SESSION = "counts in this session, which has two people"
GROUP = "counts or names something in this group, for its members: of all members alike, and of no other conversation"
MOMENT = "whole seconds, said on purpose by whoever signs or limits a message"
NAMED = "which other group, member or tree it is about"
VERSION = "counts the changes of this one text, or of this conversation's period, which both sides have"
PERIOD = "after how long this conversation's messages disappear, which both sides are shown"

FIELDS = {
    "Greeting": {"name": SAID, "provider": PLACE, "mailbox": PLACE, "sphinx_public": PLACE},
    "Confirm": {},
    "Text": {"id": RANDOM, "text": SAID, "period": PERIOD},
    "Offer": {"id": RANDOM, "name": SAID, "size": OWN, "period": PERIOD},
    "Chunk": {"id": RANDOM, "position": OWN, "content": SAID},
    "End": {"id": RANDOM, "digest": KEY},
    "Abort": {"id": RANDOM, "reason": OWN},
    "Refuse": {"id": RANDOM, "reason": OWN},
    "Seen": {"ids": RANDOM},
    "Edit": {"id": RANDOM, "version": VERSION, "text": SAID},
    "Withdraw": {"id": RANDOM},
    "Disappear": {"version": VERSION, "period": PERIOD},
    "SignedText": {"id": RANDOM, "text": SAID, "time": MOMENT, "signature": KEY, "period": PERIOD},
    "SignedEnd": {"id": RANDOM, "digest": KEY, "time": MOMENT, "signature": KEY},
    "SignedEdit": {"id": RANDOM, "version": VERSION, "text": SAID, "time": MOMENT, "signature": KEY},
    "Receipt": {"id": RANDOM, "kind": SAID, "time": MOMENT, "signature": KEY},
    "NoReceipt": {"id": RANDOM, "why": SAID},
    "Resume": {"heard": KEY, "spoke": KEY, "expected": SESSION, "tags": KEY, "asks": OWN},
    "DevicePiece": {"lane": OWN, "left": OWN, "content": "for the user's own devices, which have the whole archive"},
    "GroupOffer": {"group": KEY, "title": SAID},
    "GroupAnswer": {"group": KEY, "key": KEY, "agree": KEY, "name": SAID},
    "GroupHello": {"group": KEY, "key": KEY, "tag": KEY, "first": GROUP, "heads": KEY},
    "GroupChanges": {"group": KEY, "changes": SAID},
    "GroupWant": {"group": KEY, "heads": KEY},
    "GroupPost": {"post": SAID, "plan": GROUP, "onward": NAMED, "spares": GROUP},
    "GroupReceipts": {"group": KEY, "author": KEY, "number": GROUP, "plan": GROUP, "receipts": KEY},
    "GroupPass": {"group": KEY, "source": KEY, "target": KEY, "sealed": SAID},
    "GroupSeen": {"group": KEY, "numbers": GROUP},
    "GroupBehind": {"group": KEY, "number": GROUP, "post": SAID},
    "GroupDiffer": {"group": KEY, "posts": SAID, "asks": OWN},
    "Opening": {"blocks": KEY},
    "AnonymousText": {"text": SAID},
    "Supply": {"blocks": KEY, "next_number": SESSION, "partial": SESSION},
    # what is inside of a group's post and change
    "post": {
        **{"group": KEY, "author": KEY, "number": GROUP, "floor": GROUP, "heads": KEY, "digest": KEY},
        **{"expires": MOMENT, "lapsing": GROUP, "seen": GROUP},
    },
    "what a post says": {"text": SAID, "change": SAID, "deed": GROUP},
    "deed": {"act": SAID, "target": GROUP, "value": "the version of a text of this group, or its period"},
    "signed post": {"core": SAID, "signature": KEY, "sealed": SAID, "key": KEY},
    "change": {
        **{"group": KEY, "parents": KEY, "author": KEY, "kind": SAID, "subject": KEY, "agree": KEY, "name": SAID},
        "title": SAID,
    },
    "Origin": {
        **{"network": KEY, "sender": KEY, "receiver": KEY, "number": RANDOM, "time": MOMENT, "kind": OWN, "size": OWN},
        "digest": KEY,
    },
    # what they travel in
    "Fragment": {"lane": OWN, "number": SESSION, "floor": SESSION, "index": OWN, "length": OWN, "part": SAID},
    "Probe": {"floors": SESSION},
    "Ack": {
        "newest": "the number that the reader itself gave to its packet",
        "held": "milliseconds that this session's packet waited here: docs/attacks.md says what that shows",
        **{"lanes": SESSION, "broken": OWN},
    },
    "LaneReport": {"next_number": SESSION, "partial": SESSION, "tags": KEY},
    "what a renewal request says": {"made": MOMENT, "invitation": PLACE},
    "ReplyBlock": {"surb": KEY, "until": "the end of an epoch, alike for all who live in it"},
    # what is handed over
    "Invitation": {
        **{"name": SAID, "network_id": KEY, "destination": PLACE, "keys": KEY, "secret": KEY},
        **{"expires": MOMENT, "device": OWN},
    },
    "PublicAddress": {"network_id": KEY, "destination": PLACE, "keys": KEY, "expires": MOMENT},
    "Destination": {"provider": PLACE, "mailbox": PLACE, "sphinx_public": PLACE},
}
