"""The charts of a report, as SVG, with their data as CSV.

Colors are those of Okabe and Ito (2008), which the color-blind can tell apart. Texts stay texts,
and every chart has identifiers of its own, so that several fit on one page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from jitgym.evaluate.statistics import mean_of
from jitgym.plant import lay_out, leading
from jitgym.scenario import Scenario

from ..comparisons import ComparisonRow

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#666666")
MARKS = "osD^vP*X"
WIDTH = 4.7  # inches
MOST = 8  # policies in a chart
FAR = 60.0  # percent: policies further from the reference are named, not drawn
PANELS = 4  # sources whose orders are drawn
LETTERS = 34  # of a name on an axis
LABEL: Any = {"loc": "right", "fontsize": 8.5}  # of an axis across: it may reach far to the left


@dataclass(frozen=True)
class Chart:
    """A chart: what it shows, in a sentence, and its data."""

    name: str  # of its files
    title: str
    says: str
    svg: str
    png: bytes
    csv: str


def shortened(name: str) -> str:
    """Return a name that fits beside an axis."""
    first = name.split(" = ")[0]
    more = name.count(" = ")
    text = first + (f" (and {more} more)" if more else "")
    return text if len(text) <= LETTERS else text[: LETTERS - 3] + "..."


def differences(rows: Sequence[ComparisonRow], scenario: Scenario) -> Chart | None:
    """Return the paired differences to the reference, in percent of it, with their intervals."""
    led = leading(scenario)
    base = next((row for row in rows if row.leading_difference is None and row.is_steady), None)
    if base is None or not base.leading.mean:
        return None
    percent = 100.0 / abs(base.leading.mean)
    known = [
        (row, row.leading_difference.scaled(percent)) for row in rows if row.leading_difference
    ]
    drawn = [(row, apart) for row, apart in known if abs(apart.mean) <= FAR][:MOST]
    if not drawn:
        return None
    figure, axes = _begun(0.9 + 0.36 * len(drawn), left=0.48)
    places = np.arange(len(drawn))[::-1]
    for place, (_, apart) in zip(places, drawn, strict=True):
        is_sure = not apart.low <= 0.0 <= apart.high
        good = (apart.mean < 0) == (led.better == "low")
        color = COLORS[7] if not is_sure else COLORS[0] if good else COLORS[3]
        axes.plot([apart.low, apart.high], [place, place], color=color, linewidth=2.2)
        axes.plot([apart.mean], [place], "o", color=color, markersize=5)
    axes.axvline(0.0, color="#000000", linewidth=0.8)
    axes.set_yticks(places, [shortened(row.policy) for row, _ in drawn])
    axes.set_ylim(-0.6, len(drawn) - 0.4)
    axes.set_xlabel(f"{led.title}: difference to the reference (%)", **LABEL)
    said = (
        f"Paired differences to {shortened(base.policy)}, the best tuned classic, with "
        f"{100 * base.cost.level:g} % intervals. Blue is better, red is worse, grey cannot be told."
    )
    if far := len(known) - len(drawn):
        said += f" {far} more are in the table."
    lines = [(row.policy, apart.mean, apart.low, apart.high) for row, apart in known]
    return _chart(
        "differences", "How sure is it?", said, figure, scenario,
        ("policy", "difference_percent", "low", "high"), lines,
    )  # fmt: skip


def components(
    rows: Sequence[ComparisonRow], frame: pd.DataFrame, scenario: Scenario
) -> Chart | None:
    """Return the cost of the best policies by term of the ledger, in money."""
    terms = [term for term in lay_out(scenario).terms if term in frame]
    shown = [row for row in rows if row.is_steady][:MOST]
    frames = {str(name): each for name, each in frame.groupby("policy")}
    means = {t: {name: mean_of(each, t) for name, each in frames.items()} for t in terms}
    terms = [t for t in terms if any(abs(mean) > 1e-9 for mean in means[t].values())]
    if len(terms) < 2:
        return None
    figure, axes = _begun(1.2 + 0.36 * len(shown), left=0.48, top=0.35)
    places = np.arange(len(shown))[::-1]
    right, left = np.zeros(len(shown)), np.zeros(len(shown))
    for k, term in enumerate(terms):
        values = np.array([means[term][row.names[0]] for row in shown])
        start = np.where(values >= 0, right, left)
        axes.barh(places, values, 0.7, start, color=COLORS[k % 8], label=term.replace("_", " "),
                  hatch="//" if k >= len(COLORS) else None)  # fmt: skip
        right += np.maximum(values, 0.0)
        left += np.minimum(values, 0.0)
    axes.set_yticks(places, [shortened(row.policy) for row in shown])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlabel(f"{scenario.yardstick}, by term ({scenario.currency or 'money'})", **LABEL)
    _legend(axes, len(terms))
    lines = [(row.policy, *(means[t][row.names[0]] for t in terms)) for row in shown]
    return _chart(
        "costs", "What the cost consists of", "Terms below 0 are earned, such as revenue.", figure,
        scenario, ("policy", *terms), lines,
    )  # fmt: skip


def service(
    rows: Sequence[ComparisonRow], scenario: Scenario, sizes: pd.DataFrame | None = None
) -> Chart | None:
    """Return average stock against fill rate, one mark per policy.

    `sizes` has the same of classics over their size: `policy`, `factor`, `average_inventory`,
    `fill_rate`. Each is drawn as a thin line in the color of the policy's mark.
    """
    known = [
        (row, row.kpis["average_inventory"], row.kpis["fill_rate"])
        for row in rows
        if math.isfinite(row.kpis["average_inventory"]) and math.isfinite(row.kpis["fill_rate"])
    ]
    if len(known) < 2:
        return None
    figure, axes = _begun(3.6, left=0.14, top=0.95)
    lines: list[tuple[Any, ...]] = [(row.policy, stock, rate, "") for row, stock, rate in known]
    for k, (row, stock, rate) in enumerate(known):
        if k < MOST:
            axes.plot(stock, 100 * rate, MARKS[k], color=COLORS[k], markersize=6,
                      label=shortened(row.policy), zorder=3)  # fmt: skip
            curve = None if sizes is None else sizes[sizes["policy"].isin(row.names)]
            if curve is not None and len(curve) > 1:
                curve = curve[curve["policy"] == curve["policy"].iloc[0]].sort_values("factor")
                axes.plot(curve["average_inventory"], 100 * curve["fill_rate"], "-",
                          color=COLORS[k], linewidth=0.9, alpha=0.8, zorder=1)  # fmt: skip
                points = curve[["average_inventory", "fill_rate", "factor"]].to_numpy()
                lines += [(row.policy, *point) for point in points]
        else:
            axes.plot(stock, 100 * rate, ".", color="#AAAAAA", markersize=5, zorder=2,
                      label="others, see the table" if k == MOST else None)  # fmt: skip
    axes.set_xlabel(f"average inventory ({scenario.unit})", **LABEL)
    axes.set_ylabel("fill rate (%)", fontsize=8.5)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    _legend(axes, min(len(known), MOST + 1), columns=2)
    said = "Up and to the left is better: more service, less stock."
    if sizes is not None and len(lines) > len(known):
        least, most = sizes["factor"].min(), sizes["factor"].max()
        said += (
            f" A line is a tuned classic over its size: all its levels, cards or safeties times "
            f"{least:g} to {most:g}."
        )
        # Marks decide what is shown: far sizes have next to no service, or much stock.
        stocks, rates = [stock for _, stock, _ in known], [100 * rate for *_, rate in known]
        wide, high = max(np.ptp(stocks), 1e-9), max(np.ptp(rates), 1.0)
        axes.set_xlim(max(min(stocks) - 0.25 * wide, 0.0), max(stocks) + 0.25 * wide)
        axes.set_ylim(max(min(rates) - 0.25 * high, 0.0), min(max(rates) + 0.25 * high, 101.0))
    return _chart(
        "service", "Stock and service", said, figure, scenario,
        ("policy", "average_inventory", "fill_rate", "size_factor"), lines,
    )  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """How a training went: its looks at the policy, in money of the start's difference."""

    learner: str
    start: str
    start_cost: float  # on the episodes of the looks
    looks: pd.DataFrame  # periods, cpu_seconds, difference, low, high


