"""What an older version left unfinished in its own encoding: it is shown once, or goes on."""

import msgspec

from mixnet.client.groups import posts
from tests.client.worlds.circle import CLUB, Circle


def older(group, author, number, heads, text, expires=0):
    """A post as it was: its text in the core, and a signature that nobody looks at any more."""
    core = [group, author, number, number, heads, text, b"", expires, []]
    return msgspec.msgpack.encode([msgspec.msgpack.encode(core), bytes(64)])


def test_what_waited_is_shown_once_and_what_is_ours_goes_on(tmp_path):
    circle = Circle(tmp_path, 3, seed=5)
    circle.found()
    bob, registry = circle["bob"], circle.groups("bob")._registry
    group = registry.named(CLUB)
    heads, alice = list(registry.history(group).heads), circle.groups("alice")._registry.named(CLUB)
    query = (
        "INSERT INTO group_posts (grp, author, number, raw, message, delivered, plans, expires)"
        " VALUES (?, ?, ?, ?, ?, 0, 0, ?)"
    )
    later = circle.now + bob.settings.message_lifetime
    theirs = older(group.identifier, alice.me, alice.next_number, heads, "of alice")
    bob.store.run(query, group.id, alice.me, alice.next_number, theirs, None, later)
    number = circle.send("bob", "of bob")
    ours = older(group.identifier, group.me, group.next_number, heads, "of bob")
    bob.store.run("UPDATE group_posts SET raw = ? WHERE message = ?", ours, number)
    for _ in range(2):
        bob.crash()
        assert circle.heard("bob") == [("alice", "of alice")]
        (raw,) = bob.store.one("SELECT raw FROM group_posts WHERE message = ?", number)
        assert posts.parse_untrusted(bytes(raw)).text == "of bob"
    assert circle.run(300, lambda: circle.delivered("bob", number))
    assert circle.texts("alice") == circle.texts("carol") == ["of bob"]
    circle.groups("alice")._registry.skip_numbers(alice, alice.next_number + 1)
    circle.send("alice", "after it")
    assert circle.run(300, lambda: circle.texts("bob") == ["of alice", "after it"])
