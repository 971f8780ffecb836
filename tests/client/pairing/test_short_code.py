"""Invitations that lie under a short code: who has it gets them, from either provider, for a day, and nobody else."""

import random
import string
from contextlib import suppress

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from mixnet.client.e2e.invitation import Invitation
from mixnet.client.model.errors import MalformedInvitation, MalformedShortCode, NothingLeft
from mixnet.client.pairing.short_code import PREFIX, ShortCode, ShortCodes
from mixnet.client.traffic.provider_queries import NotAnswered
from mixnet.errors import RemoteError
from tests.client.worlds.channel import NETWORK
from tests.client.worlds.hall import Hall

CAPITALS_AND_DIGITS = set(string.ascii_uppercase + string.digits + " $%*+-./:")  # what a QR code packs closely


@given(st.binary(min_size=18, max_size=18), st.randoms(use_true_random=False))
def test_a_code_is_read_however_it_is_typed_and_no_slip_is(secret, rng: random.Random):
    code = ShortCode(secret)
    assert ShortCode.parse(code.text) == code and set(code.text) <= CAPITALS_AND_DIGITS and len(code.text) == 46
    typed = rng.choice((code.text.lower(), code.text.replace("-", "\n "), code.text.removeprefix(PREFIX)))
    assert ShortCode.parse(f" {typed.replace('O', '0')} ") == code
    at = rng.randrange(len(PREFIX), len(code.text))
    if code.text[at] != "-":
        wrong = code.text[:at] + ("A" if code.text[at] != "A" else "B") + code.text[at + 1 :]
        with suppress(MalformedShortCode):
            assert ShortCode.parse(wrong) != code  # one in 65,536 is a code of its own


@given(st.one_of(st.text(), st.text(alphabet="ABC234567-").map(PREFIX.__add__)))
def test_other_texts_are_no_codes(text):
    with pytest.raises(MalformedShortCode):
        ShortCode.parse(text)


def invited(hall: Hall, name: str = "alice") -> str:
    messenger = hall.channel[name].messenger
    made: Invitation = messenger.create_invitation(name, hall.clock.now())
    return made.encode()


async def test_who_has_the_code_gets_the_invitation_and_nobody_learns_which(tmp_path, autojump_clock: MockClock):
    hall = Hall(tmp_path, "alice", "bob", providers=4)
    texts = [invited(hall), invited(hall, "bob")]
    codes = [await hall.short_codes.leave(text) for text in texts]
    bodies = [question.body for _, question in hall.asked]
    assert len(bodies) == len(set(bodies)) == 4 and len({len(body) for body in bodies}) == 1
    assert len({question.subject for _, question in hall.asked}) == 4
    where = [provider for provider, _ in hall.asked]
    assert hall.nodes[0].identity not in where and where[0] != where[1] and where[2] != where[3]
    assert [await hall.short_codes.fetch(code) for code in codes] == texts
    for _, question in hall.asked:
        raw = question.body + question.subject
        assert b"alice" not in raw and not any(ShortCode.parse(code).secret in raw for code in codes)


async def test_one_provider_may_forget_fail_or_lie(tmp_path, autojump_clock: MockClock):
    for lost in range(2):
        hall = Hall(tmp_path / str(lost), "alice", providers=3)
        text = invited(hall)
        code = await hall.short_codes.leave(text)
        slot = ShortCode.parse(code).slot(NETWORK, lost)
        desk = hall.desks[hall.provider_for(slot)]
        for body in (b"", bytes(2200), b"X" * 100):
            desk.day._slots.clear()
            assert await hall.short_codes.fetch(code) == text
            desk.day.put(slot, body, trio.current_time())
            assert await hall.short_codes.fetch(code) == text


async def test_what_is_not_there_and_who_does_not_answer_are_told_apart(tmp_path, autojump_clock: MockClock):
    hall = Hall(tmp_path, "alice")
    text = invited(hall)
    code = await hall.short_codes.leave(text)
    with pytest.raises(NothingLeft):
        await hall.short_codes.fetch(ShortCode.make().text)
    elsewhere = ShortCodes(hall.short_codes.rendezvous, bytes(32), bytes(32))
    with pytest.raises(NothingLeft):
        await elsewhere.fetch(code)
    hall.deaf = True
    for ask in (hall.short_codes.fetch(code), hall.short_codes.leave(text)):
        with pytest.raises(NotAnswered):
            await ask
    hall.deaf = False
    await trio.sleep(86_400)
    with pytest.raises(NothingLeft):
        await hall.short_codes.fetch(code)
    hall.restart_providers()
    with pytest.raises(NothingLeft):
        await hall.short_codes.fetch(code)
    with pytest.raises(MalformedInvitation):
        await hall.short_codes.leave("mixnet1:nothing")


@given(st.binary(max_size=2300))
def test_no_body_of_a_provider_is_an_invitation(body):
    with pytest.raises(RemoteError):
        ShortCode(bytes(18)).open_untrusted(NETWORK, 0, body)


async def test_the_longest_name_and_a_device_s_link_fit(tmp_path, autojump_clock: MockClock):
    hall = Hall(tmp_path, "alice")
    code = ShortCode(bytes(18))
    link = hall.channel["alice"].devices.linking.invite("phone", hall.clock.now())
    longest = hall.channel["alice"].messenger.create_invitation("\U0001f600" * 32, hall.clock.now())
    sealed = [code.seal(NETWORK, 1, one) for one in (link, longest)]
    assert len(sealed[0]) == len(sealed[1])
    assert code.open_untrusted(NETWORK, 1, sealed[0]) == link and link.device
    assert code.open_untrusted(NETWORK, 1, sealed[1]) == longest
    with pytest.raises(RemoteError):
        code.open_untrusted(NETWORK, 0, sealed[0])
