"""Whoever reads on where it was misses nothing that was complete later, and gets nothing twice."""

from hypothesis import example, given
from hypothesis import strategies as st

from mixnet.client.e2e.bodies import MessageEvent
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.storage.database import Store
from mixnet.client.storage.messages import MessageTable, NewMessage
from mixnet.client.storage.schema import _PLACES, MIGRATIONS
from mixnet.crypto import SymmetricKey

STEPS = ("text", "begin", "complete", "fail", "delete", "read", "read on by number")


def opened() -> tuple[Store, MessageTable]:
    store = Store.open(":memory:", SymmetricKey(bytes(32)))
    store.run("INSERT INTO contacts (id, name, identity, state, added_at) VALUES (1, 'bob', x'00', 'verified', 0)")
    return store, MessageTable(store)


def filed(table: MessageTable, *, coming: bool) -> int:
    kind, state = (MessageKind.FILE, MessageState.RECEIVING) if coming else (MessageKind.TEXT, MessageState.RECEIVED)
    return table.add(NewMessage(1, kind, state, "x", remote=1), 0.0)


@example([(one, 0) for one in ("begin", "begin", "text", "complete", "read", "delete", "delete", "complete")], None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=40), st.sampled_from([1, None]))
def test_a_cursor_that_is_taken_in_between_skips_nothing(steps, contact):
    store, table = opened()
    coming: list[int] = []
    complete: list[int] = []
    gone: set[int] = set()
    given_to: list[int] = []  # who goes on behind the last place
    given_by_number: list[int] = []  # who keeps a number only
    place = number = 0
    for step, which in [*steps, ("read", 0), ("read on by number", 0)]:
        if step == "text":
            complete.append(filed(table, coming=False))
        elif step == "begin":
            coming.append(filed(table, coming=True))
        elif step in ("complete", "fail") and coming:
            done = coming.pop(which % len(coming))
            table.step(done, MessageEvent.COMPLETE if step == "complete" else MessageEvent.FAIL)
            complete.append(done)
        elif step == "delete" and complete:
            gone.add(complete[which % len(complete)])
            store.run("DELETE FROM messages WHERE id = ?", complete[which % len(complete)])
        elif step == "read":
            while found := table.after(contact, table.place(place), 2):
                given_to += [one.id for one in found]
                place = found[-1].place
        elif step == "read on by number":
            for one in table.after(contact, table.place(number), -1):
                given_by_number.append(one.id)
                number = one.id
    expected = [one for one in complete if one not in gone]
    assert [one for one in given_to if one not in gone] == expected, "in the order in which they were complete, once"
    assert set(given_by_number) >= set(expected)
    assert gone or given_by_number == expected
    store.close()


def test_messages_of_an_older_store_have_places():
    store, table = opened()
    for statement in ("messages_filed", "messages_completed"):
        store.run(f"DROP TRIGGER {statement}")
    for index in ("messages_of_place", "messages_of_contact_place"):
        store.run(f"DROP INDEX {index}")
    store.run("ALTER TABLE messages DROP COLUMN place")
    first, file = filed(table, coming=False), filed(table, coming=True)
    assert _PLACES in MIGRATIONS
    store.run(_PLACES)
    last = filed(table, coming=False)
    table.step(file, MessageEvent.COMPLETE)
    assert [one.id for one in table.after(None, 0, -1)] == [first, last, file]
    assert table.after(None, table.place(1 << 62), -1) == []
    store.close()
