"""The commands by which operators replace authorities: nonsense is refused before anything is written."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

import pytest
import trio

from mixnet.directory import cli, client
from mixnet.directory.new_authorities import fingerprint
from mixnet.directory.proposing import DEFAULT_LEAD, propose, succession, withdraw
from mixnet.directory.succession import MOST_AHEAD, PROPOSAL, known_trust
from mixnet.directory.successors_diff import changes
from mixnet.errors import LocalError
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.document import Document
from mixnet.pki.errors import RolledBack, WrongNetwork
from mixnet.pki.trust import Trust
from tests.directory.succession_world import infos, successors
from tests.mixnet.pki.builders import Town, key

PRESENT = 10
LENGTH = 1200.0


class Now(Town):
    """A town early in epoch 10 of the wall's time."""

    @property
    def bootstrap(self) -> Bootstrap:
        numbered = [AuthorityInfo(one.public, f"10.0.0.{n}:7000") for n, one in enumerate(self.authorities, 1)]
        return Bootstrap(GENESIS, LENGTH, tuple(numbered), self.threshold)


GENESIS = float(int(time.time() - (PRESENT + 0.05) * LENGTH))  # it lasts for longer than a run of all tests
TOWN = Now(mixes=3, providers=1)
NEW = key("authority 3")
ADDED = f"{NEW.public.hex()}@10.0.0.4:7000"
GOING = TOWN.authorities[2].public.hex()


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Folders of three authorities and of one that is to come, as `mixnet up` and the operators make them."""
    TOWN.bootstrap.save(tmp_path / "bootstrap.json")
    for number in range(4):
        own = tmp_path / f"authority-{number}"
        own.mkdir()
        (own / "identity.key").write_text(key(f"authority {number}").expose().hex())
        (own / "identity.key").chmod(0o600)
        lines = {"address": f"10.0.0.{number + 1}:7000", "bootstrap": "../bootstrap.json", "key_file": "identity.key"}
        settings = lines | {"data_dir": ".", "mixes": [], "providers": []}
        (own / "config.toml").write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    return tmp_path


def made(network: Path, **changes: object) -> Path:
    out = network / f"successor-{len(list(network.glob('successor*')))}.json"
    settings = {"bootstrap": network / "bootstrap.json", "out": out, "remove": (GOING,), "add": (ADDED,)} | changes
    succession(**settings)  # type: ignore[arg-type]
    return out


def test_each_decision_is_one_object_for_programs(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = made(network)
    capsys.readouterr()

    def told() -> dict[str, object]:
        said: dict[str, object] = json.loads(capsys.readouterr().out)
        return said

    propose(file, folder=network, json=True)
    assert told()["fingerprint"] == fingerprint(Bootstrap.load(file))
    withdraw(folder=network, json=True)
    assert told() == {"withdrawn_at": 4}
    again = made(network, json=True)
    said = told()
    assert (said["out"], said["going"], said["coming"]) == (str(again), [GOING], [NEW.public.hex()])
    cli.approve(GOING, folder=network, json=True)
    assert told() == {"identity": GOING, "role": "mix", "approved_at": 4}
    cli.revoke(GOING, folder=network, json=True)
    assert told() == {"identity": GOING, "revoked_at": 4}


def test_a_file_is_made_from_the_set_of_now(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Bootstrap.load(made(network))
    assert found == successors(TOWN, [0, 1, 3], PRESENT + DEFAULT_LEAD)
    said = capsys.readouterr().out
    assert f"take over with epoch {PRESENT + DEFAULT_LEAD} (20" in said
    assert f"comes  {NEW.public.hex()[:16]}  10.0.0.4:7000" in said
    assert f"goes   {GOING[:16]}  10.0.0.3:7000" in said
    assert f"fingerprint {fingerprint(found)}" in said
    assert said.index("authority propose") < said.index("directory show") < said.index("directory bootstrap")
    assert "caution" not in said


def test_what_is_named_counts(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    everybody = tuple(f"{one.identity.hex()}@{one.address}" for one in infos(range(3, 8)))
    removed = tuple(one.public.hex()[:8] for one in TOWN.authorities)
    found = Bootstrap.load(made(network, remove=removed, add=everybody, threshold=4, first_epoch=PRESENT + 3))
    assert found == successors(TOWN, range(3, 8), PRESENT + 3, 4)
    assert "caution: only 0 of those of now stay" in capsys.readouterr().out
    made(network, remove=(GOING,), add=())
    assert "caution: fewer than 3" in capsys.readouterr().out
    moved = Bootstrap.load(made(network, remove=(GOING,), add=(f"{GOING}@elsewhere:7",)))
    assert moved.identities == TOWN.bootstrap.identities
    assert "moves" in capsys.readouterr().out


def test_a_threshold_stays_if_the_number_does(network: Path) -> None:
    strict = Bootstrap(GENESIS, LENGTH, TOWN.bootstrap.authorities, 3)
    strict.save(network / "bootstrap.json")
    assert Bootstrap.load(made(network)).threshold == 3
    assert Bootstrap.load(made(network, remove=())).threshold is None


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "nobody": ({"remove": (), "add": ()}, "who shall go"),
    "a stranger goes": ({"remove": (NEW.public.hex(),)}, "no authority of now"),
    "too few digits": ({"remove": (GOING[:4],)}, "at least 8 digits"),
    "twice": ({"remove": (), "add": (f"{GOING}@10.0.0.9:7000",)}, "already"),
    "one address": ({"add": (f"{NEW.public.hex()}@10.0.0.1:7000",)}, "both listen"),
    "no address": ({"add": (f"{NEW.public.hex()}@nowhere",)}, "host:port"),
    "no identity": ({"add": ("00@10.0.0.4:7000",)}, "64 hexadecimal"),
    "the same": ({"remove": (GOING,), "add": (f"{GOING}@10.0.0.3:7000",)}, "nothing to propose"),
    "all gone": ({"remove": tuple(one.public.hex() for one in TOWN.authorities), "add": ()}, "1 to 31"),
    "a minority": ({"threshold": 1}, "between 2 and 3"),
    "the past": ({"first_epoch": PRESENT}, "too near"),
    "too near": ({"first_epoch": PRESENT + 2}, "too near"),
    "too far": ({"first_epoch": PRESENT + MOST_AHEAD + 1}, "epochs ahead"),
}


@pytest.mark.parametrize(("changes_", "problem"), WRONG.values(), ids=WRONG)
def test_nonsense_is_not_written(network: Path, changes_: dict[str, object], problem: str) -> None:
    with pytest.raises(LocalError, match=problem):
        made(network, **changes_)
    assert not list(network.glob("successor*"))


def test_no_file_is_overwritten(network: Path) -> None:
    with pytest.raises(LocalError, match="already"):
        made(network, out=network / "bootstrap.json")


def proposals(network: Path) -> list[int]:
    return [number for number in range(4) if (network / f"authority-{number}" / PROPOSAL).exists()]


def test_one_authority_or_all_of_a_folder_propose(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = made(network)
    propose(file, folder=network / "authority-0")
    assert proposals(network) == [0]
    propose(file, folder=network)
    assert proposals(network) == [0, 1, 2, 3]
    kept = network / "authority-3" / PROPOSAL
    assert kept.read_bytes() == file.read_bytes()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    said = capsys.readouterr().out
    assert f"at 4 authorities, fingerprint {fingerprint(Bootstrap.load(file))}; it takes 2 of the 3" in said


def introduce(network: Path, first_epoch: int) -> Bootstrap:
    """As if the document for the epoch before last had introduced them."""
    new = successors(TOWN, [0, 1, 3], first_epoch)
    epoch = min(PRESENT, first_epoch - 2)
    for number in range(4):
        folder = network / f"authority-{number}" / "introductions"
        folder.mkdir(exist_ok=True)
        (folder / f"{first_epoch:015d}-").write_bytes(TOWN.signed(epoch, successor=new.successor))
    return new


def test_what_could_not_be_introduced_is_not_proposed(network: Path) -> None:
    file, foreign = made(network), network / "foreign.json"
    successors(Town(name="other "), [0, 1, 3], 20).save(foreign)
    with pytest.raises(LocalError, match="another network"):
        propose(foreign, folder=network)
    with pytest.raises(LocalError, match="bootstrap file"):
        propose(network / "nothing.json", folder=network)
    with pytest.raises(LocalError, match="too near"):
        propose(network / "bootstrap.json", folder=network)
    successors(TOWN, [0, 1, 3], PRESENT + 2).save(network / "late.json")
    with pytest.raises(LocalError, match="too near"):
        propose(network / "late.json", folder=network)
    successors(TOWN, [0, 1, 5], PRESENT + 5).save(network / "others.json")
    with pytest.raises(LocalError, match="neither one of now nor"):
        propose(network / "others.json", folder=network / "authority-3")
    introduce(network, PRESENT + 5)
    with pytest.raises(LocalError, match="introduced already"):
        propose(file, folder=network)
    assert proposals(network) == []


def test_what_follows_a_takeover_is_made_from_those_who_took_over(network: Path) -> None:
    now = introduce(network, PRESENT - 3)
    assert known_trust(TOWN.bootstrap, network / "authority-0").newest.identities == now.identities
    successors(TOWN, [0, 1, 5], PRESENT + 5).save(network / "next.json")
    propose(network / "next.json", folder=network / "authority-3")
    assert proposals(network) == [3]
    with pytest.raises(LocalError, match="neither"):
        propose(network / "next.json", folder=network / "authority-2")


def test_a_proposal_is_withdrawn_unless_it_was_introduced(network: Path) -> None:
    with pytest.raises(LocalError, match="nothing to withdraw"):
        withdraw(folder=network)
    file = made(network)
    propose(file, folder=network)
    withdraw(folder=network / "authority-0")
    assert proposals(network) == [1, 2, 3]
    introduce(network, PRESENT + 5)
    with pytest.raises(LocalError, match="can't be taken back"):
        withdraw(folder=network)
    assert proposals(network) == [1, 2, 3]


@pytest.mark.parametrize(("first_epoch", "same"), [(PRESENT - 3, False), (PRESENT + 5, True)])
def test_the_newest_bootstrap_file_is_that_of_the_authorities_of_now(
    network: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], first_epoch: int, same: bool
) -> None:
    new = successors(TOWN, [0, 1, 3], first_epoch)

    async def fetched(trust: Trust) -> tuple[Document, bytes]:
        await trio.lowlevel.checkpoint()
        trust.follow_untrusted(TOWN.signed(5, successor=new.successor))
        return TOWN.document(PRESENT), b""

    monkeypatch.setattr(client, "newest_document", fetched)
    out = network / "new.json"
    trio.run(lambda: cli.newest_bootstrap(out=out, folder=network))
    assert Bootstrap.load(out) == (TOWN.bootstrap if same else new)
    said = capsys.readouterr().out
    assert ("the same as before" in said) == same
    assert f"with epoch {first_epoch}" in said


def test_a_document_of_later_authorities_verifies_with_what_introduced_them(
    network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = successors(TOWN, [0, 1, 3], PRESENT - 3)
    made_, signers = TOWN.document(PRESENT, authorities=new.identities), [key(f"authority {n}") for n in (0, 3)]
    (network / "introduction").write_bytes(TOWN.signed(5, successor=new.successor))
    (network / "document").write_bytes(made_.encode({one.public: made_.signature(one) for one in signers}))
    arguments = {"bootstrap": network / "bootstrap.json", "json": True}
    with pytest.raises(WrongNetwork):
        cli.verify(network / "document", **arguments)  # type: ignore[arg-type]
    cli.verify(network / "document", introduction=(network / "introduction",), **arguments)  # type: ignore[arg-type]
    told = json.loads(capsys.readouterr().out)
    (change,) = told["changes_of_authorities"]
    assert (change["first_epoch"], change["coming"], change["going"]) == (PRESENT - 3, [NEW.public.hex()], [GOING])
    assert change["from"] == GENESIS + (PRESENT - 3) * LENGTH
    assert told["successor"] is None
    cli.verify(network / "introduction", bootstrap=network / "bootstrap.json", at=GENESIS + 5.5 * LENGTH)
    shown = capsys.readouterr().out
    assert f"3 authorities, of which 2 must sign, take over with epoch {PRESENT - 3}" in shown


def test_who_comes_and_goes_is_told_of_every_change() -> None:
    second, third = successors(TOWN, [0, 1, 3], 5), successors(TOWN, [3, 4], 8)
    raw = TOWN.document(6, authorities=second.identities, successor=third.successor)
    signed = raw.encode({one.public: raw.signature(one) for one in (key("authority 0"), key("authority 3"))})
    trust = Trust(TOWN.bootstrap, [TOWN.signed(1, successor=second.successor), signed])
    first, last = changes(trust)
    assert [one.identity for one in first.coming] == [NEW.public]
    assert {one.identity for one in last.going} == {one.public for one in TOWN.authorities[:2]}
    assert "took over" in first.lines(7)[0]
    assert "take over" in last.lines(7)[0]
    with pytest.raises(RolledBack):
        Trust(TOWN.bootstrap).follow_untrusted(trust.introductions[0], 5)


def test_operators_with_other_files_see_other_fingerprints() -> None:
    one = successors(TOWN, [0, 1, 3], 20)
    others = [successors(TOWN, [0, 1, 4], 20), successors(TOWN, [0, 1, 3], 21), successors(TOWN, [0, 1, 3], 20, 3)]
    others.append(successors(Town(name="other "), [0, 1, 3], 20))
    assert len({fingerprint(each) for each in (one, *others)}) == 5
    assert fingerprint(successors(TOWN, [3, 1, 0], 20)) == fingerprint(one)
