"""A picture of a policy that is a table of orders by state.

With one source, the picture shows the order by net stock, with its range over all pipelines. With
several sources, each has a panel with its order by the net stock of two items; the edge between
ordering and not ordering is the switching curve of the literature (Veatch and Wein 1994). Net stock
is stock less backlog.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jitgym.control import ViewLayout
from jitgym.exact import OptimalPolicy
from jitgym.scenario import Scenario

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

MOST_PANELS = 6


def draw(policy: OptimalPolicy, path: Path) -> None:
    """Write the picture of a policy as SVG."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    scenario = policy.layout.scenario
    rows = np.zeros((policy.states.shape[0], policy.layout.cells))
    rows[:, policy.key] = policy.states
    stocks = {item: net_stock(policy, rows, item) for item in scenario.items}
    sources = list(scenario.sources)[:MOST_PANELS]
    with pyplot.rc_context({"svg.hashsalt": scenario.name, "svg.fonttype": "none", "font.size": 8}):
        figure, panels = pyplot.subplots(
            1, len(sources), squeeze=False, figsize=(3.6 * len(sources), 3.0)
        )
        for k, (name, panel) in enumerate(zip(sources, panels[0], strict=True)):
            asked = policy.asks[:, k]
            made = scenario.sources[name].makes
            other = _other_item(scenario, made)
            if other is None:
                _spans(panel, stocks[made], asked)
                panel.set_xlabel(f"net stock of {made} (units)")
                panel.set_ylabel(f"{name} (units)")
            else:
                _plane(panel, stocks[other], stocks[made], asked)
                panel.set_xlabel(f"net stock of {other} (units)")
                panel.set_ylabel(f"net stock of {made} (units)")
                panel.set_title(f"{name}: mean order (units)")
        figure.tight_layout()
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def net_stock(policy: OptimalPolicy, rows: Floats, item: str) -> Floats:
    """Return the stock less backlog of an item in rows of states, (states,)."""
    view = ViewLayout(policy.layout).of(rows)
    waiting = [
        view[f"{name}.backlog"]
        for name, demand in policy.layout.scenario.demands.items()
        if demand.item == item and demand.waits
    ]
    return np.asarray(view[f"{item}.stock"] - sum(waiting, np.zeros(rows.shape[0])))


def _other_item(scenario: Scenario, made: str) -> str | None:
    """The item on the other axis of the panel: a material or a product of an item."""
    for source in scenario.sources.values():
        if source.makes == made and source.consumes:
            return next(iter(source.consumes))
    for source in scenario.sources.values():
        if made in source.consumes:
            return source.makes
    return None


def _spans(axes: Axes, stock: Floats, asked: Floats) -> None:
    levels = np.unique(stock)
    least, mean, most = np.array(
        [
            (asked[stock == level].min(), asked[stock == level].mean(), asked[stock == level].max())
            for level in levels
        ]
    ).T
    axes.fill_between(levels, least, most, alpha=0.25, step="mid", linewidth=0)
    axes.step(levels, mean, where="mid")


def _plane(axes: Axes, across: Floats, up: Floats, asked: Floats) -> None:
    columns, x = np.unique(across, return_inverse=True)
    lines, y = np.unique(up, return_inverse=True)
    total = np.zeros((lines.size, columns.size))
    count = np.zeros_like(total)
    np.add.at(total, (y, x), asked)
    np.add.at(count, (y, x), 1.0)
    with np.errstate(invalid="ignore"):
        mean = total / count  # nan where there is no state
    drawn = axes.pcolormesh(columns, lines, mean, shading="nearest", cmap="Blues")
    axes.figure.colorbar(drawn, ax=axes)