def training(
    curves: Sequence[Curve], rows: Sequence[ComparisonRow], scenario: Scenario
) -> Chart | None:
    """Return the difference to the start against CPU seconds, in percent of the start's cost."""
    drawn = [curve for curve in curves if len(curve.looks) > 1 and curve.start_cost]
    if not drawn:
        return None
    figure, axes = _begun(3.2, left=0.16, top=0.55)
    lines: list[tuple[Any, ...]] = []
    lowest = 0.0
    for k, curve in enumerate(drawn):
        percent, at = 100.0 / abs(curve.start_cost), curve.looks["cpu_seconds"]
        mean, low, high = (percent * curve.looks[name] for name in ("difference", "low", "high"))
        axes.fill_between(at, low, high, color=COLORS[k], alpha=0.2, linewidth=0)
        axes.plot(at, mean, color=COLORS[k], linewidth=1.6, label=shortened(curve.learner))
        lowest = min(lowest, float(mean.min()))
        values = (curve.looks["periods"], at, mean, low, high)
        lines += [(curve.learner, *each) for each in zip(*values, strict=True)]
    axes.axhline(0.0, color=COLORS[7], linewidth=1.0, label=f"start: {drawn[0].start}")
    levels = {"optimal": ("optimum", COLORS[2])}
    base = next((row for row in rows if drawn[0].start in [n.split(" ")[0] for n in row.names]
                 and any("tuned" in n for n in row.names)), None)  # fmt: skip
    for row in rows:
        if base is None or not base.cost.mean:
            break
        apart = 100 * (row.cost.mean / base.cost.mean - 1)
        named = next((levels[name] for name in row.names if name in levels), None)
        if named is not None:
            axes.axhline(apart, color=named[1], linestyle="--", linewidth=1.2, label=named[0])
            lowest = min(lowest, apart)
    room = max(-lowest, 0.5)
    axes.set_ylim(lowest - 0.15 * room, room)
    axes.set_xlabel("CPU time of the training (s)", **LABEL)
    axes.set_ylabel("difference to the start (%)", fontsize=8.5)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    _legend(axes, len(drawn) + 2, columns=2)
    periods = max(float(curve.looks["periods"].max()) for curve in drawn)
    return _chart(
        "training", "How the training went",
        f"Each look runs 64 episodes of the split validate; {periods / 1e6:.1f} million periods in "
        "all. The band is the 95 % interval of a look.", figure, scenario,
        ("learner", "periods", "cpu_seconds", "difference_percent", "low", "high"), lines,
    )  # fmt: skip


