"""Can-order: whoever must order takes along whoever may.

    an item at or below s must be ordered; then every item at or below c is, up to S

for all items that come on one truck (Balintfy 1964; Silver 1974). Here s = S - must, c = S - can:
`must` and `can` are gaps in periods of mean need, one each for every carrier; without them it is
base-stock, and the tuner starts from the best of that as well. Positions are the
echelon's; sources without a carrier in common follow their levels every period.

Textbook sizing: `must` covers the economic order of the whole truck, sqrt(2 K / sum of h D) periods
with K the cost of a trip and of its items; `can` half of it; levels are those of base-stock and the
need of `must` periods beside them. Levels in units.

>>> round(truck_interval(trip=60, items=[5, 5, 5, 5], holding=[6, 5, 5, 4]), 2)
2.83
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jitgym.control.sizing import stages
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.acting import Acting, acting, in_scenario_order
from ..base.common import level_parameter
from ..base.declaration import Array, Classic, Parameter, Special, Values, parameter
from ..pull.base_stock import BASE_STOCK


def truck_interval(trip: float, items: Sequence[float], holding: Sequence[float]) -> float:
    """Return sqrt(2 K / H) periods: K all fixed costs of a trip, H of holding a period's need."""
    total = math.fsum(holding)
    return math.sqrt(2 * (trip + math.fsum(items)) / total) if total else 1.0


@dataclass(frozen=True, eq=False)
class CanOrder(Acting):
    """Order-up-to levels with must and can, carrier by carrier."""

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the asks, (batch, sources) in units."""
        levels = in_scenario_order(self.layout, self.values["levels"]) @ self.plan.to_echelon
        asked = self.plan.up_to(state, levels)
        for k, (sources, needs) in enumerate(self._crews):
            gaps = asked[:, sources]
            must = gaps >= np.maximum(self.values["must"][:, k : k + 1] * needs, 1e-9)
            can = gaps >= self.values["can"][:, k : k + 1] * needs
            goes = must.any(axis=1, keepdims=True)
            asked[:, sources] = np.where(goes & (must | can), gaps, 0.0)
        return asked

    @cached_property
    def _crews(self) -> list[tuple[list[int], Array]]:
        """Sources of each carrier, and what each needs a period."""
        scenario = self.layout.scenario
        place = list(scenario.sources).index
        crews = [[place(name) for name in crew] for crew in carried(scenario).values()]
        needs = np.array([stage.requirement for stage in self.plan.stages])
        return [(crew, needs[crew]) for crew in crews]


def carried(scenario: Scenario) -> dict[str, list[str]]:
    """Return the sources of every carrier that has several."""
    crews = {
        carrier: [name for name, source in scenario.sources.items() if source.carrier == carrier]
        for carrier in scenario.carriers
    }
    return {carrier: crew for carrier, crew in crews.items() if len(crew) > 1}


def why_not(scenario: Scenario) -> str:
    """Return why nothing comes together, or nothing."""
    return "" if carried(scenario) else "no carrier brings what several sources ship"


def textbook_intervals(scenario: Scenario) -> Array:
    """Return the periods between trips of every carrier."""
    at = stages(scenario)
    return np.array(
        [
            truck_interval(
                scenario.carriers[carrier].cost
                + scenario.carriers[carrier].emissions * scenario.emission_price,
                [scenario.sources[name].shipment_cost for name in crew],
                [at[name].holding * at[name].requirement for name in crew],
            )
            for carrier, crew in carried(scenario).items()
        ]
    )


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the local levels, and must and can of every carrier."""
    at, crews = stages(scenario), carried(scenario)
    intervals = np.clip(textbook_intervals(scenario), 1.0, 12.0).astype(np.float64).round(1)
    extra = {
        name: at[name].lot * float(whole_up(interval * at[name].requirement / at[name].lot))
        for interval, crew in zip(intervals.tolist(), crews.values(), strict=True)
        for name in crew
    }
    levels = level_parameter(scenario, name="levels")
    textbook = levels.textbook + np.array([extra.get(name, 0.0) for name in at])

    def gap(name: str, value: Array) -> Parameter:
        return parameter(name, "periods of need", value, of=crews, high=12.0, step=0.1)

    return (
        levels.resized(textbook, high=levels.high + textbook),
        gap("must", intervals),
        gap("can", np.round(intervals / 2, 1)),
    )


def of_base_stock(scenario: Scenario, values: Values) -> Values:
    """Return the levels of base-stock, and gaps of nothing: every item follows its level."""
    none = np.zeros(len(carried(scenario)))
    return {"levels": values["levels"], "must": none, "can": none}


CAN_ORDER = Classic(
    "can-order",
    why_not,
    parameters,
    acting(CanOrder),
    holds=(Special(BASE_STOCK, of_base_stock),),
)
