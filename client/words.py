"""The words of spoken codes (SPEC.md section 7.12), chosen for this program: everyday words that sound unlike.

Promises: 256 of them, ascending; no two share their first four letters (three, where a word is that short) or can be
turned into each other by less than three changed letters, so a slip of the tongue or a finger is noticed before it
costs the one guess; the first letters of a word are enough.
"""

from __future__ import annotations

from client.code_errors import MalformedCode

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


def complete(start: str) -> str:
    """The one word that begins with `start`, in any case; MalformedCode if there is none, or more than one."""
    folded = start.casefold()
    found = [word for word in WORDS if word.startswith(folded)] if folded else []
    if folded in _KNOWN:
        return folded
    if len(found) != 1:
        raise MalformedCode(f"{start!r} is not the beginning of one word of the list: check how it is written")
    return found[0]
