"""Plays a plan in virtual time: people who meet, then days of deeds and faults, then quiet until all is settled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import trio

from mixnet.benchmarks.simulation import virtual
from mixnet.client.api.connection import Connection
from mixnet.client.model.errors import NotUnderWay
from mixnet.client.model.group_views import GroupInfo, GroupState
from mixnet.client.model.views import ContactState, DeviceState, MessageInfo, MessageKind, MessageState
from mixnet.errors import LocalError
from tests.client.days import plan as plans
from tests.client.days.compare import Circle, Line, Meant, compare, devices_agree
from tests.client.days.device import Device
from tests.client.days.plan import DAY, HOME, HOUR, PHONE, Deed, Fault, Plan
from tests.client.days.village import Village

STEP = 300.0  # seconds between two looks at whether something has come about
PATIENCE = 2 * DAY  # for the beginning, and for the end


UNSETTLED = (  # tables that are empty when nobody has anything to say or to wait for
    *("outbound", "waiting", "sending", "receiving", "stranded", "inbound"),
    *("device_outgoing", "device_incoming", "device_asks", "device_pieces", "device_log"),
    *("group_awaited", "group_hops", "group_receipts WHERE due IS NOT NULL"),
)


SHOWN = ("contact", "author", "outgoing", "kind", "state", "text", "size", "error", "created_at", "sent_at")
ARRIVED_HERE = (MessageState.RECEIVED, MessageState.READ)


class Stuck(AssertionError):
    """Something did not come about in time."""


@dataclass
class Player:
    """`meant` is what people wanted to send, in the order in which they did."""

    plan: Plan
    folder: Path
    village: Village = field(init=False)
    devices: dict[tuple[str, int], Device] = field(init=False)
    meant: list[Meant] = field(default_factory=list)
    identifiers: dict[str, str] = field(default_factory=dict)  # of groups
    refused: list[str] = field(default_factory=list)  # what deeds were refused, and why
    tell: Callable[[str], None] = lambda _line: None

    def __post_init__(self) -> None:
        self.village = Village(self.plan.seed)
        self.devices = {}
        for at, name in enumerate(self.plan.people):
            for device in (HOME, PHONE):
                own = name if device == HOME else f"{name}s-phone"
                skew = self.plan.skews.get((name, device), 0.0)
                self.devices[name, device] = Device(self.village, own, 2 * at + device + 1, self.folder, skew)

    async def play(self, at_end: Callable[[Player], Awaitable[None]]) -> None:
        """All of it; `at_end` looks while the devices are still up."""
        async with trio.open_nursery() as self._nursery:
            await self._nursery.start(self.village.run)
            for device in self.devices.values():
                await device.start(self._nursery)
            await self.begin()
            self.tell(f"all have met after {trio.current_time() / HOUR:.1f} h")
            await self._days()
            await self.settle()
            await at_end(self)
            self._nursery.cancel_scope.cancel()

    # the beginning

    async def begin(self) -> None:
        """Devices are linked, contacts made, groups founded."""
        for name in self.plan.people:
            home, phone = self.user(name), self.user(name, PHONE)
            await phone.devices.accept(await home.devices.link("phone"))
        for one, other in self.plan.pairs:
            await self.user(other).accept(await self.user(one).invite(), one)
        await self.until(self._acquainted, "devices are linked and contacts made")
        self.tell(f"contacts are made after {trio.current_time() / HOUR:.1f} h")
        async with trio.open_nursery() as nursery:
            for group, members in self.plan.groups.items():
                nursery.start_soon(self._found, group, members)

    async def _acquainted(self) -> bool:
        for (name, device), one in self.devices.items():
            user = self.user(name, device)
            if any(info.state is not DeviceState.LINKED for info in await user.devices.all()):
                return False
            friends = sum(name in pair for pair in self.plan.pairs)
            known = await user.contacts()
            if len(known) != friends or any(info.state is not ContactState.ESTABLISHED for info in known):
                return False
            if under_way(one):
                return False
        return True

    async def _found(self, group: str, members: tuple[str, ...]) -> None:
        maker = self.user(members[0])
        self.identifiers[group] = (await maker.groups.create(group)).identifier
        for name in members[1:]:
            await maker.groups.invite(group, called(await maker.contacts(), name))

        async def joined() -> bool:
            for name in members:
                theirs = await self.group(self.user(name), group)
                if theirs is not None and theirs.state is GroupState.INVITED:
                    await self.user(name).groups.accept(theirs.name)
            found = [await self.group(self.user(name), group) for name in members]
            return all(
                one is not None and len(one.members) == len(members) and all(m.connected for m in one.members)
                for one in found
            )

        await self.until(joined, f"{group} is complete")
        self.tell(f"{group} is complete after {trio.current_time() / HOUR:.1f} h")

    # the days

    async def _days(self) -> None:
        self.start = trio.current_time()
        self.village.loss, self.village.duplication = self.plan.loss, self.plan.duplication
        async with trio.open_nursery() as nursery:
            for fault in self.plan.faults:
                nursery.start_soon(self._suffer, fault)
            for key in self.devices:
                nursery.start_soon(self._live, key, [d for d in self.plan.deeds if (d.who, d.device) == key])
            nursery.start_soon(self._report)
            await trio.sleep_until(self.start + self.plan.days * DAY)
        self.village.loss = self.village.duplication = 0.0
        for device in self.devices.values():
            if device.store is not None:
                device.store.fuse = None
            await device.until_up()

    async def _report(self) -> None:
        for hours in range(6, int(self.plan.days * 24) + 1, 6):
            await trio.sleep_until(self.start + hours * HOUR)
            deaths = sum(device.deaths for device in self.devices.values())
            self.tell(f"{hours} h: {len(self.meant)} messages, {deaths} deaths, {self.village.lost} packets lost")

    async def _live(self, key: tuple[str, int], deeds: list[Deed]) -> None:
        """What a person does on a device, one thing after the other."""
        for deed in deeds:
            await trio.sleep_until(self.start + deed.at)
            await self._do(self.devices[key], deed)

    async def _do(self, device: Device, deed: Deed) -> None:
        try:
            match deed:
                case plans.Write():
                    await self._write(device, deed)
                case plans.Hand():
                    await self._hand(device, deed)
                case plans.Read():
                    await device.do(_read)
                case plans.CallContact():
                    await device.do(lambda user: _call(user, deed.whom, deed.suffix))
                case plans.Retitle() | plans.Remove() | plans.Leave():
                    await device.do(lambda user: self._govern(user, deed))
        except LocalError as refusal:
            self.refused.append(f"{deed}: {refusal}")

    async def _write(self, device: Device, deed: plans.Write) -> None:
        async def write(user: Connection) -> int:
            to = await self._conversation(user, deed.to)
            sent = await _sent(user, to, deed.text)
            return sent.id if sent is not None else await user.send(to, deed.text, expires=deed.expires)

        number = await device.do(write)
        may_fail = deed.expires is not None or deed.cancel is not None
        self.meant.append(Meant(deed.who, deed.device, deed.to, deed.text, may_fail=may_fail))
        if deed.cancel is not None:
            await trio.sleep(deed.cancel)

            async def cancel(user: Connection) -> None:
                with suppress(NotUnderWay):  # too late, or done before this device died
                    await user.cancel(number)

            await device.do(cancel)

    async def _hand(self, device: Device, deed: plans.Hand) -> None:
        path = self.folder / deed.text
        path.write_bytes(content_of(deed.text))

        async def hand(user: Connection) -> None:
            to = await self._conversation(user, deed.to)
            if await _sent(user, to, deed.text) is None:
                await user.send_file(to, path)

        await device.do(hand)
        content = content_of(deed.text)
        self.meant.append(Meant(deed.who, deed.device, deed.to, deed.text, MessageKind.FILE, content))

    async def _govern(self, user: Connection, deed: Deed) -> None:
        assert isinstance(deed, plans.Retitle | plans.Remove | plans.Leave)
        group = await self.group(user, deed.group)
        assert group is not None
        match deed:
            case plans.Retitle():
                if group.title != deed.title:
                    await user.groups.rename(group.name, deed.title)
            case plans.Remove():
                member = [one.name for one in group.members if is_called(one.name, deed.whom)]
                if member:
                    await user.groups.remove(group.name, member[0])
            case plans.Leave():
                if group.state is GroupState.MEMBER:
                    await user.groups.leave(group.name)

    async def _suffer(self, fault: Fault) -> None:
        village = self.village
        await trio.sleep_until(self.start + fault.at)
        if isinstance(fault, plans.Kill):
            await self._kill(fault)
            return
        until = self.start + min(fault.until, self.plan.days * DAY)
        match fault:
            case plans.Off():
                await self._off(self.devices[fault.who, fault.device], until)
            case plans.Down():
                village.kill_provider(fault.provider)
                await trio.sleep_until(until)
                await village.open_provider(fault.provider)
            case plans.Cut():
                village.cut(fault, tuple(self.devices[key].host for key in fault.devices))
                await trio.sleep_until(until)
                village.mend(fault)
            case plans.Split():
                village.split = True
                await trio.sleep_until(until)
                village.split = False

    async def _kill(self, fault: plans.Kill) -> None:
        device = self.devices[fault.who, fault.device]
        if device.user is None:
            return  # it is off, or dead already
        device.kill(fault.writes)
        with trio.move_on_after(6 * HOUR) as patience:  # if it writes nothing for so long it lives on
            await device.until_down()
        if patience.cancelled_caught and device.store is not None:
            device.store.fuse = None
        await trio.sleep(fault.away)
        await self._wake(device)

    async def _off(self, device: Device, until: float) -> None:
        device.wanted = False
        device.stop()
        await trio.sleep_until(until)
        device.wanted = True
        await self._wake(device)

    async def _wake(self, device: Device) -> None:
        while device.wanted and device.user is None and not device.starting:
            await device.start(self._nursery)

    # the end

    async def settle(self) -> None:
        """All devices are on, nobody does anything, nothing goes wrong: wait until nothing is under way."""
        for device in self.devices.values():
            await self._wake(device)
        self.end = trio.current_time()
        await self.until(self._calm, "nothing is under way")
        self.tell(f"calm after {(trio.current_time() - self.end) / HOUR:.1f} h")

    async def _calm(self) -> bool:
        return not self.restless()

    def restless(self) -> list[str]:
        """The devices that still have something to say, and what."""
        return [
            f"{device.name}: {under_way(device)}"
            for device in self.devices.values()
            if device.user and under_way(device)
        ]

    async def complaints(self) -> list[str]:
        """What is wrong with the histories, now that all is settled."""
        histories = {name: await self.history(name) for name in self.plan.people}
        found = compare(self.meant, histories, self.circles())
        for name in self.plan.people:
            found += devices_agree(name, self._shown(name, HOME), self._shown(name, PHONE))
        return found

    def circles(self) -> dict[str, Circle]:
        """Who was in a group all the time, and who wasn't."""
        removed = {(deed.group, deed.whom) for deed in self.plan.deeds if isinstance(deed, plans.Remove)}
        left = {(deed.group, deed.who) for deed in self.plan.deeds if isinstance(deed, plans.Leave)} - removed
        return {
            group: Circle(
                tuple(name for name in members if (group, name) not in left | removed),
                tuple(name for name in members if (group, name) in left),
                tuple(name for name in members if (group, name) in removed),
            )
            for group, members in self.plan.groups.items()
        }

    async def history(self, name: str) -> list[Line]:
        """All that a home shows of messages, in its order."""
        user, after, lines = self.user(name), 0, []
        groups = {one.name: one.identifier for one in await user.groups.list()}
        titles = {identifier: title for title, identifier in self.identifiers.items()}
        while page := await user.page(None, after):
            after = page[-1].id
            lines += [self._line(name, one, titles.get(groups.get(one.contact, ""), "")) for one in page]
        return lines

    def _line(self, name: str, message: MessageInfo, group: str) -> Line:
        where = group or self._person(message.contact)
        author = name if message.outgoing else self._person(message.author) if group else where
        arrived = message.kind is MessageKind.FILE and message.state in ARRIVED_HERE
        content = Path(message.path).read_bytes() if arrived and not message.outgoing else b""
        if message.outgoing and message.kind is MessageKind.FILE:
            content = content_of(message.text)
        return Line(where, author, message.text, message.kind, message.state, message.error, content)

    def _person(self, shown: str) -> str:
        return next(name for name in self.plan.people if is_called(shown, name))

    def _shown(self, name: str, device: int) -> list[tuple[object, ...]]:
        """What a device shows, in the order of the home's numbers."""
        one = self.devices[name, device]
        assert one.service is not None and one.store is not None
        messenger = one.service.user
        rows = one.store.all(
            "SELECT m.id, coalesce(r.number, m.id) AS place FROM messages m LEFT JOIN mirrored r ON r.message = m.id"
            " ORDER BY place"
        )
        shown = [messenger.message(number) for number, _ in rows]
        return [tuple(getattr(message, field) for field in SHOWN) for message in shown]

    # all along

    def user(self, name: str, device: int = HOME) -> Connection:
        user = self.devices[name, device].user
        assert user is not None
        return user

    async def group(self, user: Connection, group: str) -> GroupInfo | None:
        """A group of the plan as one device knows it."""
        known = [one for one in await user.groups.list() if one.identifier == self.identifiers[group]]
        return known[0] if known else None

    async def _conversation(self, user: Connection, to: str) -> str:
        """What a person or a group is called there."""
        if to in self.identifiers:
            group = await self.group(user, to)
            assert group is not None
            return group.name
        return called(await user.contacts(), to)

    async def until(self, condition: Callable[[], object], what: str) -> None:
        for step in range(int(PATIENCE / STEP)):
            if await condition():  # type: ignore[misc]
                return
            if step % 12 == 11:
                self.tell(f"waiting for {(step + 1) * STEP / HOUR:.0f} h until {what}; {'; '.join(self.restless())}")
            await trio.sleep(STEP)
        raise Stuck(f"in {PATIENCE / HOUR:.0f} h not: {what}; {self.restless()}")


