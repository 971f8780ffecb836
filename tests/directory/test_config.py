"""A configuration is whole and right, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mixnet.directory.config import AuthorityConfigError, load_config
from mixnet.errors import LocalError
from mixnet.identity import BadKeyFile
from mixnet.pki.descriptor import NodeRole
from tests.mixnet.pki.builders import Town

TOWN = Town(epoch_length=60.0)
MIX, PROVIDER = TOWN.nodes["mix 0"][0].public, TOWN.nodes["provider 0"][0].public
GOOD = f'''
address = "127.0.0.1:7000"
bootstrap = "bootstrap.json"
key_file = "identity.key"
data_dir = "."
mixes = ["{MIX.hex()}"]
providers = ["{PROVIDER.hex()}"]
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    TOWN.bootstrap.save(tmp_path / "bootstrap.json")
    key = tmp_path / "identity.key"
    key.write_text(TOWN.authorities[0].expose().hex() + "\n")
    key.chmod(0o600)
    (tmp_path / "config.toml").write_text(GOOD)
    return tmp_path


def test_a_good_one_is_loaded_with_its_files(folder: Path) -> None:
    with (folder / "config.toml").open("a") as file:
        file.write('log_file = "node.log"\nstartup_wait = 3\n[parameters]\nmean_delay = 1\n')
    config = load_config(folder / "config.toml")
    assert config.identity == TOWN.authorities[0]
    assert config.bootstrap == TOWN.bootstrap
    assert config.approved == {MIX: NodeRole.MIX, PROVIDER: NodeRole.PROVIDER}
    assert (config.parameters.mean_delay, config.parameters.epoch_length) == (1.0, 60.0)
    assert (config.data_dir, config.log_file) == (folder, folder / "node.log")
    assert config.startup_wait == 3.0


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("mixes =", "mixen =", "mixen"),
        ('"127.0.0.1:7000"', '"127.0.0.1"', "127.0.0.1"),
        ('"bootstrap.json"', '"elsewhere.json"', "elsewhere.json"),
        ('"identity.key"', '"elsewhere.key"', "elsewhere.key"),
        (MIX.hex(), "abc", "64 hexadecimal"),
        (MIX.hex(), PROVIDER.hex(), "twice"),
        ("address =", "address", "config.toml"),
        ('data_dir = "."', "data_dir = 7", "data_dir"),
        (GOOD, GOOD + "[parameters]\nloop_rate = -1\n", "loop_rate"),
        (GOOD, GOOD + "[parameters]\nloop_rat = 1\n", "loop_rat"),
        (GOOD, GOOD + "[parameters]\nepoch_length = 61\n", "epoch_length"),
    ],
)
def test_a_mistake_is_named_in_one_line(folder: Path, old: str, new: str, problem: str) -> None:
    (folder / "config.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(LocalError) as refused:
        load_config(folder / "config.toml")
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_key_that_others_can_read_is_refused(folder: Path) -> None:
    (folder / "identity.key").chmod(0o644)
    with pytest.raises(BadKeyFile, match="chmod 600"):
        load_config(folder / "config.toml")


@pytest.mark.parametrize("content", ["", "00", "zz" * 32, "00" * 33, "\u00e9" * 64])
def test_a_damaged_key_is_refused_without_showing_it(folder: Path, content: str) -> None:
    (folder / "identity.key").write_text(content)
    with pytest.raises(BadKeyFile, match="damaged") as refused:
        load_config(folder / "config.toml")
    assert len(content) < 64 or content not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthorityConfigError, match="nowhere"):
        load_config(tmp_path / "nowhere")
