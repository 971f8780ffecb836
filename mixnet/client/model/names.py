"""Names: what a user types, what others choose, and when two of them look alike (spec/07-client.md 7.1).

Promises: a user's name has nothing in it that doesn't show, and none of the signs between which our output puts names;
what others choose is cleaned of both. A name that others choose never looks like one in use: it gets a number in
brackets, which nobody can choose, since brackets are of our output. Whoever looks a name up finds it in any Unicode
form. Looks are compared by the skeletons of UTS 39, which are taken from Unicode's own table of confusables. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache

from mixnet.client.model.errors import BadName
from mixnet.letters import (
    category,
    cells,
    compatible,
    composed,
    decomposed,
    graphemes,
    is_hidden,
    is_ignorable,
    is_mark,
    is_symbol,
    steers,
    unicode_name,
    without_hidden,
    words,
)

NAME_LIMIT = 64  # characters, and cells of a terminal
NAMELESS = "unnamed"
_OUR_PEOPLE = ("you", "me", "home", "anonymous", "nobody", "everybody", NAMELESS, "admin", "renewing")
_OUR_STATES = ("verified", "blocked", "signed", "revoked")  # no word of a name claims such a thing unmarked
_OUR_BEGINNINGS = ("anonymous-", "address-")  # of the names that conversations with strangers get
_ISOLATES = "\u2066\u2067\u2068\u2069"
_MARK = re.compile(r" \([0-9]+\)\Z")
_MARKS = 4  # combining marks in a row; no script needs more
# Of paths, commands, lists and marks. The second set has what looks like them.
_SIGNS = frozenset('/\\:;,|<>[](){}"`→←')
_SIGN_LOOKS = frozenset({"/", "\\", ":", ";", ",", "<", ">", "(", ")", "''"})


def is_sign(letter: str) -> bool:
    """Whether our output puts a character between names, or it looks like one that stands there."""
    arrow = not letter.isascii() and "ARROW" in unicode_name(letter)
    return letter in _SIGNS or arrow or _prototype(letter) in _SIGN_LOOKS


def same(name: str) -> str:
    """What two spellings of one name have in common: NFC, without what doesn't show."""
    return composed("".join(one for one in name if not is_ignorable(one)))


def check_name(name: str, myself: str = "") -> str:
    """The name that a user types, in NFC; BadName, which says what is wrong with it. `myself`: the user's own one."""
    name = composed(name.strip(_ISOLATES))  # as it is when copied from where we have put them around it
    chosen = _MARK.sub("", name)  # a name that has a number of ours already may be kept
    if not 0 < len(name) <= NAME_LIMIT or cells(name) > NAME_LIMIT:
        raise BadName(f"a name has 1 to {NAME_LIMIT} characters: choose another one")
    if without_hidden(name) != name or any(map(steers, name)):
        raise BadName("a name has no characters that don't show: choose another one")
    for sign in chosen:
        if is_sign(sign):
            raise BadName(f"a name has no {sign} in it, which means something in what is shown: choose another one")
    if " ".join(words(name)) != name:
        raise BadName("a name has no space at its ends, and only one between two words: choose another one")
    if name.startswith("-") or category(name[0])[0] == "M" or is_mark(name[0]):
        raise BadName("a name begins with no hyphen and no accent: choose another one")
    if _without_piles(name) != name:
        raise BadName(f"a letter of a name has at most {_MARKS} accents: choose another one")
    if chosen == name and _claims(name):
        raise BadName(f"{name!r} would look like a word of this program in what is shown: choose another name")
    if myself and alike(name, myself):
        raise BadName(f"{name!r} looks like your own name: choose another one")
    return name


def clean(name: str, otherwise: str = NAMELESS) -> str:
    """The name that somebody else chose as it may be shown; `otherwise` if nothing is left of it."""
    shown, before = name, ""
    while shown != before:  # what is taken away may part what was joined, and join what was parted
        before = shown
        shown = "".join(" " if is_sign(one) else one for one in without_hidden(composed(shown)))
        shown = _cut(_without_piles(" ".join(words(shown))), NAME_LIMIT)
        while shown and (shown[0] in "- " or category(shown[0])[0] == "M" or is_mark(shown[0])):
            shown = shown[1:]
    return shown or otherwise


def check_sent(name: str) -> str:
    """A name as it may travel, 1 to 64 characters that steer no terminal and no space at its ends; BadName.

    Its receiver cleans it. Wider than what a user may type, so that profiles from before those rules can be heard, and
    the same for whichever Unicode a client knows.
    """
    if not 0 < len(name) <= NAME_LIMIT or name != name.strip(" ") or any(map(steers, name)):
        raise BadName
    return name


@cache
def _table() -> dict[int, str]:
    """Unicode's confusables.txt: what stands for a character that looks like another one."""
    from homoglyph.data import load_prototypes  # noqa: PLC0415  # no command needs it, only what gives names

    return load_prototypes()


def _prototype(letter: str) -> str:
    return _table().get(ord(letter), letter)


def skeleton(text: str) -> str:
    """The skeleton of UTS 39, section 4: two texts that look alike have the same one."""
    return decomposed("".join(_prototype(one) for one in decomposed(text) if not is_hidden(one)))


