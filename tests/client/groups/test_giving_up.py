"""A text in a group that is given up holds back nothing that its author says later."""

import random

from mixnet.client.e2e.group_bodies import GroupPost
from mixnet.client.groups import posts
from mixnet.client.model.views import MessageState
from mixnet.errors import RemoteError
from tests.client.worlds.circle import CLUB, Circle


def waits(circle, name):
    """Whether something that came is not shown yet."""
    return circle[name].store.one("SELECT 1 FROM group_posts WHERE delivered = 0") is not None


def deaf_to(circle, monkeypatch, name, text):
    """`name` never gets a text, whoever passes it on: as if all of its copies were with somebody who is away."""
    dispatch = circle[name].messenger.groups._dispatch
    take = dispatch.take_untrusted

    def refuse(group, contact, body, post, now):
        if post.text == text:
            raise RemoteError("lost")
        take(group, contact, body, post, now)

    monkeypatch.setattr(dispatch, "take_untrusted", refuse)


def test_who_was_away_gets_what_follows_a_cancelled_text(circle):
    circle["carol"].online = False
    number = circle.send("alice", "never mind")
    assert circle.run(60, lambda: circle.texts("bob") == ["never mind"])
    later = circle.send("alice", "but this")
    circle["alice"].messenger.cancel(number, circle.now)
    circle["alice"].crash()
    circle["carol"].online = True
    assert circle.run(300, lambda: circle.delivered("alice", later))
    assert circle.run(60, lambda: circle.texts("carol")[-1:] == ["but this"]), "bob may pass on the other"
    assert circle.texts("bob") == ["never mind", "but this"]
    assert circle["alice"].messenger.message(number).state is MessageState.FAILED


def test_copies_that_a_session_has_already_are_taken_back(tmp_path):
    circle = Circle(tmp_path, 2, seed=12)
    circle.found()
    assert circle.run(300, lambda: circle["alice"].store.one("SELECT 1 FROM group_awaited") is None)
    circle.loss = 1.0
    number = circle.send("alice", "never mind")
    later = circle.send("alice", "but this")
    (raw,) = circle["alice"].store.one("SELECT raw FROM group_posts WHERE message = ?", number)
    digest = posts.parse_untrusted(raw).digest
    with_session = "SELECT count(*) FROM posted WHERE instr(body, ?)"
    assert circle.run(60, lambda: circle["alice"].store.one(with_session, digest)[0] == 1)
    circle["alice"].messenger.cancel(number, circle.now)
    circle.loss = 0.0
    assert circle.run(300, lambda: circle.delivered("alice", later))
    assert circle.texts("bob") == ["but this"]


def test_what_waits_at_its_receiver_already_is_shown(circle, monkeypatch):
    deaf_to(circle, monkeypatch, "carol", "lost")
    lost = circle.send("alice", "lost")
    later = [circle.send("alice", f"{n}") for n in range(3)]
    assert circle.run(60, lambda: all(circle.delivered("alice", number) for number in later))
    assert circle.texts("carol") == [] and waits(circle, "carol")
    circle["alice"].messenger.cancel(lost, circle.now)
    assert circle.run(60, lambda: circle.texts("carol") == ["0", "1", "2"])
    assert not waits(circle, "carol")
    assert circle.run(300, lambda: circle["alice"].store.one("SELECT 1 FROM group_awaited") is None)
    assert circle.texts("bob") == ["lost", "0", "1", "2"], "nothing is shown that says nothing"


def test_a_text_before_the_cancelled_one_is_still_waited_for(circle, monkeypatch):
    """So the order holds: what is under way comes first, and only what was given up is passed over."""
    circle["carol"].online = False
    first, lost, last = (circle.send("alice", text) for text in ("first", "lost", "last"))
    assert circle.run(60, lambda: circle.texts("bob") == ["first", "lost", "last"])
    deaf_to(circle, monkeypatch, "carol", "lost")
    alice = circle["alice"].messenger
    alice.cancel(lost, circle.now)
    circle["carol"].online = True
    shown = []
    assert circle.run(600, lambda: (shown.append(tuple(circle.texts("carol"))), circle.delivered("alice", last))[1])
    assert circle.run(60, lambda: circle.texts("carol") == ["first", "last"])
    assert set(shown) <= {(), ("first",), ("first", "last")} and circle.delivered("alice", first)


def test_a_text_that_was_cancelled_alone_costs_nothing(circle):
    number = circle.send("alice", "never mind")
    circle["alice"].messenger.cancel(number, circle.now)
    assert circle["alice"].store.one("SELECT 1 FROM group_posts WHERE delivered AND author = ?", b"") is None
    assert circle["alice"].store.one("SELECT 1 FROM group_awaited") is None
    later = circle.send("alice", "later")
    assert circle.run(60, lambda: circle.delivered("alice", later))
    assert circle.texts("bob")[-1] == "later"


def test_what_expired_holds_back_nothing_that_came_later_and_is_in_time(circle):
    """The network's time is over for the first of two texts while a member is away, and not yet for the second."""
    alice = circle["alice"].messenger
    circle["carol"].online = False
    circle.send("alice", "old")
    assert circle.run(60, lambda: circle.texts("bob") == ["old"])
    circle.send("alice", "new")
    assert circle.run(60, lambda: circle.texts("bob") == ["old", "new"])
    post = circle["alice"].store.one("SELECT min(id) FROM group_posts p JOIN group_awaited a ON a.post = p.id")[0]
    with alice._core.change():
        circle["alice"].store.run("UPDATE group_posts SET expires = ? WHERE id = ?", circle.now, post)
        for table in ("waiting", "outbound"):  # the copy that a session has is given up with it
            circle["alice"].store.run(f"DELETE FROM {table} WHERE expires > 0")
    circle["alice"].crash()
    assert circle.run(60, lambda: alice_of(circle).messages(CLUB)[-2].state is MessageState.FAILED)
    circle["carol"].online = True
    assert circle.run(900, lambda: circle.texts("carol") == ["new"])


