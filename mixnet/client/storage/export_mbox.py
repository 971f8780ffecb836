"""Messages as an mbox file, which mail programs open: one mail each.

Promises: a line that would begin another mail is escaped (as mboxrd does); what a contact wrote or is called can't
add a header. Pure.
"""

from __future__ import annotations

import re
import time
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from mixnet.client.model.views import MessageKind
from mixnet.client.storage.export_jsonl import Record
from mixnet.letters import steers, words

_FROM = re.compile(rb"^(>*From )", re.MULTILINE)
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LONGEST_LINE = 900  # bytes; mail allows 998
_DOMAIN = "mixnet.invalid"
_POLICY = SMTP.clone(linesep="\n", cte_type="8bit")


def letter(record: Record, profile: str) -> bytes:
    """One mail; `profile` is our own identity."""
    mail = EmailMessage(_POLICY)
    us, them = _address("me", profile), _address(record.contact, record.identity)
    mail["From"], mail["To"] = (us, them) if record.outgoing else (them, us)
    when = max(record.created_at, record.received_at)
    mail["Date"] = formatdate(when)
    mail["Message-ID"] = f"<{record.number}.{record.origin}@{_DOMAIN}>"
    mail["Subject"] = _clean(record.text)[:60]
    mail["X-Mixnet-State"] = str(record.state)
    text = record.text
    if record.kind is MessageKind.FILE:
        text = f"A file of {record.size:,} bytes, which is not part of this archive: {record.text}"
    mail.set_content(text, cte=_encoding(text))
    begin = f"From {_DOMAIN} {time.asctime(time.gmtime(when))}\n".encode()
    return begin + _FROM.sub(rb">\1", mail.as_bytes()) + b"\n"


def _address(name: str, identity: str) -> Address:
    return Address(_clean(name), identity[:32], _DOMAIN)


def _clean(text: str) -> str:
    return " ".join(words("".join(" " if steers(one) or one in _DIRECTIONS else one for one in text)))


def _encoding(text: str) -> str:
    """As it is, unless mail could not carry it so."""
    odd = any(ord(one) < 32 and one not in "\n\t" for one in text)
    return "base64" if odd or max(map(len, text.encode().split(b"\n"))) > _LONGEST_LINE else "8bit"
