"""Longest queue: a shared work center takes first what has most work waiting.

    priority = (S - inventory position) x time per unit

The queue of a product is its gap to an echelon base-stock level, in the work center's time. What
the center is set up for goes on while it has a gap, so that it changes over only to the longest of
the other queues (serve the longest queue, exhaustively: Liu, Nain and Towsley 1992 prove it optimal
for equal products). Levels are local, in units; textbook sizing: those of base-stock.

>>> work_waiting(np.array([4.0, 3.0, 0.0]), np.array([1.0, 2.0, 5.0])).tolist()
[4.0, 6.0, 0.0]
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jitgym.scenario import Scenario

from ..base.acting import Acting, acting, in_scenario_order
from ..base.common import level_parameter
from ..base.declaration import Array, Classic, Parameter


def work_waiting(asked: Array, times: Array) -> Array:
    """Return the time that each queue takes, (batch, sources)."""
    return asked * times


@dataclass(frozen=True, eq=False)
class LongestQueue(Acting):
    """Echelon base-stock levels, and priorities by work waiting."""

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the asks and their priorities, (batch, 2 sources)."""
        levels = in_scenario_order(self.layout, self.values["levels"]) @ self.plan.to_echelon
        asked = self.plan.up_to(state, levels)
        queues = work_waiting(asked, self._times)
        goes_on = queues.max(axis=1) + 1.0  # what a center is set up for comes first
        for source, center in self.plan.set_up:
            is_set_up = state[:, center] == source + 1.0
            queues[is_set_up, source] = goes_on[is_set_up]
        return np.hstack([asked, queues])

    @cached_property
    def _times(self) -> Array:
        return np.array([s.time_per_unit for s in self.layout.scenario.sources.values()])


def why_not(scenario: Scenario) -> str:
    """Return why there is nothing to choose between, or nothing."""
    crews = Counter(source.at for source in scenario.sources.values() if source.at)
    return "" if max(crews.values(), default=0) > 1 else "no two sources stand at one work center"


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the local levels."""
    return (level_parameter(scenario, name="levels"),)


LONGEST_QUEUE = Classic("longest-queue", why_not, parameters, acting(LongestQueue))
