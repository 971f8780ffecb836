"""`mixnet bench observe` on real processes behind taps: the trace, the truth, and their agreement."""

import json

import pytest

from mixnet.benchmarks.cli.app import app
from mixnet.benchmarks.processes.observer.observe import RecordingOptions
from mixnet.benchmarks.processes.observer.tapped import tap_of
from mixnet.benchmarks.simulation.trace import read
from mixnet.deploy.folders import CONFIG
from mixnet.deploy.plan import LocalPlan
from mixnet.deploy.provision import provision
from mixnet.errors import LocalError
from mixnet.explain import NO_NETWORK, exit_status
from tests.benchmarks.simulation import traces

pytestmark = pytest.mark.timeout(300)
FRAME = 3118  # bytes of a frame that leaves alone
RATES = {"payload_rate": 8.0, "loop_rate": 2.0, "drop_rate": 2.0, "downlink_rate": 20.0}


def test_a_trace_and_its_truth(tmp_path, capsys):
    folder, trace, truth = tmp_path / "network", tmp_path / "trace.csv", tmp_path / "truth.ndjson"
    plan = LocalPlan(layers=1, width=1, providers=1, authorities=1, subnet=243)
    provision(folder, plan, parameters=RATES)
    before = {path: path.read_bytes() for path in folder.glob(f"*/{CONFIG}")}
    files = ["--dir", str(folder), "--trace", str(trace), "--truth", str(truth)]
    app(
        ["bench", "observe", *files, "--seconds", "4", "--clients", "3", "--taps", "--json"],
        result_action="return_value",
    )
    seen = json.loads(capsys.readouterr().out)
    rows, packets = read(trace), [json.loads(line) for line in truth.read_text().splitlines()]
    assert (seen["observer"], seen["rows"], seen["packets"], seen["lost"]) == ("taps", len(rows), len(packets), 0)
    assert {path: path.read_bytes() for path in folder.glob(f"*/{CONFIG}")} == before
    assert traces.hosts(rows) >= {"mix-1", "provider-1", "client-1", "client-2", "client-3"}
    for name in ("client-1", "client-2", "client-3"):
        written = [row.size for row in rows if row.src == name]
        known = sum(packet["sender"] == name for packet in packets)
        assert sum(written) % FRAME == 0
        assert abs(sum(written) // FRAME - known) <= 2  # on their way at the recording's begin and end
    check_truth(packets)
    assert not list(tmp_path.glob(".*.part"))


def check_truth(packets):
    """What the test clients say of themselves fits together."""
    kinds = {packet["kind"] for packet in packets}
    assert kinds == {"payload", "loop", "drop"}
    came = [packet for packet in packets if packet["received_ns"] is not None]
    assert {packet["kind"] for packet in came} == {"payload", "loop"}
    assert {(p["sender"], p["receiver"]) for p in came if p["kind"] == "payload"} == {
        ("client-1", "client-2"),
        ("client-2", "client-1"),
    }
    assert all(p["sender"] == p["receiver"] for p in packets if p["kind"] == "loop")
    for packet in packets:
        assert packet["path"] == ["provider-1", "mix-1", "provider-1"]
        assert len(packet["delays"]) == 2
    assert all(p["received_ns"] - p["sent_ns"] > 1e9 * sum(p["delays"]) for p in came)
    assert [p["msg"] for p in packets] == sorted({p["msg"] for p in packets})


def test_a_tap_is_where_the_member_was():
    member = LocalPlan(subnet=7).members()[4]
    tap = tap_of(member)
    assert str(tap.front) == member.address == "127.0.7.5:7400"
    assert str(tap.behind) == "127.64.7.5:7400"


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"seconds": 0.0}, "--seconds"),
        ({"clients": 99}, "--clients"),
        ({"truth": "truth.ndjson"}, "--clients 2"),
    ],
)
def test_impossible_wishes_are_refused(tmp_path, wish, why):
    with pytest.raises(LocalError, match=why):
        RecordingOptions(**({"folder": tmp_path, "seconds": 1.0, "trace": tmp_path / "trace.csv"} | wish)).check()


def test_a_network_that_does_not_run_is_not_observed(tmp_path, capsys):
    provision(tmp_path / "network", LocalPlan(layers=1, width=1, providers=1, authorities=1, subnet=244))
    arguments = ["bench", "observe", "--dir", str(tmp_path / "network"), "--trace", str(tmp_path / "trace.csv")]
    assert exit_status(lambda: app(arguments)) == NO_NETWORK
    assert "is not running: start it" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.csv"))
