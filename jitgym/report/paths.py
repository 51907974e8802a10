"""A picture of sample paths: stock and orders of one episode, period by period."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from jitgym.scenario import Scenario

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

FEW = 2  # items, or sources, up to which lines are drawn, also of a second policy; above it, rows
MOST = 14  # items, and sources, that are drawn
WIDTH, HEIGHT = 640, 420  # pixels
DOTS = 90  # per inch


@dataclass(frozen=True)
class SamplePath:
    """One policy in one episode."""

    policy: str  # its name in the legend
    first: int  # number of the first period that is drawn
    stock: Floats  # stock less backlog at the start of each period, (periods, items), in units
    granted: Floats  # (periods, sources), in units


def draw(
    scenario: Scenario,
    path: SamplePath,
    beside: SamplePath | None = None,
    form: Literal["png", "svg"] = "png",
) -> bytes:
    """Return the picture of a path as PNG or SVG: stock above, granted orders below.

    With one or two items and sources these are lines, and those of a second policy in the same
    episode are dotted beside them. With more, each is a row whose color is the quantity.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / DOTS, HEIGHT / DOTS), dpi=DOTS)
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    many = max(len(scenario.items), len(scenario.sources)) > FEW
    left, right = (0.22, 1.03) if many else (0.1, 0.98)
    figure.subplots_adjust(left=left, right=right, top=0.93, bottom=0.12, hspace=0.25)
    waits = any(demand.waits for demand in scenario.demands.values())
    stock = f"stock less backlog ({scenario.unit})" if waits else f"stock ({scenario.unit})"
    both = [path] if beside is None else [path, beside]
    panels = (
        (above, stock, [*scenario.items], [each.stock for each in both]),
        (
            below,
            f"orders granted ({scenario.unit})",
            [*scenario.sources],
            [p.granted for p in both],
        ),
    )
    for axes, title, names, values in panels:
        shown = [name.replace("_", " ") for name in names]
        left_out = f", {len(names) - MOST} more are not drawn" if len(names) > MOST else ""
        axes.set_title(f"{path.policy}: {title}{left_out}", fontsize=8, loc="left")
        axes.tick_params(labelsize=8)
        if many:
            _rows(axes, shown[:MOST], path.first, values[0][:, :MOST])
        else:
            _lines(axes, shown, both, values)
    below.set_xlabel(f"period of the episode (one period: {scenario.period})", fontsize=8)
    file = BytesIO()
    style: Any = {"svg.hashsalt": path.policy, "svg.fonttype": "none"}
    unnamed = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    with rc_context(style):
        figure.savefig(file, format=form, metadata=unnamed)
    return file.getvalue()


def _lines(axes: Axes, names: list[str], paths: list[SamplePath], values: list[Floats]) -> None:
    """Draw a line for each name, and dotted ones for the second policy."""
    for path, lines, style in zip(paths, values, ("-", ":"), strict=False):
        periods = path.first + np.arange(lines.shape[0])
        for k, name in enumerate(names):
            label = name if style == "-" else f"dotted: {path.policy}"
            axes.step(
                periods,
                lines[:, k],
                style,
                where="post",
                color=f"C{k}",
                linewidth=1.2,
                label=label if style == "-" or k == 0 else None,
            )
    axes.set_ylim(bottom=min(0.0, *(float(lines.min(initial=0.0)) for lines in values), 0.0))
    axes.margins(x=0.01)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), fontsize=7, ncols=4, frameon=False)


def _rows(axes: Axes, names: list[str], first: int, values: Floats) -> None:
    """Draw a row for each name; the color is the quantity, red below 0."""
    ends = (first, first + values.shape[0], len(names) - 0.5, -0.5)
    most, least = float(values.max(initial=1.0)), float(values.min(initial=0.0))
    size = max(most, -least)
    colors, low, high = ("RdBu", -size, size) if least < 0 else ("Blues", 0.0, most)
    drawn = axes.imshow(
        values.T,
        aspect="auto",
        interpolation="nearest",
        extent=ends,
        cmap=colors,
        vmin=low,
        vmax=high,
    )
    axes.set_yticks(range(len(names)), names)
    axes.figure.colorbar(drawn, ax=axes, pad=0.01).ax.tick_params(labelsize=7)
