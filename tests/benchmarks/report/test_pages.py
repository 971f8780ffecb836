"""The report's pages: one file that needs no other, everything escaped, every figure in it."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from mixnet.benchmarks.base import summary
from mixnet.benchmarks.report import pages, plots
from mixnet.benchmarks.report.machine import commit, processor
from mixnet.benchmarks.report.run import ReportJob, assemble
from tests.benchmarks.report.studies import finding, wish


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    from datetime import UTC, datetime  # noqa: PLC0415

    from mixnet.benchmarks.report.children import PartOutcome  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("report")
    outcomes = [
        PartOutcome("correlation", [finding("correlation").as_map()], 1.0),
        PartOutcome("newcomer", [finding("newcomer").as_map()], 2.0),
        PartOutcome("broken", [], 3.0, "it <b>broke</b>"),
    ]
    return assemble(ReportJob([], wish(), folder), outcomes, begun=datetime.now(UTC), seconds=6.0)


class Page(HTMLParser):
    """What a page contains: its tags and attributes, open and closed."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.values, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.values += [(tag, name, value) for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.values += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else(report):
    text = pages.html(report)
    page = Page(text)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object", "embed", "image"} & set(page.tags)
    references = [value for _, name, value in page.values if name in {"href", "src", "xlink:href"}]
    assert references
    assert all(value.startswith("#") for value in references)
    assert "@import" not in text
    assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", text))
    assert ("meta", "name", "viewport") in page.values
    assert "prefers-color-scheme" in text


def test_identifiers_are_those_of_one_thing_each(report):
    page = Page(pages.html(report))
    names = [value for _, name, value in page.values if name == "id"]
    assert len(names) == len(set(names)) > 10
    assert {value[1:] for _, name, value in page.values if name == "xlink:href"} <= set(names)


def test_texts_are_escaped(report):
    text = pages.html(report)
    assert "What correlation found &lt;here&gt;" in text
    assert "it &lt;b&gt;broke&lt;/b&gt;" in text
    assert "mixing \\| cover" not in text


def test_markdown_tables_keep_their_columns(report):
    text = pages.markdown(report)
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1
    odd = pages.render("threats.md", made="", head="x", rows=[("a|b\nc",)], matrix=((), ()), requirements={})
    assert "| a\\|b c |" in odd
    assert "**broken failed:** it <b>broke</b>" in text


def test_every_figure_is_on_both_pages(report):
    for page in (pages.markdown(report), pages.html(report)):
        assert page.count("H* - H") >= 2 * 2  # in the summary and in its finding, twice
        assert page.count("an area") >= 2


def test_every_curve_is_drawn(report):
    drawn = list(plots.draw(report))
    assert [one.finding for one in drawn] == ["correlation", "correlation", "newcomer", "correlation", "newcomer"]
    for one in drawn:
        root = ElementTree.fromstring(one.svg)
        assert root.tag.endswith("svg")
        assert plots.INK not in one.svg
        assert "currentColor" in one.svg


def test_each_plot_names_curves_once():
    assert len({plot.name for plot in plots.PLOTS}) == len(plots.PLOTS)
    for plot in plots.PLOTS:
        assert len({curve.key for curve in plot.curves}) == len(plot.curves)
        assert plot.x
        assert plot.y


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (0.0, 0.0, 0.0, "0"),
        (1.0, 0.9, 1.0, "1"),
        (0.123456, 0.1, 0.2, "0.1235"),
        (0.999984, 0.999949, 1.0, "0.999984"),
        (12345.6, 12000.0, 13000.0, "12,346"),
        (-0.0004, -0.02, 0.02, "-0.000400"),
        (None, None, None, "?"),
    ],
)
def test_numbers(value, low, high, shown):
    assert summary.number(value, low, high) == shown


def test_the_summary_shows_what_has_a_target(report):
    assert [row.key for row in summary.rows(report)] == ["gap_bits", "gap_bits"]
    assert [row.verdict for row in summary.rows(report)] == ["met, short of the aim"] * 2
    assert len(summary.rows(report, claimed=False)) == 4
    assert report["gap_bits"] == report["newcomer_gap_bits"] == 0.1


def test_the_machine_is_described_without_its_name():
    assert processor("processor\t: 0\nmodel name\t: A  Fast (R) CPU @ 3 GHz\n") == "A Fast (R) CPU @ 3 GHz"
    assert processor("") == ""


def test_no_commit_without_a_repository(tmp_path):
    assert commit(tmp_path) is None
