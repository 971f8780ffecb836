"""In the terminal program: what was begun is there when one comes back; what is done about people is carried out."""

import pytest
import trio

from mixnet.client.api.connection import connect
from mixnet.client.api.server import serve_api
from mixnet.client.chat import app as program
from mixnet.client.chat import people
from mixnet.client.model import paths
from mixnet.client.model.group_views import GroupInfo, GroupMember, GroupState
from mixnet.client.model.views import ContactState
from tests.client.chat.screen import conversation, receive, use
from tests.client.worlds.service import invitation


async def test_what_was_begun_is_there_next_time_until_it_is_sent(tmp_path):
    async with conversation(tmp_path, "bob", "carol") as world:

        def kept(world, name: str) -> str:
            return world.service.user.drafts.get(name)

        async def begin(user):
            await user.until("bob")
            await user.app.open("bob")
            await user.press("h", "i", "ctrl+j", "!")
            await user.until(lambda: user.at_daemon(kept, "bob") == "hi\n!")  # a crash would lose nothing more
            await user.press("x")
            await user.app.open("carol")
            assert user.at_daemon(kept, "bob") == "hi\n!x"
            await user.until("bob invited draft")
            await user.press("y")
            await user.app.action_quit()

        async def go_on(user):
            await user.until("carol invited draft")
            await user.app.open("bob")
            await user.until("!x")
            await user.press("enter")
            await user.until("you  queued")
            assert [user.at_daemon(kept, name) for name in ("bob", "carol")] == ["", "y"]
            await user.app.open("carol")
            await user.press("backspace")
            await user.app.action_quit()

        await use(tmp_path, world, begin)
        await use(tmp_path, world, go_on)
        async with connect(tmp_path) as me:
            assert [one.text async for one in me.messages()] == ["hi\n!x"]
            assert [one.draft for one in await me.conversations()] == [False, False]


async def test_without_a_daemon_it_says_that_nothing_is_kept_and_keeps_it_when_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "RETRY", 0.05)
    monkeypatch.setattr(program, "KEEP", 0.05)
    (tmp_path / "other").mkdir()
    (tmp_path / paths.SETTINGS).touch()
    async with conversation(tmp_path / "other", "bob") as world, trio.open_nursery() as nursery:
        life = trio.CancelScope()

        async def live(scope: trio.CancelScope) -> None:
            with scope:
                await serve_api(tmp_path / paths.API_SOCKET, world.service)

        async def play(user):
            user.at_daemon(lambda _: nursery.start_soon(live, life))
            await user.until("bob")
            await user.app.open("bob")
            user.at_daemon(lambda _: life.cancel())
            await user.until(lambda: user.app.me is None)
            await user.press("h", "i")
            await user.until("what you write stays in this window")
            again = trio.CancelScope()
            user.at_daemon(lambda _: nursery.start_soon(live, again))
            await user.until(lambda: user.at_daemon(lambda world: world.service.user.drafts.get("bob")) == "hi")
            user.at_daemon(lambda _: again.cancel())
            await user.until(lambda: user.app.me is None)
            await user.press("!")
            left = []
            monkeypatch.setattr(user.app, "exit", lambda message: left.append(str(message)))
            await user.app.action_quit()
            assert left == ["no daemon runs, so what you wrote to bob is not kept"]

        await use(tmp_path, world, play)


async def test_it_rings_only_if_asked_now_and_then_and_not_for_what_is_in_view(tmp_path, monkeypatch):
    rung = []
    monkeypatch.setattr(program.ChatApp, "bell", lambda _: rung.append(1))
    for bell in (False, True):
        folder = tmp_path / str(bell)
        folder.mkdir()
        async with conversation(folder, "bob", "carol") as world:
            receive(world, "bob", "old")

            async def play(user):
                await user.until("(1) bob")
                await user.app.open("bob")
                user.at_daemon(receive, "bob", "in view")
                await user.until("in view")
                assert rung == []
                for count in range(1, 4):
                    user.at_daemon(receive, "carol", "elsewhere")
                    await user.until(f"({count}) carol")

            await use(folder, world, play, bell=bell)
        assert len(rung) == bell


