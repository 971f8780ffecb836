"""The machinery of `mixnet bench all`: all parts, some of which fail; and going on where a run ended."""

import json
import os
import re
import signal
import threading
from pathlib import Path

import pytest

from mixnet.benchmarks.attacks import ATTACKS
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.report import run
from mixnet.benchmarks.report.children import News, PartOutcome, together
from mixnet.benchmarks.report.parts import UnknownPart, parts
from mixnet.benchmarks.report.run import ReportJob, make, sound, without_paths
from tests.benchmarks.report.studies import Study, wish

pytestmark = pytest.mark.timeout(300)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"  # a zombie has ended, and nobody has asked for it


def test_a_part_that_fails_costs_the_others_nothing(tmp_path):
    studies = [Study("one", alone=True), Study("two", "raises"), Study("three", "dies"), Study("four")]
    studies.append(Study("five", "raises", alone=True))
    told = []
    report = make(ReportJob(studies, wish(workers=2), tmp_path), told.append)
    assert [finding["name"] for finding in report["findings"]] == ["one", "four"]
    failed = report["report"]["failed"]
    assert set(failed) == {"two", "three", "five"}
    assert "ValueError: no such thing in ..." in failed["two"]
    assert "-9" in failed["three"]
    assert not sound(report)
    assert {said.part for said in told if isinstance(said, News)} == {"one", "two", "three", "four", "five"}
    assert [said.part for said in told if isinstance(said, PartOutcome)].count("four") == 1
    assert json.loads((tmp_path / "report.json").read_text()) == report
    for name in ("report.md", "report.html"):
        assert "three failed" in re.sub(r"[*]|<[^>]*>", "", (tmp_path / name).read_text())


def test_processes_take_one_part_after_another(tmp_path):
    logs = [tmp_path / str(number) for number in range(4)]
    ways = ["says who", "dies", "says who", "says who"]
    studies = [Study(f"part {log.name}", way, log=str(log)) for way, log in zip(ways, logs, strict=True)]
    outcomes = together(studies, wish(), 1, lambda _: None)
    assert [bool(one.error) for one in outcomes] == [False, True, False, False]
    first, _, third, fourth = [log.read_text() if log.exists() else "" for log in logs]
    assert first != third  # the first one's process died with the second part
    assert third == fourth


def test_a_failed_control_fails_the_report(tmp_path):
    assert sound(make(ReportJob([Study("one")], wish(), tmp_path), lambda _: None))
    report = make(ReportJob([Study("one", "loses")], wish(), tmp_path), lambda _: None)
    assert not sound(report)
    assert report["findings"][0]["figures"][0]["verdict"] == "void: a control failed"


@pytest.mark.parametrize(("size", "again"), [(Size.FULL, 0), (Size.STANDARD, 0), (Size.QUICK, 3)])
def test_a_second_start_goes_on(tmp_path, monkeypatch, size, again):
    log = tmp_path / "log"
    monkeypatch.setattr(run, "code", lambda: "code")

    def measured(*studies):
        log.write_text("")
        report = make(ReportJob(studies, wish(size), tmp_path / "report"), lambda _: None)
        return report, len(log.read_text().splitlines())

    first, pieces = measured(Study("one", log=str(log)))
    assert pieces == 3
    second, pieces = measured(Study("one", log=str(log)), Study("two", alone=True))
    assert pieces == again
    assert second["findings"][0] == first["findings"][0]
    monkeypatch.setattr(run, "code", lambda: "other code")
    assert measured(Study("one", log=str(log)))[1] == 3


def test_a_part_that_failed_is_tried_again(tmp_path):
    failed = make(ReportJob([Study("one", "raises")], wish(Size.FULL), tmp_path), lambda _: None)
    assert failed["report"]["failed"]
    assert sound(make(ReportJob([Study("one")], wish(Size.FULL), tmp_path), lambda _: None))


def test_no_process_outlives_an_interrupted_report(tmp_path):
    log = tmp_path / "pids"

    def interrupt():
        while not (log.exists() and len(log.read_text().split()) == 2):
            threading.Event().wait(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        together([Study("one", "lasts", log=str(log))], wish(), 2, lambda _: None)
    thread.join()
    assert [alive(int(pid)) for pid in log.read_text().split()] == [False, False]


def test_the_parts_are_all_there_is():
    names = [part.name for part in parts()]
    assert set(names) == {"sphinx", "processes", "growth", "rest", "anonymity", *ATTACKS}
    assert [part.name for part in parts() if part.alone] == names[:4] == ["sphinx", "processes", "growth", "rest"]
    assert [part.name for part in parts(size=Size.QUICK)] == [name for name in names if name not in {"growth", "rest"}]
    assert [part.name for part in parts(["correlation", "sphinx"])] == ["sphinx", "correlation"]
    assert [part.name for part in parts(["rest"], size=Size.QUICK)] == ["rest"]
    with pytest.raises(UnknownPart, match="nonsense"):
        parts(["nonsense"])


def test_a_real_part_passes_its_controls(tmp_path):
    """The real thing on one process: a short part, with all of its controls."""
    report = make(ReportJob(parts(["split_view"]), wish(), tmp_path), lambda _: None)
    assert sound(report), report["controls"]
    assert report["split_view_honest"] == 1
    assert report["controls"]["split_view"]
    for name in ("report.json", "report.md", "report.html"):
        text = (tmp_path / name).read_text()
        assert os.uname().nodename not in text
        assert not re.search(r"(?<![\w.<:/])/(?:tmp|home|root|usr)/", text)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("[Errno 2] No such file: '/var/lib/x.db'", "[Errno 2] No such file: '...'"),
        ("3 of 4, H/H* and a/b", "3 of 4, H/H* and a/b"),
    ],
)
def test_paths_are_left_out(text, clean):
    assert without_paths(text) == clean
