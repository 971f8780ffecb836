"""Frames are counted whole, wherever a reading cuts them, and each link once."""

from hypothesis import given
from hypothesis import strategies as st

from mixnet.deploy.observe.frames import FrameCounts
from mixnet.deploy.observe.kernel import Connection
from mixnet.link.frames import FRAME_SIZE
from mixnet.link.records import RECORD_OVERHEAD

HOSTS = {"127.0.3.1": "mix-1", "127.0.3.2": "mix-2"}
HANDSHAKE = 5000


def counts() -> FrameCounts:
    return FrameCounts(lambda one: {1: "alice", 2: None}.get(one.inode, "others"), HOSTS.get)


def ends(sent: int, received: int = 0) -> list[Connection]:
    """Both ends of a connection between two mixes."""
    return [
        Connection("127.0.3.1", 4000, "127.0.3.2", 7400, 8, HANDSHAKE + sent, HANDSHAKE + received),
        Connection("127.0.3.2", 7400, "127.0.3.1", 4000, 9, HANDSHAKE + received, HANDSHAKE + sent),
    ]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=200), st.lists(st.floats(0, 1), max_size=20))
def test_all_frames_are_counted_once_whatever_records_hold_them(records, cuts):
    sizes = [frames * FRAME_SIZE + RECORD_OVERHEAD for frames in records]
    total = sum(sizes)
    counting = counts()
    counting.since(ends(0))
    readings = [*sorted(int(cut * total) for cut in cuts), total]
    found = sum(counting.since(ends(reading))["mix-1", "mix-2"] for reading in readings)
    # Where a reading cuts a frame, its begin can't be told from the overhead of the records before.
    assert abs(found - sum(records)) <= 1 + len(records) * RECORD_OVERHEAD // FRAME_SIZE


def test_whole_records_are_counted_exactly():
    counting = counts()
    counting.since(ends(0))
    for number in range(1, 500):
        assert counting.since(ends(number * (FRAME_SIZE + RECORD_OVERHEAD))) == {("mix-1", "mix-2"): 1}


def test_what_was_before_does_not_count_and_a_connection_that_is_new_begins():
    counting = counts()
    assert not counting.since(ends(100 * FRAME_SIZE))
    assert counting.since([]) == {}
    assert not counting.since(ends(200 * FRAME_SIZE))


def test_of_clients_both_ways_are_seen_at_their_own_end():
    counting = counts()

    def client(inode: int, sent: int, received: int) -> Connection:
        return Connection("127.0.0.1", 5000 + inode, "127.0.3.1", 7400, inode, sent * FRAME_SIZE, received * FRAME_SIZE)

    counting.since([client(inode, 0, 0) for inode in (1, 2, 3, 4)])
    assert counting.since([client(inode, 2, 3) for inode in (1, 2, 3, 4)]) == {
        ("alice", "mix-1"): 2,
        ("mix-1", "alice"): 3,
        ("others", "mix-1"): 4,
        ("mix-1", "others"): 6,
    }
