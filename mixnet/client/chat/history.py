"""The messages of the open conversation: the newest first loaded, older ones as one scrolls up.

Promises: what one looks at stays where it is when older messages come in above, and when new ones come in below while
one reads above; at the end, the end stays in view. Only what changed is drawn anew.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from mixnet.client.chat import shown
from mixnet.client.model.views import MessageInfo

NEAR = 3  # lines from the top at which older messages are asked for


class History(OptionList):
    """Messages by their numbers, oldest at the top."""

    class Older(Message):
        """The user has come near the top."""

    def __init__(self) -> None:
        super().__init__(id="history", markup=False, compact=True)
        self._messages: dict[int, MessageInfo] = {}
        self.complete = False  # nothing older is left to load
        self._stays_at_end = True
        self._moving = False  # what is in view is being put back into its place

    @property
    def oldest(self) -> int | None:
        """The number of the first message that is here."""
        return next(iter(self._messages), None)

    @property
    def chosen(self) -> MessageInfo | None:
        """The message that is highlighted."""
        option = self.highlighted_option
        return None if option is None else self._messages.get(int(option.id or 0))

    @property
    def unread(self) -> int | None:
        """The newest message that came and isn't read, if its end is in view."""
        if not self.at_end:
            return None
        return max((number for number, one in self._messages.items() if one.unread), default=None)

    @property
    def at_end(self) -> bool:
        """Whether the newest message is in view."""
        return self.scroll_offset.y >= self.max_scroll_y

    @property
    def wants_older(self) -> bool:
        """Whether the top is near, and there may be more above it."""
        near = self.scroll_offset.y <= NEAR and not self._moving
        return near and bool(self._messages) and not self.complete

    def begin(self) -> None:
        """Another conversation: nothing is loaded."""
        self._messages, self.complete, self._stays_at_end = {}, False, True
        self.clear_options()

    def has(self, number: int) -> bool:
        """Whether a message is loaded."""
        return number in self._messages

    def show(self, page: Iterable[MessageInfo]) -> None:
        """Take in messages, newest first: newer ones, older ones, or what became of those that are here."""
        found = {one.id: one for one in page}
        if self._messages and found and min(found) > max(self._messages):
            self.begin()  # more have come meanwhile than a page holds: what is between would be missing
        changed = {number: one for number, one in found.items() if self._messages.get(number, one) != one}
        fresh = [number for number in sorted(found) if number not in self._messages]
        stay = self._stays_at_end or not self._messages
        if fresh and self._messages and fresh[0] < max(self._messages):
            self._rebuild({**self._messages, **found})
            return
        self._messages.update(found if not fresh else {number: found[number] for number in sorted(found)})
        for number, one in changed.items():
            self.replace_option_prompt(str(number), self._drawn(one))
        self.add_options(Option(self._drawn(found[number]), str(number)) for number in fresh)
        if stay:
            self.call_after_refresh(self._show_end)

    def forget_gone(self, newest: Iterable[MessageInfo]) -> None:
        """Messages that are not in the page of the newest ones, and would be, were deleted or have disappeared."""
        there = {one.id for one in newest}
        gone = [one for one in self._messages if one not in there and one > min(there, default=0)]
        for number in gone:
            del self._messages[number]
            self.remove_option(str(number))

    def highlight(self, number: int) -> None:
        """Show a message and highlight it, once what was loaded is in its place."""
        self._stays_at_end = False

        def show() -> None:
            self.highlighted = self.get_option_index(str(number))

        self.call_after_refresh(show)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for older messages near the top."""
        super().watch_scroll_y(old_value, new_value)
        self._stays_at_end = self.at_end or (self._stays_at_end and new_value >= old_value)
        if self.wants_older:
            self.post_message(self.Older())

    def on_focus(self) -> None:
        """One begins to choose at the newest, where one looks; not at the top."""
        if self.highlighted is None and self.option_count and self.at_end:
            self.highlighted = self.option_count - 1

    def on_resize(self) -> None:
        """What is written below takes more or fewer lines: the end stays in view."""
        self.call_after_refresh(self._show_end)

    def _show_end(self) -> None:
        """At once, and not if somebody has gone elsewhere meanwhile."""
        if self._stays_at_end:
            self.scroll_end(animate=False, immediate=True)

    def _drawn(self, one: MessageInfo) -> RenderableType:
        return shown.message(one)

    def _rebuild(self, messages: dict[int, MessageInfo]) -> None:
        """Older messages came: draw all of them, and let the same one stay in the same place."""
        below = self.virtual_size.height - self.scroll_offset.y
        chosen = self.highlighted_option
        self._moving = True
        self._messages = dict(sorted(messages.items()))
        self.set_options(Option(self._drawn(one), str(number)) for number, one in self._messages.items())
        if chosen is not None and chosen.id is not None:
            self.highlighted = self.get_option_index(chosen.id)

        def stay() -> None:
            self.scroll_to(y=self.virtual_size.height - below, animate=False, force=True, immediate=True)
            self._moving = False

        self.call_after_refresh(stay)