@lru_cache(4096)
def looks(name: str) -> frozenset[str]:
    """What a name looks like, for eyes that mind neither case nor spaces: names that share one are not told apart."""
    # The table has letters with their accents, too, which a skeleton takes apart before it looks.
    forms = (name, "".join(_prototype(one) for one in same(name)), compatible(name))
    skeletons = {skeleton(one).casefold() for one in forms} | {skeleton(one.casefold()) for one in forms}
    return frozenset(_bare(one) for one in skeletons) | {_bare(_undecorated(one)) for one in skeletons}


def alike(one: str, other: str) -> bool:
    """Whether two names are the same to the eye."""
    return not looks(one).isdisjoint(looks(other))


def look_alikes(names: Iterable[str]) -> dict[str, str]:
    """Those that look like an earlier one, with that one: a user may have chosen them, or had them before our rules."""
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for name in names:
        earlier = next((first[look] for look in looks(name) if look in first), None)
        if earlier is not None:
            found[name] = earlier
        first |= {look: name for look in looks(name) if look not in first}
    return found


class Names:
    """The names in use, none of which may be given to anybody by somebody else's choice."""

    def __init__(self, taken: Iterable[str], was_used: Callable[[str], bool] = lambda _look: False) -> None:
        """`was_used`: whether something that looked so was a name once."""
        self._looks = {look for name in taken for look in looks(name)}
        self._was_used = was_used

    def free(self, wanted: str, *, ours: bool = False) -> str:
        """`wanted`, cleaned; with a number in brackets if it looks like a name in use, or like a word of ours.

        `ours`: it is one.
        """
        bare, number = clean(wanted), 1
        name = bare
        if not ours and _claims(bare):
            name, number = numbered(bare, 2), 2
        return self._numbered(bare, name, number)

    def unlike(self, name: str) -> str:
        """A name that was given here, with (another) number if it looks like one in use."""
        return self._numbered(name, name, 1)

    def _numbered(self, bare: str, name: str, number: int) -> str:
        while any(look in self._looks or self._was_used(look) for look in looks(name)):
            number += 1
            name = numbered(bare, number)
        return name

    def take(self, name: str) -> None:
        """`name` is in use from now on."""
        self._looks |= looks(name)


def numbered(name: str, number: int) -> str:
    """A name with a number that its owner can't choose."""
    ending = f" ({number})"
    return _cut(name, NAME_LIMIT - len(ending)) + ending


def is_numbered(name: str) -> bool:
    """Whether a name has a number that was given here."""
    return _MARK.search(name) is not None


def free_for_user(wanted: str, taken: Iterable[str]) -> str:
    """What the user chose, numbered only if it is in use: looks are no matter among a user's own choices."""
    used, name, number = {same(one) for one in taken}, wanted, 1
    while name in used:
        number += 1
        name = numbered(wanted, number)
    return name


def _without_piles(name: str) -> str:
    """No letter with more than a few combining marks."""
    kept, marks = "", 0
    for one in name:
        marks = marks + 1 if is_mark(one) else marks if is_hidden(one) else 0
        if marks <= _MARKS:
            kept += one
    return kept


def _cut(name: str, room: int) -> str:
    kept = ""
    for one in graphemes(name):
        if len(kept + one) > room or cells(kept + one) > room:
            break
        kept += one
    return kept.rstrip(" ")


def _bare(look: str) -> str:
    """Without spaces and punctuation; i looks like l, since I does."""
    letters = "".join(one for one in look if category(one)[0] not in "PZ") or look
    return letters.replace("i", "l")


def _undecorated(look: str) -> str:
    """Without signs, such as one that stands for `verified`, and without marks that are no part of a letter."""
    letters = [one for one in same(look) if not (is_symbol(one) or _is_loose_mark(one))]
    return "".join(letters) or look


def _is_loose_mark(letter: str) -> bool:
    """An accent or line of no script's own, for which there is no letter that has it."""
    return is_mark(letter) and unicode_name(letter).startswith("COMBINING")


def _claims(name: str) -> bool:
    """Whether a name says what only we say."""
    parted = "".join(" " if category(one)[0] in "PSZ" or is_symbol(one) else one for one in name)
    states = any(looks(word) & _looks_of(_OUR_STATES) for word in (*words(parted), *words(name)))
    beginning = any(skeleton(one).casefold().startswith(_our_beginnings()) for one in (name, name.casefold()))
    return states or beginning or bool(looks(name) & _looks_of(our_words()))


@cache
def our_words() -> tuple[str, ...]:
    """What our own output calls people, and how it stands with them."""
    # Not at the top: commands that only check or show a name would load msgspec.
    from mixnet.client.model.group_views import GroupState  # noqa: PLC0415
    from mixnet.client.model.views import ContactState, DeviceRole, DeviceState, MessageState  # noqa: PLC0415

    states = (ContactState, MessageState, GroupState, DeviceRole, DeviceState)
    return (*_OUR_PEOPLE, *(one.value for kind in states for one in kind))


@cache
def _looks_of(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(look for word in words for look in looks(word))


@cache
def _our_beginnings() -> tuple[str, ...]:
    return tuple(skeleton(one).casefold() for one in _OUR_BEGINNINGS)
