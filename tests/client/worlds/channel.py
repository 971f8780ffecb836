"""A hostile network between messengers, under a seed: it loses, delays, reorders, repeats; stores survive crashes."""

import heapq
import itertools
import math
import random
from dataclasses import dataclass, field
from pathlib import Path

from mixnet.client.arq.fragments import ReplyBlock
from mixnet.client.core.outgoing import MessengerSettings, OutgoingFragment, OutgoingReply
from mixnet.client.devices.devices import Devices
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.destination import Destination, Home
from mixnet.client.model.errors import StoreUnavailable
from mixnet.client.model.views import Event
from mixnet.client.storage.database import Store
from mixnet.client.storage.reply_blocks import OwnSurb, SurbMaker, end_of
from mixnet.clock import Epochs
from mixnet.crypto import SymmetricKey
from mixnet.errors import RemoteError
from mixnet.sphinx import GEOMETRY, Surb, SurbKeys

NETWORK = b"N" * 32
RATE = 30.0
MEAN_DELAY = 0.05
START = 1_800_000_000.0
BLOCK_LIFE = 1200.0  # seconds: an epoch
IDLE = object()  # what an event gives that nothing came of


class FakeSurbs:
    """Reply blocks of which only the channel knows where they lead."""

    def __init__(self, channel, name: str) -> None:
        self._channel, self._name = channel, name
        self.epochs = Epochs(START, BLOCK_LIFE)

    def open_epochs(self, now: float) -> list[int]:
        return [self.epochs.at(now) + ahead for ahead in range(3)]

    def make(self, entry: bytes, epoch: int) -> OwnSurb:
        surb = Surb(self._channel.rng.randbytes(32), self._channel.rng.randbytes(GEOMETRY.header_size), bytes(16))
        self._channel._surbs[surb.first_hop] = (self._name, None)
        block = ReplyBlock(surb.serialize(), end_of(self.epochs, epoch))
        return OwnSurb(block, surb.first_hop, SurbKeys(bytes(48)))

    def open_untrusted(self, keys: SurbKeys, body: bytes) -> bytes:
        return body


def messenger_and_devices(
    store: Store, settings: MessengerSettings, rng: random.Random, home: Home, surbs: SurbMaker | None = None
) -> tuple[Messenger, Devices]:
    """As the daemon makes them."""
    messenger = Messenger(store, settings, rng, home, surbs, pauses=random.Random(repr(rng.getstate())))
    return messenger, Devices(messenger)


@dataclass
class Person:
    name: str
    folder: Path
    settings: MessengerSettings
    rng: random.Random
    surbs: FakeSurbs
    key: SymmetricKey = field(default_factory=SymmetricKey.generate)
    events: list[Event] = field(default_factory=list)
    fragments: int = 0
    probes: int = 0
    replies: int = 0
    refused: int = 0
    online: bool = True
    _asleep: tuple[object, ...] | None = None  # what the messenger was like when it had nothing to send
    _wakes: float = math.inf

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        mark = self.name.encode().ljust(32, b".")
        self.home = Home(self.name, NETWORK, Destination(b"P" * 32, mark, mark))
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.folder / "store.db", self.key)
        self.store._connection.pragma("synchronous", 0)  # a crash of the process only: the tests need no disk
        self.messenger, self.devices = messenger_and_devices(self.store, self.settings, self.rng, self.home, self.surbs)

    def sleeps(self, now: float) -> bool:
        """Whether it need not be asked: there was nothing, nothing has happened since, and it is not yet time."""
        return now < self._wakes and self._asleep == self._seen()

    def nap(self) -> None:
        """It had nothing to send."""
        wakes = self.messenger.wake_at()
        self._asleep, self._wakes = self._seen(), math.inf if wakes is None else wakes

    def stir(self) -> None:
        """Something has come."""
        self._asleep = None

    def _seen(self) -> tuple[object, ...]:
        return self.messenger, self.messenger._core.version, self.store.changes

    def crash(self) -> None:
        """As kill -9: what is in the files at this moment is all that survives, journal included."""
        saved = {path.name: path.read_bytes() for path in self.folder.glob("store.db*")}
        self.store._connection.close()
        for path in self.folder.glob("store.db*"):
            path.unlink()
        for name, content in saved.items():
            if not name.endswith("-shm"):
                (self.folder / name).write_bytes(content)
        self.open()

    def inbox(self, kind=None) -> list[str]:
        return [m.text for m in self.messenger.messages() if not m.outgoing and kind in (None, m.kind)]

    def states(self) -> list[str]:
        return [m.state.value for m in self.messenger.messages() if m.outgoing]


