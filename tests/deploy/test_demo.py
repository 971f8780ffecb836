"""A whole network of real processes, from the first key to a file that came across while a mix was killed."""

from pathlib import Path

import pytest

from mixnet.deploy.demo import Wishes, play, run
from mixnet.deploy.figures import DemoOutcome
from mixnet.deploy.folders import RUN, SOCKET
from mixnet.errors import LocalError

pytestmark = pytest.mark.timeout(400)


async def test_everything_is_delivered_once_although_a_mix_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 400)  # 38 fragments
    plan = {"layers": 3, "width": 2, "providers": 2, "authorities": 3}
    outcomes: list[DemoOutcome] = []
    await play(tmp_path, Wishes(file=file, messages=3, kill_mix=True, quiet=True, plan=plan), outcomes.append)
    (outcome,) = outcomes
    assert (outcome.sent, outcome.delivered, outcome.lost, outcome.duplicated) == (7, 7, 0, 0)
    assert outcome.file_ok
    assert outcome.safety_numbers_equal
    assert outcome.success
    assert outcome.killed == "mix-1"
    assert outcome.nodes == 11
    assert outcome.signatures >= 2
    assert outcome.cover_share is not None
    assert 0 < outcome.cover_share < 1
    assert None not in outcome.latency_ms.values()
    assert not (tmp_path / "network" / RUN).exists()
    assert not list(tmp_path.rglob(SOCKET))


@pytest.mark.parametrize("wrong", [{"file": Path("no such file")}, {"messages": 0}])
async def test_a_wish_that_cannot_be_fulfilled_is_refused_before_anything_starts(wrong) -> None:
    wishes = {"file": None, "messages": 1, **wrong}
    with pytest.raises(LocalError):
        await run(json=False, keep=False, kill_mix=False, **wishes)
