"""The 256 words of spoken codes (spec/07-client.md 7.12): everyday words that sound unlike each other.

Promises: 256 of them, ascending; no two share their first four letters (three, where a word is that short) or can be
turned into each other by less than three changed letters, so a slip of the tongue or a finger is noticed before it
costs the one guess; the first letters of a word are enough, and of a word with a slip the one meant is suggested. Pure.
"""

from __future__ import annotations

from mixnet.client.model.errors import MalformedCode

_TEXT = """
acorn album alley amber angel apple apron atlas attic autumn badge bamboo banjo barrel basket beach beaver bishop
blossom bottle bread bronze broom bubble buffalo butter cabin cactus camel candle canyon carpet cellar cement cherry
chess chicken chimney cider circus clover cobra coffee copper cotton cousin crystal curtain dagger daisy denim desert
diamond dinner doctor dolphin donkey dragon drawer drummer eagle echo elbow eleven embassy emerald emperor engine
fabric factory falcon farmer feather fiddle flannel flute forest fossil fridge furnace galaxy garlic gazelle giraffe
glacier goblet gospel granite grape guitar gymnast hammock harbour harvest hermit hexagon hilltop horizon hotel
hydrogen iceberg igloo indigo insect island ivory jaguar jasmine jelly jigsaw jungle junior kangaroo kayak kernel
keyboard kidney kitten knuckle koala ladder lagoon lantern laundry lemon lentil leopard lettuce library lipstick
lizard lobster locket lotus magnet mammoth marble meadow mirror monsoon mosaic muffin mustard napkin nectar needle
nephew nickel nightcap notebook nougat nutmeg oasis ocean octopus olive onion orbit orchid ostrich oxygen palace panda
paper parrot pavement peanut pelican penguin perfume piano pickle picnic pilot pirate plaza plumber polka pony postman
potato prairie prism pumpkin puppet puzzle pyramid quartz quilt rabbit radish rainbow raisin raven rhubarb ribbon
rubber sausage scarf school scooter seagull seesaw sheriff silver skate sketch skyline snowman sofa spinach squash
squid stable stirrup sugar summit sunset swallow sweater syrup tailor teapot temple thimble thunder tractor trolley
trumpet tulip tundra tunnel turban turtle tuxedo unicorn upstairs vacuum vampire vanilla velvet village vineyard
violin volcano voyage waffle walnut wardrobe weekend whistle window wombat yacht yogurt zigzag
"""
WORDS = tuple(_TEXT.split())
_KNOWN = frozenset(WORDS)
_SLIPS = 2  # letters
_SHOWN = 5  # words that a beginning could stand for


def complete(start: str) -> str:
    """The one word that begins with `start`, in any case; MalformedCode if there is none, or more than one."""
    folded = start.casefold()
    found = [word for word in WORDS if word.startswith(folded)] if folded else []
    if folded in _KNOWN:
        return folded
    if len(found) != 1:
        raise MalformedCode(_advice(start, found))
    return found[0]


def nearest(typed: str) -> str | None:
    """The word of the list that `typed` was meant to be, if one or two letters are wrong; None if that is not sure."""
    folded = typed.casefold()
    near = sorted((distance, word) for word in WORDS if (distance := _distance(folded, word)) <= _SLIPS)
    sure = len(near) == 1 or (len(near) > 1 and near[0][0] < near[1][0])
    return near[0][1] if sure else None


def _advice(start: str, found: list[str]) -> str:
    """What to do about letters that are the beginning of no word, or of several."""
    if found:
        several = ", ".join(found[:_SHOWN]) + (" and others" if len(found) > _SHOWN else "")
        return f"{start!r} is the beginning of {several}: add a letter"
    meant = nearest(start)
    if meant is not None:
        return f"{start!r} is not a word of codes: did they say {meant!r}?"
    return f"{start!r} is not the beginning of a word of codes: ask them to say it again"


def _distance(one: str, other: str) -> int:
    """How many letters to change, add or leave out (Levenshtein)."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        last, row[0] = row[0], number
        for place, wanted in enumerate(other, 1):
            last, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, last + (letter != wanted))
    return row[-1]
