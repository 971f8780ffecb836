"""The encoding of a post, signed by its author, for the members to read it only (spec/07-client.md 7.17).

Promises: pure but for random keys; whoever passes a post on can neither change it nor make one; members can tell who
wrote it, and since the author's key is tied to a person only inside deniable sessions, they can't prove that to others.
What it says is encrypted under a key of its own, and the signature covers both by a hash: so a copy for another member,
or what shows that an author signed two posts under one number, can be kept where nobody shall read it any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Annotated

import msgspec

from mixnet import crypto
from mixnet.client.e2e.bodies import BODY_LIMIT, EDITS_LIMIT, SHORTEST_PERIOD, Number, Period
from mixnet.client.e2e.group_bodies import SHOWN_LIMIT
from mixnet.client.e2e.group_changes import PARENTS_LIMIT, SIZE_LIMIT, Key
from mixnet.crypto import Label, SigningKey, SphinxSecret, SymmetricKey
from mixnet.errors import RemoteError

LAPSING_LIMIT = 16  # posts of an author with a time of their own that may be under way
PASSED_LIMIT = 64  # posts before it, of which one says that they are not waited for
SEEN_LIMIT = 100  # posts of others that one names: one of each member
MARK_SIZE = 8
AUTHOR_SIZE, _NUMBER_SIZE = 4, 8
SEEN_SIZE = AUTHOR_SIZE + _NUMBER_SIZE + MARK_SIZE
TEXT_LIMIT = BODY_LIMIT - SHOWN_LIMIT  # bytes of UTF-8: the rest is for keys, signature, heads and the way on
_WRAPPED_SIZE = crypto.KEY_SIZE + crypto.KEY_SIZE + crypto.TAG_SIZE
_NONCE = bytes(crypto.NONCE_SIZE)  # each key here encrypts once
_Time = Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]


class _Core(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    group: Key
    author: Key
    number: Number
    floor: Number
    heads: Annotated[tuple[Key, ...], msgspec.Meta(min_length=1, max_length=PARENTS_LIMIT)]
    digest: Key
    expires: _Time
    lapsing: Annotated[tuple[tuple[Number, _Time], ...], msgspec.Meta(max_length=LAPSING_LIMIT + PASSED_LIMIT + 1)]
    seen: Annotated[bytes, msgspec.Meta(max_length=SEEN_LIMIT * SEEN_SIZE)]


class PostAct(IntEnum):
    """What a post without a change of the group does."""

    SAY = 0  # a text, which disappears after `value` seconds; or nothing
    EDIT = 1  # the text of the author's post `target` is another one from now on; the highest `value` holds
    WITHDRAW = 2  # the author's post `target` is deleted for all
    DISAPPEAR = 3  # texts from now on disappear after `value` seconds; the highest `target` holds


class Deed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An act and what it is about."""

    act: PostAct = PostAct.SAY
    target: Number = 0
    value: Period = 0

    def is_sound(self, text: str) -> bool:
        """Whether it can be meant so."""
        match self.act:
            case PostAct.EDIT:
                return bool(text) and 0 < self.value <= EDITS_LIMIT
            case PostAct.WITHDRAW:
                return not text and not self.value
            case PostAct.DISAPPEAR:
                return not text and not 0 < self.value < SHORTEST_PERIOD
        return not self.target and not 0 < self.value < SHORTEST_PERIOD


SAYS = Deed()


class _Content(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)]
    change: Annotated[bytes, msgspec.Meta(max_length=SIZE_LIMIT)]
    deed: Deed = SAYS