class Channel:
    """`loss` and `duplication` are probabilities of one way; replies take the same kind of way back."""

    naps = True  # a messenger that has nothing to do is asked only when it says, as a daemon does it

    def __init__(
        self, tmp: Path, seed: int = 0, *, loss: float = 0.0, duplication: float = 0.0, names=("alice", "bob")
    ):
        self.rng = random.Random(seed)
        self.loss, self.duplication = loss, duplication
        self.now = START
        self.tmp = tmp
        self.people: dict[str, Person] = {}
        self._queue: list[tuple] = []
        self._order = itertools.count()
        self._surbs: dict[bytes, tuple] = {}  # id → owner, and the session of those that are kept in memory
        self.reused = 0
        self.tamper = None  # called with every plaintext on its way
        self.watch = None  # called with everything that arrives: whose, how, and the plaintext
        for name in names:
            self.join(name)

    def join(self, name: str, **changes) -> Person:
        settings = {
            "mean_delay": MEAN_DELAY,
            "payload_rate": RATE,
            "pause": 1.0,  # tests of random pauses have their own
            "downloads": self.tmp / name / "downloads",
            **changes,
        }
        person = Person(
            name,
            self.tmp / name,
            MessengerSettings(**settings),
            random.Random(f"{name} {self.rng.random()}"),
            FakeSurbs(self, name),
        )
        self.people[name] = person
        self._later(self.rng.expovariate(RATE), "slot", name)
        return person

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    def introduce(self, inviter: str = "alice", acceptor: str = "bob") -> None:
        invitation = self[inviter].messenger.create_invitation(inviter, self.now)
        self[acceptor].messenger.accept_invitation(invitation.encode(), None, self.now)

    def run(self, seconds: float, until=lambda: False) -> bool:
        """Let time pass; whether `until` came true. It is asked when something has happened, and once a second."""
        end, ask_at = self.now + seconds, self.now
        while self._queue and self._queue[0][0] <= end:
            self.now, _, what, *rest = heapq.heappop(self._queue)
            idle = getattr(self, "_" + what)(*rest) is IDLE
            if idle and self.now < ask_at:
                continue
            if until():
                return True
            ask_at = self.now + 1.0
        self.now = end
        return until()

    def rest(self, seconds: float) -> None:
        """As `run`, but slots that nobody has anything for are passed over: hours cost what happens in them."""
        end = self.now + seconds
        while self.now < end:
            pause = min(self._next_event(), end) - self.now
            if pause > 0:  # slots come at random, so that they may all be later by as much
                later = [(at + pause * (what == "slot"), order, what, *rest) for at, order, what, *rest in self._queue]
                self._queue = sorted(later)
                self.now += pause
            self.run(min(0.2, end - self.now))

    def _next_event(self) -> float:
        """When something arrives, or somebody who is there may have something to send or to give up."""
        times = [at for at, _, what, *_ in self._queue if what != "slot"]
        for person in self.people.values():
            if person.online:
                times += [at for at in (person.messenger.wake_at(), person.messenger.next_expiry) if at is not None]
        return min(times, default=float("inf"))

    def settled(self) -> bool:
        return all(set(p.states()) <= {"delivered", "read", "failed"} for p in self.people.values())

    def _later(self, delay: float, *what) -> None:
        heapq.heappush(self._queue, (self.now + delay, next(self._order), *what))

    def _slot(self, name: str) -> object:
        self._later(self.rng.expovariate(RATE), "slot", name)
        person = self[name]
        if not person.online or (self.naps and person.sleeps(self.now)):
            return IDLE
        outgoing = person.messenger.next_outgoing(self.now)
        if outgoing is None:
            if self.naps:
                person.nap()
            return None
        drawn = sum(self.rng.expovariate(1 / MEAN_DELAY) for _ in range(4))
        if isinstance(outgoing, OutgoingReply):
            person.replies += 1
            surb_id = outgoing.surb.first_hop
            owner, session = self._surbs.pop(surb_id, (None, None))
            self.reused += owner is None  # mixes drop it as a replay
            if owner is not None and session is None:
                self._travel(drawn, "came_back", owner, outgoing.message, surb_id)
            elif owner is not None:
                self._travel(drawn, "replied", owner, outgoing.message, session)
        else:
            self._send(person, outgoing, drawn)
        person.messenger.transmitted(outgoing, self.now, drawn)
        person.events += person.messenger.take_events()
        return None

    def _send(self, person: Person, outgoing: OutgoingFragment, drawn: float) -> None:
        block = None
        if outgoing.wants_surb:
            surb = Surb(self.rng.randbytes(32), bytes(GEOMETRY.header_size), bytes(16))
            self._surbs[surb.first_hop] = (person.name, outgoing.key[0])
            block = ReplyBlock(surb.serialize(), int(self.now + BLOCK_LIFE))
        plaintext = outgoing.encode(block)
        assert len(plaintext) <= GEOMETRY.message_size
        person.fragments += 1
        person.probes += plaintext[0] == 3
        self._travel(drawn, "delivered", outgoing.destination.mailbox.rstrip(b".").decode(), plaintext)

    def _travel(self, drawn: float, what: str, name: str, plaintext: bytes, *through) -> None:
        if self.tamper is not None:
            plaintext = self.tamper(plaintext)
        copies = 1 + (self.rng.random() < self.duplication)
        for _ in range(copies if what == "delivered" else 1):
            if self.rng.random() >= self.loss:
                self._later(drawn + 0.06 + self.rng.expovariate(60), "arrive", what, name, plaintext, *through)

    def _arrive(self, what: str, name: str, plaintext: bytes, *through) -> None:
        person = self[name]
        if not person.online:
            self._later(1.0, "arrive", what, name, plaintext, *through)
            return
        if self.watch is not None:
            self.watch(name, what, plaintext)
        person.stir()
        try:
            if what == "delivered":
                person.events += person.messenger.delivered_untrusted(plaintext, self.now)
            elif what == "replied":
                person.events += person.messenger.replied_untrusted(plaintext, self.now, *through)
            else:
                person.events += person.messenger.came_back_untrusted(through[0] + plaintext, self.now)
        except RemoteError:
            person.refused += 1
        except StoreUnavailable:
            self._later(1.0, "arrive", what, name, plaintext, *through)
