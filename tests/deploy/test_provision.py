import stat
from pathlib import Path

import msgspec
import pytest

from mixnet.deploy.folders import BOOTSTRAP, CONFIG, KEY, PLAN
from mixnet.deploy.local import load_plan
from mixnet.deploy.plan import LocalPlan, MemberKind
from mixnet.deploy.provision import provision
from mixnet.directory.config import load_config as load_authority
from mixnet.errors import LocalError
from mixnet.identity import load_identity
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.descriptor import NodeRole
from mixnode.config import load_config as load_node

PLAN_2 = LocalPlan(layers=2, width=2, providers=3, authorities=3, epoch=30.0, subnet=7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "network"
    provision(folder, PLAN_2, parameters={"mean_delay": 0.01})
    return folder


def test_every_process_can_read_its_configuration(folder: Path) -> None:
    trust = Bootstrap.load(folder / BOOTSTRAP)
    assert len(trust.authorities) == 3
    for member in PLAN_2.members():
        path = folder / member.name / CONFIG
        if member.kind is MemberKind.AUTHORITY:
            authority = load_authority(path)
            assert authority.identity.public in trust.identities
            assert authority.address == member.address
            assert authority.data_dir == folder / member.name
            assert (authority.parameters.layers, authority.parameters.mean_delay) == (2, 0.01)
            roles = list(authority.approved.values())
            assert (roles.count(NodeRole.MIX), roles.count(NodeRole.PROVIDER)) == (4, 3)
        else:
            node = load_node(path)
            assert (node.role, node.address, node.source) == (str(member.kind), member.address, member.host)
            assert node.key_file == folder / member.name / KEY
            assert Bootstrap.load(node.bootstrap).network_id == trust.network_id


def test_the_authorities_approve_exactly_the_nodes_that_there_are(folder: Path) -> None:
    nodes = [member for member in PLAN_2.members() if member.kind is not MemberKind.AUTHORITY]
    identities = {load_identity(folder / member.name / KEY).public for member in nodes}
    assert len(identities) == len(nodes)
    for number in (1, 2, 3):
        assert set(load_authority(folder / f"authority-{number}" / CONFIG).approved) == identities


def test_nobody_else_can_read_it(folder: Path) -> None:
    open_to_others = stat.S_IRWXG | stat.S_IRWXO
    paths = [folder, *(path for path in folder.rglob("*") if path.is_dir() or path.name == KEY)]
    assert len(paths) > len(PLAN_2.members())
    assert [path for path in paths if path.stat().st_mode & open_to_others] == []


def test_the_plan_is_read_back(folder: Path) -> None:
    assert load_plan(folder) == PLAN_2


@pytest.mark.parametrize("text", ["layers = 9", "layers = 'many'", "colour = 1", "layers ="])
def test_a_damaged_plan_is_refused(folder: Path, text: str) -> None:
    (folder / PLAN).write_text(text)
    with pytest.raises(LocalError):
        load_plan(folder)


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(LocalError, match="choose an empty folder"):
        provision(tmp_path, PLAN_2)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_nothing_is_left_when_the_disk_is_full(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError):
        provision(tmp_path / "network", PLAN_2)
    assert list(tmp_path.iterdir()) == []


def test_an_impossible_parameter_is_refused_by_the_authority_that_reads_it(tmp_path: Path) -> None:
    provision(tmp_path / "network", PLAN_2, parameters={"mean_delay": -1.0})
    with pytest.raises(LocalError, match="mean_delay"):
        load_authority(tmp_path / "network" / "authority-1" / CONFIG)


def test_the_plan_survives_msgspec() -> None:
    assert msgspec.convert(msgspec.to_builtins(PLAN_2), LocalPlan) == PLAN_2


def test_a_larger_threshold_is_in_the_plan_and_the_bootstrap_file(tmp_path: Path) -> None:
    plan = LocalPlan(authorities=5, threshold=4, width=1, subnet=7).check()
    provision(tmp_path / "network", plan)
    assert load_plan(tmp_path / "network") == plan
    assert "--threshold 4" in plan.describe()
    trust = Bootstrap.load(tmp_path / "network" / BOOTSTRAP)
    assert (trust.threshold, trust.required, trust.majority) == (4, 4, 3)
    assert load_authority(tmp_path / "network" / "authority-5" / CONFIG).bootstrap == trust
