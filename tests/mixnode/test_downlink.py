"""The down-link of one client: every stored packet once a connection, in order, whatever the database's timing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.errors import RemoteError
from mixnet.link import Frame, FrameKind
from mixnode.downlink import UNDER_WAY, WINDOW, Downlink

STEPS = st.lists(st.sampled_from(["store", "tell", "slot", "read", "read done", "acknowledge", "answer"]), max_size=60)


def packet(number: int) -> bytes:
    return number.to_bytes(4, "big") * 768


def take(downlink: Downlink) -> Frame:
    kind, encoded = downlink.take()
    frame = Frame.decode_untrusted(encoded)
    assert frame.kind is kind
    downlink.prepare()
    return frame


@given(STEPS, st.integers(0, 80))
def test_all_mail_goes_down_once_and_in_order(steps: list[str], backlog: int) -> None:
    database = list(range(1, backlog + 1))
    downlink, received, answers, read = Downlink(), [], 0, None
    number = backlog
    deleted, told = 0, backlog
    for step in [*steps, *["tell", "read", "read done", "slot"] * (4 * (backlog + len(steps)))]:
        if step == "store":
            number += 1
            database.append(number)  # committed, but the one who stored it has not been scheduled yet
        elif step == "tell" and told < number:
            told += 1
            downlink.offer(told, packet(told))
        elif step == "read" and read is None and (wanted := downlink.wanted()):
            after, most = wanted
            read = ([one for one in database if one > after][:most], most)  # a snapshot: more may be stored meanwhile
        elif step == "read done" and read is not None:
            downlink.loaded([(one, packet(one)) for one in read[0]], read[1])
            read = None
        elif step == "answer":
            downlink.answer([Frame(FrameKind.RESPONSE, b"part")])
            answers += 1
        elif step == "slot":
            frame = take(downlink)
            if frame.kind is FrameKind.MAIL:
                received.append(int.from_bytes(frame.body[:4], "big"))
            answers -= frame.kind is FrameKind.RESPONSE
            sequence = frame.sequence
        elif step == "acknowledge" and received:
            through = downlink.acknowledged_untrusted(sequence)
            if through is not None:
                assert through == received[-1] > deleted
                deleted = through
    assert received == database
    assert answers == 0


@given(st.integers(1, 50))
def test_frames_are_numbered_without_gaps(count: int) -> None:
    downlink = Downlink()
    assert [take(downlink).sequence for _ in range(count)] == list(range(1, count + 1))


def test_what_is_stored_while_older_mail_is_read_is_not_forgotten() -> None:
    downlink = Downlink()
    wanted = downlink.wanted()
    assert wanted is not None
    downlink.offer(1, packet(1))
    downlink.loaded([], wanted[1])
    assert downlink.wanted() == (0, WINDOW)


def test_what_was_never_sent_cannot_be_acknowledged() -> None:
    downlink = Downlink()
    with pytest.raises(RemoteError):
        downlink.acknowledged_untrusted(1)  # prepared, but not sent
    take(downlink)
    assert downlink.acknowledged_untrusted(1) is None
    with pytest.raises(RemoteError):
        downlink.acknowledged_untrusted(2)


def test_a_client_that_never_acknowledges_gets_dummies_in_the_end() -> None:
    downlink = Downlink()
    wanted = downlink.wanted()
    assert wanted is not None
    downlink.loaded([], wanted[1])
    kinds = []
    for number in range(1, UNDER_WAY + 10):
        downlink.offer(number, packet(number))
        kinds.append(take(downlink).kind)
    assert kinds.count(FrameKind.MAIL) == UNDER_WAY
    assert kinds[-1] is FrameKind.PAD


def test_memory_is_bounded_by_the_window() -> None:
    downlink = Downlink()
    wanted = downlink.wanted()
    assert wanted == (0, WINDOW)
    downlink.loaded([(number, packet(number)) for number in range(1, WINDOW + 1)], WINDOW)
    for number in range(WINDOW + 1, 10 * WINDOW):
        downlink.offer(number, packet(number))
    assert len(downlink._waiting) <= WINDOW


def test_nothing_is_left_of_an_erased_mailbox() -> None:
    downlink = Downlink()
    downlink.wanted()
    downlink.forget()
    downlink.loaded([(1, packet(1))], WINDOW)  # was being read when it was erased
    downlink.offer(2, packet(2))
    assert [take(downlink).kind for _ in range(5)] == [FrameKind.PAD] * 5
    assert downlink.wanted() is None


def test_mail_that_comes_before_the_slot_takes_the_place_of_its_dummy() -> None:
    downlink = Downlink()
    downlink.wanted()
    downlink.loaded([], WINDOW)
    downlink.offer(1, packet(1))
    assert take(downlink).kind is FrameKind.MAIL
