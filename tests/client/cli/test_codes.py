"""The commands of spoken codes and matching, against codes that meet in real slots."""

import json
from contextlib import asynccontextmanager

import pytest
import trio

from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.cli import codes, contacts, matching, qr
from mixnet.client.cli.invitations import SHORT
from mixnet.client.model.errors import MalformedInvitation
from mixnet.client.pairing.short_code import PREFIX
from mixnet.errors import LocalError
from tests.client.worlds.hall import Hall
from tests.client.worlds.service import make_service


@pytest.fixture
def hall(tmp_path, monkeypatch):
    made = Hall(tmp_path, "alice", "bob")

    @asynccontextmanager
    async def talk(folder, name):
        service = make_service(name=name)
        service._devices = made.channel[name].devices
        made.codes[name].publish = service.event_bus.publish
        service.codes, service.matching = made.codes[name], made.matching[name]
        service.short_codes, service._clock = made.short_codes, made.clock
        yield Connection(DirectChannel(service))

    for module in (contacts, codes, matching):
        monkeypatch.setattr(module, "talk", talk)
    return made


async def test_one_shows_a_code_and_the_other_types_it(hall, autojump_clock, capsys):
    async with hall.open():
        await contacts.invite("alice", code=True, wait=False)
        code = capsys.readouterr().out.strip()
        await contacts.accept("bob", code=code.replace("-", " "), contact="ally")
        shown = capsys.readouterr()
        assert shown.out.startswith("ally\testablished\t")
        assert "the code was right" in shown.err
        assert "mixnet contacts bob --verify ally" in shown.err
        await trio.sleep(20)
        await codes.codes("alice")
        assert capsys.readouterr().out == f"1\t{code}\tdone\tbob\n"
        await codes.codes("bob", as_json=True)
        (listed,) = json.loads(capsys.readouterr().out)
        assert (listed["state"], listed["contact"], listed["code"]) == ("done", "ally", "")


async def test_programs_get_a_line_of_json_for_each_step(hall, autojump_clock, capsys):
    async with hall.open(), trio.open_nursery() as nursery:
        nursery.start_soon(lambda: contacts.invite("alice", code=True, as_lines=True))
        while not hall.codes["alice"].all() or not hall.codes["alice"].all()[0].code:
            await trio.sleep(0.1)
        code = hall.codes["alice"].all()[0].code
        await hall.codes["bob"].enter(code)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["state"] for line in lines[:-1]] == ["waiting", "handed over", "done"]
    assert lines[0]["code"] == code
    assert lines[-1]["name"] == "bob"


async def test_what_makes_no_sense_together_is_refused(hall, tmp_path):
    with pytest.raises(LocalError, match="together"):
        await matching.match("alice", me="a@x.org")
    with pytest.raises(LocalError):
        await codes.codes("alice", cancel=-1)
    with pytest.raises(MalformedInvitation):
        await contacts.accept("alice", "mixnet1:x")


async def test_no_codes_are_told_of_as_other_empty_lists_are(hall, capsys):
    await codes.codes("alice")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "mixnet: no codes yet: make one with `mixnet invite alice --code`\n"


async def test_matching_is_turned_on_shown_and_turned_off(hall, tmp_path, capsys):
    table = tmp_path / "book.txt"
    table.write_text("bob@x.org\n030 12\n")
    await matching.match("alice", me="Alice@x.org", contacts=table)
    shown = capsys.readouterr()
    assert shown.out == "bob@x.org\t\tlooking\t\n"
    assert "1 left out" in shown.err
    assert "alice@x.org" in shown.err
    await matching.match("alice", as_json=True)
    status = json.loads(capsys.readouterr().out)
    assert (status["me"], [entry["state"] for entry in status["entries"]]) == ("alice@x.org", ["looking"])
    await matching.match("alice", off=True)
    assert "matching is off" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["typed", "code", "file", "picture"])
async def test_an_invitation_goes_over_by_a_short_code(hall, tmp_path, autojump_clock, capsys, way):
    picture, file = tmp_path / "code.png", tmp_path / "code.txt"
    async with hall.open():
        await contacts.invite("alice", qr=True, qr_file=picture)
        shown = capsys.readouterr()
        code, *drawn = shown.out.splitlines()
        assert len(code) < 50 and "█" in "".join(drawn) and "works once, for a day" in shown.err
        file.write_text(code + "\n")
        text = {"typed": code.lower().replace("-", " "), "file": str(file)}.get(way)
        given = {"code": {"code": code}, "picture": {"image": picture}}.get(way, {})
        await contacts.accept("bob", text, contact="ally", **given)
        assert capsys.readouterr().out.startswith("ally\testablished\t")


async def test_a_short_code_and_its_invitation_for_programs(hall, autojump_clock, capsys):
    async with hall.open():
        await contacts.invite("alice", qr=True, as_json=True)
        made = json.loads(capsys.readouterr().out)
        assert made.keys() == {"invitation", "code"} and made["invitation"].startswith("mixnet1:")
        assert await hall.short_codes.fetch(made["code"]) == made["invitation"]


async def test_a_safety_number_is_verified_by_a_picture_of_the_same_one_only(hall, tmp_path, autojump_clock, capsys):
    async with hall.open():
        await contacts.invite("alice", qr=True)
        await contacts.accept("bob", capsys.readouterr().out.splitlines()[0])
        await trio.sleep(20)
        capsys.readouterr()
        await contacts.contacts("alice", number="bob")
        digits = "".join(capsys.readouterr().out.splitlines()[:2]).replace(" ", "")
        assert len(digits) == 40
        same, other = tmp_path / "same.png", tmp_path / "other.png"
        same.write_bytes(qr.png(f"MIXNET-NUMBER:{digits}"))
        other.write_bytes(qr.png(f"MIXNET-NUMBER:{digits[::-1]}"))
        with pytest.raises(LocalError, match="which was not verified"):
            await contacts.contacts("bob", verify="alice", image=other)
        with pytest.raises(LocalError, match="--verify"):
            await contacts.contacts("bob", image=same)
        assert not hall.channel["bob"].messenger.contacts()[0].verified
        await contacts.contacts("bob", verify="alice", image=same)
        assert hall.channel["bob"].messenger.contacts()[0].verified


async def test_a_picture_of_an_invitation_is_its_owner_s_alone(hall, tmp_path, autojump_clock, capsys):
    picture = tmp_path / "code.png"
    await contacts.invite("alice", qr_file=picture)
    assert capsys.readouterr().out.startswith(SHORT) and SHORT == PREFIX
    assert picture.read_bytes().startswith(b"\x89PNG\r\n")
    assert picture.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        await contacts.invite("alice", qr_file=picture)
