"""The plots of a report, each from the curves of one finding (spec/13-measurements.md 13.9).

Promises: a plot is a table entry that names curves, so what is drawn can be read here; a curve that isn't there isn't
drawn, and a plot without curves is left out. Each is an SVG without outside resources, whose ink has the colour of the
text around it. Intervals are bands or bars.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

INK = "#0a0b0c"  # stands for the colour of the page's text
MAIN, SECOND, CONTROL, THIRD, MODEL = "#1f77b4", "#2ca02c", "#d95f02", "#9467bd", "#8c8c8c"
_COLOURS = (MAIN, SECOND, CONTROL, THIRD, "#b8860b", "#17a2b8")
_SIZE = (6.4, 3.9)  # inches
_MOST_TICKS = 9
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "path",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.2,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
}
_INKED: tuple[Any, ...] = (
    "text.color",
    "axes.labelcolor",
    "axes.edgecolor",
    "xtick.color",
    "ytick.color",
    "grid.color",
)


class PlotCurve(NamedTuple):
    """One line: the curve's key, what it is, and how it is drawn."""

    key: str
    label: str
    colour: str
    line: str = "-"
    marks: bool = True
    steps: bool = False


class PlotRule(NamedTuple):
    """A straight line: at a height, or the diagonal."""

    label: str
    height: float | None


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot of a finding."""

    name: str
    finding: str
    title: str
    x: str
    y: str
    curves: tuple[PlotCurve, ...]
    wide: bool = False  # a logarithmic x axis
    low: float | None = None
    high: float | None = None
    least: float | None = None  # of x
    most: float | None = None
    rules: tuple[PlotRule, ...] = ()


PLOTS = (
    Plot(
        "latency", "latency", "What the network adds to the delays drawn", "overhead, ms", "share of packets",
        (
            PlotCurve("overhead_cdf_ms_50%", "five hops, half load", MAIN, marks=False),
            PlotCurve("overhead_cdf_ms_0%", "five hops, idle", MAIN, "--", marks=False),
            PlotCurve("hop_cdf_ms_50%", "one hop, half load", SECOND, marks=False),
            PlotCurve("hop_cdf_ms_0%", "one hop, idle", SECOND, "--", marks=False),
        ),
        wide=True, low=0, high=1.02,
    ),
    Plot(
        "whole", "latency", "A packet's whole time, and the delays' distribution", "from sending to return, ms",
        "share of packets",
        (
            PlotCurve("whole_cdf_ms", "measured, half load", MAIN, marks=False),
            PlotCurve("whole_gamma_cdf", "Gamma distribution of the delays", CONTROL, "--", marks=False),
        ),
        low=0, high=1.02, least=0,
    ),
    Plot(
        "entropy", "anonymity", "Entropy of a packet against the pool of a mix", "packets in a mix on average", "bits",
        (
            PlotCurve("optimum_by_pool", "optimum H*", MODEL, "--", marks=False),
            PlotCurve("entropy_by_pool", "H", MAIN),
        ),
        wide=True,
    ),
    Plot(
        "gap", "anonymity", "Bits that a thin network costs", "packets in a mix on average", "H* - H, bits",
        (PlotCurve("gap_by_pool", "H* - H", MAIN),),
        wide=True, rules=(PlotRule("must: 0.2", 0.2), PlotRule("aim: 0.05", 0.05)),
    ),
    Plot(
        "users", "anonymity", "Entropy of the sender against the number of users", "users", "bits",
        (
            PlotCurve("sender_entropy_by_users", "H of the sender", MAIN),
            PlotCurve("entropy_by_users", "H of a packet", SECOND),
            PlotCurve("optimum_by_users", "optimum H* of a packet", MODEL, "--", marks=False),
        ),
        wide=True, low=0,
    ),
    Plot(
        "corrupt", "anonymity", "Corrupt mixes", "share of the mixes that are corrupt", "share of paths",
        (
            PlotCurve("exposed_by_corrupt", "corrupt throughout", MAIN),
            PlotCurve("f_to_the_k", "f to the power of the layers", MODEL, "--", marks=False),
        ),
        low=0,
    ),
    Plot(
        "windows", "correlation", "Flow correlation against the window's length", "window, s", "area under the ROC",
        (
            PlotCurve("auc_window", "model", MAIN),
            PlotCurve("auc_window_actors", "real actors", SECOND),
            PlotCurve("auc_window_control", "control: unshaped, model", CONTROL, "--"),
            PlotCurve("auc_window_actors_control", "control: unshaped, real actors", THIRD, "--"),
        ),
        wide=True, low=0.3, high=1.03, rules=(PlotRule("chance", 0.5),),
    ),
    Plot(
        "roc", "correlation", "Flow correlation at few false positives, windows of 1,000 s", "false positives",
        "true positives",
        (
            PlotCurve("roc", "with the defence", MAIN, marks=False, steps=True),
            PlotCurve("roc_control", "control: unshaped", CONTROL, "--", marks=False, steps=True),
        ),
        wide=True, low=0, high=1.03, least=1e-3, most=1, rules=(PlotRule("chance", None),),
    ),
    Plot(
        "disclosure", "disclosure", "Contacts found by counting rounds", "rounds", "share of contacts found",
        (
            PlotCurve("found_rounds", "observer of links", MAIN),
            PlotCurve("found_rounds_exit", "corrupt exit provider", SECOND),
            PlotCurve("found_rounds_control", "control: without cover", CONTROL, "--"),
            PlotCurve("chance", "chance", MODEL, ":", marks=False),
        ),
        wide=True, low=0, high=1.03,
    ),
    Plot(
        "activity", "activity", "Idle or busy, by the window's length", "window, s", "area under the ROC",
        (PlotCurve("auc_window_actors", "strongest classifier, real actors", MAIN),),
        wide=True, low=0, high=1.03, rules=(PlotRule("chance", 0.5),),
    ),
    Plot(
        "rate", "throughput", "One node at saturation", "seconds since the beginning", "packets a second",
        (PlotCurve("packets_per_s", "packets a second", MAIN),),
        low=0,
    ),
    Plot(
        "load", "throughput", "One node against the load that is offered", "offered, over what it takes", "share",
        (
            PlotCurve("load_share", "of a core that the node wants", MAIN),
            PlotCurve("load_loss", "of packets lost", CONTROL),
        ),
        low=0, rules=(PlotRule("a whole core", 1.0),),
    ),
    Plot(
        "cost", "throughput", "What a packet costs against the load", "offered, over what it takes", "over the floor",
        (PlotCurve("load_ratio", "CPU a packet, over the floor", MAIN),),
        low=0, rules=(PlotRule("must: 3", 3.0), PlotRule("aim: 2", 2.0)),
    ),
    Plot(
        "clients", "provider", "Memory of a provider against its clients", "connected clients", "memory, MB",
        (
            PlotCurve("provider_memory_fit", "fitted line", MODEL, "--", marks=False),
            PlotCurve("provider_memory", "measured", MAIN, ""),
        ),
        low=0, least=0,
    ),
    Plot(
        "share", "provider", "CPU of a provider against its clients", "connected clients", "of one core, %",
        (
            PlotCurve("provider_share_fit", "fitted line", MODEL, "--", marks=False),
            PlotCurve("provider_share", "measured", MAIN, ""),
        ),
        low=0, least=0,
    ),
    Plot(
        "kept", "growth", "Memory of a node against the packets that passed", "packets", "memory taken since, MB",
        (
            PlotCurve("packet_memory", "node", MAIN),
            PlotCurve("packet_memory_leaking", "control: keeps a piece of each", CONTROL, "--"),
        ),
        least=0,
    ),
    Plot(
        "worked", "growth", "CPU of a node against the packets that passed", "packets", "CPU taken since, s",
        (
            PlotCurve("packet_cpu", "node", MAIN),
            PlotCurve("packet_cpu_slowing", "control: slower with each", CONTROL, "--"),
        ),
        low=0, least=0,
    ),
    Plot(
        "epochs", "growth", "Memory of nodes against epochs", "epochs since the first that was read", "memory, MB",
        (
            PlotCurve("epoch_memory_mix", "mix", MAIN),
            PlotCurve("epoch_memory_provider", "provider", SECOND),
        ),
    ),
)  # fmt: skip


class Drawn(NamedTuple):
    """A plot as it goes into a page: its finding, a title for those who can't see it, and the SVG element."""

    finding: str
    title: str
    svg: str


