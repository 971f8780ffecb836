"""What somebody may have meant who typed a word that there isn't (spec/09-command.md). Pure."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, words: Iterable[str], *, most: int = 3) -> list[str]:
    """Those of the `words` that are close to one, the closest first; capitals make no difference."""
    from difflib import get_close_matches  # noqa: PLC0415  # only a mistake needs it

    folded = {one.casefold(): one for one in words}
    return [folded[one] for one in get_close_matches(word.casefold(), folded, most)]


def near(word: str, words: Iterable[str]) -> str:
    """What to ask somebody who typed a `word` that there isn't, if some of the `words` are close to it."""
    close = [repr(one) for one in nearest(word, words)]
    return f" (did you mean {' or '.join(close)}?)" if close else ""
