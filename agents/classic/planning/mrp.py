"""MRP, material requirements planning: push what the forecast and the bill of materials call for.

    net requirement = gross requirement + safety stock - on hand - scheduled receipts
    planned release = net requirement, in lots, a lead time earlier               (Orlicky 1975)

Every period the plan is made anew, item by item from the customer up the bill of materials, and
what it releases now is asked for, whether or not anybody downstream is ready for it. This is what
just-in-time set out to beat. Gross requirements of what is sold are forecasts by exponential
smoothing (`forecasting`), net of what waits; those of a material are the releases of what is made
of it. Releases are enlarged by the share of defects. Of several sources of an item the cheapest is
planned; rework is pushed whenever there is something to rework.

Textbook sizing: planned lead times are the mean lead time and the mean wait for the work center
(`Stage.queue`); safety stock z times the deviation of demand over them and one period, with z 1.64
(95 %) for what is sold and 0 for the rest; outside suppliers are ordered from for as many periods
as the economic order quantity covers. Quantities in units.

>>> net, release = plan([20, 20, 20, 20], on_hand=30, receipts=[0, 15], lead_time=1, periods=2)
>>> net
[0, 0, 15, 20]
>>> release
[0, 35, 0, 0]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from jitgym.control.masses import deviation_of
from jitgym.control.rules import enough_material_for
from jitgym.control.sizing import Stage, from_supplier_to_customer, stages
from jitgym.plant.jit import compiled
from jitgym.plant.records import Plant
from jitgym.scenario import Scenario
from jitgym.units import is_some, whole_up

from ..adaptive.smoothed import weight_parameter, why_not
from ..base.acting import Acting, acting
from ..base.declaration import Array, Classic, Parameter, parameter
from ..base.forecasting import LONGEST, Forecasts

SAFETY = 1.64


def plan(
    gross: Sequence[float],
    on_hand: float,
    receipts: Sequence[float] = (),
    lead_time: int = 0,
    periods: int = 1,
    lot: float = 1.0,
) -> tuple[list[int], list[int]]:
    """Return net requirements and planned releases of an item, lot for lot or `periods` at once."""
    due = np.zeros((1, len(gross)))
    due[0, : len(receipts)] = receipts
    needed = np.maximum(np.cumsum(gross) - on_hand - np.cumsum(due[0]), 0.0)
    net = np.diff(np.maximum.accumulate(needed), prepend=0.0)
    released = releases(
        np.array([gross], np.float64), np.array([on_hand]), due, lead_time, np.array([periods]), lot
    )
    return net.astype(int).tolist(), released[0].astype(int).tolist()


def releases(
    gross: Array, on_hand: Array, due: Array, lead_time: int, periods: Array, lot: float = 1.0
) -> Array:
    """Return the planned releases of this and the coming periods, (batch, periods ahead)."""
    horizon = gross.shape[1]
    released = np.zeros_like(gross)
    wanted = np.cumsum(gross, axis=1)
    projected = on_hand[:, np.newaxis] + np.cumsum(due, axis=1) - wanted
    received = np.zeros(len(gross))
    longest = int(periods.max())
    for k in range(lead_time, horizon):
        short = -(projected[:, k] + received)
        # What is short now, and with it what the next periods will be short of.
        upto = np.minimum(k + periods - 1, horizon - 1).astype(np.int64)
        more = projected[:, k] - projected[np.arange(len(gross)), upto] if longest > 1 else 0.0
        size = np.where(is_some(short), whole_up((short + np.maximum(more, 0.0)) / lot), 0.0)
        released[:, k - lead_time] = size * lot
        received += size * lot
    return released


@dataclass(frozen=True, eq=False)
class Mrp(Acting):
    """The plan of every item; its memory is the forecasts."""

    forecasts: Forecasts = field(init=False)

    def __post_init__(self) -> None:
        """Forecasts of this plant."""
        object.__setattr__(self, "forecasts", Forecasts(self.layout))

    def start(self, batch: int) -> Array:
        """Return the forecasts with which an episode begins."""
        return self.forecasts.start(batch)

    def asks(self, state: Array, memory: Array) -> Array:
        """Revise the forecasts, make the plan, and return what it releases now."""
        scenario, batch = self.layout.scenario, len(state)
        self.forecasts.revise(state, memory, self.values["weight"])
        expected = self.forecasts.ahead(memory, self._horizon)
        asked = np.zeros((batch, len(scenario.sources)))
        gross = {item: np.zeros((batch, self._horizon)) for item in scenario.items}
        waiting = {item: np.zeros(batch) for item in scenario.items}
        for k, (name, demand) in enumerate(scenario.demands.items()):
            gross[demand.item] += expected[:, :, k]
            waiting[demand.item] += self.plan.total(state, f"{name}.backlog")
        safety = self.values["safety"] * self._deviations
        listed = list(from_supplier_to_customer(scenario))
        for item in reversed(scenario.items_upstream_first):
            for name in scenario.sources_of(item):
                if name in scenario.rework:
                    k = list(scenario.sources).index(name)
                    write_material_for(self.layout.plant, k, state, asked)
            if scenario.sources_of(item):
                name = primary(scenario, item)
                source = scenario.sources[name]
                k = list(scenario.sources).index(name)
                stock = self.plan.total(state, f"{item}.stock") - waiting[item]
                lead = self._leads[name]
                due = self._due(state, item, asked)
                periods = self.values["periods"][:, 0] if not source.consumes else np.ones(1)
                planned = releases(
                    gross[item],
                    np.broadcast_to(stock - safety[:, listed.index(name)], (batch,)),
                    due,
                    lead,
                    np.broadcast_to(periods, (batch,)),
                    source.lot_size,
                )
                planned = whole_up(planned / good_share(scenario, name) / source.lot_size)
                planned *= source.lot_size
                least = self.plan.stages[k].smallest_order  # below it nothing would be granted
                planned = np.where(planned > 0, np.maximum(planned, least), 0.0)
                asked[:, k] = planned[:, 0]
                for material, quantity in source.consumes.items():
                    gross[material] += quantity * planned
        return asked

    def _due(self, state: Array, item: str, asked: Array) -> Array:
        """What comes of an item, in the period in which it should: ordered, or now reworked."""
        scenario = self.layout.scenario
        parts = {part.name: part for part in self.layout.state}
        due = np.zeros((len(state), self._horizon))
        for name in scenario.sources_of(item):
            lead, part = self._leads[name], parts[f"{name}.in_process"]
            for age in range(1, part.size):
                when = min(max(lead - age, 0), self._horizon - 1)
                due[:, when] += state[:, part.start + age]
            whole = min(lead, self._horizon - 1)
            due[:, whole] += self.plan.total(state, f"{name}.unshipped")
            if name in scenario.rework and name != primary(scenario, item):
                due[:, whole] += asked[:, list(scenario.sources).index(name)]
        return due

    @cached_property
    def _leads(self) -> dict[str, int]:
        return planned_lead_times(self.layout.scenario)

    @cached_property
    def _horizon(self) -> int:
        """Periods of the plan: all lead times down to the customer, and the longest lot."""
        scenario, leads = self.layout.scenario, self._leads
        ahead: dict[str, int] = {}
        for item in reversed(scenario.items_upstream_first):
            below = [ahead[scenario.sources[name].makes] for name in scenario.consumers_of(item)]
            own = [leads[name] for name in scenario.sources_of(item)]
            ahead[item] = max(own, default=0) + max(below, default=0)
        return min(max(ahead.values()) + int(self.values["periods"].max()), LONGEST)

    @cached_property
    def _deviations(self) -> Array:
        at = stages(self.layout.scenario)
        return np.array([_deviation(at[name], self._leads[name]) for name in at])


def _deviation(stage: Stage, lead_time: int) -> float:
    """Deviation of demand over a planned lead time and one period of review, in units."""
    return deviation_of(stage.surprise) * math.sqrt(lead_time + 1)


def planned_lead_times(scenario: Scenario) -> dict[str, int]:
    """Return whole periods from a release until the item can be used; a material, at least 1."""
    return {
        name: max(
            int(whole_up(stage.flow_time - 1.0)), 1 if scenario.consumers_of(stage.item) else 0
        )
        for name, stage in stages(scenario).items()
    }


def primary(scenario: Scenario, item: str) -> str:
    """Return the source of an item that is planned: no rework, the cheapest, then the quickest."""
    reworked = scenario.rework
    return min(
        scenario.sources_of(item),
        key=lambda name: (
            name in reworked,
            scenario.sources[name].unit_cost,
            scenario.mean_lead_time(name),
        ),
    )


def good_share(scenario: Scenario, source: str) -> float:
    """Return the share of what a source makes that passes inspection; 1 where nothing does."""
    quality = scenario.sources[source].quality
    return 1.0 if quality is None else 1.0 - quality.defects * (1.0 - quality.escapes) or 1.0


@compiled
def write_material_for(plant: Plant, s: int, state: Array, asked: Array) -> None:
    """Write what source s could make of the materials in stock, asked (batch, sources)."""
    for e in range(state.shape[0]):
        asked[e, s] = enough_material_for(plant, s, state[e])


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the weight of the forecast, safety factors, and periods that an order lasts."""
    at = stages(scenario)
    sold = {demand.item for demand in scenario.demands.values()}
    lasts = min(max(_lasts(stage) for stage in at.values()), 12.0)
    return (
        weight_parameter(),
        parameter(
            "safety",
            "standard deviations",
            [SAFETY if stage.item in sold else 0.0 for stage in at.values()],
            of=at,
            high=8.0,
            step=0.05,
            low=-2.0,
        ),
        parameter("periods", "periods", lasts, high=12.0, low=1.0, whole=True),
    )


def _lasts(stage: Stage) -> float:
    """Periods that an economic order lasts, 1 for what is made of something."""
    if stage.scenario.sources[stage.source].consumes:
        return 1.0
    return max(1.0, round(stage.order_lasts))


MRP = Classic("mrp", why_not, parameters, acting(Mrp))
