"""A mailbox that is erased and registered anew in the same moment, and what a provider says that it keeps."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st
from trio.testing import MockClock

from mixnet.counters import Dropped
from mixnet.errors import RemoteError
from mixnet.link import Assembler, Frame, FrameKind, Link, split
from mixnode.downlink import Downlink
from mixnode.mailboxes import Account, Acknowledge, Erase, Inspect, Limits, Mailboxes, Open, StorePacket, Unknown
from tests.mixnode.mail import ME, deposit, fetch
from tests.mixnode.town import Town

LIMITS = Limits(mailboxes=3, messages=100, size=10**6, age=168.0)  # a grain is one second
BOX, OTHER = bytes([1]) * 32, bytes([2]) * 32


def look(mailboxes: Mailboxes, mailbox: bytes = BOX) -> object:
    (found,) = mailboxes.perform([Inspect(mailbox)], LIMITS, 1000.0)
    return found


def test_an_account_counts_what_is_kept_of_this_mailbox_only() -> None:
    mailboxes = Mailboxes(None)
    assert look(mailboxes) == Unknown()
    mailboxes.perform([Open(BOX), Open(OTHER), StorePacket(OTHER, b"other")], LIMITS, 1000.0)
    assert look(mailboxes) == Account(0, 0, 1168.0, None)
    mailboxes.perform([StorePacket(BOX, b"one")], LIMITS, 1003.5)
    mailboxes.perform([StorePacket(BOX, b"three"), Open(BOX)], LIMITS, 1010.0)
    assert look(mailboxes) == Account(2, 8, 1178.0, 1172.0)
    mailboxes.perform([Acknowledge(BOX, 2)], LIMITS, 1011.0)
    assert look(mailboxes) == Account(1, 5, 1178.0, 1178.0)


def test_erased_and_opened_in_one_transaction_it_is_empty_and_takes_mail() -> None:
    mailboxes = Mailboxes(None)
    mailboxes.perform([Open(BOX), StorePacket(BOX, b"one"), Open(OTHER), StorePacket(OTHER, b"other")], LIMITS, 1000.0)
    mailboxes.perform([Erase(BOX), Open(BOX), StorePacket(BOX, b"later")], LIMITS, 1001.0)
    assert look(mailboxes) == Account(1, 5, 1169.0, 1169.0)
    assert look(mailboxes, OTHER) == Account(1, 5, 1168.0, 1168.0)


def packet(number: int) -> bytes:
    return number.to_bytes(4, "big") * 768


KINDS = ["store", "tell", "slot", "read", "read done", "erase", "commit", "erased"]
STEPS = st.lists(st.sampled_from(KINDS), min_size=20, max_size=80)
READ_MEANWHILE = ["store", "read", "erase", "commit", "erased", "read done", "slot", "slot"]
STORED_MEANWHILE = ["store", "tell", "erase", "commit", "store", "tell", "erased", "read", "read done", "slot"]


@given(STEPS)
@example(READ_MEANWHILE)
@example(STORED_MEANWHILE)
def test_what_was_erased_never_goes_down_and_what_came_after_does_once(steps: list[str]) -> None:
    """`erase`: the request is taken; `commit`: on the disk; `erased`: the request knows. Others go on meanwhile."""
    downlink, database, received, read = Downlink(), [], [], None
    number = told = erased = 0
    erasing = ""
    for step in [*steps, "commit", "erased", *["tell", "read", "read done", "slot"] * (3 * len(steps) + 3)]:
        if step == "store":
            number += 1
            database.append(number)
        elif step == "tell" and told < number:
            told += 1
            if told > erased or erasing:  # a deposit that was committed before the erasure is told before it is done
                downlink.offer(told, packet(told))
        elif step == "read" and read is None and (wanted := downlink.wanted()):
            read = ([one for one in database if one > wanted[0]][: wanted[1]], wanted[1])
        elif step == "read done" and read is not None:
            downlink.loaded([(one, packet(one)) for one in read[0]], read[1])
            read = None
        elif (step, erasing) == ("erase", ""):
            erasing = "asked"
            downlink.forget()
        elif (step, erasing) == ("commit", "asked"):
            erasing, erased = "committed", number
            database.clear()
        elif (step, erasing) == ("erased", "committed"):
            erasing = ""
            downlink.resume()
        elif step == "slot":
            kind, encoded = downlink.take()
            downlink.prepare()
            if kind is FrameKind.MAIL:
                assert not erasing
                received.append(int.from_bytes(Frame.decode_untrusted(encoded).body[:4], "big"))
                assert received[-1] in database
    assert received == sorted(set(received))
    assert set(received) >= set(database)


async def ask(link: Link, number: int, **question: object) -> tuple[bytes, list[bytes]]:
    """(the answer, mail that came before it); acknowledges what comes."""
    await link.send(split(msgspec.msgpack.encode(question), FrameKind.REQUEST, number))
    assembler, mail = Assembler(), []
    with trio.fail_after(60):
        while True:
            for frame in await link.receive():
                if frame.kind is FrameKind.MAIL:
                    mail.append(frame.body)
                if frame.kind is FrameKind.RESPONSE and (whole := assembler.feed_untrusted(frame)):
                    assert whole[0] == number
                    return whole[1], mail


async def test_a_client_empties_its_mailbox_and_gets_what_comes_later(autojump_clock: MockClock) -> None:
    town = Town()
    provider = town.providers[0]
    async with town.running():
        async with await town.client(ME):
            await trio.sleep(1)
        await deposit(town, [b"secret"] * 60)
        async with await town.client(ME) as link:
            kept, before = await ask(link, 1, op="account")
            account = msgspec.msgpack.decode(kept)
            assert account["packets"] == 60  # none is acknowledged yet
            assert account["bytes"] == 60 * 3072
            assert account["next_expiry"] <= account["expires"]
            answer, mail = await ask(link, 2, op="erase", again=True)
            assert answer == b"erased"
            assert len(before) + len(mail) < 60
            empty, late = await ask(link, 3, op="account")
            assert (msgspec.msgpack.decode(empty)["packets"], late) == (0, [])
            await deposit(town, [b"welcome"] * 3)
            with trio.move_on_after(20):
                while True:
                    late += [frame.body for frame in await link.receive() if frame.kind is FrameKind.MAIL]
            assert len(late) == 3
            assert provider.count(Dropped.UNKNOWN_MAILBOX) == 0
        async with await town.client(ME) as link:
            assert await fetch(town, link, 3) == [b"welcome"] * 3  # they were not acknowledged: nothing else is there
            await trio.sleep(2)
            assert msgspec.msgpack.decode((await ask(link, 4, op="account"))[0])["packets"] == 0


async def test_after_an_erasure_for_good_there_is_no_account(autojump_clock: MockClock) -> None:
    town = Town()
    async with town.running(), await town.client(ME) as link:
        assert (await ask(link, 1, op="erase"))[0] == b"erased"
        assert msgspec.msgpack.decode((await ask(link, 2, op="account"))[0]) is None
        assert (await ask(link, 3, op="erase", again=True))[0] == b"erased"
        assert msgspec.msgpack.decode((await ask(link, 4, op="account"))[0])["packets"] == 0


@pytest.mark.parametrize(
    "question", [{"op": "erase", "again": 1}, {"op": "erase", "mailbox": b"x" * 32}, {"op": "account", "of": "bob"}]
)
async def test_a_request_names_nothing_and_nobody(autojump_clock: MockClock, question: dict[str, object]) -> None:
    town = Town()
    async with town.running(), await town.client(ME) as link:
        await link.send(split(msgspec.msgpack.encode(question), FrameKind.REQUEST, 1))
        with pytest.raises((RemoteError, trio.EndOfChannel)), trio.fail_after(60):
            while True:
                await link.receive()


def test_an_erased_mailbox_that_is_registered_anew_leaves_nothing_but_its_name(tmp_path: Path) -> None:
    mailboxes = Mailboxes(tmp_path / "mailboxes.sqlite")
    mailboxes.perform(
        [Open(BOX), *(StorePacket(BOX, b"marker %d" % number + bytes(3000)) for number in range(9))], LIMITS, 1.0
    )

    def on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert b"marker 3" in on_disk()
    mailboxes.perform([Erase(BOX), Open(BOX)], LIMITS, 1.0)
    mailboxes.clean()
    assert b"marker" not in on_disk()
    assert BOX in on_disk()
    mailboxes.close()
