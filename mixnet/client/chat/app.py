"""The terminal program: conversations on the left, the open one on the right, below it where one writes.

Promises: it asks the daemon as any program does, and sends nothing by itself: that a message was seen here is marked
as read, and whether its sender learns that is the user's choice (`read_receipts`); if the daemon ends it says so, keeps
what was written, and goes on when there is a daemon again. What others chose is text: nothing in it is interpreted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import ClassVar, TypeVar

import anyio
from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.css.query import NoMatches
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static, TextArea
from textual.widgets.option_list import Option

from mixnet.client.api.command import LOOK_AGAIN
from mixnet.client.api.connection import Connection
from mixnet.client.chat import people, shown, voice
from mixnet.client.chat.composer import Composer
from mixnet.client.chat.dialogs import Choice, Question, Reading
from mixnet.client.chat.history import History
from mixnet.client.chat.shown import clean
from mixnet.client.media.sound import Devices, Sound
from mixnet.client.model import wording
from mixnet.client.model.group_views import GroupInfo
from mixnet.client.model.views import ContactInfo, Conversation, ConversationKind
from mixnet.errors import LocalError, MixnetError

RETRY = 2.0  # seconds until the daemon is looked for again
BELL = 10.0  # seconds between two rings
KEEP = 1.0  # seconds until what was written is kept
PAUSE = 0.1  # seconds between two looks, however much happens
T = TypeVar("T")

HELP = """\
Tab            go from the conversations to the messages, and to where you write
Up, Down       choose a conversation or a message; PgUp, PgDn a screen at a time
Enter          open the conversation; all about the message; send what you wrote
Ctrl-J         begin a new line
Ctrl-O         send a file
Ctrl-P         record a voice message; Enter on one that came plays it
Ctrl-R         search in all conversations
Ctrl-T         about this contact or group: safety number, receipts, members, names
Ctrl-N         invite somebody, accept an invitation, begin a group
Ctrl-Q         leave; the daemon goes on, and so does what you sent

