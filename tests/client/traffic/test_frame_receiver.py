"""Each kind of frame goes to the part that it is for, and a loop monitor hears of all."""

from types import SimpleNamespace

import pytest

from mixnet.client.traffic.frame_receiver import FrameReceiver
from mixnet.errors import RemoteError
from mixnet.link.frames import Frame, FrameKind


@pytest.fixture
def heard(autojump_clock) -> SimpleNamespace:
    calls: list[tuple] = []
    note = lambda name: lambda *values: calls.append((name, *values))  # noqa: E731
    loops = SimpleNamespace(
        on_frame=note("frame"), on_dummy=note("dummy"), on_mail=note("mail"), on_link_lost=note("lost")
    )
    packets = SimpleNamespace(idle=True, offer=note("offer"))
    requests = SimpleNamespace(take_untrusted=note("response"), link_lost=note("lost request"))
    receiver = FrameReceiver(
        loops=loops, packets=packets, requests=requests, receipt=lambda number: f"receipt {number}"
    )
    return SimpleNamespace(receiver=receiver, calls=calls, packets=packets)


def names(heard) -> list[str]:
    return [call[0] for call in heard.calls]


async def test_mail_is_offered_with_the_receipt_of_its_number(heard):
    heard.receiver.take_untrusted(Frame(FrameKind.MAIL, b"packet", sequence=7))
    assert names(heard) == ["frame", "mail", "offer"]
    assert heard.calls[-1] == ("offer", b"packet", "receipt 7")


async def test_a_dummy_says_that_the_mailbox_is_empty_only_when_no_packet_waits_here(heard):
    heard.receiver.take_untrusted(Frame(FrameKind.PAD))
    assert names(heard) == ["frame", "dummy"]
    heard.packets.idle = False
    heard.receiver.take_untrusted(Frame(FrameKind.PAD))
    assert names(heard) == ["frame", "dummy", "frame"]


async def test_an_answer_goes_to_who_asked(heard):
    frame = Frame(FrameKind.RESPONSE, b"part")
    heard.receiver.take_untrusted(frame)
    assert heard.calls[-1] == ("response", frame)


@pytest.mark.parametrize("kind", sorted(set(FrameKind) - {FrameKind.PAD, FrameKind.MAIL, FrameKind.RESPONSE}))
async def test_a_frame_that_no_provider_sends_is_refused_and_counted(heard, kind):
    with pytest.raises(RemoteError, match="only clients send"):
        heard.receiver.take_untrusted(Frame(kind, b""))
    assert heard.receiver.counts == {kind: 1}


async def test_a_lost_link_ends_what_was_under_way_on_it(heard):
    heard.receiver.link_lost()
    assert names(heard) == ["lost", "lost request"]
