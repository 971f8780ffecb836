"""Commands that messages tell of can be typed as they stand; lists that are empty say so, all in one way."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from mixnet import client
from mixnet.client.cli import anonymous, contacts, devices, files, groups, options
from mixnet.client.cli.app import app
from mixnet.errors import LocalError
from mixnet.near import near
from tests.client.worlds.daemons import daemon_of
from tests.mixnet.commands import commands

LISTS = (
    contacts.contacts,
    groups.list_,
    anonymous.list_,
    anonymous.anonymous,
    devices.list_,
    files.files,
)
HINT = re.compile(r"`mixnet ([^`]+)`")
OTHERS = ("THEIR-PROFILE", "NEW-PROFILE")  # of somebody else, or yet to be made


def told() -> Iterator[tuple[str, str]]:
    """Each text of an error with commands in it: of its class, or where it is raised."""
    for path in sorted(Path(client.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            texts: list[str] = []
            if isinstance(node, ast.ClassDef) and path.name in ("errors.py", "paths.py", "sockets.py", "lock.py"):
                texts = [(ast.get_docstring(node) or "").partition("\n")[0]]
            elif isinstance(node, ast.Raise):
                parts = [one for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                texts = ["".join(str(one.value) for one in parts)]
            for text in texts:
                yield from ((f"{path.name}: {text}", hint) for hint in HINT.findall(text))


def command_of(words: list[str]) -> tuple[tuple[str, ...], App] | None:
    known = commands(app)
    return next(((path, one) for path, one in known.items() if tuple(words[: len(path)]) == path), None)


def test_each_hint_for_a_profile_names_it_and_all_that_its_command_needs():
    found = list(told())
    assert len(found) > 30
    for where, hint in found:
        words = hint.split()
        known = command_of(words)
        if known is None or words[-1] == "--help":
            continue  # another room's
        path, one = known
        needed = [a for a in one.assemble_argument_collection() if a.required and not a.name.startswith("-")]
        given = words[len(path) :]
        first = given.index(next((word for word in given if word.startswith("--")), given[-1])) if given else 0
        positional = given[:first] if any(word.startswith("--") for word in given) else given
        assert len(positional) >= len(needed), where
        assert not needed or positional[0] in ("PROFILE", *OTHERS), where


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("see `mixnet contacts PROFILE`", "see `mixnet contacts 'a b' --dir '/x y'`"),
        (
            "`mixnet a PROFILE --x Y` or `mixnet b PROFILE`",
            "`mixnet a 'a b' --x Y --dir '/x y'` or `mixnet b 'a b' --dir '/x y'`",
        ),
        ("`mixnet accept THEIR-PROFILE TEXT`", "`mixnet accept THEIR-PROFILE TEXT --dir '/x y'`"),
        ("your PROFILE", "your PROFILE"),
    ],
)
def test_a_hint_is_completed(text, made):
    assert options.completed(text, "a b", Path("/x y")) == made
    assert "--dir" not in options.completed(text, "a b", None)


async def test_a_mistake_is_told_with_what_may_be_meant_and_where_to_look(network):
    async with daemon_of(network, "alice") as alice, daemon_of(network, "bob") as bob:
        await alice.accept(await bob.invite(), "Robert")
        await alice.groups.create("book club")
        look = f"`mixnet contacts alice --dir {network}`"
        for verb in ("block", "unblock", "verify", "delete"):
            with pytest.raises(LocalError) as caught:
                await contacts.contacts("alice", **{verb: "robrt"}, folder=network, yes=True)
            assert f"(did you mean 'Robert'?): {look}" in str(caught.value)
        with pytest.raises(LocalError, match=f"did you mean 'book club'.*`mixnet group list alice --dir {network}`"):
            await groups.show("alice", "bok club", folder=network)
        with pytest.raises(LocalError, match=f"`mixnet device list alice --dir {network}`"):
            await devices.revoke("alice", "phone", folder=network)


def test_only_what_is_near_is_meant():
    assert near("bbo", ["bob", "carol"]) == " (did you mean 'bob'?)"
    assert near("zzz", ["bob", "carol"]) == near("x", []) == ""


async def test_each_empty_list_is_empty_on_the_output_and_told_of_beside_it(network, capsys):
    async with daemon_of(network, "alice"):
        for show in LISTS:
            capsys.readouterr()
            await show("alice", folder=network)
            shown = capsys.readouterr()
            assert shown.out == ""
            assert shown.err.startswith("mixnet: no ") and shown.err.count("\n") == 1
            hint = HINT.search(shown.err)
            assert hint is not None and " alice" in hint[1] and f"--dir {network}" in hint[1]
            await show("alice", folder=network, as_json=True)
            assert json.loads(capsys.readouterr().out) == []


async def test_what_holds_by_default_is_shown_and_how_to_change_it(network, capsys):
    async with daemon_of(network, "alice") as alice, daemon_of(network, "bob") as bob:
        await alice.accept(await bob.invite(), "bob")
        for choice in ("delayed", "off"):
            if choice == "off":
                await contacts.contacts("alice", default_read_receipts="off", folder=network)
            capsys.readouterr()
            await contacts.contacts("alice", folder=network)
            said = capsys.readouterr().err.splitlines()[-1]
            assert f"read receipts {choice}, acknowledgements prompt, unless" in said
            assert "`mixnet contacts --help` says how to change it" in said
            assert len(said) < 160
            await contacts.contacts("alice", folder=network, as_json=True)
            assert json.loads(capsys.readouterr().out)[0]["default_read_receipts"] == choice


async def test_a_number_in_a_name_is_explained_with_how_to_change_it(network, capsys):
    async with (
        daemon_of(network, "alice") as alice,
        daemon_of(network, "bob") as bob,
        daemon_of(network, "carol") as carol,
    ):
        await alice.accept(await bob.invite(), "carol")
        capsys.readouterr()
        await contacts.accept("alice", await carol.invite(), wait=False, folder=network)
        shown = capsys.readouterr()
        assert f"`mixnet contacts alice --rename 'carol (2)' NEW-NAME --dir {network}`" in shown.err
        assert "numbered: its name is or was another's" in shown.out
        for title in ("club", "other"):
            await alice.groups.create(title)
        capsys.readouterr()
        await groups.rename("alice", "other", "club", folder=network)
        assert f"`mixnet group rename alice 'club (2)' NEW-NAME --here --dir {network}`" in capsys.readouterr().err
        await groups.create("alice", "club", folder=network)
        assert "'club (3)' NEW-NAME --here" in capsys.readouterr().err
