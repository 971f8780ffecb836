"""Who may send what is said in one table, which knows each body, and what it doesn't allow changes nothing."""

import pytest

from mixnet.client.e2e import bodies
from mixnet.client.e2e.group_bodies import GroupBody
from mixnet.client.messenger.allowed import ALLOWED, Peer, check_untrusted
from mixnet.errors import RemoteError
from tests.client.worlds.bodies import TYPES


def test_each_body_has_its_line():
    assert set(ALLOWED) == set(TYPES)
    assert all(peers <= set(Peer) for peers in ALLOWED.values())


@pytest.mark.parametrize("type_", TYPES, ids=lambda one: one.__name__)
def test_what_no_line_allows_is_refused(type_):
    body = type_(*[None] * len(type_.__struct_fields__))
    for peer in (*Peer, None):
        if peer is not None and peer in ALLOWED[type_]:
            check_untrusted(peer, body)
        else:
            with pytest.raises(RemoteError, match="may not send"):
                check_untrusted(peer, body)


def test_a_body_without_a_line_is_heard_from_nobody():
    class New:
        pass

    for peer in Peer:
        with pytest.raises(RemoteError):
            check_untrusted(peer, New())


def test_who_is_no_contact_files_nothing_for_the_user():
    """The bodies that become messages, or say something of the user's own, are a contact's alone, or a device's."""
    users = (bodies.Text, bodies.SignedText, bodies.Seen, bodies.Receipt, bodies.NoReceipt, bodies.SignedEnd)
    files = (bodies.Offer, bodies.Chunk, bodies.End, bodies.Abort, bodies.Refuse)
    for type_ in users:
        assert ALLOWED[type_] == {Peer.CONTACT}
    for type_ in files:
        assert ALLOWED[type_] == {Peer.CONTACT, Peer.SATELLITE, Peer.HOME}
    for type_, peers in ALLOWED.items():
        if peers & {Peer.MEMBER}:
            assert issubclass(type_, GroupBody.__args__) or type_ in (bodies.Confirm, bodies.Resume)
        if peers & {Peer.STRANGER, Peer.OWNER}:
            assert peers <= {Peer.STRANGER, Peer.OWNER}
