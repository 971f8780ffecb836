"""Many messages at once: what waits for slots at its author is not taken for lost, and not sent twice."""

from tests.client.worlds.circle import Circle

POSTS = 40


def test_what_waits_for_a_slot_is_not_sent_again(tmp_path):
    circle = Circle(tmp_path, 6)
    circle.found()
    circle.run(30)
    alice = circle["alice"]
    before = alice.fragments
    numbers = [circle.send("alice", f"{n}") for n in range(POSTS)]
    most = 0
    while not all(circle.delivered("alice", number) for number in numbers):
        assert circle.now < 1_800_003_600
        circle.run(0.5)
        most = max(most, alice.store.all("SELECT count(*) FROM group_hops")[0][0])
    assert most <= 5 * POSTS
    assert alice.fragments - before <= 5 * POSTS * 1.2  # and some probes
    for name in circle.names[1:]:
        assert [text for _, text in circle.heard(name)] == [f"{n}" for n in range(POSTS)]