@dataclass(frozen=True)
class Decisions:
    """What a policy orders: per source, the mean order at inventory positions that occur."""

    policy: str
    sources: dict[str, list[tuple[float, float]]]  # (position, order), both in units


def decisions(policies: Sequence[Decisions], scenario: Scenario) -> Chart | None:
    """Return mean orders against the inventory position, a panel for each of a few sources."""
    names = [
        name
        for name in scenario.sources
        if any(len(each.sources.get(name, ())) > 1 for each in policies)
    ][:PANELS]
    if not names or not policies:
        return None
    from matplotlib.figure import Figure

    rows = -(-len(names) // 2)
    columns = min(2, len(names))
    height = 0.45 + 2.0 * rows
    figure = Figure(figsize=(WIDTH, height))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    figure.subplots_adjust(
        left=0.13, right=0.98, bottom=0.48 / height, top=1 - 0.55 / height, wspace=0.3, hspace=0.55
    )
    lines = []
    for panel, name in zip(panels, names, strict=False):
        for k, each in enumerate(policies):
            points = each.sources.get(name, [])
            at = [position for position, _ in points]
            panel.plot(at, [order for _, order in points], MARKS[k] + "-", color=COLORS[k],
                       markersize=2.5, linewidth=1.1, label=shortened(each.policy))  # fmt: skip
            lines += [(each.policy, name, *point) for point in points]
        panel.set_title(name, fontsize=8.5)
        panel.tick_params(labelsize=7.5)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    figure.supxlabel(f"inventory position ({scenario.unit})", fontsize=8.5)
    figure.supylabel(f"mean order ({scenario.unit})", fontsize=8.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper left", fontsize=7, ncols=2, frameon=False)
    more = len(scenario.sources) - len(names)
    said = "Inventory position: stock and what is under way, less backlog. Means over the states "
    said += "that occur." + (f" {more} more sources are not shown." if more > 0 else "")
    return _chart(
        "decisions", "What the policies order", said, figure, scenario,
        ("policy", "source", "position", "order"), lines,
    )  # fmt: skip


def _begun(height: float, left: float, top: float = 0.1) -> tuple[Figure, Axes]:
    """Return a figure with one panel; margins in inches above and below, a share on the left."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height))
    bottom = 0.5
    axes = figure.add_axes((left, bottom / height, 0.97 - left, (height - bottom - top) / height))
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _legend(axes: Axes, count: int, columns: int = 3) -> None:
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02 if columns == 2 else -0.85, 1.0), fontsize=7,
        ncols=min(columns, count), frameon=False, borderpad=0.2, handlelength=1.2,
        columnspacing=1.0,
    )  # fmt: skip


def _chart(
    name: str,
    title: str,
    says: str,
    figure: Figure,
    scenario: Scenario,
    columns: Sequence[str],
    lines: Sequence[Sequence[Any]],
) -> Chart:
    import pandas as pd
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    text, picture, table = StringIO(), BytesIO(), StringIO()
    style: Any = {
        "svg.hashsalt": f"{scenario.name}-{name}",
        "svg.fonttype": "none",
        "font.size": 8.5,
    }
    with rc_context(style):
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(text, metadata={"Date": None, "Creator": None})
        FigureCanvasAgg(figure)
        figure.savefig(picture, format="png", dpi=150, metadata={"Software": None})
    pd.DataFrame(lines, columns=list(columns)).to_csv(table, index=False, lineterminator="\n")
    svg = inline(text.getvalue(), f"{scenario.name}-{name}")
    return Chart(name, title, says, svg, picture.getvalue(), table.getvalue())


def inline(svg: str, mark: str) -> str:
    """Return an SVG that can stand inside a page: no header, its own width, identifiers of its own.

    `mark` is put before every identifier.
    """
    svg = svg[svg.index("<svg") :]
    head, rest = svg.split(">", 1)
    head = re.sub(r'\s(width|height)="[^"]*"', "", head)
    mark = re.sub(r"[^A-Za-z0-9]+", "-", mark)
    rest = re.sub(r'(\bid=")', rf"\g<1>{mark}-", rest)
    rest = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{mark}-", rest)
    return f"{head}>{rest}"
