"""A picture of sample paths: stock and orders of one episode, period by period."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jitgym.scenario import Scenario

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

MOST_LINES = 6  # items, and sources, that are drawn; more lines cannot be told apart
FEW_LINES = 2  # up to so many, a second policy is drawn beside the first
WIDTH, HEIGHT = 640, 420  # pixels
DOTS = 90  # per inch


@dataclass(frozen=True)
class SamplePath:
    """One policy in one episode."""

    policy: str  # its name in the legend
    first: int  # number of the first period that is drawn
    stock: Floats  # stock less backlog at the start of each period, (periods, items), in units
    granted: Floats  # (periods, sources), in units


def draw(scenario: Scenario, path: SamplePath, beside: SamplePath | None = None) -> bytes:
    """Return the picture of a path as PNG: stock above, granted orders below.

    A second path of the same episode is drawn dotted beside it, if there are few items and sources.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / DOTS, HEIGHT / DOTS), dpi=DOTS)
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    figure.subplots_adjust(left=0.11, right=0.98, top=0.98, bottom=0.12, hspace=0.08)
    items, sources = list(scenario.items), list(scenario.sources)
    unit = scenario.unit
    _lines(above, items, path, path.stock, beside, None if beside is None else beside.stock)
    _lines(below, sources, path, path.granted, beside, None if beside is None else beside.granted)
    above.axhline(0.0, color="0.6", linewidth=0.8)
    waits = any(demand.waits for demand in scenario.demands.values())
    above.set_ylabel(f"stock less backlog ({unit})" if waits else f"stock ({unit})")
    below.set_ylim(bottom=0.0)
    below.set_ylabel(f"orders granted ({unit})")
    period = f", one period is {scenario.period}" if scenario.period else ""
    below.set_xlabel(f"period of the episode{period}")
    file = BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _lines(
    axes: Axes,
    names: list[str],
    path: SamplePath,
    values: Floats,
    beside: SamplePath | None,
    others: Floats | None,
) -> None:
    """Draw a line for each of the first names, and dotted ones for the second path."""
    periods = path.first + np.arange(values.shape[0])
    few = len(names) <= FEW_LINES
    for k, name in enumerate(names[:MOST_LINES]):
        label = name.replace("_", " ")
        if few and beside is not None and others is not None:
            axes.step(
                beside.first + np.arange(others.shape[0]),
                others[:, k],
                where="post",
                color=f"C{k}",
                linestyle=":",
                linewidth=1.2,
                label=f"{label}: {beside.policy}",
            )
            label = f"{label}: {path.policy}"
        axes.step(periods, values[:, k], where="post", color=f"C{k}", linewidth=1.4, label=label)
    left_out = len(names) - MOST_LINES
    title = f"and {left_out} more, not drawn" if left_out > 0 else None
    axes.legend(loc="upper right", fontsize=8, ncols=3, framealpha=0.8, title=title)
    axes.margins(x=0.01)