def draw(report: Mapping[str, Any]) -> list[Drawn]:
    """Every plot of which the report has curves, and the intervals of each finding's areas."""
    with _styled():
        return list(_drawn(report))


def _drawn(report: Mapping[str, Any]) -> Iterator[Drawn]:
    found = {finding["name"]: finding for finding in report["findings"]}
    for plot in PLOTS:
        if plot.finding in found and any(curve.key in found[plot.finding]["curves"] for curve in plot.curves):
            yield Drawn(plot.finding, plot.title, svg(canvas(plot, found[plot.finding]["curves"]), plot.name))
    known = {plot.finding for plot in PLOTS}
    for name, finding in found.items():
        if name not in known and finding["curves"]:
            yield Drawn(name, finding["title"], svg(canvas(_other(finding), finding["curves"]), name))
    for name, finding in found.items():
        if areas := areas_of(finding):
            yield Drawn(name, f"{finding['title']}: areas", svg(intervals(areas), f"{name}-areas"))
        if times := times_of(finding):
            yield Drawn(name, f"{finding['title']}: time to detect", svg(durations(times), f"{name}-times"))


def canvas(plot: Plot, curves: Mapping[str, Mapping[str, list[float]]]) -> Canvas:
    """The plot, drawn."""
    made, axes = _blank()
    for curve in plot.curves:
        if curve.key in curves:
            _line(axes, curve, curves[curve.key])
    _rules(axes, plot)
    if plot.wide:
        _widen(axes, _ticks(plot, curves))
    axes.set_ylim(plot.low, plot.high)
    axes.set_xlim(plot.least, plot.most)
    axes.set_title(plot.title)
    axes.set_xlabel(plot.x)
    axes.set_ylabel(plot.y)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return made


