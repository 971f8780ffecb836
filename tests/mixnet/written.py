"""Texts as people write them, in which nothing may be changed."""

WRITTEN = [  # as people write it
    "می‌خواهم",
    "👨‍👩‍👧",
    "🏳️‍🌈",
    "❤️",
    "1️⃣",
    "👍🏽",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "🇨🇭",
    "葛󠄀",
    "क्‍ष",
    "শ্‌চ",
    "ཧྐྵྨླྺྼྻྂ",
    "בְּרֵאשִׁ֖ית",
    "Zoë\u0301",
    "a\u3000b\xa0c\u2009d",
    "\U0001fabf\U0001fae9",
    "\U0003fffd\U0002fa20",
]
