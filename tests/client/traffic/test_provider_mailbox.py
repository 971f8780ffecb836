"""Questions about our own mailbox: what is asked, what is made of the answers, and what is said when none comes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.api.daemon_api import Kept, StillWaiting
from mixnet.client.cli import render
from mixnet.client.traffic import provider_mailbox
from mixnet.client.traffic.provider_mailbox import (
    AskErase,
    MailboxInfo,
    NotAnswered,
    ProviderAway,
    account_untrusted,
    erase,
    look,
)
from mixnet.errors import RemoteError
from tests.client.worlds.mailbox import KEPT, Provider
from tests.client.worlds.service import make_service


async def test_what_a_provider_keeps_is_told():
    provider = Provider(msgspec.msgpack.encode(KEPT), msgspec.msgpack.encode(None))
    assert await look(provider.post()) == MailboxInfo((b"m" * 32).hex(), (b"p" * 32).hex(), True, 3, 9216, 2e9, 1.9e9)
    assert await look(provider.post()) == MailboxInfo((b"m" * 32).hex(), (b"p" * 32).hex(), False)
    assert [asked for asked, _ in provider.asked] == [{"op": "account"}] * 2
    assert provider.forgotten == 0


@pytest.mark.parametrize(("again", "asked"), [(True, {"op": "erase", "again": True}), (False, {"op": "erase"})])
async def test_an_erasure_is_asked_for_again_if_nothing_comes(again, asked):
    provider = Provider(None, None, b"erased")
    await erase(provider.post(), again=again)
    assert provider.asked == [(asked, 30 / 2.0 + 30 / 4.0)] * 3
    assert provider.forgotten == 1
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(AskErase(again))) == asked


async def test_after_three_tries_nothing_is_claimed():
    provider = Provider(None, None, None)
    with pytest.raises(NotAnswered, match="nothing is known"):
        await erase(provider.post(rates=(0.0, 0.0)), again=True)
    assert [patience for _, patience in provider.asked] == [provider_mailbox.SHORTEST_PATIENCE] * 3
    assert provider.forgotten == 0


async def test_without_a_link_nothing_is_asked():
    provider = Provider()
    with pytest.raises(ProviderAway):
        await erase(provider.post(connected=False), again=True)
    assert provider.asked == []


@pytest.mark.parametrize("answer", [b"", b"erasing", b"erased\0", msgspec.msgpack.encode(None)])
async def test_another_answer_is_no_erasure(answer):
    provider = Provider(answer)
    with pytest.raises(RemoteError):
        await erase(provider.post(), again=True)
    assert provider.forgotten == 0


VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.booleans() | st.binary(max_size=9)


@given(st.binary(max_size=100) | st.fixed_dictionaries(dict.fromkeys(KEPT, VALUES)).map(msgspec.msgpack.encode))
def test_whatever_a_provider_answers_can_be_shown_or_is_refused(raw):
    try:
        kept = account_untrusted(raw)
    except RemoteError:
        return
    if kept is not None:
        assert kept.packets >= 0 <= kept.bytes
        assert render.moment(kept.expires)
        assert kept.next_expiry is None or render.moment(kept.next_expiry)


@pytest.mark.parametrize("when", [float("nan"), float("inf"), -1.0, 1e300])
@pytest.mark.parametrize("name", ["expires", "next_expiry"])
def test_a_time_that_no_clock_shows_is_refused(name, when):
    with pytest.raises(RemoteError):
        account_untrusted(msgspec.msgpack.encode(KEPT | {name: when}))


COUNTS, TIMES = st.integers(0, 2**53), st.floats(0, 1e11)


@given(
    kept=st.fixed_dictionaries(
        {"packets": COUNTS, "bytes": COUNTS, "expires": TIMES, "next_expiry": st.none() | TIMES}
    ),
    spoilt=st.sampled_from(["", "less", "more", "text"]),
)
def test_an_account_has_these_fields_and_no_others(kept, spoilt):
    if not spoilt:
        assert msgspec.to_builtins(account_untrusted(msgspec.msgpack.encode(kept))) == kept
        return
    if spoilt == "less":
        del kept["expires"]
    else:
        kept |= {"more": {"address": "10.0.0.1"}, "text": {"packets": "3"}}[spoilt]
    with pytest.raises(RemoteError):
        account_untrusted(msgspec.msgpack.encode(kept))


async def test_before_there_is_a_provider_a_daemon_says_what_it_waits_for():
    me = Connection(DirectChannel(make_service()))
    for ask in (me.mailbox.show, me.mailbox.holdings):
        with pytest.raises(StillWaiting):
            await ask()


async def test_programs_see_what_the_daemon_sees():
    service = make_service()
    provider = Provider(msgspec.msgpack.encode(KEPT), b"erased", b"erased")
    service.kept = Kept(provider.post(), service.user._core.store, None)
    me = Connection(DirectChannel(service))
    assert (await me.mailbox.show()).packets == 3
    await me.mailbox.erase()
    assert not service.stopping.is_set()
    await me.mailbox.erase(leave=True)
    assert service.stopping.is_set()  # or its next link would register the mailbox again
    assert [asked for asked, _ in provider.asked[1:]] == [{"op": "erase", "again": True}, {"op": "erase"}]
    held = {one.kind: one for one in await me.mailbox.holdings()}
    assert held["messages"].items == 0
    assert held["keys"].items == 1  # the identity; a messenger without a daemon has no mailbox
    assert held["keys"].bytes == len("identity") + 32
