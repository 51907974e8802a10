"""Myopic policy for lost sales: order for the one period in which the order arrives.

    order = the smallest q with P(D <= X + q) >= p / (p + h)

X is the stock when the order arrives, L periods from now. Its distribution is computed from the
stock and all units on order, with lost sales in each period. D is the demand of the period of
arrival, p the cost of a lost sale and h the holding cost (Morton 1971; Zipkin 2008). Unlike
base-stock, the policy takes into account that stock cannot fall below 0 until then. Where demand
waits, it would equal base-stock.

Textbook sizing: the ratio is that of the newsvendor, and a tuner may move it. Quantities in units.

>>> coin = np.array([0.5, 0.5])  # a unit of demand or none
>>> stock, coming = np.array([0.0, 1.0, 2.0]), np.empty((3, 0))
>>> myopic_orders(stock, coming, lead_time=1, demand=coin, ratio=0.9, most=4).tolist()
[1, 1, 0]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from jitgym.control.costs import MOST_RATIO
from jitgym.control.masses import quantile
from jitgym.control.sizing import stages
from jitgym.distributions import Deterministic
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.acting import Acting, acting, remembered
from ..base.declaration import Array, Classic, Parameter, parameter
from . import linear_capped

Method = Callable[[Array, Array, int, Array, Array, int], npt.NDArray[np.intp]]
"""(stock, on order, lead time, demand, ratio, most) -> orders; see `myopic_orders`."""

LARGEST = 400  # units: with more on order, the computation unit by unit is slow


def myopic_orders(
    stock: Array,
    coming: Array,
    lead_time: int,
    demand: Array,
    ratio: float | Array,
    most: int,
) -> npt.NDArray[np.intp]:
    """Return the order of each row, (batch,), at most `most` units.

    Parameters
    ----------
    stock, coming
        Units in stock, (batch,); units on order, next arrival first, (batch, lead time - 1).
    demand
        Mass of the demand of one period.
    ratio
        p / (p + h): a number, or an array (batch, 1).
    """
    there = stock_on_arrival(stock, coming, lead_time, demand)
    size = there.shape[1]
    covered = np.minimum(np.cumsum(demand), 1.0)
    reach = np.add.outer(np.arange(size), np.arange(most + 1))
    enough = there @ covered[np.minimum(reach, covered.size - 1)] >= ratio - 1e-12
    return np.where(enough.any(axis=1), enough.argmax(axis=1), most)


def stock_on_arrival(stock: Array, coming: Array, lead_time: int, demand: Array) -> Array:
    """Return the probability of each stock at the arrival of an order, (batch, units + 1).

    This stock excludes the order itself, and comes before the demand of that period.
    """
    batch = stock.size
    size = int((stock + coming.sum(axis=1)).max()) + 1
    there = np.zeros((batch, size))  # today's stock is known
    there[np.arange(batch), stock.astype(np.intp)] = 1.0
    sales = after_demand(demand, size)
    for period in range(lead_time):
        there = there @ sales
        if period < lead_time - 1:
            before = np.arange(size) - coming[:, period, np.newaxis].astype(np.intp)
            moved = np.take_along_axis(there, np.maximum(before, 0), axis=1)
            there = np.where(before >= 0, moved, 0.0)
    return there


def after_demand(demand: Array, size: int) -> Array:
    """Return the probabilities of stock after demand for each stock before it, (size, size)."""
    gone = np.subtract.outer(np.arange(size), np.arange(size))  # before - after
    chance = np.append(demand, np.zeros(max(0, size - demand.size)))
    left = np.where(gone >= 0, chance[np.maximum(gone, 0)], 0.0)
    left[:, 0] = 1.0 - left[:, 1:].sum(axis=1)
    return left


AT_ONCE = 256  # states that are computed together, to save memory


@dataclass(frozen=True, eq=False)
class Myopic(Acting):
    """The policy; it keeps the orders of the states that it met, because states recur."""

    method: Method = field(default=myopic_orders, kw_only=True)
    known: dict[bytes, Array] = field(default_factory=dict, init=False, repr=False)

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the orders, (batch, 1) in units."""
        (stage,) = self.plan.stages
        stock, coming = self._seen(state)
        ratio = np.broadcast_to(self.values["ratio"], (len(state), 1))
        seen = np.column_stack([stock, coming, ratio])

        def orders(new: list[int]) -> Array:
            parts = [new[k : k + AT_ONCE] for k in range(0, len(new), AT_ONCE)]
            return np.concatenate(
                [
                    self.method(
                        stock[p], coming[p], self._lead_time, stage.demand, ratio[p], self._most
                    )
                    for p in parts
                ]
            )

        found = remembered(self.known, seen, orders)[:, np.newaxis]
        return np.asarray(whole_up(found / stage.lot) * stage.lot, dtype=np.float64)

    def _seen(self, state: Array) -> tuple[Array, Array]:
        """Return the stock, (batch,), and the units on order, next arrival first."""
        (stage,) = self.plan.stages
        stock = self.plan.total(state, f"{stage.item}.stock")
        on_order = self.layout.named[f"{stage.source}.in_process"]
        # By age, youngest first; the order of this period is not in it yet.
        return stock, state[:, on_order.start + 1 : on_order.stop][:, ::-1]

    @cached_property
    def _lead_time(self) -> int:
        (stage,) = self.plan.stages
        return round(stage.scenario.mean_lead_time(stage.source))

    @cached_property
    def _most(self) -> int:
        (stage,) = self.plan.stages
        return int(quantile(stage.demand, MOST_RATIO))


def why_not(scenario: Scenario) -> str:
    """Return why an order cannot be matched to one period, or nothing."""
    if reason := linear_capped.why_not(scenario):
        return reason
    (stage,) = stages(scenario).values()
    source, item = scenario.sources[stage.source], scenario.items[stage.item]
    if not stage.is_lost:
        return "demand waits here, so use base-stock"
    if source.consumes or source.at:
        return "it orders from an outside supplier; the source here uses a work center or materials"
    if not isinstance(source.lead_time, Deterministic):
        return "the lead time is random; it needs to know the period in which an order arrives"
    if stage.smallest_order > stage.lot:
        return "orders have a minimum, but it orders for a single period"
    if source.partial is not None:
        return "deliveries can be partial, but it assumes that every order arrives in full"
    if item.shelf_life or item.obsolescence:
        return "stock spoils here, but it assumes that only sales reduce stock"
    if len({id(phase) for demand in scenario.demands.values() for phase in demand.phases}) > 1:
        return "demand differs between periods, but it assumes stationary demand"
    if stage.ceiling > LARGEST:
        return f"it computes the stock unit by unit, which is too slow above {LARGEST} units"
    return ""


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the newsvendor ratio."""
    (stage,) = stages(scenario).values()
    ratio = float(np.mean(stage.ratios))
    of = (stage.source,)
    return (parameter("ratio", "share", ratio, of=of, high=0.9999, step=0.005, most=1.0),)


MYOPIC = Classic("myopic", why_not, parameters, acting(Myopic))
