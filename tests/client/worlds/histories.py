"""Histories of groups without any messenger: who makes which change, and in which order it comes."""

import random

from mixnet.client.e2e import group_changes
from mixnet.client.e2e.group_changes import ChangeKind, Newcomer
from mixnet.client.groups.roster import GroupHistory, MissingParents
from mixnet.crypto import SigningKey

KEYS = [SigningKey(bytes([number]) * 32) for number in range(1, 9)]
AGREE = b"a" * 32


def newcomer(key, name="m"):
    return Newcomer(key.public, AGREE, name)


def founded():
    return group_changes.create(KEYS[0], AGREE, "founder", "club")


def take(history, *made):
    for change in made:
        assert history.add_untrusted(group_changes.parse_untrusted(change.raw))


def with_members(count, admins=()):
    """A history with members 0..count-1, of whom 0 and `admins` are admins, in this order of seniority."""
    first = founded()
    history = GroupHistory(first)
    for number in range(1, count):
        take(history, group_changes.add(KEYS[0], first.hash, history.heads, newcomer(KEYS[number], f"m{number}")))
    for number in admins:
        take(history, about(history, 0, ChangeKind.PROMOTE, number))
    return history


def about(history, author, kind, subject, parents=None):
    return group_changes.about(KEYS[author], history.group, parents or history.heads, kind, KEYS[subject].public)


def who(history):
    return {KEYS.index(next(k for k in KEYS if k.public == key)) for key in history.roster().members}


def admins(history):
    members = history.roster().members
    return {n for n, key in enumerate(KEYS) if key.public in members and members[key.public].admin}


def replayed(history, seed):
    """The same changes in another order of arrival."""
    everything = history.missing(())
    rest = everything[1:]
    random.Random(seed).shuffle(rest)
    other = GroupHistory(everything[0])
    while rest:
        late = []
        for change in rest:
            try:
                other.add_untrusted(change)
            except MissingParents:
                late.append(change)
        assert len(late) < len(rest)
        rest = late
    return other
