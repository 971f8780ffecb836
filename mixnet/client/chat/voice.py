"""Voice messages in the terminal program: recorded and played in small windows, never by themselves.

Promises: nothing is recorded before the window says so and after it is closed; what was recorded leaves only if its
user says so with a key. A terminal doesn't tell when a key is let go, so one key begins and one ends.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import ClassVar

import anyio
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from mixnet.client.chat.people import Desk
from mixnet.client.chat.people import send_file as send
from mixnet.client.chat.shown import clean
from mixnet.client.media import codec, kept
from mixnet.client.media.sound import Recording, Sound
from mixnet.client.media.voice_file import LONGEST
from mixnet.client.model.views import MessageInfo
from mixnet.errors import MixnetError

_LOOK = 0.2  # seconds between two looks at how long it is


class Recorder(ModalScreen[bytes | None]):
    """Records until a key; gives the samples, or None if they are thrown away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "end", "Send", priority=True),  # and Ctrl-P, which the program hears first
        Binding("escape", "throw_away", "Throw away", priority=True),
    ]

    def __init__(self, contact: str, recording: Recording) -> None:
        super().__init__()
        self._contact, self._recording = contact, recording

    def compose(self) -> ComposeResult:
        """One line that goes on."""
        with Vertical(classes="window"):
            yield Static(self._said(), id="recorded", markup=False)

    def on_mount(self) -> None:
        """Show how long it is."""
        self.set_interval(_LOOK, lambda: self.query_one("#recorded", Static).update(self._said()))

    def on_unmount(self) -> None:
        """The microphone is off, however the window was closed."""
        self._recording.stop()

    def action_end(self) -> None:
        """Enough was said."""
        self.dismiss(self._recording.stop())

    def action_throw_away(self) -> None:
        """It shall not be sent."""
        self.dismiss(None)

    def _said(self) -> str:
        full = ", which is the most" if self._recording.seconds >= LONGEST else ""
        how = f"Enter sends it to {clean(self._contact)}, Esc throws it away"
        return f"● recording {kept.duration(self._recording.seconds)}{full}\n{how}"


class Player(ModalScreen[None]):
    """Plays until the end, or until a key."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "end", "Stop", priority=True)]

    def __init__(self, sound: Sound, raw: bytes) -> None:
        super().__init__()
        self._sound, self._raw, self._stop = sound, raw, threading.Event()

    def compose(self) -> ComposeResult:
        """What goes on."""
        with Vertical(classes="window"):
            yield Static("playing: Esc stops", markup=False)

    def on_mount(self) -> None:
        """Begin."""
        self._play()

    def on_unmount(self) -> None:
        """The loudspeaker is off, however the window was closed."""
        self._stop.set()

    def action_end(self) -> None:
        """Enough was heard."""
        self._stop.set()
        self.dismiss(None)

    @work
    async def _play(self) -> None:
        try:
            samples = await anyio.to_thread.run_sync(codec.decode_untrusted, self._raw)
            await anyio.to_thread.run_sync(self._sound.play, samples, None, self._stop)
        except MixnetError as error:
            self.notify(str(error), severity="error", timeout=10, markup=False)
        if self.is_current:
            self.dismiss(None)


async def speak(desk: Desk, sound: Sound, profile: Path, contact: str) -> None:
    """Record a message, and send it if the user wants that."""
    try:
        codec.require("av", "miniaudio")
        recording = await anyio.to_thread.run_sync(sound.record)
        samples = await desk.answered(Recorder(contact, recording))
        if samples is None:
            return
        raw = await anyio.to_thread.run_sync(codec.encode, samples)
        path = kept.keep(profile, raw)
    except MixnetError as error:
        desk.warn(str(error))
        return
    except OSError as error:
        desk.warn(f"the recording can't be kept, so it was not sent: {error.strerror}")
        return
    if await desk.asked(lambda me: send(me, contact, str(path))) is None:
        desk.warn(f"it was not sent, and is kept in {path}: ^O sends it")


async def play(desk: Desk, sound: Sound, one: MessageInfo) -> None:
    """Play what was said, once the user asks."""
    try:
        raw = kept.read(Path(one.path))
    except (MixnetError, OSError) as error:
        desk.warn(str(error))
        return
    await desk.answered(Player(sound, raw))
