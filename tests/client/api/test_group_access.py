"""Groups through a daemon: from Python, over the local protocol's types, and at the command line."""

import json
from dataclasses import replace

import msgspec
import pytest
import trio
import trio.testing

from mixnet.client.api import groups, protocol
from mixnet.client.api.groups import GroupRemove
from mixnet.client.api.protocol import command_untrusted, event_map
from mixnet.client.cli.app import app
from mixnet.client.cli.groups import say_asked
from mixnet.client.groups.refusals import NotAllowed, UnknownMember
from mixnet.client.groups.registry import UnknownGroup
from mixnet.client.model.group_views import GroupChanged, GroupInfo, GroupMember, GroupState
from mixnet.client.model.views import MessageInfo, MessageKind, MessageState
from mixnet.errors import LocalError, RemoteError
from tests.client.worlds.town import Town

INFO = GroupInfo("club", "club", GroupState.MEMBER, "00" * 32, (GroupMember("alice", True, True, True),))


async def hear(me, text):
    async for message in me.messages("club", follow=True):
        if message.text == text:
            return message
    raise AssertionError("the daemon ended")


async def until(check):
    while not await check():
        await trio.sleep(0.5)


def test_three_daemons_make_a_group_and_talk_in_it():
    async def main():
        town = Town()
        async with trio.open_nursery() as nursery:
            await nursery.start(town.run)
            people = {}
            for number, name in enumerate(("alice", "bob", "carol"), 1):
                people[name] = await town.start(nursery, name, number)
            alice = people["alice"]
            for name in ("bob", "carol"):
                await people[name].accept(await alice.invite(), None)
                await people[name].wait_established("alice")
            assert (await alice.groups.create("club")).state is GroupState.MEMBER
            for name in ("bob", "carol"):
                await alice.groups.invite("club", name)

                async def invited(me=people[name]):
                    return bool(await me.groups.list())

                await until(invited)
                assert (await people[name].groups.accept("club")).state is not GroupState.INVITED

            async def complete():
                shown = [await me.groups.show("club") for me in people.values()]
                return all(len(one.members) == 3 and all(m.connected for m in one.members) for one in shown)

            await until(complete)
            number = await people["bob"].groups.send("club", "hello")
            assert (await hear(people["carol"], "hello")).author == "bob"
            done = await people["bob"].wait_delivered(number)
            heard = await hear(people["carol"], "hello")
            await people["carol"].mark_read(heard.id)

            async def read():
                return (await people["bob"].message(number)).readers == 1

            await until(read)
            assert await people["bob"].groups.readers(number) == ("carol",)
            assert (done.reached, done.members, done.contact) == (2, 2, "club")
            assert [c.name for c in await people["bob"].contacts()] == ["alice"]
            with pytest.raises(UnknownGroup):
                await alice.groups.show("nothing")
            with pytest.raises(UnknownMember):
                await alice.groups.promote("club", "nobody")
            with pytest.raises(NotAllowed):
                await people["bob"].groups.rename("club", "mine")
            assert (await alice.groups.promote("club", "bob")).members[1].admin
            assert not (await alice.groups.demote("club", "bob")).members[1].admin
            assert len((await alice.groups.remove("club", "carol")).members) == 2
            assert (await alice.groups.rename("club", "two")).name == "two"
            assert (await people["bob"].groups.leave("club")).state is GroupState.LEFT
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_requests_are_of_their_types_or_refused():
    for kind in [one for one in protocol.COMMANDS if one.__module__ == groups.__name__]:
        fields = dict.fromkeys(set(kind.__struct_fields__) - {"id", "expires", "here"}, "x")
        if "number" in fields:
            fields["number"] = 7
        made = command_untrusted({"op": kind.__struct_config__.tag, "id": 1, **fields})
        assert type(made) is kind
        with pytest.raises(RemoteError):
            command_untrusted({"op": kind.__struct_config__.tag, "id": 1, **fields, "more": 1})
    with pytest.raises(RemoteError):
        command_untrusted({"op": GroupRemove.__struct_config__.tag, "id": 1, "group": "club"})
    event = event_map(GroupChanged(INFO))
    assert event["event"] == "group" and msgspec.convert(event["group"], GroupInfo) == INFO


