"""Commands that messages tell of, as they are typed for the network that the user is in (spec/09-command.md).

Promises: who named a network, by --dir or in $MIXNET_DIR, reads no command that would act on another one when it is
typed as it stands. What a command of another room needs isn't known here: only which ones know no network.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from mixnet.letters import steers

_HINT = re.compile(r"`mixnet (?:'[^']*'|\"[^\"]*\"|[^`'\"])*`")  # what is quoted may be a name with anything in it
_PROFILE = re.compile(r" PROFILE\b")
WITHOUT = (  # the commands that take no --dir, by how they begin
    "demo",
    "attack",
    "bench",
    "plan",
    "threats",
    "authority succession",
    "directory verify",
    "proof verify",
)
WITH = ("bench observe",)  # though others that begin so don't
_named: list[str] = []  # the network of this process's command line
_profile: list[str] = []  # and the profile that it is about
_line: list[str] = []  # its words


def remember(arguments: Sequence[str]) -> None:
    """Take the network that a command line names."""
    _line[:] = arguments
    _named.clear()
    for at, one in enumerate(arguments):
        if one == "--":
            return
        if one == "--dir" and at + 1 < len(arguments):
            _named[:] = [arguments[at + 1]]
        elif one.startswith("--dir="):
            _named[:] = [one.removeprefix("--dir=")]


def about(profile: str) -> None:
    """Take the profile that a command is about."""
    _profile[:] = [profile]


def network(folder: Path | None = None) -> str | None:
    """What to give --dir in a hint: the `folder` of the command, what its line or the environment names, or nothing."""
    if folder is not None:
        return str(folder)
    return _named[0] if _named else os.environ.get("MIXNET_DIR") or None


def here(text: str, folder: Path | None = None, profile: str | None = None) -> str:
    """`text`, in which the commands name this network, and for PROFILE the one given, or that of the command line."""
    named, whose = network(folder), _profile[0] if profile is None and _profile else profile

    def filled(hint: re.Match[str]) -> str:
        words = hint[0][1:-1]
        if whose is not None:
            words = _PROFILE.sub(lambda _: f" {shlex.quote(whose)}", words, count=1)
        return f"`{words if named is None else _with(words, named)}`"

    return _HINT.sub(filled, text)


def behind(word: str) -> list[str]:
    """The words behind one in the command line that are no options; none if it isn't in it."""
    rest = _line[_line.index(word) + 1 :] if word in _line else []
    return [one for one in rest if not one.startswith("-")]


def swapped(one: str, other: str) -> str:
    """What to ask somebody who typed two words, of which `other` stands behind `one`, in the wrong order.

    Nothing if the words can't be shown in a hint.
    """
    first, words = _line.index(one), list(_line)
    second = words.index(other, first + 1)
    words[first], words[second] = other, one
    if any("`" in word or any(map(steers, word)) for word in words):
        return ""
    return f" (did you mean `{shlex.join(['mixnet', *words])}`?)"


def beside(word: str) -> str:
    """What to ask somebody who typed a `word` in the place of the number that stands beside it."""
    at = _line.index(word) if word in _line else len(_line)
    if at + 1 < len(_line) and _line[at + 1].isdecimal():
        return swapped(word, _line[at + 1])
    if 0 < at < len(_line) and _line[at - 1].isdecimal():
        return swapped(_line[at - 1], word)
    return ""


def takes_network(words: Sequence[str]) -> bool:
    """Whether the command of these words, without `mixnet`, takes --dir."""
    line = " ".join(words)
    begins = [one for one in (*WITHOUT, *WITH) if f"{line} ".startswith(f"{one} ")]
    return not begins or max(begins, key=len) in WITH


def _with(hint: str, named: str) -> str:
    try:
        words = shlex.split(hint)  # a name is one word, whatever it is made of
    except ValueError:
        words = hint.split()
    known = "--dir" in words or any(one in ("--help", "-h") for one in words) or not takes_network(words[1:])
    return hint if known else f"{hint} --dir {shlex.quote(named)}"