def save(finding: Mapping[str, Any], folder: Path) -> list[Path]:
    """Each plot of a finding as a picture in `folder`, which is made; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for plot in (plot for plot in PLOTS if plot.finding == finding["name"]):
        path = folder / f"{plot.finding}-{plot.name}.png"
        with _styled("black"):
            canvas(plot, finding["curves"]).savefig(path, dpi=150, bbox_inches="tight", facecolor="white")
        written.append(path)
    return written


def svg(made: Canvas, name: str) -> str:
    """An SVG element whose identifiers no other plot of the page has."""
    import matplotlib as mpl  # noqa: PLC0415

    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        made.savefig(file, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(id="|xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    return text.replace(INK, "currentColor")


def _blank() -> tuple[Canvas, Axes]:
    from matplotlib.figure import Figure  # noqa: PLC0415

    made = Figure(figsize=_SIZE)
    return made, made.add_subplot()


def _styled(ink: str = INK) -> AbstractContextManager[None]:
    """What a plot looks like that is made inside."""
    import matplotlib as mpl  # noqa: PLC0415

    return mpl.rc_context({**_STYLE, **dict.fromkeys(_INKED, ink)})


def _line(axes: Axes, curve: PlotCurve, points: Mapping[str, list[float]]) -> None:
    x, y = points["x"], points["y"]
    marks = "o" if curve.marks else ""
    style = "steps-post" if curve.steps else "default"
    axes.plot(
        x, y, curve.line, color=curve.colour, marker=marks, markersize=4, label=curve.label, drawstyle=style
    )  # fmt: skip
    if "low" in points:
        axes.fill_between(x, points["low"], points["high"], color=curve.colour, alpha=0.18, linewidth=0)


def _rules(axes: Axes, plot: Plot) -> None:
    for rule, line in zip(plot.rules, (":", "-."), strict=False):
        if rule.height is None:
            shares = [10 ** (-4 + step / 50) for step in range(201)]
            axes.plot(shares, shares, ":", color=INK, linewidth=1.2, label=rule.label)
        else:
            axes.axhline(rule.height, linestyle=line, color=INK, linewidth=1.2, label=rule.label)


def _ticks(plot: Plot, curves: Mapping[str, Mapping[str, list[float]]]) -> list[float]:
    """Where something was measured, if that is few places."""
    places = {x for curve in plot.curves if curve.marks and curve.key in curves for x in curves[curve.key]["x"]}
    return sorted(places) if 1 < len(places) <= _MOST_TICKS else []


def _widen(axes: Axes, ticks: list[float]) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter  # noqa: PLC0415

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:,.10g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if ticks:
        axes.set_xticks(ticks)
        axes.minorticks_off()


def _other(finding: Mapping[str, Any]) -> Plot:
    """A plot of all curves of a finding that has none of its own here."""
    keys = list(finding["curves"])
    curves = tuple(
        PlotCurve(key, key.replace("_", " "), _COLOURS[number % len(_COLOURS)], "--" if "control" in key else "-")
        for number, key in enumerate(keys)
    )
    return Plot(finding["name"], finding["name"], finding["title"], "", "", curves)


class Area(NamedTuple):
    """A value with its interval, of a figure or of a control: an area under a ROC curve, or a time."""

    what: str
    value: float
    low: float
    high: float
    control: bool


def areas_of(finding: Mapping[str, Any]) -> list[Area]:
    """The areas under ROC curves of a finding and of its controls."""
    rows = [
        Area(figure["what"], figure["value"], *_ends(figure), control=False)
        for figure in finding["figures"]
        if figure["key"].endswith("_auc") and None not in (figure["value"], *figure["ci"])
    ]
    if not rows:
        return []
    return rows + [
        Area(f"control: {control['what']}", control["value"], *_ends(control), control=True)
        for control in finding["controls"]
        if None not in (control["value"], *control["ci"]) and 0 <= control["ci"][0] <= control["ci"][1] <= 1
    ]


def times_of(finding: Mapping[str, Any]) -> list[Area]:
    """How long it takes until somebody warns."""
    return [
        Area(figure["what"], figure["value"], *_ends(figure), control=False)
        for figure in finding["figures"]
        if figure["unit"] == "s" and figure["value"] is not None and re.search("detect|alarm|first", figure["key"])
    ]


def _ends(figure: Mapping[str, Any]) -> tuple[float, float]:
    """The interval; an end that nobody knows is the value."""
    low, high = (figure["value"] if end is None else float(end) for end in figure["ci"])
    return low, high


def durations(times: list[Area]) -> Canvas:
    """A row for each time until an alarm."""
    made, axes = _rows(times)
    least = min(min(time.low, time.value) for time in times)
    axes.set_xlim(0 if least >= 0 else None, None)
    axes.set_title("Until somebody warns")
    axes.set_xlabel("seconds from the beginning of the attack")
    return made


def intervals(areas: list[Area]) -> Canvas:
    """A row for each area, with its interval below its name."""
    made, axes = _rows(areas)
    axes.axvline(0.5, linestyle=":", color=INK, linewidth=1.2)
    axes.set_xlim(-0.01, 1.02)
    axes.set_xlabel("area under the ROC (0.5: chance)")
    return made


def _rows(areas: list[Area]) -> tuple[Canvas, Axes]:
    """A row for each, its name above its interval."""
    made, axes = _blank()
    made.set_figheight(1.2 + 0.44 * len(areas))
    for row, area in enumerate(reversed(areas)):
        colour = CONTROL if area.control else MAIN
        axes.plot([area.low, area.high], [row, row], color=colour, linewidth=4, alpha=0.4, solid_capstyle="butt")
        axes.plot([area.value], [row], "o", color=colour, markersize=5)
        axes.text(0.0, row + 0.34, area.what, fontsize=7.5, va="center", transform=axes.get_yaxis_transform())
    axes.set_yticks([])
    axes.set_ylim(-0.5, len(areas) - 0.4)
    return made, axes
