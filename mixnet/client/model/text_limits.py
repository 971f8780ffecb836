"""The limits of a text. Pure."""

from __future__ import annotations

from mixnet.client.model.errors import TextTooLong, UnusableText


def check_text(text: str, limit: int, too_long: str = "") -> None:
    """UnusableText unless it has letters and all of them are Unicode's, TextTooLong above `limit` bytes of UTF-8.

    `too_long` is what the user reads then, if the text is no message.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise UnusableText from None
    if not size:
        raise UnusableText
    if size > limit:
        raise TextTooLong(*([too_long] if too_long else []))
