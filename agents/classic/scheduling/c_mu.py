"""c mu / theta: the work center takes first what is dearest to keep waiting for the time it takes.

    priority = (c + theta a) mu / theta,   c mu where nobody leaves
    a setup only for a run that is worth it

c cost of a unit that waits a period, a of one that leaves, theta the chance that it does, mu units
that the work center makes in a period (Cox and Smith 1961; with abandonment Atar, Giat and Shimkin
2010). What the center is set up for goes on; another begins when its gap is at least its run (the
thresholds of Hofri and Ross 1987). Gaps and levels, and what is bought, as in seasonal base-stock.

Textbook sizing: runs as heijunka has them, levels as seasonal base-stock. Quantities in units.

>>> index(waiting=0.2, leaving=18.5, chance=0.03, rate=1 / 0.075)
335.56
>>> index(waiting=2.0, leaving=0, chance=0, rate=3)
6.0
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jitgym.control import Policy
from jitgym.control.costs import worth
from jitgym.control.sizing import stages
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from ..adaptive import seasonal_base_stock
from ..adaptive.seasonal_base_stock import SeasonalBaseStock
from ..base.acting import acting, in_scenario_order, shared
from ..base.common import lots_of
from ..base.declaration import Array, Classic, Parameter, Values, parameter
from .heijunka import textbook_interval


def index(waiting: float, leaving: float, chance: float, rate: float) -> float:
    """Return c mu / theta, with the cost of those who leave in c; c mu where nobody does."""
    cost = waiting + chance * leaving
    return round(cost * rate / (chance or 1.0), 2)


@dataclass(frozen=True, eq=False)
class CMu(SeasonalBaseStock):
    """Priorities by c mu / theta, and thresholds for setups."""

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the asks and their priorities, (batch, 2 sources)."""
        asked = self.worth_a_shipment(self.plan.up_to(state, self.levels(state)))
        runs = in_scenario_order(self.layout, self.values["runs"], shared(self.layout.scenario))
        asked = self.plan.hold_back(state, asked, runs)
        return np.hstack([asked, np.broadcast_to(self._priorities, asked.shape)])

    @cached_property
    def _priorities(self) -> Array:
        scenario = self.layout.scenario
        found = []
        for name, stage in zip(scenario.sources, self.plan.stages, strict=True):
            time = scenario.sources[name].time_per_unit
            indices = [0.0]
            for d in stage.units:
                demand = scenario.demands[d]
                waiting = demand.shortage_cost if demand.waits else worth(scenario, demand)
                rate = 1.0 / time if time else 1.0
                indices.append(index(waiting, demand.abandonment_cost, demand.abandons, rate))
            found.append(max(indices))
        return np.array(found)


def why_not(scenario: Scenario) -> str:
    """Return why there is nothing to choose between, or nothing."""
    return "" if shared(scenario) else "no two sources take setups at one work center"


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return those of seasonal base-stock, and the runs that are worth a setup."""
    at, names = stages(scenario), shared(scenario)
    usual = np.array([at[n].requirement for n in names]) * textbook_interval(scenario)
    lots = lots_of(at, names)
    textbook = np.floor(usual / lots + 0.5) * lots
    most = np.maximum(4 * textbook, 20 * lots)
    runs = parameter("runs", "units", textbook, of=names, high=most, step=lots)
    moved = seasonal_base_stock.moved(scenario)
    return (*seasonal_base_stock.parameters(scenario)[0 if moved else 2 :], runs)


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy; where nothing is bought there are no safety factors and quantities."""
    return acting(CMu)(name, layout, {"safety": np.zeros(0), "quantity": np.zeros(0), **values})


C_MU = Classic("c-mu", why_not, parameters, build)
