"""Longest queue: a shared work center first makes the product with the most work waiting.

    priority = (S - inventory position) x time per unit

The queue of a product is its gap to an echelon base-stock level, in the work center's time. The
center goes on with the product that it is set up for until its gap is closed, and then changes over
to the longest of the other queues. Liu, Nain and Towsley (1992) prove that this is optimal for
equal products. Levels are local, in units; textbook sizing is that of base-stock.

>>> work_waiting(np.array([4.0, 3.0, 0.0]), np.array([1.0, 2.0, 5.0])).tolist()
[4.0, 6.0, 0.0]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jitgym.scenario import Scenario

from ..base.acting import Acting, acting
from ..base.common import level_parameter
from ..base.declaration import Array, Classic, Parameter


def work_waiting(asked: Array, times: Array) -> Array:
    """Return the time that the work center needs for each queue, (batch, sources)."""
    return asked * times


@dataclass(frozen=True, eq=False)
class LongestQueue(Acting):
    """Echelon base-stock levels, and priorities by work waiting."""

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the asks and their priorities, (batch, 2 x sources)."""
        asked = self.plan.up_to_local(state, self.values["levels"])
        queues = work_waiting(asked, self._times)
        goes_on = queues.max(axis=1) + 1.0  # the product that a center is set up for comes first
        for source, center in self.plan.set_up:
            is_set_up = state[:, center] == source + 1.0
            queues[is_set_up, source] = goes_on[is_set_up]
        return np.hstack([asked, queues])

    @cached_property
    def _times(self) -> Array:
        return np.array([s.time_per_unit for s in self.layout.scenario.sources.values()])


def why_not(scenario: Scenario) -> str:
    """Return why the policy does not apply, or nothing."""
    has_two = any(len(scenario.crew_of(center)) > 1 for center in scenario.work_centers)
    return "" if has_two else "no work center has two sources"


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the local levels."""
    return (level_parameter(scenario, name="levels"),)


LONGEST_QUEUE = Classic("longest-queue", why_not, parameters, acting(LongestQueue))
