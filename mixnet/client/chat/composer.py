"""Where a message is written: Enter sends it, Ctrl-J begins a new line; what is pasted keeps its lines."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import TextArea


class Composer(TextArea):
    """A text of several lines, until it is sent."""

    @dataclass
    class Written(Message):
        """The user wants this text to be sent."""

        text: str

    def __init__(self) -> None:
        super().__init__(
            id="composer",
            compact=True,
            highlight_cursor_line=False,
            tab_behavior="focus",
            placeholder=Content("Write here: Enter sends, ^J begins a new line"),
        )

    async def _on_key(self, event: events.Key) -> None:
        """Take Enter and Ctrl-J; all else is the text area's."""
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            if self.text.strip():
                self.post_message(self.Written(self.text))
        elif event.key in ("ctrl+j", "shift+enter", "alt+enter"):
            event.stop()
            event.prevent_default()
            self.insert("\n")
        else:
            await super()._on_key(event)
