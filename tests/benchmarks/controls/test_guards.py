"""The guards that are taken out of a node as a whole: what they let through then, and what they keep out otherwise."""

from contextlib import nullcontext

import pytest

import mixnode.node
from mixnet.benchmarks.controls.guards import without_guards
from mixnet.benchmarks.processes.load.forger import HANDSHAKE, KEY_UPDATE
from mixnet.counters import Counters
from mixnet.errors import RemoteError
from mixnet.link import Frame, FrameKind, Role
from mixnet.link.handshake import HandshakeSide
from mixnode.arrival import ROOM, Arrived, Sender
from tests.mixnet.link.ends import SERVER_TLS
from tests.mixnet.link.forged import facing

PAD = Frame(FrameKind.PAD).encode()


def opened(updates):
    """What our session reads of so many new keys and a frame under the last of them."""
    ours = SERVER_TLS.session(HandshakeSide.RESPONDER, lambda _identity: True)
    forger, _ = facing(ours, "initiator")
    sealed = [forger.updated(forger.record(KEY_UPDATE, HANDSHAKE)) for _ in range(updates)]
    ours.put_untrusted(b"".join(sealed) + forger.record(PAD))
    return ours.open_untrusted()


def test_new_keys_are_taken_only_without_a_look_at_records():
    with without_guards(["records"]):
        assert opened(100) == PAD
    assert opened(0) == PAD
    with pytest.raises(RemoteError):
        opened(1)


@pytest.mark.parametrize(("switch", "admitted"), [(without_guards(["shares"]), False), (nullcontext(), True)])
async def test_one_sender_takes_all_the_room_only_where_it_is_not_shared(switch, admitted):
    with switch:
        queue = mixnode.node.ArrivalQueue(Counters())
    flood, other = Sender(Role.CLIENT), Sender(Role.CLIENT)
    queue.put([Arrived(b"", 0.0, flood)] * 2 * ROOM)
    assert bool(queue.put([Arrived(b"", 0.0, other)] * 2)) is admitted
