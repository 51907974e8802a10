"""MRP, material requirements planning: push what forecasts and bills of materials require.

    net requirement = gross requirement + safety stock - on hand - scheduled receipts
    planned release = net requirement, in lots, one lead time earlier             (Orlicky 1975)

Every period makes a new plan, item by item from the customer up the bill of materials, and asks for
what the plan releases now, whether or not anybody downstream is ready for it. Just-in-time was
invented to beat this. Gross requirements of a sold item are forecasts by exponential smoothing
(`forecasting`), and its backlog is deducted from its stock. Those of a material are the planned
releases of what is made of it. Releases are increased by the share of defects. If an item has
several sources, the plan uses the cheapest. Rework is pushed whenever there is something to rework.

Textbook sizing: the planned lead time is the mean lead time and the mean wait for the work center
(`Stage.queue`). Safety stock is z times the standard deviation of demand over this time and one
period. For sold items z is 1.64 (95 %), but between the safety factor of base-stock, which depends
on the cost of a shortage, and 1 above it; for other items z is 0. An order from an outside supplier
covers as many periods as the economic order quantity does. Quantities are in units.

>>> net, release = plan([20, 20, 20, 20], on_hand=30, receipts=[0, 15], lead_time=1, periods=2)
>>> net
[0, 0, 15, 20]
>>> release
[0, 35, 0, 0]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jitgym.control.masses import deviation_of
from jitgym.control.rules import enough_material_for
from jitgym.control.sizing import Stage, bounded_level, from_supplier_to_customer, stages
from jitgym.plant.jit import compiled
from jitgym.plant.records import Plant
from jitgym.scenario import Scenario
from jitgym.units import is_some, whole_up

from ..adaptive.smoothed import weight_parameter, why_not
from ..base.acting import acting, add_due
from ..base.declaration import Array, Classic, Parameter, parameter
from ..base.forecasting import LONGEST, Forecasting

SAFETY = 1.64


def plan(
    gross: Sequence[float],
    on_hand: float,
    receipts: Sequence[float] = (),
    lead_time: int = 0,
    periods: int = 1,
    lot: float = 1.0,
) -> tuple[list[int], list[int]]:
    """Return net requirements and planned releases of an item; a release covers `periods`."""
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
        # The shortage of this period, and that of the next ones that the same release covers.
        upto = np.minimum(k + periods - 1, horizon - 1).astype(np.int64)
        more = projected[:, k] - projected[np.arange(len(gross)), upto] if longest > 1 else 0.0
        size = np.where(is_some(short), whole_up((short + np.maximum(more, 0.0)) / lot), 0.0)
        released[:, k - lead_time] = size * lot
        received += size * lot
    return released


@dataclass(frozen=True, eq=False)
class Mrp(Forecasting):
    """The plan of every item; the memory holds the forecasts."""

    def asks(self, state: Array, memory: Array) -> Array:
        """Update the forecasts, make the plan, and return what it releases now."""
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
                planned = whole_up(planned / (source.good_share or 1.0) / source.lot_size)
                planned *= source.lot_size
                least = self.plan.stages[k].smallest_order  # nothing below it would be granted
                planned = np.where(planned > 0, np.maximum(planned, least), 0.0)
                asked[:, k] = planned[:, 0]
                for material, quantity in source.consumes.items():
                    gross[material] += quantity * planned
        return asked

    def _due(self, state: Array, item: str, asked: Array) -> Array:
        """Units of an item that were ordered, or are reworked now, by the period they are due."""
        scenario = self.layout.scenario
        due = np.zeros((len(state), self._horizon))
        for name in scenario.sources_of(item):
            lead = self._leads[name]
            add_due(self.layout, state, name, due, lead)
            if name in scenario.rework and name != primary(scenario, item):
                when = min(lead, self._horizon - 1)
                due[:, when] += asked[:, list(scenario.sources).index(name)]
        return due

    @cached_property
    def _leads(self) -> dict[str, int]:
        return planned_lead_times(self.layout.scenario)

    @cached_property
    def _horizon(self) -> int:
        """Periods of the plan: the lead times down to the customer, and a lot's periods."""
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
    """Standard deviation of demand over a planned lead time and one review period, in units."""
    return deviation_of(stage.surprise) * math.sqrt(lead_time + 1)


def planned_lead_times(scenario: Scenario) -> dict[str, int]:
    """Return whole periods from a release until the item can be used, by source."""
    return {name: planned_lead_time(stage) for name, stage in stages(scenario).items()}


def planned_lead_time(stage: Stage) -> int:
    """Return whole periods from a release until the item can be used; at least 1 for a material."""
    least = 1 if stage.scenario.consumers_of(stage.item) else 0
    lead_time = stage.scenario.mean_lead_time(stage.source)
    wait = stage.flow_time - 1.0 - lead_time
    if stage.scenario.sources[stage.source].at is None and stage.uncertainty > 1e-9:
        wait = round(wait)  # behind a largest order most units wait for none
    return max(int(whole_up(lead_time + wait)), least)


def primary(scenario: Scenario, item: str) -> str:
    """Return the source that the plan uses: not rework, then the cheapest, then the fastest."""
    reworked = scenario.rework
    return min(
        scenario.sources_of(item),
        key=lambda name: (
            name in reworked,
            scenario.sources[name].unit_cost,
            scenario.mean_lead_time(name),
        ),
    )


@compiled
def write_material_for(plant: Plant, s: int, state: Array, asked: Array) -> None:
    """Write into `asked` (batch, sources) what source s could make of the materials in stock."""
    for e in range(state.shape[0]):
        asked[e, s] = enough_material_for(plant, s, state[e])


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the forecast's weight, the safety factors, and the periods that an order covers."""
    at = stages(scenario)
    sold = {demand.item for demand in scenario.demands.values()}
    lasts = min(max(_lasts(stage) for stage in at.values()), 12.0)
    return (
        weight_parameter(),
        parameter(
            "safety",
            "standard deviations",
            [_safety(stage) if stage.item in sold else 0.0 for stage in at.values()],
            of=at,
            high=8.0,
            step=0.05,
            low=-2.0,
        ),
        parameter("periods", "periods", lasts, high=12.0, low=1.0, whole=True),
    )


def _safety(stage: Stage) -> float:
    """Return the safety factor for 95 %, between that of the base-stock level and 1 above it."""
    lead_time = planned_lead_time(stage)
    deviation = _deviation(stage, lead_time)
    if deviation < 1e-9:
        return SAFETY
    level = bounded_level(stage.surprises, *stage.ratios)
    factor = round((level - stage.requirement * (lead_time + 1)) / deviation, 2)
    if stage.scenario.is_made_to_order(stage.item):
        return max(SAFETY, factor)
    return max(min(SAFETY, factor + 1.0), factor)


def _lasts(stage: Stage) -> float:
    """Periods that an economic order covers; 1 for what is made of something."""
    if stage.scenario.sources[stage.source].consumes:
        return 1.0
    return max(1.0, round(stage.order_lasts))


MRP = Classic("mrp", why_not, parameters, acting(Mrp))