class _Signed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`key`: as it is, sealed for one member, or nothing; `sealed`: nothing where the post is only shown."""

    core: Annotated[bytes, msgspec.Meta(max_length=SHOWN_LIMIT - 128)]
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
    sealed: bytes
    key: Annotated[bytes, msgspec.Meta(max_length=_WRAPPED_SIZE)]


_CORE = msgspec.msgpack.Decoder(_Core)
_CONTENT = msgspec.msgpack.Decoder(_Content)
_SIGNED = msgspec.msgpack.Decoder(_Signed)


@dataclass(frozen=True, slots=True)
class Post:
    """A text, a change of the group, or nothing but what isn't waited for, by `author`; `heads` say for which members.

    `number` counts an author's posts in the group; all below `floor` are delivered or given up. After `expires`
    (seconds since 1970; 0: as long as the network keeps messages) nobody takes it or passes it on; `lapsing` says that
    of earlier ones that are under way, by their numbers, or that one of them is not under way any more (0). `seen`:
    marks of others' posts. `deed` says what it does. `text` and `change` are empty as long as it isn't `open`.
    """

    group: bytes
    author: bytes
    number: int
    floor: int
    heads: tuple[bytes, ...]
    expires: int
    lapsing: tuple[tuple[int, int], ...]
    seen: bytes = field(repr=False)
    digest: bytes = field(repr=False)  # 32 bytes, of key and ciphertext
    identity: bytes = field(repr=False)  # 32 bytes, of all that an author says once: the floor may rise
    text: str
    change: bytes
    deed: Deed
    open: bool
    raw: bytes = field(repr=False)

    def is_over(self, now: float) -> bool:
        """Whether its time is over."""
        return bool(self.expires) and self.expires <= now

    def mark(self, key: bytes) -> bytes:
        """8 bytes that tell it from others. Its author can't choose two alike: `key` is the digest of a later post."""
        return crypto.keyed_hash(key, self.identity)[:MARK_SIZE]

    def closed(self) -> bytes:
        """The encoding without the key: what is left of it where it was read, to be passed on."""
        return with_key(self.raw, b"")

    def shown(self) -> bytes:
        """The encoding without ciphertext and key: what its author signed, at most SHOWN_LIMIT bytes."""
        signed = _SIGNED.decode(self.raw)
        return msgspec.msgpack.encode(_Signed(signed.core, signed.signature, b"", b""))

    def key_for_untrusted(self, agree: bytes) -> bytes:
        """The key of an open post, 80 bytes for the member with this X25519 key alone; RemoteError if that is unusable.

        Whoever made it can't read it: its own half of the secret is forgotten here.
        """
        once = SphinxSecret.generate()
        wrapping = _wrapping(crypto.x25519(once.expose(), agree), once.public, agree)
        return once.public + crypto.seal(wrapping, _NONCE, _SIGNED.decode(self.raw).key, self.digest)

    def opened_untrusted(self, agree: SphinxSecret) -> Post:
        """The post as the member with this key reads it; RemoteError if it can't."""
        signed = _SIGNED.decode(self.raw)
        if self.open:
            return self
        once, wrapped = signed.key[: crypto.KEY_SIZE], signed.key[crypto.KEY_SIZE :]
        if len(signed.key) != _WRAPPED_SIZE:
            raise RemoteError("a group's message without its key")
        wrapping = _wrapping(crypto.x25519(agree.expose(), once), once, agree.public)
        key = crypto.unseal_untrusted(wrapping, _NONCE, wrapped, self.digest)
        return _opened_untrusted(self, msgspec.structs.replace(signed, key=key))


def write(
    key: SigningKey,
    group: bytes,
    number: int,
    floor: int,
    heads: tuple[bytes, ...],
    *,
    text: str = "",
    change: bytes = b"",
    deed: Deed = SAYS,
    expires: int = 0,
    lapsing: tuple[tuple[int, int], ...] = (),
    seen: Iterable[Post] = (),
) -> Post:
    """Sign a post that names those in `seen`, and encrypt what it says under a new key. It is open."""
    once = SymmetricKey.generate().expose()
    content = msgspec.msgpack.encode(_Content(text, change, deed))
    sealed = crypto.seal(_content_key(once), _NONCE, content, b"")
    digest = _digest(once, sealed)
    named = b"".join(_seen_entry(digest, post) for post in seen)
    core = _Core(group, key.public, number, floor, heads, digest, expires, lapsing, named)
    return replace(_signed(key, core, sealed, once), text=text, change=change, deed=deed, open=True)