def test_what_expired_before_a_text_was_written_holds_it_back_no_more_than_what_was_under_way(circle, monkeypatch):
    """Something older is still under way then, so the floor can't tell."""
    deaf_to(circle, monkeypatch, "carol", "soon over")
    circle["bob"].online = False
    circle.send("alice", "for all")
    gone = circle.groups("alice").send(CLUB, "soon over", circle.now, 20.0)
    assert circle.run(60, lambda: alice_of(circle).message(gone).state is MessageState.FAILED)
    circle.send("alice", "later")
    assert circle.run(60, lambda: circle.texts("carol") == ["for all", "later"])
    circle["bob"].online = True
    assert circle.run(600, lambda: circle.texts("bob") == ["for all", "later"])
    assert not waits(circle, "bob") and not waits(circle, "carol")


def test_what_was_said_to_be_here_is_shown_in_the_end(circle, monkeypatch):
    """What it waits for never comes, and its author says nothing more."""
    deaf_to(circle, monkeypatch, "carol", "lost")
    circle.send("alice", "lost")
    later = [circle.send("alice", f"{n}") for n in range(2)]
    assert circle.run(60, lambda: all(circle.delivered("alice", number) for number in later))
    circle["alice"].online = False
    circle.now += circle["carol"].settings.message_lifetime
    circle["carol"].messenger.next_outgoing(circle.now)
    assert circle.texts("carol") == ["0", "1"]


def test_what_a_removed_member_left_unfinished_wakes_nobody_for_ever(circle, monkeypatch):
    deaf_to(circle, monkeypatch, "alice", "soon over")
    circle.groups("bob").send(CLUB, "soon over", circle.now, 40.0)
    circle.send("bob", "waits for it")
    assert circle.run(30, lambda: waits(circle, "alice"))
    circle.groups("alice").remove(CLUB, "bob", circle.now)
    circle.run(60)
    assert circle["alice"].messenger.next_outgoing(circle.now) is None
    wakes_at = circle["alice"].messenger.wake_at()
    assert wakes_at is None or wakes_at > circle.now
    assert circle.texts("alice") == []


def alice_of(circle):
    return circle["alice"].messenger


def test_what_is_not_cancelled_is_shown_to_all_in_its_order(tmp_path, seed=3):
    circle = Circle(tmp_path, 3, seed=seed, loss=0.1)
    circle.found()
    rng, sent, cancelled = random.Random(seed), {}, set()
    circle["carol"].online = False
    for step in range(16):
        action = rng.random()
        if action < 0.5 or not sent:
            lifetime = rng.choice([None, None, 20.0])
            sent[circle.groups("alice").send(CLUB, f"{step}", circle.now, lifetime)] = (f"{step}", lifetime)
        elif action < 0.75:
            unsettled = (MessageState.QUEUED, MessageState.SENT)
            pending = [one for one in sent if circle["alice"].messenger.message(one).state in unsettled]
            if pending:
                number = rng.choice(pending)
                circle["alice"].messenger.cancel(number, circle.now)
                cancelled.add(number)
        elif action < 0.9:
            away = circle[rng.choice(circle.names[1:])]
            away.online = not away.online
        else:
            circle[rng.choice(circle.names)].crash()
        circle.run(rng.expovariate(2.0))
    for name in circle.names:
        circle[name].online = True
    assert cancelled
    wanted = {number: text for number, (text, lifetime) in sent.items() if number not in cancelled and not lifetime}
    assert circle.run(3000, lambda: all(circle.delivered("alice", number) for number in wanted))
    assert circle.run(600, lambda: not any(waits(circle, name) for name in circle.names))
    for name in circle.names[1:]:
        came = circle.texts(name)
        assert came == sorted(came, key=int) and len(set(came)) == len(came)
        assert set(wanted.values()) <= set(came)


def test_what_waits_behind_another_wakes_nobody_when_that_goes_on_waiting(circle):
    """The later of two texts came first, when the only one that it lacked was to expire soon."""
    alice, bob = (circle[name].messenger for name in ("alice", "bob"))
    circle["alice"].online = False
    group, contact = alice.groups._registry.named(CLUB), bob._core.contacts.named("alice").id
    heads, first, ends = alice.groups._registry.history(group).heads, group.next_number, int(circle.now) + 60
    for number in (first + 3, first + 2):
        about = ((first, ends),) if number == first + 2 else ((first, ends), (first + 1, ends + 10**6))
        raw = posts.write(group.key, group.identifier, number, first, heads, text=f"{number}", lapsing=about).raw
        with bob._core.change():
            bob.groups.handle_untrusted(contact, GroupPost(raw, 0, b"", 0), circle.now)
    assert circle["bob"].store.one("SELECT min(retry), max(retry) FROM group_posts") == (ends, ends)
    with bob._core.change():
        bob.groups._dispatch.filing.look_again(ends + 1.0)
    assert circle["bob"].store.one("SELECT min(retry) FROM group_posts") == (ends + 10**6,)