class FakeGroups:
    def __init__(self):
        self.asked, self.named = [], []

    def __getattr__(self, verb):
        async def answer(*arguments, **named):
            self.asked.append((verb, *arguments))
            self.named.append(named)
            if verb == "readers":
                return ["bob"]
            return 7 if verb == "send" else [INFO] if verb == "list" else INFO

        return answer


class FakeMe:
    def __init__(self):
        self.groups = FakeGroups()

    async def message(self, number):
        kind, state = MessageKind.TEXT, MessageState.SENT
        return MessageInfo(
            number, "club", True, kind, state, "hi", "", 0, 0, "", 1.0, 2.0, 0.0, 0.0, members=3, reached=2
        )

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None


VERBS = [
    ("create", "club"),
    ("show", "club"),
    ("invite", "club", "bob"),
    ("accept", "club"),
    ("leave", "club"),
    ("remove", "club", "bob"),
    ("promote", "club", "bob"),
    ("demote", "club", "bob"),
    ("rename", "club", "new"),
    ("list",),
    ("send", "club", "hi"),
]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
@pytest.mark.parametrize("as_json", [False, True])
def test_each_command_asks_and_shows(monkeypatch, capsys, verb, as_json):
    me = FakeMe()
    monkeypatch.setattr("mixnet.client.cli.groups.talk", lambda _folder, _name: me)
    app(["group", verb[0], "alice", *verb[1:], *(["--json"] if as_json else [])], result_action="return_value")
    assert me.groups.asked == [verb]
    shown = capsys.readouterr().out
    if as_json:
        found = json.loads(shown)
        assert found[0] if verb[0] == "list" else found
    else:
        assert "club" in shown and (verb[0] != "send" or "2 of 3 have it" in shown)


def test_a_file_for_a_group_says_what_to_do(monkeypatch):
    monkeypatch.setattr("mixnet.client.cli.groups.talk", lambda _folder, _name: FakeMe())
    for arguments in (["--file", "x.pdf"], []):
        with pytest.raises(LocalError, match=r"mixnet (group )?send"):
            app(["group", "send", "alice", "club", *arguments], result_action="return_value")


def test_readers_are_shown_with_counts(monkeypatch, capsys):
    me = FakeMe()
    monkeypatch.setattr("mixnet.client.cli.groups.talk", lambda _folder, _name: me)
    app(["group", "readers", "alice", "7"], result_action="return_value")
    assert capsys.readouterr().out.split("\n")[:2] == ["1 of 3 have read message 7, 2 have it", "  bob"]
    app(["group", "readers", "alice", "7", "--json"], result_action="return_value")
    assert json.loads(capsys.readouterr().out) == {"number": 7, "readers": ["bob"], "reached": 2, "members": 3}
    assert me.groups.asked == [("readers", 7)] * 2


def test_a_text_may_have_a_time_of_its_own(monkeypatch):
    me = FakeMe()
    monkeypatch.setattr("mixnet.client.cli.groups.talk", lambda _folder, _name: me)
    app(["group", "send", "alice", "club", "hi", "--expires", "2m"], result_action="return_value")
    assert me.groups.named == [{"expires": 120.0}]


def test_who_is_asked_into_a_group_reads_how_to_come_in(monkeypatch, capsys):
    me = FakeMe()
    monkeypatch.setattr("mixnet.client.cli.groups.talk", lambda _folder, _name: me)
    app(["group", "invite", "alice", "club", "bob"], result_action="return_value")
    shown = capsys.readouterr()
    assert "bob is asked" in shown.err
    assert f"{len(INFO.members)} member" in shown.out
    asked = replace(INFO, name="book club", state=GroupState.INVITED)
    say_asked([INFO, asked], "bob", None)
    assert capsys.readouterr().err == (
        "mixnet: you are asked into the group 'book club': come in with `mixnet group accept bob 'book club'`\n"
    )