def play(plan: Plan, folder: Path, tell: Callable[[str], None] = lambda _line: None) -> tuple[Player, list[str]]:
    """The player of a whole story, and what is wrong at its end."""
    player, complaints = Player(plan, folder, tell=tell), []

    async def look(player: Player) -> None:
        complaints.extend(await player.complaints())

    virtual.run(lambda: player.play(look), seed=plan.seed)
    return player, complaints


def under_way(device: Device) -> dict[str, int]:
    """How many rows there are of what is to be said or awaited, by table."""
    assert device.store is not None
    counts = {table: device.store.all(f"SELECT count(*) FROM {table}")[0][0] for table in UNSETTLED}
    return {table: count for table, count in counts.items() if count}


def is_called(shown: str, name: str) -> bool:
    """Whether a name that somebody may have lengthened is a person's."""
    return shown == name or shown.startswith(f"{name} ")


def called(known: list, name: str) -> str:
    return next(one.name for one in known if is_called(one.name, name))


def content_of(name: str) -> bytes:
    return (name.encode() * plans.FILE_SIZE)[: plans.FILE_SIZE]


async def _sent(user: Connection, to: str, text: str) -> MessageInfo | None:
    """What was sent already, before its sender's device died."""
    async for message in user.messages(to):
        if message.outgoing and message.text == text:
            return message
    return None


async def _read(user: Connection) -> None:
    newest: dict[str, int] = {}
    async for message in user.messages():
        if not message.outgoing and message.state is MessageState.RECEIVED:
            newest[message.contact] = message.id
    for number in newest.values():
        await user.mark_read(number)


async def _call(user: Connection, whom: str, suffix: str) -> None:
    now, wanted = called(await user.contacts(), whom), f"{whom} {suffix}"
    if now != wanted:
        await user.rename(now, wanted)
