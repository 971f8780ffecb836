"""Signed changes of a group's membership, from which its roster is computed (spec/07-client.md 7.17).

Promises: pure; a change names all that its author knew (its parents, by hash) and is signed by the author's key of this
group, which is tied to no identity; an encoding that is not canonical is refused. The identifier of a group is the
hash of the change that made it, so nobody can make a second beginning of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated

import msgspec

from mixnet import crypto
from mixnet.client.model.errors import BadName
from mixnet.client.model.names import check_sent
from mixnet.crypto import Label, SigningKey
from mixnet.errors import RemoteError

SIZE_LIMIT = 1024  # bytes of a signed change
PARENTS_LIMIT = 16

Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
KeyOrNothing = Annotated[bytes, msgspec.Meta(max_length=32)]


class ChangeKind(IntEnum):
    """What a change does."""

    CREATE = 0  # the group, with its author as the first admin
    ADD = 1  # a member
    REMOVE = 2  # a member; of oneself: leave
    PROMOTE = 3  # a member to admin
    DEMOTE = 4  # an admin to member
    RENAME = 5  # the group


_SUBJECT = frozenset({ChangeKind.CREATE, ChangeKind.ADD, ChangeKind.REMOVE, ChangeKind.PROMOTE, ChangeKind.DEMOTE})
_JOINING = frozenset({ChangeKind.CREATE, ChangeKind.ADD})


class _Core(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    group: KeyOrNothing
    parents: Annotated[tuple[Key, ...], msgspec.Meta(max_length=PARENTS_LIMIT)]
    author: Key
    kind: ChangeKind
    subject: KeyOrNothing
    agree: KeyOrNothing
    name: Annotated[str, msgspec.Meta(max_length=64)]
    title: Annotated[str, msgspec.Meta(max_length=64)]


class _Signed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    core: Annotated[bytes, msgspec.Meta(max_length=SIZE_LIMIT)]
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


_CORE = msgspec.msgpack.Decoder(_Core)
_SIGNED = msgspec.msgpack.Decoder(_Signed)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A member's keys of this group, for signatures and for agreeing on secrets (32 bytes each), and its name."""

    key: bytes
    agree: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """A signed change. `subject` is whom it is about; `agree` and `name` only of who joins; `title` of the group."""

    group: bytes  # empty in the change that makes the group
    parents: tuple[bytes, ...]
    author: bytes
    kind: ChangeKind
    subject: bytes
    agree: bytes
    name: str
    title: str
    hash: bytes
    raw: bytes = field(repr=False)


def create(key: SigningKey, agree: bytes, name: str, title: str) -> Change:
    """The beginning of a group, called `title`, by its first admin, called `name` in it."""
    core = _Core(b"", (), key.public, ChangeKind.CREATE, key.public, agree, check_sent(name), check_sent(title))
    return _sign(key, core)


def add(key: SigningKey, group: bytes, parents: tuple[bytes, ...], who: Newcomer) -> Change:
    """A new member."""
    core = _Core(group, parents, key.public, ChangeKind.ADD, who.key, who.agree, check_sent(who.name), "")
    return _sign(key, core)


def about(key: SigningKey, group: bytes, parents: tuple[bytes, ...], kind: ChangeKind, subject: bytes) -> Change:
    """The removal, promotion or demotion of `subject`."""
    return _sign(key, _Core(group, parents, key.public, kind, subject, b"", "", ""))


def rename(key: SigningKey, group: bytes, parents: tuple[bytes, ...], title: str) -> Change:
    """Another name of the group."""
    return _sign(key, _Core(group, parents, key.public, ChangeKind.RENAME, b"", b"", "", check_sent(title)))


def parse_untrusted(raw: bytes) -> Change:
    """The change in `raw`; RemoteError unless its form is canonical, its fields fit and its signature verifies."""
    if len(raw) > SIZE_LIMIT:
        raise RemoteError("a group's change that is too large")
    try:
        signed = _SIGNED.decode(raw)
        core = _CORE.decode(signed.core)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise RemoteError("a group's change that is malformed") from None
    if msgspec.msgpack.encode(signed) != raw or msgspec.msgpack.encode(core) != signed.core:
        raise RemoteError("a group's change in another encoding")
    _check_fields_untrusted(core)
    crypto.verify_untrusted(core.author, Label.GROUP_CHANGE, signed.core, signed.signature)
    return _change(core, signed.core, raw)


def _check_fields_untrusted(core: _Core) -> None:
    """Each kind has exactly the fields that it needs."""
    kind, first = core.kind, core.kind is ChangeKind.CREATE
    joins, named = kind in _JOINING, kind in (ChangeKind.CREATE, ChangeKind.RENAME)
    sizes = (len(core.group), len(core.subject), len(core.agree))
    if sizes != (0 if first else 32, 32 if kind in _SUBJECT else 0, 32 if joins else 0):
        raise RemoteError("a group's change with fields of the wrong size")
    if bool(core.name) is not joins or bool(core.title) is not named or first is bool(core.parents):
        raise RemoteError("a group's change with fields of another kind")
    if first and core.subject != core.author:
        raise RemoteError("a group that is made by somebody else")
    if joins:
        crypto.check_point_untrusted(core.agree)
    if tuple(sorted(set(core.parents))) != core.parents:
        raise RemoteError("a group's change with parents out of order")
    try:
        for name in (core.name, core.title):
            if name:
                check_sent(name)
    except BadName:
        raise RemoteError("a group's change with an impossible name") from None


def _sign(key: SigningKey, core: _Core) -> Change:
    encoded = msgspec.msgpack.encode(core)
    raw = msgspec.msgpack.encode(_Signed(encoded, key.sign(Label.GROUP_CHANGE, encoded)))
    return _change(core, encoded, raw)


def _change(core: _Core, encoded: bytes, raw: bytes) -> Change:
    """The hash leaves the signature out: one who signs the same twice has still made one change."""
    return Change(**msgspec.structs.asdict(core), hash=crypto.digest(Label.GROUP_CHANGE, encoded), raw=raw)