async def test_contacts_are_accepted_verified_renamed_blocked_and_told_by_its_keys(tmp_path):
    given = await invitation("dora")
    async with conversation(tmp_path, "bob") as world:
        core = world.service.user._core
        with core.change():
            core.store.run("UPDATE contacts SET state = ?", ContactState.ESTABLISHED.value)

        async def choose(user, key: str, sign: str):
            """One of the choices, in the window that shows what there is."""
            await user.press("ctrl+t")
            await user.until(sign)
            keys = [one for one, _ in user.app.screen._choices]
            await user.press(*["down"] * keys.index(key), "enter")

        async def play(user):
            await user.press("ctrl+n", "down", "enter")
            await user.until("Paste the invitation")
            await user.write(given)
            await user.press("enter")
            await user.until("dora invited")
            await user.app.open("bob")
            await user.until("not verified")
            await choose(user, "verify", "mark as verified")
            await user.until("bob · verified")
            await choose(user, "block", "Block: hear")
            await user.until("bob blocked")
            await choose(user, "unblock", "Hear them again")
            await user.until("bob · verified")
            await choose(user, "receipts", "yes, after a random")  # what holds for all contacts
            await user.until("Shall bob learn")
            await user.press("down", "down", "down", "enter")
            await user.until(lambda: user.app.contacts["bob"].read_receipts.value == "off")
            await choose(user, "receipts", "what they wrote: no.")
            await user.press("escape")
            await choose(user, "rename", "Call them otherwise")
            await user.until("shall be called here")
            await user.write("robert")
            await user.press("enter")
            await user.until(lambda: "robert" in user.app.contacts)

        await use(tmp_path, world, play)
        async with connect(tmp_path) as me:
            robert, dora = await me.contacts()
            assert (robert.name, robert.verified, robert.blocked, robert.read_receipts) == (
                "robert",
                True,
                False,
                "off",
            )
            assert dora.name == "dora" and dora.state is ContactState.PENDING


class Desk:
    """Answers windows from a list, and notes what the daemon is asked."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asks, self.shown = list(answers), [], []
        self.groups = self

    def __getattr__(self, verb: str):
        async def noted(*args, **named):
            self.asks.append((verb, *args, *named.items()))

        return noted

    async def asked(self, what):
        return await what(self)

    async def answered(self, window):
        await trio.lowlevel.checkpoint()
        self.shown.append([name for name, _ in getattr(window, "_choices", ())])
        return self.answers.pop(0)


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        (("call", "mates"), ("rename", "club", "mates", ("here", True))),
        (("title", "Mates"), ("rename", "club", "Mates", ("here", False))),
        (("member", "bob", "promote"), ("promote", "club", "bob")),
        (("member", "carol", "demote"), ("demote", "club", "carol")),
        (("member", "carol", "remove"), ("remove", "club", "carol")),
        (("leave",), ("leave", "club")),
    ],
)
async def test_an_admin_does_in_a_group_what_only_admins_may(answers, asked):
    members = (GroupMember("me", True, True, False), GroupMember("bob", False, False, True))
    members += (GroupMember("carol", True, False, True),)
    desk = Desk(*answers)
    await people.about_group(desk, GroupInfo("club", "Club", GroupState.MEMBER, "ab" * 32, members))
    assert desk.asks == [asked] and desk.answers == []


async def test_who_is_no_admin_is_not_offered_it():
    members = (GroupMember("me", False, True, False), GroupMember("bob", True, False, True))
    desk = Desk("close")
    await people.about_group(desk, GroupInfo("club", "Club", GroupState.MEMBER, "ab" * 32, members))
    assert {"title", "member"}.isdisjoint(desk.shown[0]) and {"call", "invite", "leave"} <= set(desk.shown[0])
