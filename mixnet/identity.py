"""The identity key file of a node or an authority, and identities as text (spec/04-mixing.md 4.2).

Promises: a file that is missing, unreadable, damaged or open to other users is refused with what to do; the key itself
never appears in a message.
"""

from __future__ import annotations

import stat
from pathlib import Path

from mixnet.crypto import KEY_SIZE, SigningKey
from mixnet.errors import LocalError


class BadKeyFile(LocalError):
    """The identity key file can't be used: restore it, or let nobody but its owner read it."""


def load_identity(path: Path) -> SigningKey:
    """The Ed25519 key in `path`: 64 hexadecimal digits and a line feed; BadKeyFile if it can't be used."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise BadKeyFile(f"the key file {path} can be read by others: run chmod 600 on it")
        identity = key_from_text(path.read_text("ascii"))
    except OSError as error:
        raise BadKeyFile(f"can't read the key file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        identity = None
    if identity is None:
        raise BadKeyFile(f"the key file {path} is damaged: it holds 64 hexadecimal digits and nothing else")
    return SigningKey(identity)


def key_from_text(text: str) -> bytes | None:
    """The 32 bytes of a key written as 64 hexadecimal digits; None for anything else."""
    try:
        identity = bytes.fromhex(text)
    except ValueError:
        return None
    return identity if len(identity) == KEY_SIZE else None
