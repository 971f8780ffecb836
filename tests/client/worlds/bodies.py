"""Hostile bodies: every type that a peer can send, with the values at the edges of each of its fields."""

import random
import typing

import msgspec
from msgspec import inspect

from mixnet.client.devices import bodies as device_bodies
from mixnet.client.e2e import anonymous_bodies, bodies, group_changes
from mixnet.client.e2e.group_changes import ChangeKind
from mixnet.client.groups import posts
from mixnet.crypto import SigningKey

LOW_ORDER = bytes(32)
SIZE = bodies.BODY_LIMIT - 64
# Taken by their field's name, where the bytes themselves have a form: a signed change, a post, reply blocks.
TYPES = (*typing.get_args(bodies.Body), *typing.get_args(anonymous_bodies.AnonymousBody))
VERBS = typing.get_args(device_bodies.DeviceVerb)


class Hostile:
    """Draws bodies by a seed. `known` are byte strings of the world, `numbers` those that mean something in it."""

    def __init__(self, rng: random.Random, known: list[bytes], numbers: list[int], key: SigningKey, group: bytes):
        self.rng, self.known, self.numbers, self.key, self.group = rng, known, numbers, key, group
        self.heads: tuple[bytes, ...] = (group,)
        self.made: list[bytes] = []  # hashes of our changes

    def struct(self, type_: type) -> list[object]:
        """The values of one of our tagged types, or of one without a tag."""
        info = inspect.type_info(type_)
        tag = [] if info.tag is None else [info.tag]
        return [*tag, *(self._value(field.type, field.name) for field in info.fields)]

    def body(self, type_: type) -> bytes:
        """A body of this type, encoded; RuntimeError never: any value will do."""
        info = inspect.type_info(type_)
        fields = [info.tag] + [self._value(field.type, field.name) for field in info.fields]
        raw = msgspec.msgpack.encode(fields)
        return raw if len(raw) <= bodies.BODY_LIMIT else msgspec.msgpack.encode(fields[:1])

    def _value(self, kind: typing.Any, name: str) -> object:  # one for each type
        rng = self.rng
        if name == "changes":
            return [self._change() for _ in range(rng.choice((0, 1, 1, 2, 3)))]
        if name == "post":
            return self._post()
        if name == "records":
            records = typing.get_args(device_bodies.Record)
            return [self.struct(rng.choice(records)) for _ in range(rng.choice((0, 1, 2, 5)))]
        if name == "request":
            return self.struct(rng.choice(VERBS))
        match kind:
            case inspect.StructType():
                return self.struct(kind.cls)
            case inspect.UnionType():
                return self._value(rng.choice(kind.types), name)
            case inspect.NoneType():
                return None
            case inspect.BoolType():
                return rng.random() < 0.5
            case inspect.IntType():
                low, most = kind.ge or 0, (kind.lt or (kind.le or 0) + 1) - 1
                usual = [number for number in self.numbers if low <= number <= most]
                return rng.choice([low, most, *(usual * 2), *(n for n in (most + 1, low - 1) if rng.random() < 0.1)])
            case inspect.FloatType():
                return rng.choice((0.0, -1.0, 1e300, float("inf"), float("nan")))
            case inspect.StrType():
                most = min(kind.max_length or 64, SIZE)
                return rng.choice(
                    ("", "a", "bob", "alice", " a", "\x00", "../x", "a/b", "\u202eb", "é" * (most // 2), "x" * most)
                )
            case inspect.BytesType():
                low, most = kind.min_length or 0, min(kind.max_length or SIZE, SIZE)
                usual = [one for one in self.known if low <= len(one) <= most]
                return rng.choice([bytes(low), bytes(most), b"\xff" * most, rng.randbytes(low), *(usual * 3)])
            case inspect.EnumType():
                return rng.choice(list(kind.cls)).value
            case inspect.VarTupleType():
                most = kind.max_length or 3
                return [self._value(kind.item_type, "") for _ in range(rng.choice((0, 1, 2, min(most, 20))))]
            case inspect.TupleType():
                return [self._value(one, "") for one in kind.item_types]
        raise AssertionError(f"no values for {kind}")

    def _change(self) -> bytes:
        """A change that is signed as it must be, and says anything."""
        rng, key = self.rng, self.key
        kind = rng.choice(list(ChangeKind))
        group = rng.choice((self.group, self.group, rng.choice(self.known)[:32].ljust(32, b"."), b""))
        parents = rng.choice((self.heads, self.heads, tuple(self.made[-1:]) or self.heads, (rng.randbytes(32),), ()))
        subject = rng.choice((key.public, rng.randbytes(32), LOW_ORDER, b"", *[k for k in self.known if len(k) == 32]))
        agree = rng.choice((b"", LOW_ORDER, b"a" * 32))
        name, title = rng.choice(("", "x", "bob", " ")), rng.choice(("", "club", "x" * 64))
        if rng.random() < 0.7:  # of the form that its kind has
            joins = kind in (ChangeKind.CREATE, ChangeKind.ADD)
            agree, name = (rng.choice((LOW_ORDER, b"a" * 32)), "x") if joins else (b"", "")
            title = "t" if kind in (ChangeKind.CREATE, ChangeKind.RENAME) else ""
            subject = key.public if kind is ChangeKind.CREATE else subject
            group, parents = (b"", ()) if kind is ChangeKind.CREATE else (group, parents or self.heads)
            subject = b"" if kind is ChangeKind.RENAME else subject.ljust(32, b".")[:32]
        core = group_changes._Core(group, tuple(parents), key.public, kind, subject, agree, name, title)
        made = group_changes._sign(key, core)
        self.made.append(made.hash)
        return made.raw

    def _post(self) -> bytes:
        """A post that is signed as it must be, and says anything."""
        rng = self.rng
        number = rng.choice((0, 1, 2, 63, (1 << 62) - 1, *self.numbers[:3]))
        made = posts.write(
            rng.choice((self.key, self.key, SigningKey(bytes(32)))),
            rng.choice((self.group, self.group, rng.randbytes(32))),
            number,
            rng.choice((0, number, number)),
            rng.choice((self.heads, tuple(self.made[-1:]) or self.heads, (rng.randbytes(32),))),
            text=rng.choice(("", "post", "x" * 3000)),
            change=rng.choice((b"", b"", self._change(), b"\xff")) if rng.random() < 0.5 else b"",
            expires=rng.choice((0, 1, (1 << 40) - 1)),
            deed=posts.Deed(rng.choice(list(posts.PostAct)), number, rng.choice((0, 1, 60, bodies.PERIOD_LIMIT))),
            lapsing=rng.choice(((), ((number, 0),), ((0, 1), ((1 << 62) - 1, (1 << 40) - 1)))),
        )
        return made.raw
