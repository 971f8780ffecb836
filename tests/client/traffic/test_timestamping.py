"""Witnesses for signed messages: who is asked, what is believed, and that nothing is asked twice."""

import random
from types import SimpleNamespace

import pytest
import trio

from mixnet import timestamp
from mixnet.client.concurrency.wakeup import Wakeup
from mixnet.client.concurrency.worker import InlineWorker
from mixnet.client.e2e.bodies import CHUNK_SIZE
from mixnet.client.e2e.proof import verify_untrusted
from mixnet.client.traffic.provider_queries import NotAnswered
from mixnet.client.traffic.timestamping import RETRY, Submitter
from mixnet.pki.document import parse_untrusted
from mixnet.pki.trust import Trust
from mixnet.services import ServiceAnswer, ServiceStatus
from tests.client.worlds import channel as hostile
from tests.client.worlds.friends import befriend, write
from tests.client.worlds.town import START, Town

TOWN = Town()
HOME, OTHER = TOWN.providers


class Providers:
    """Stands for the way to providers and back: `say` gives the answer to each question, or raises."""

    def __init__(self, say):
        self.say, self.asked = say, []

    async def ask(self, provider, question):
        await trio.lowlevel.checkpoint()
        self.asked.append((provider, question.subject))
        return self.say(question, len(self.asked))


def honest(question, _number, key=OTHER, when=START + 5):
    return timestamp.TimestampToken.issue(key, TOWN.bootstrap.network_id, question.subject, when).answer()


@pytest.fixture
def friends(tmp_path, monkeypatch):
    monkeypatch.setattr(hostile, "NETWORK", TOWN.bootstrap.network_id)
    made = hostile.Channel(tmp_path, seed=1)
    befriend(made)
    return made


def submitter(friends, say, trust=None):
    raw = TOWN.document(0)
    keeper = SimpleNamespace(current=parse_untrusted(raw)[0], raw=lambda _epoch: raw)
    providers = Providers(say)
    trust = trust or Trust(TOWN.bootstrap)
    table = friends["alice"].messenger.timestamps
    return Submitter(table, InlineWorker(), providers, keeper, trust, random.Random(1), HOME.public), providers  # type: ignore[arg-type]


async def live(one, wakeup, seconds):
    with trio.move_on_after(seconds):
        await one.find_witnesses(wakeup)


def sign(friends, text="I owe you ten"):
    return friends["alice"].messenger.send_text("bob", text, friends.now, signed=True)


async def test_each_signed_message_is_witnessed_once_by_a_provider_that_is_not_ours(friends, autojump_clock):
    one, providers = submitter(friends, honest)
    numbers = [sign(friends), sign(friends, "and ten more")]
    friends["alice"].messenger.send_text("bob", "unsigned", friends.now)
    await live(one, Wakeup(), 10 * RETRY)
    assert [who for who, _ in providers.asked] == [OTHER.public] * 2
    assert len({subject for _, subject in providers.asked}) == 2
    for number in numbers:
        proven = verify_untrusted(friends["alice"].messenger.proof(number))
        assert (proven.submission.witness, proven.submission.time) == (OTHER.public, int(START) + 5)
    again, providers = submitter(friends, honest)
    await live(again, Wakeup(), 10 * RETRY)  # after a restart, too
    assert providers.asked == []


async def test_a_bell_tells_of_a_new_one(friends, autojump_clock):
    one, providers = submitter(friends, honest)
    wakeup = Wakeup()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(live, one, wakeup, 5)
        await trio.sleep(1)
        number = sign(friends)
        wakeup.wake()
        await trio.sleep(1)
        assert len(providers.asked) == 1 and friends["alice"].messenger.timestamps.of(number) is not None


LIES = {
    "another key": lambda question: honest(question, 0, key=HOME),
    "another time": lambda question: honest(question, 0, when=START + 1e6),
    "another thing": lambda _question: timestamp.TimestampToken.issue(
        OTHER, TOWN.bootstrap.network_id, bytes(32), START
    ).answer(),
    "another network": lambda question: timestamp.TimestampToken.issue(
        OTHER, bytes(32), question.subject, START
    ).answer(),
    "no timestamp": lambda _question: ServiceAnswer(ServiceStatus.DONE, b"yes"),
    "no such operation": lambda _question: ServiceAnswer(ServiceStatus.UNKNOWN),
}


@pytest.mark.parametrize("lie", LIES)
async def test_what_does_not_verify_is_not_kept_and_asked_again_later(friends, autojump_clock, lie):
    one, providers = submitter(
        friends, lambda question, number: LIES[lie](question) if number < 3 else honest(question, 0)
    )
    number = sign(friends)
    await live(one, Wakeup(), 0.9 * RETRY)
    assert len(providers.asked) == 1 and friends["alice"].messenger.timestamps.of(number) is None
    await live(one, Wakeup(), 2.5 * RETRY)
    assert len(providers.asked) == 3
    assert verify_untrusted(friends["alice"].messenger.proof(number)).submission is not None


async def test_without_an_answer_the_others_are_asked_for_and_it_is_tried_again(friends, autojump_clock):
    def sometimes(question, number):
        if number == 1:
            raise NotAnswered
        return honest(question, number)

    one, providers = submitter(friends, sometimes)
    numbers = [sign(friends), sign(friends, "and ten more")]
    await live(one, Wakeup(), 1.5 * RETRY)
    assert len(providers.asked) == 3
    assert all(friends["alice"].messenger.timestamps.of(number) for number in numbers)


async def test_a_file_is_witnessed_once_it_is_signed(friends, autojump_clock):
    one, providers = submitter(friends, honest)
    path = write(friends, 2 * CHUNK_SIZE, "contract.pdf")
    number = friends["alice"].messenger.send_file("bob", path, friends.now, signed=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(live, one, Wakeup(), 3 * RETRY)
        await trio.sleep(0.5 * RETRY)
        assert providers.asked == []
        assert friends.run(600, friends.settled)
    assert len(providers.asked) == 1
    assert verify_untrusted(friends["alice"].messenger.proof(number)).submission is not None


async def test_what_failed_is_not_submitted(friends, autojump_clock):
    one, providers = submitter(friends, honest)
    friends["alice"].messenger.cancel(sign(friends), friends.now)
    await live(one, Wakeup(), 2 * RETRY)
    assert providers.asked == []


async def test_documents_are_kept_as_long_as_a_timestamp_needs_them(friends, autojump_clock):
    one, _ = submitter(friends, honest)
    numbers = [sign(friends), sign(friends, "and ten more")]
    await live(one, Wakeup(), 1)
    assert friends.run(60, friends.settled)
    alice = friends["alice"]
    assert alice.store.one("SELECT count(*) FROM consensuses") == (1,)
    for number, left in zip(numbers, (1, 0), strict=True):
        alice.messenger.archive.delete(number)
        assert alice.store.one("SELECT count(*) FROM consensuses") == (left,)
    assert alice.store.one("SELECT count(*) FROM submissions") == (0,)


async def test_where_the_network_s_beginning_is_unknown_nothing_is_asked(friends, autojump_clock):
    """A bootstrap file of authorities that succeeded others doesn't show whom the network's identifier stands for."""
    town = Town()
    later = town.lineage.succeed(3, announced=1)
    one, providers = submitter(friends, honest, Trust(later))
    sign(friends)
    await live(one, Wakeup(), 3 * RETRY)
    assert providers.asked == []