def with_floor(key: SigningKey, post: Post, floor: int) -> Post:
    """Sign an own post that is open once more, with another floor; all else stays, so it is the same post."""
    signed = _SIGNED.decode(post.raw)
    core = msgspec.structs.replace(_CORE.decode(signed.core), floor=floor)
    again = _signed(key, core, signed.sealed, signed.key)
    return replace(again, text=post.text, change=post.change, deed=post.deed, open=True)


def _signed(key: SigningKey, core: _Core, sealed: bytes, once: bytes) -> Post:
    encoded = msgspec.msgpack.encode(core)
    return _post(core, _Signed(encoded, key.sign(Label.GROUP_POST, encoded), sealed, once))


def parse_untrusted(raw: bytes) -> Post:
    """The post in `raw`, open if its key is there; RemoteError unless it is signed by the author that it names."""
    try:
        signed = _SIGNED.decode(raw)
        core = _CORE.decode(signed.core)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise RemoteError("a group's message that is malformed") from None
    if core.floor > core.number or len(core.seen) % SEEN_SIZE:
        raise RemoteError("a group's message whose fields contradict each other")
    crypto.verify_untrusted(core.author, Label.GROUP_POST, signed.core, signed.signature)
    post = _post(core, signed)
    return _opened_untrusted(post, signed) if len(signed.key) == crypto.KEY_SIZE else post


def with_key(raw: bytes, key: bytes) -> bytes:
    """A post with another key: with none it is closed, with one of `key_for_untrusted` it is for its receiver."""
    return msgspec.msgpack.encode(msgspec.structs.replace(_SIGNED.decode(raw), key=key))


def _seen_entry(key: bytes, post: Post) -> bytes:
    """How a post names another one: beginning of the author's key 4 · number 8 · mark 8."""
    return post.author[:AUTHOR_SIZE] + post.number.to_bytes(_NUMBER_SIZE, "big") + post.mark(key)


def entries(seen: bytes) -> list[tuple[bytes, int, bytes]]:
    """(beginning of the author's key, number, mark) of the posts that one names."""
    parts = [seen[at : at + SEEN_SIZE] for at in range(0, len(seen), SEEN_SIZE)]
    end = AUTHOR_SIZE + _NUMBER_SIZE
    return [(one[:AUTHOR_SIZE], int.from_bytes(one[AUTHOR_SIZE:end], "big"), one[end:]) for one in parts]


def _post(core: _Core, signed: _Signed) -> Post:
    fields = msgspec.structs.asdict(core)
    once = msgspec.msgpack.encode(msgspec.structs.replace(core, floor=0))
    identity = crypto.digest(Label.GROUP_POST, b"post", once)
    return Post(
        **fields, identity=identity, text="", change=b"", deed=SAYS, open=False, raw=msgspec.msgpack.encode(signed)
    )


def _opened_untrusted(post: Post, signed: _Signed) -> Post:
    """Hash first: a ciphertext that two keys open would say two things under one signature."""
    if not crypto.equal(_digest(signed.key, signed.sealed), post.digest):
        raise RemoteError("a group's message with another key or text than was signed")
    try:
        content = _CONTENT.decode(crypto.unseal_untrusted(_content_key(signed.key), _NONCE, signed.sealed, b""))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise RemoteError("a group's message that is malformed") from None
    empty = SAYS if content.change else content.deed
    if (content.text and content.change) or content.deed != empty or not content.deed.is_sound(content.text):
        raise RemoteError("a group's message whose fields contradict each other")
    raw = msgspec.msgpack.encode(signed)
    return replace(post, text=content.text, change=content.change, deed=content.deed, open=True, raw=raw)


def _digest(key: bytes, sealed: bytes) -> bytes:
    return crypto.digest(Label.GROUP_POST, b"said", key, sealed)


def _content_key(key: bytes) -> bytes:
    return crypto.digest(Label.GROUP_POST, b"content", key)


def _wrapping(shared: bytes, once: bytes, agree: bytes) -> bytes:
    return crypto.digest(Label.GROUP_POST, b"key", shared, once, agree)
