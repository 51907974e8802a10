"""A plant as a board in text, at most 80 columns: stock, orders, backlog, and what is down.

    period 12                      cost 4.00
    item         stock                  on order  backlog
    product          7 #######                15        -
    order        asked  granted
    supplier         3        3

A bar shows stock as a share of the largest stock of any item on the board.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.plant import Layout

Array = npt.NDArray[np.float64]

WIDTH = 80  # columns
BAR = 24  # columns of the longest bar
NAME = 22  # columns of a name


def board(
    layout: Layout,
    state: Array,
    period: int,
    asked: Array | None = None,
    granted: Array | None = None,
    cost: float | None = None,
) -> str:
    """Return the board of a state, (cells,), after `period` periods.

    Parameters
    ----------
    asked, granted
        Units asked for and granted in the period before, (sources,); None before the first one.
    cost
        The cost of that period, in money.
    """
    return "\n".join(
        line.rstrip()[:WIDTH] for line in _lines(layout, state, period, asked, granted, cost)
    )


def _lines(
    layout: Layout,
    state: Array,
    period: int,
    asked: Array | None,
    granted: Array | None,
    cost: float | None,
) -> Iterator[str]:
    scenario = layout.scenario
    yield f"period {period}" + ("" if cost is None else f"{'':10}cost {cost:,.2f}")
    found = {item: quantities(layout, state, item) for item in scenario.items}
    most = max(1.0, *(each["stock"] for each in found.values()))
    waits = any(demand.waits for demand in scenario.demands.values())
    yield f"{'item':<{NAME}}{'stock':>8} {'':<{BAR}} {'on order':>9}" + (
        f" {'backlog':>8}" if waits else ""
    )
    for item, units in found.items():
        bar = "#" * round(BAR * units["stock"] / most)
        late = f" {_units(units['backlog']):>8}" if waits else ""
        yield (
            f"{item[: NAME - 1]:<{NAME}}{units['stock']:>8g} {bar:<{BAR}} "
            f"{_units(units['in_process']):>9}{late}"
        )
    if asked is not None and granted is not None:
        yield f"{'order':<{NAME}}{'asked':>8} {'granted':>9}"
        for k, name in enumerate(scenario.sources):
            if asked[k] > 0 or granted[k] > 0:
                yield f"{name[: NAME - 1]:<{NAME}}{asked[k]:>8g} {granted[k]:>9g}"
    cells = {part.name: part.start for part in layout.state}
    down = [name[:-3] for name, cell in cells.items() if name.endswith(".up") and not state[cell]]
    if down:
        yield f"down: {', '.join(down)}"
    sources = list(scenario.sources)
    for name in scenario.work_centers:
        if f"{name}.setup" in cells and (ready := int(state[cells[f"{name}.setup"]])):
            yield f"{name} is set up for {sources[ready - 1]}"
    for name in scenario.demands:
        if f"{name}.last" in cells and asked is not None:
            yield f"{name} asked for {state[cells[f'{name}.last']]:g}"


def quantities(layout: Layout, state: Array, item: str) -> dict[str, float]:
    """Return the units of an item: in stock, in process at its sources, and backordered."""
    scenario = layout.scenario
    waiting = [name for name, demand in scenario.demands.items() if demand.item == item]
    named: dict[str, list[str]] = {
        "stock": [f"{item}.stock"],
        "in_process": [f"{source}.in_process" for source in scenario.sources_of(item)],
        "backlog": [f"{demand}.backlog" for demand in waiting],
    }
    cells: dict[str, Any] = {part.name: slice(part.start, part.stop) for part in layout.state}
    return {
        what: float(sum(state[cells[name]].sum() for name in names if name in cells))
        for what, names in named.items()
    }


def _units(quantity: float) -> str:
    return f"{quantity:g}" if quantity else "-"
