"""What a worker is given, in which order, and what is left of it when it ends: with a worker that is no process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import GEOMETRY, Drop, Forward
from mixnode.arrival import NODES, Arrived
from mixnode.batches import HEAD_SIZE, RECORD_SIZE, WorkerOrder, encode, read_head
from mixnode.keys import MemoryKeys
from mixnode.peel_queue import UNDER_WAY, WORTH, PeelJob, PeelQueue, choose
from mixnode.worker import WorkerKeys


class PlainEngine:
    """Packets say in plain bytes which key they are for, and are their own tag."""

    name = "plain"

    def peel_untrusted(self, secret, packet):
        if packet[:32] != secret.expose():
            raise RemoteError("another key's")
        return Drop(packet[32:48])


def job(keys, secrets):
    packets = [
        (secret.expose() + number.to_bytes(16)).ljust(GEOMETRY.packet_size, b"\0")
        for number, secret in enumerate(secrets)
    ]
    return PeelJob(keys, [Arrived(packet, 0.0, NODES) for packet in packets])


def keys(*epochs):
    return [MemoryKeys().create(epoch) for epoch in epochs]


def split(orders):
    found = []
    while orders:
        head = read_head(orders[:HEAD_SIZE])
        found.append((head, orders[HEAD_SIZE : HEAD_SIZE + head.following]))
        orders = orders[HEAD_SIZE + head.following :]
    return found


def test_a_key_is_given_once_before_it_is_needed_and_taken_away_after():
    queue, (one, two) = PeelQueue(), keys(1, 2)
    queue.forget(one)
    assert queue.orders() == b""  # it never had it
    queue.take(job([one], [one.secret]))
    queue.take(job([one, two], [two.secret]))
    queue.forget(one)
    learnt, first, also, second, gone = split(queue.orders())
    assert [head.order for head, _ in (learnt, first, also, second, gone)] == [
        WorkerOrder.LEARN, WorkerOrder.PEEL, WorkerOrder.LEARN, WorkerOrder.PEEL, WorkerOrder.FORGET,
    ]  # fmt: skip
    assert learnt[1] == one.secret.expose()
    assert also[1] == two.secret.expose()
    assert (first[0].slots, second[0].slots) == ((learnt[0].number,), (learnt[0].number, also[0].number))
    assert gone[0].number == learnt[0].number
    assert queue.orders() == b""


def test_a_worker_forgets_what_it_is_told_to_forget():
    queue, worker, (one, two) = PeelQueue(), WorkerKeys(PlainEngine()), keys(1, 2)
    queue.take(job([one, two], [one.secret]))
    for order in split(queue.orders()):
        worker.follow(*order)
    assert len(worker._keys) == 2
    queue.forget(one)
    for order in split(queue.orders()):
        worker.follow(*order)
    assert len(worker._keys) == 1
    assert two.secret in worker._keys.values()


@given(st.data())
def test_answers_belong_to_their_jobs_however_they_are_cut(data):
    queue, worker, ours = PeelQueue(), WorkerKeys(PlainEngine()), keys(1, 2, 3)
    stranger = MemoryKeys().create(9)
    jobs = [job(ours, [data.draw(st.sampled_from([*ours, stranger])).secret for _ in range(n)]) for n in (3, 2)]
    for one in jobs:
        queue.take(one)
    answers = b"".join(worker.follow(*order) for order in split(queue.orders()))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answers)), max_size=4)))
    done = []
    for start, end in zip([0, *cuts], [*cuts, len(answers)], strict=True):
        done += queue.answered(answers[start:end])
    assert [one.job for one in done] == jobs
    for one in done:
        for number, (packet, opening) in enumerate(zip(one.job.packets, one.openings, strict=True)):
            mine = [key for key in ours if packet.packet.startswith(key.secret.expose())]
            assert opening == ((mine[0], Drop(number.to_bytes(16))) if mine else None)
    assert queue.under_way == 0


def test_a_queue_has_room_for_so_much_and_no_more():
    queue, (key,) = PeelQueue(), keys(1)
    for _ in range(UNDER_WAY):
        assert choose([queue], WORTH) is queue
        queue.take(job([key], [key.secret]))
    assert choose([queue], WORTH) is None
    with pytest.raises(LocalError):
        queue.take(job([key], [key.secret]))


def test_the_idlest_worker_is_chosen_and_none_for_what_is_not_worth_it():
    queues, (key,) = [PeelQueue(), PeelQueue()], keys(1)
    queues[0].take(job([key], [key.secret]))
    assert choose(queues, WORTH) is queues[1]
    assert choose(queues, WORTH - 1) is None
    assert choose([], 32) is None


def test_of_a_worker_that_ended_the_job_in_hand_comes_back_apart():
    queue, (key,) = PeelQueue(), keys(1)
    first, second = job([key], [key.secret]), job([key], [key.secret] * 2)
    queue.take(first)
    queue.take(second)
    assert queue.end() == (first, [second])
    assert queue.end() == (None, [])


@pytest.mark.parametrize(
    "answer",
    [
        encode(None) * 2,  # more than was asked
        encode((1, Drop(bytes(16)))),  # a key that wasn't among those to try
        b"\x07" + encode(None)[1:],  # no kind
        encode((0, Forward(bytes(32), -1.0, bytes(3072), bytes(16)))),  # before its time
    ],
)
def test_what_no_worker_says_is_an_error(answer):
    queue, (key,) = PeelQueue(), keys(1)
    queue.take(job([key], [key.secret]))
    with pytest.raises(LocalError):
        queue.answered(answer)


def test_nothing_may_be_said_unasked():
    with pytest.raises(LocalError):
        PeelQueue().answered(bytes(RECORD_SIZE))
