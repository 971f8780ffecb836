"""Small windows over the conversation: a question, a choice, a text to read. Esc closes each of them.

Promises: what they show is text and nothing else, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static, TextArea
from textual.widgets.option_list import Option

from mixnet.client.chat.composer import Composer

_BINDINGS: list[BindingType] = [("escape", "dismiss(None)", "Close")]


class Question(ModalScreen[str | None]):
    """Asks for a text; Enter gives it."""

    BINDINGS: ClassVar[list[BindingType]] = _BINDINGS

    def __init__(self, question: str, text: str = "") -> None:
        super().__init__()
        self._question, self._text = question, text

    def compose(self) -> ComposeResult:
        """The question above the answer."""
        with Vertical(classes="window"):
            yield Static(self._question, markup=False)
            answer = Composer()
            answer.placeholder = Content("Enter goes on, Esc closes")
            answer.text = self._text
            yield answer

    def on_composer_written(self, event: Composer.Written) -> None:
        """That is the answer."""
        event.stop()
        self.dismiss(event.text.strip())


class Choice(ModalScreen[str | None]):
    """Lets one choose; gives the key of what was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = _BINDINGS

    def __init__(self, text: str, choices: Sequence[tuple[str, str]]) -> None:
        """`choices`: keys, and what is shown for each."""
        super().__init__()
        self._text, self._choices = text, choices

    def compose(self) -> ComposeResult:
        """The text above the choices."""
        with Vertical(classes="window"):
            with VerticalScroll():
                yield Static(self._text, markup=False)
            yield OptionList(*(Option(Content(says), key) for key, says in self._choices), markup=False)

    def on_mount(self) -> None:
        """The choices have the keyboard."""
        self.query_one(OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """That is the choice."""
        event.stop()
        self.dismiss(event.option_id)


class Reading(ModalScreen[None]):
    """A text to read, or to copy."""

    BINDINGS: ClassVar[list[BindingType]] = _BINDINGS

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """The title above the text."""
        with Vertical(classes="window"):
            yield Static(self._title, markup=False)
            yield TextArea(self._text, read_only=True, compact=True, show_cursor=False, tab_behavior="focus")
