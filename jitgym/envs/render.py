"""What `render` shows of a plant: its view as text, or a small picture.

    ansi        every cell of the view, one per line
    rgb_array   three bars for each item, in the scenario's order: stock (green), units in process
                at its sources (blue) and backlog (red)

The height of a bar is the quantity's share of the item's largest level; a bar that is cut off at
the top ends in a black cap. The picture needs only numpy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.control import ViewLayout
from jitgym.errors import ScenarioError
from jitgym.plant import Layout

MODES = ("ansi", "rgb_array")

Picture = npt.NDArray[np.uint8]  # (HEIGHT, width, 3)

HEIGHT = 120  # pixels, as all sizes below
BAR, GAP, MARGIN = 12, 16, 8  # width of a bar, gap between items, margin around the picture
CAP = 3  # height of the cap on a bar that is cut off
WHITE, BLACK, GRAY = (255, 255, 255), (0, 0, 0), (120, 120, 120)
COLORS = {"stock": (60, 150, 80), "in_process": (60, 110, 190), "backlog": (200, 60, 50)}


def expect_mode(mode: object) -> None:
    """Raise ScenarioError if there is no such render mode."""
    if mode is not None and (not isinstance(mode, str) or mode not in MODES):
        known = ", ".join(repr(known) for known in MODES)
        raise ScenarioError(f"render_mode {mode!r} is unknown; expected None or one of {known}")


def render(
    layout: Layout, state: npt.NDArray[np.float64], period: int, mode: str | None
) -> str | Picture | None:
    """Return what a render mode shows of a state, (cells,), after `period` periods."""
    if mode == "rgb_array":
        return picture(layout, state)
    return text(layout, state, period) if mode == "ansi" else None


def text(layout: Layout, state: npt.NDArray[np.float64], period: int) -> str:
    """Return the view of a state as text, one cell per line."""
    cells = ViewLayout(layout).cells
    lines = [f"{cell.name:<32} {state[cell.column]:>10g} {cell.of.unit}" for cell in cells]
    return "\n".join([f"period {period}", *lines])


def picture(layout: Layout, state: npt.NDArray[np.float64]) -> Picture:
    """Return a picture of a state: bars of stock, units in process and backlog of each item."""
    items = list(layout.scenario.items)
    width = 2 * MARGIN + len(items) * (len(COLORS) * BAR + GAP) - GAP
    shown = np.full((HEIGHT, width, 3), WHITE, dtype=np.uint8)
    ground = HEIGHT - MARGIN
    shown[ground, MARGIN : width - MARGIN] = GRAY
    left = MARGIN
    for item in items:
        most = layout.scenario.level_bound(item)
        for what, quantity in quantities(layout, state, item).items():
            share = min(quantity / most, 1.0)
            top = ground - round(share * (ground - MARGIN))
            shown[top:ground, left : left + BAR - 1] = COLORS[what]
            if quantity > most:
                shown[top : top + CAP, left : left + BAR - 1] = BLACK
            left += BAR
        left += GAP
    return shown


def quantities(layout: Layout, state: npt.NDArray[np.float64], item: str) -> dict[str, float]:
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
