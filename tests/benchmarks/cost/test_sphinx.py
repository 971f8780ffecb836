"""The Sphinx benchmark: its shape and its arithmetic, never its times."""

import contextlib
import io
import json

import pytest

from mixnet.benchmarks.cli import app
from mixnet.benchmarks.cost import sphinx
from mixnet.errors import LocalError
from mixnet.sphinx import engine_by_name
from tests.mixnet.sphinx import oracle

RATIOS = ["peel_ratio", "create_mults", "sphinxmix_peel_ratio", "sphinxmix_create_ratio", "create_to_sphinxmix"]


def shown(figures):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        sphinx.render(figures)
    return printed.getvalue()


def without_sphinxmix(monkeypatch):
    def absent(name):
        if name == "sphinxmix":
            raise LocalError("not installed")
        return engine_by_name(name)

    monkeypatch.setattr(sphinx, "engine_by_name", absent)


def test_every_figure_has_its_interval():
    shares = []
    figures = sphinx.measure(seconds=0.3, progress=shares.append)
    assert figures["rounds"] > 1
    assert figures["floor_us"] > 0
    for name in RATIOS:
        if name.partition("_")[0] == "sphinxmix" and not oracle.installed():
            continue
        low, high = figures[f"{name}_ci"]
        assert 0 < low <= figures[name] <= high
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert json.loads(json.dumps(figures))["floor_us"] == figures["floor_us"]
    assert "µs" in shown(figures)


def test_without_json_the_command_prints_the_table(monkeypatch, capsys):
    measured = sphinx.measure(seconds=0.05)
    monkeypatch.setattr(sphinx, "measure", lambda *, progress: measured)
    app.sphinx()
    printed = capsys.readouterr().out
    assert f"peel / floor{measured['peel_ratio']:>21.2f}" in printed
    assert "│" not in printed


def test_sphinxmix_figures_are_none_where_it_is_missing(monkeypatch):
    without_sphinxmix(monkeypatch)
    figures = sphinx.measure(seconds=0.05)
    assert figures["peel_ratio"] > 0
    for name in RATIOS[2:]:
        assert figures[name] is None
        assert figures[f"{name}_ci"] is None
    assert shown(figures).count("not installed") == 3


def test_figures_are_medians_of_ratios_within_a_round(monkeypatch):
    """A machine that halves its speed midway leaves every ratio as it was."""
    times = {"floor": [1.0, 1.0, 2.0, 2.0], "peel": [1.4, 1.4, 2.8, 2.8], "create": [6.0, 6.0, 12.0, 12.0]}
    monkeypatch.setattr(sphinx, "timed", lambda *_: times)
    figures = sphinx.measure()
    assert figures["floor_us"] == 1.5e6
    assert figures["peel_ratio"] == pytest.approx(1.4)
    assert figures["create_mults"] == pytest.approx(12.0)
    assert figures["peel_ratio_ci"] == pytest.approx((1.4, 1.4))
