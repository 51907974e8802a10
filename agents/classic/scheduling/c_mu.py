"""c mu / theta: a work center first makes the product whose waiting costs most per unit of time.

    priority = (c + theta a) mu / theta,   or c mu if no customer leaves
    a setup only for a gap of at least a run

c is the cost of a unit that waits for one period, a the cost of a customer who leaves, theta the
probability of leaving per period, and mu the units that the work center makes in a period (Cox and
Smith 1961; with abandonment, Atar, Giat and Shimkin 2010). The center goes on with the product that
it is set up for. Another product starts when its gap is at least its run (the thresholds of Hofri
and Ross 1987). Gaps, levels and orders of what is bought are those of seasonal base-stock.

Textbook sizing: runs are those of heijunka, levels those of seasonal base-stock. Quantities are in
units.

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
    """Return (c + theta a) mu / theta; c mu if the probability of leaving is 0."""
    cost = waiting + chance * leaving
    return round(cost * rate / (chance or 1.0), 2)


@dataclass(frozen=True, eq=False)
class CMu(SeasonalBaseStock):
    """Priorities by c mu / theta, and thresholds for setups."""

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the asks and their priorities, (batch, 2 x sources)."""
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
    """Return why the policy does not apply, or nothing."""
    return "" if shared(scenario) else "no work center has two sources with setups"


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the parameters of seasonal base-stock, and the least runs that start a setup."""
    at, names = stages(scenario), shared(scenario)
    usual = np.array([at[n].requirement for n in names]) * textbook_interval(scenario)
    lots = lots_of(at, names)
    textbook = np.floor(usual / lots + 0.5) * lots
    most = np.maximum(4 * textbook, 20 * lots)
    runs = parameter("runs", "units", textbook, of=names, high=most, step=lots)
    moved = seasonal_base_stock.moved(scenario)
    return (*seasonal_base_stock.parameters(scenario)[0 if moved else 2 :], runs)


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy; if nothing is bought, there are no safety factors and quantities."""
    return acting(CMu)(name, layout, {"safety": np.zeros(0), "quantity": np.zeros(0), **values})


C_MU = Classic("c-mu", why_not, parameters, build)
