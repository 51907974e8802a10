"""A short run of a policy to look at: stock and orders, period by period.

The plants run the first episodes of `validate`, so that every policy faces the same world.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy, ViewLayout
from jitgym.evaluate import closed_loop
from jitgym.plant import Layout
from jitgym.report.paths import SamplePath

Array = npt.NDArray[np.float64]

PLANTS = 32
PERIODS = 120  # that are looked at
AHEAD = 100  # most periods before them, in which the plants leave their initial state


@dataclass(frozen=True)
class Sample:
    """Stock and orders of some plants; 32 plants and 120 periods unless episodes are shorter."""

    first: int  # number of the first period in the episode
    stock: Array  # stock less backlog at the start of a period, (periods, plants, items), in units
    position: Array  # the same plus what is under way, of what a source makes; see `asked`
    asked: Array  # (periods, plants, sources), in units
    granted: Array  # (periods, plants, sources), in units

    def path(self, policy: str) -> SamplePath:
        """Return the path of episode 0, for a picture."""
        return SamplePath(policy, self.first, self.stock[:, 0], self.granted[:, 0])


def sample(policy: Policy, layout: Layout, seed: int) -> Sample:
    """Run a policy on the first episodes of `validate`, and return what happened."""
    engine = closed_loop.at_start(layout, "validate", seed, np.arange(PLANTS))
    decide = closed_loop.deciding(policy, layout, PLANTS)
    periods, warm_up = layout.scenario.horizon.of_split("validate")
    first = min(warm_up, AHEAD)
    length = min(PERIODS, periods - first)
    items, sources = len(layout.scenario.items), len(layout.scenario.sources)
    stock = np.empty((length, PLANTS, items))
    position, asked, granted = np.empty((3, length, PLANTS, sources))
    net = _NetStock(layout)
    before, under_way = net.of(engine.state), net.under_way(engine.state)
    made = net.made
    for period in closed_loop.run(engine, decide, first + length):
        if (k := period - first) >= 0:
            stock[k], asked[k], granted[k] = before, engine.asked[:, :sources], engine.granted
            position[k] = before[:, made] + under_way[:, made]
        before, under_way = net.of(engine.state), net.under_way(engine.state)
    return Sample(first, stock, position, asked, granted)


class _NetStock:
    """Stock less backlog of each item, from states."""

    def __init__(self, layout: Layout) -> None:
        self.view = ViewLayout(layout)
        demands = layout.scenario.demands.items()
        self.waiting = {
            item: [f"{name}.backlog" for name, d in demands if d.item == item and d.waits]
            for item in layout.scenario.items
        }

        scenario, items = layout.scenario, list(layout.scenario.items)
        self.made = np.array([items.index(source.makes) for source in scenario.sources.values()])
        self.ways = [
            [
                slice(part.start, part.stop)
                for part in layout.state
                if part.name in [f"{name}.in_process" for name in scenario.sources_of(item)]
            ]
            for item in items
        ]

    def under_way(self, state: Array) -> Array:
        """Return the units in process at all sources of each item, (plants, items)."""
        found = np.zeros((state.shape[0], len(self.ways)))
        for k, parts in enumerate(self.ways):
            for part in parts:
                found[:, k] += state[:, part].sum(axis=1)
        return found

    def of(self, state: Array) -> Array:
        """Return the net stock, (plants, items)."""
        view = self.view.of(state)
        found = np.empty((state.shape[0], len(self.waiting)))
        for k, (item, backlogs) in enumerate(self.waiting.items()):
            found[:, k] = view[f"{item}.stock"]
            for backlog in backlogs:
                found[:, k] -= view[backlog]
        return found
