import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))
CONFINED = ("DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "LimitCORE=0")


def test_there_is_a_unit_for_nodes_and_one_for_authorities() -> None:
    assert [unit.name for unit in UNITS] == ["mixnet-authority@.service", "mixnode@.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_confined_and_does_not_repeat_a_user_error(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    assert [line for line in CONFINED if line not in lines] == []
    assert "RestartPreventExitStatus=2" in lines


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_a_unit(unit: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:  # nothing else on such a machine understands a unit either
        assert "[Service]" in unit.read_text()
        return
    result = subprocess.run([analyze, "verify", "--man=no", unit], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