> is the open conversation, (3) so many unread messages, # a group, ? somebody anonymous.
A message is marked as read when you have seen it here. Whether its sender learns that is
your choice: Ctrl-T says what holds, and changes it."""

_KEYS = [
    Binding("ctrl+g", "help", "Help", priority=True),
    Binding("ctrl+o", "send_file", "File", priority=True),
    Binding("ctrl+p", "speak", "Voice", priority=True),
    Binding("ctrl+r", "search", "Search", priority=True),
    Binding("ctrl+t", "about", "Contact", priority=True),
    Binding("ctrl+n", "new", "New", priority=True),
    Binding("ctrl+q", "quit", "Quit", priority=True),
    Binding("escape", "list", "List", show=False),
]
# Textual's own line of keys cuts off those for which a narrow terminal has no room: this one is broken between them.
KEYS = "  ".join(f"^{key.key[-1].upper()} {key.description}" for key in _KEYS if key.show)


class ChatApp(App[None]):
    """The program; `connect` reaches the daemon, `explain` completes hints."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #conversations { width: 26; height: 1fr; border: none; border-right: solid $foreground; padding: 0; }
    .-narrow #conversations { width: 1fr; border: none; display: none; }
    .-narrow.-listing #conversations { display: block; }
    .-narrow.-listing #talk { display: none; }
    #talk { width: 1fr; }
    #heading { height: 1; text-style: bold; padding: 0 1; }
    #history { height: 1fr; border: none; padding: 0 1; }
    #composer { height: auto; min-height: 2; max-height: 8; border: none; border-top: solid $foreground; padding: 0 1; }
    #status { height: auto; max-height: 3; text-style: reverse; padding: 0 1; }
    #keys { height: auto; max-height: 2; padding: 0 1; }
    OptionList > .option-list--option-highlighted { text-style: none; }
    OptionList:focus > .option-list--option-highlighted { text-style: reverse; }
    ModalScreen { align: center middle; }
    .window { width: 90%; max-width: 100; height: auto; max-height: 90%; border: solid $foreground; padding: 0 1; }
    .window VerticalScroll { height: auto; max-height: 40vh; }
    .window OptionList { height: auto; max-height: 35vh; border: none; padding: 0; margin-top: 1; }
    .window TextArea { height: auto; min-height: 3; max-height: 70vh; border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*_KEYS]

    def __init__(
        self,
        profile: str,
        connect: Callable[[], AbstractAsyncContextManager[Connection]],
        *,
        directory: Path,
        explain: Callable[[str], str] = str,
        sound: Sound | None = None,
        bell: bool = False,
    ) -> None:
        """`directory` is the profile's, where voice messages are kept; `sound` has the devices, else the machine's."""
        super().__init__()
        self._directory, self._sound = directory, sound or Devices()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (60, "-wide")]
        self.profile, self._connect, self._explain = profile, connect, explain
        self._rings, self._rung, self._unread = bell, -BELL, dict[str, int]()
        self.me: Connection | None = None
        self.opened: Conversation | None = None
        self.contacts: dict[str, ContactInfo] = {}
        self.groups: dict[str, GroupInfo] = {}
        self._conversations: list[Conversation] = []
        self._written: dict[str, str] = {}  # what stands where one writes, in each conversation
        self._kept: dict[str, str] = {}  # what of that the daemon has
        self._keeping = False
        self._look = anyio.Event()

    def compose(self) -> ComposeResult:
        """Everything that is always there."""
        with Horizontal():
            yield OptionList(id="conversations", markup=False, compact=True)
            with Vertical(id="talk"):
                yield Static("", id="heading", markup=False)
                yield History()
                yield Composer()
        yield Static("", id="status", markup=False)
        yield Static(KEYS, id="keys", markup=False)

    def on_mount(self) -> None:
        """Look for the daemon."""
        self.screen.add_class("-listing")
        self.query_one("#conversations").focus()
        self.say("looking for the daemon…")
        self._stay_connected()

    # the daemon

    @work
    async def _stay_connected(self) -> None:
        with suppress(NoMatches):  # the program ends: there is nothing left to show anything in
            while True:
                try:
                    async with self._connect() as me:
                        self.me = me
                        await self.keep_drafts()
                        await self._follow(me)
                except MixnetError as error:
                    alone = "; what you write stays in this window" if self._unkept() else ""
                    self.say(f"{self._explain(str(error))}{alone}")
                finally:
                    self.me = None
                await anyio.sleep(RETRY)

    async def _follow(self, me: Connection) -> None:
        while True:
            change, self._look = await me.next_change(), anyio.Event()
            await self._refresh(me)
            with anyio.move_on_after(LOOK_AGAIN):
                async with anyio.create_task_group() as either:
                    either.start_soon(_first, change.wait, either.cancel_scope)
                    either.start_soon(_first, self._look.wait, either.cancel_scope)
            await anyio.sleep(PAUSE)

    async def _refresh(self, me: Connection) -> None:
        """Look at everything that is shown."""
        self.say(wording.trouble(await me.status()) or f"{self.profile} · connected")
        self.contacts = {one.name: one for one in await me.contacts()}
        self.groups = {one.name: one for one in await me.groups.list()}
        known = await me.conversations()
        self._ring({one.name: one.unread for one in known})
        self._conversations = sorted(known, key=lambda one: (-one.at, one.name))
        if self.opened is not None:
            await self._refresh_opened(me, self.opened.name)
        self._show_conversations()

    async def _refresh_opened(self, me: Connection, name: str) -> None:
        self.opened = next((one for one in self._conversations if one.name == name), None)
        history = self.query_one(History)
        if self.opened is None:  # it was deleted or renamed by another program
            self.query_one("#heading", Static).update("")
            history.begin()
            return
        contact, group = self.contacts.get(name), self.groups.get(name)
        period = group.period if group is not None else 0 if contact is None else contact.period
        self.query_one("#heading", Static).update(Content(shown.heading(name, contact, period)))
        page = await me.history(name)
        if self.opened is not None and self.opened.name == name:
            history.complete = history.complete or not page
            history.forget_gone(page)
            history.show(page)
            self.call_after_refresh(self._mark_seen)

    def _ring(self, unread: dict[str, int]) -> None:
        """Let the terminal ring if something came that isn't in view, now and then at most."""
        more = {name for name, count in unread.items() if count > self._unread.get(name, 0 if self._unread else count)}
        self._unread = unread
        if self.opened is not None and self.app_focus and not self._only_list():
            more.discard(self.opened.name)
        if more and self._rings and anyio.current_time() >= self._rung + BELL:
            self._rung = anyio.current_time()
            self.bell()

    def _mark_seen(self) -> None:
        """What is in view was read; whether its sender learns that is the daemon's matter."""
        number = self.query_one(History).unread
        if number is not None and self.app_focus and self.screen is self.screen_stack[0] and not self._only_list():
            self.ask(lambda me: me.mark_read(number))

    def _only_list(self) -> bool:
        return self.screen.has_class("-narrow") and self.screen.has_class("-listing")

    def look(self) -> None:
        """Look again soon."""
        self._look.set()

    async def asked(self, what: Callable[[Connection], Awaitable[T]]) -> T | None:
        """What the daemon answers; None, and its user is told, if it can't."""
        if self.me is None:
            self.warn("no daemon runs: this waits until there is one again")
            return None
        try:
            answer = await what(self.me)
        except (MixnetError, OSError) as error:
            self.warn(self._explain(str(error)))
            return None
        self.look()
        return answer

    async def answered(self, window: ModalScreen[T]) -> T | None:
        """What the user answers in a window."""
        return await self.push_screen_wait(window)

    @work
    async def ask(self, what: Callable[[Connection], Awaitable[object]]) -> None:
        """Ask the daemon for something whose answer doesn't matter."""
        await self.asked(what)

    def warn(self, text: str) -> None:
        """Tell that something did not work."""
        self.notify(clean(text), severity="error", timeout=10, markup=False)

    def say(self, text: str) -> None:
        """The line about the daemon and the network."""
        self.query_one("#status", Static).update(Content(clean(text)))

    # the list of conversations

    def _show_conversations(self) -> None:
        widget = self.query_one("#conversations", OptionList)
        opened = None if self.opened is None else self.opened.name
        drawn = [
            shown.conversation(one, self.contacts.get(one.name), opened=one.name == opened)
            for one in self._conversations
        ]
        if not drawn:
            drawn = ["nobody yet: ^N invites"]
        if [str(option.prompt) for option in widget.options] != drawn:
            chosen = widget.highlighted
            widget.set_options(Option(Content(line)) for line in drawn)
            widget.highlighted = min(chosen or 0, len(drawn) - 1)

    @on(OptionList.OptionSelected, "#conversations")
    async def _choose(self, event: OptionList.OptionSelected) -> None:
        if event.option_index < len(self._conversations):
            await self.open(self._conversations[event.option_index].name)

    async def open(self, name: str, number: int | None = None) -> None:
        """Show a conversation; or a message of it, however old."""
        composer = self.query_one(Composer)
        await self.keep_drafts()
        if name not in self._unkept() and self.me is not None:
            self._written[name] = self._kept[name] = await self.asked(lambda me: me.draft(name)) or ""
        self.opened = next((one for one in self._conversations if one.name == name), None)
        composer.text = self._written.get(name, "")
        composer.move_cursor(composer.document.end)
        self.screen.remove_class("-listing")
        history = self.query_one(History)
        history.begin()
        await self.asked(lambda me: self._refresh_opened(me, name))
        self._show_conversations()
        composer.focus()
        if number is None:
            return
        while not history.has(number) and not history.complete and (history.oldest or 0) > number:
            await self._load_older()
        if history.has(number):
            history.focus()
            history.highlight(number)

    def action_list(self) -> None:
        """Back to the list."""
        self.screen.add_class("-listing")
        self.query_one("#conversations").focus()

    # the conversation

    @on(History.Older)
    async def _scrolled_up(self) -> None:
        if self.query_one(History).wants_older:
            await self._load_older()

    async def _load_older(self) -> None:
        history, opened = self.query_one(History), self.opened
        if opened is None or history.complete or history.oldest is None:
            return
        before = history.oldest
        page = await self.asked(lambda me: me.history(opened.name, before))
        if page is not None and self.opened is not None and self.opened.name == opened.name:
            history.complete = not page
            history.show(page)

    @on(Composer.Written)
    async def _send(self, event: Composer.Written) -> None:
        opened, text = self.opened, event.text
        if opened is None:
            self.warn("choose a conversation first")
            return
        group = opened.kind is ConversationKind.GROUP
        number = await self.asked(lambda me: me.groups.send(opened.name, text) if group else me.send(opened.name, text))
        if number is not None and self.opened is not None and self.opened.name == opened.name:
            self.query_one(Composer).clear()
            self._written[opened.name] = ""
            await self.keep_drafts()

    @on(TextArea.Changed, "#composer")
    def _note_draft(self) -> None:
        if not self._keeping:
            self._keeping = True
            self._keep_soon()

    @work
    async def _keep_soon(self) -> None:
        await anyio.sleep(KEEP)
        self._keeping = False
        await self.keep_drafts()

    def _unkept(self) -> dict[str, str]:
        return {name: text for name, text in self._written.items() if text != self._kept.get(name, "")}

    async def keep_drafts(self) -> None:
        """Let the daemon keep what was written and not sent, if there is one."""
        if self.opened is not None:
            self._written[self.opened.name] = self.query_one(Composer).text
        for name, text in self._unkept().items():
            if self.me is None:
                return
            try:
                await self.me.set_draft(name, text)
            except LocalError as error:  # it is too long, or the conversation is gone
                self.warn(f"what you write to {name} is not kept: {self._explain(str(error))}")
            except MixnetError:
                return
            self._kept[name] = text

    async def action_quit(self) -> None:
        """Leave; what was not sent is there next time."""
        await self.keep_drafts()
        lost = [clean(name) for name, text in self._unkept().items() if text.strip()]
        self.exit(message=Text(f"no daemon runs, so what you wrote to {', '.join(lost)} is not kept") if lost else None)

    @on(OptionList.OptionSelected, "#history")
    @work
    async def _about_message(self) -> None:
        one = self.query_one(History).chosen
        if one is not None:
            await people.about_message(self, one, lambda message: voice.play(self, self._sound, message))

    @work
    async def action_send_file(self) -> None:
        """Send a file to the open conversation."""
        opened = self.opened
        if opened is None:
            self.warn("choose a conversation first")
            return
        path = await self.answered(Question(f"The file to send to {clean(opened.name)}:"))
        if path:
            await self.asked(lambda me: people.send_file(me, opened.name, path))

    @work
    async def action_speak(self) -> None:
        """Record a voice message for the open conversation."""
        if isinstance(self.screen, voice.Recorder):
            self.screen.action_end()
        elif self.opened is None:
            self.warn("choose a conversation first")
        elif self.opened.kind is not ConversationKind.CONTACT:
            self.warn("voice messages go to contacts only, as files do")
        elif len(self.screen_stack) == 1:
            await voice.speak(self, self._sound, self._directory, self.opened.name)

    @work
    async def action_search(self) -> None:
        """Find messages, and go to one."""
        words = await self.answered(Question('Search for words, a "phrase" or the beginning of a word*:'))
        found = await self.asked(lambda me: me.search(words)) if words else None
        if found is None:
            return
        choices = [
            (str(one.id), f"{shown.moment(one.created_at)} {clean(one.contact)}: {clean(one.text[:200])}")
            for one in found
        ]
        count = f"{len(found)} found, newest first" if found else "nothing found"
        chosen = await self.answered(Choice(count, choices or [("", "close")]))
        for one in found:
            if str(one.id) == chosen:
                await self.open(one.contact, one.id)

    @work
    async def action_about(self) -> None:
        """All about the open contact or group."""
        if self.opened is None:
            self.warn("choose a conversation first")
        elif self.opened.name in self.contacts:
            await people.about_contact(self, self.contacts[self.opened.name])
        elif self.opened.name in self.groups:
            await people.about_group(self, self.groups[self.opened.name])
        else:
            self.warn("nothing more is known of somebody who is anonymous")

    @work
    async def action_new(self) -> None:
        """Make a contact or a group."""
        await people.new(self)

    @work
    async def action_help(self) -> None:
        """The keys."""
        await self.answered(Reading("The keys (Esc closes this)", HELP))


async def _first(wait: Callable[[], Awaitable[None]], scope: anyio.CancelScope) -> None:
    await wait()
    scope.cancel()
