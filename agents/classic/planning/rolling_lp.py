"""Rolling linear program: plan all orders over a forecast in every period, and ask for the first.

    minimize  sum of  c x + h y + p f + b m       over the coming periods t
    y[i,t] = y[i,t-1] + arrivals + g x[s,t-L] - materials - (demand forecast + m[d,t-1] - m[d,t])
    y[i,t] + f[i,t] >= z deviations,   materials <= what is in stock,   time of x <= time of center

x are the orders of every source, y the stocks, f the missing safety stock, and m the units that
wait, or that are lost where demand is lost. L are lead times, g is the share that passes inspection
(Hopp and Spearman 2011, Factory Physics, section 16.3; Baker 1977 on rolling schedules). Safety
stock of a material counts before the next period takes its share. The program sees bills of
materials, capacities, breakdowns and several sources of an item together. It does not see chance;
the safety factor z makes up for that. HiGHS solves it. The forecast is the scenario's own if the
view shows one, else the mean, by pattern and season. The first orders are rounded to lots.

The program does not know fixed costs. It does not apply where they matter most: setups at shared
work centers, trucks, and orders that cover more than three periods. The plan reaches 6 periods
beyond the longest way to the customer; units that wait at its end are charged their cost of making.

Textbook sizing: z is the newsvendor's, Phi(z) = b / (b + h); there is one for sold items and one
for their materials. Both are tuned, with few trials. Standard deviations are those of demand over
the lead time and one period, and of the queue for the work center. Quantities are in units, costs
per unit and period.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.control.costs import critical_ratio
from jitgym.control.masses import deviation_of
from jitgym.control.sizing import Stage, available_time, stages
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario, UpDown
from jitgym.units import whole_up

from ..adaptive import smoothed
from ..base.acting import acting, add_due, remembered, shared
from ..base.declaration import Array, Classic, Parameter, parameter
from ..base.forecasting import Forecasting

BEYOND = 6  # periods after the longest way to the customer
WORK = 1e6  # largest number of variables in all plans of an episode
MOST_CYCLE = 3.0  # largest number of periods that an economic order covers
HALF = 0.5 + 1e-7  # share of a lot from which orders are rounded up; within the solver's tolerance
LATER = 1e-6  # cost per unit and period, relative to the highest holding cost: prefers later orders


@dataclass(frozen=True)
class Program:
    """The linear program of a plant: everything that does not change from period to period.

    Columns are orders (sources, periods), stocks and missing safety stocks (items, periods), and
    unmet demands (demands, periods).
    """

    layout: Layout

    @property
    def scenario(self) -> Scenario:
        """The scenario of the plant."""
        return self.layout.scenario

    @cached_property
    def leads(self) -> list[int]:
        """Whole periods from an order until it can be used, (sources,)."""
        names = self.scenario.sources
        return [int(whole_up(self.scenario.mean_lead_time(name))) for name in names]

    @cached_property
    def periods(self) -> int:
        """Periods of the plan: long enough for an order upstream to reach the customer."""
        place = list(self.scenario.sources).index
        ways = [stage.route for stage in stages(self.scenario).values()]
        # An order that arrives at once can be used as a material in the next period only.
        longest = max(sum(max(self.leads[place(s)], 1) for s in way) for way in ways)
        return longest + BEYOND

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """The first source of every item that has one, as a stage."""
        at = stages(self.scenario)
        items = self.scenario.items
        return {item: at[found[0]] for item in items if (found := self.scenario.sources_of(item))}

    @cached_property
    def orders(self) -> npt.NDArray[np.intp]:
        """Columns of the orders, (sources, periods)."""
        return self._columns[0]

    @cached_property
    def _columns(self) -> list[npt.NDArray[np.intp]]:
        scenario = self.scenario
        counts = [len(scenario.sources), *[len(scenario.items)] * 2, len(scenario.demands)]
        ends = np.cumsum([0, *counts]) * self.periods
        return [
            np.arange(first, end).reshape(count, self.periods)
            for first, end, count in zip(ends, ends[1:], counts, strict=False)
        ]

    @property
    def size(self) -> int:
        """The number of variables."""
        return sum(block.size for block in self._columns)

    @cached_property
    def costs(self) -> Array:
        """The cost per unit of each column."""
        scenario = self.scenario
        orders, stocks, lacking, unmet = self._columns
        found = np.zeros(self.size)
        dearest = max((item.holding_cost for item in scenario.items.values()), default=0.0)
        for k, source in enumerate(scenario.sources.values()):
            found[orders[k]] = source.unit_cost + source.in_process_holding_cost * self.leads[k]
            found[orders[k]] += scenario.emission_price * source.emissions_per_unit
            found[orders[k]] += LATER * max(dearest, 1e-3) * np.arange(self.periods, 0, -1)
        for k, (name, item) in enumerate(scenario.items.items()):
            found[stocks[k]] = item.holding_cost
            found[lacking[k]] = self.stages[name].shortage if name in self.stages else 0.0
        for k, demand in enumerate(scenario.demands.values()):
            found[unmet[k]] = demand.shortage_cost + (0.0 if demand.waits else demand.price)
            if demand.waits:
                found[unmet[k]] += 0.0 if demand.shortage_cost else demand.price
                found[unmet[k, -1]] += scenario.unit_cost(demand.item)
        return found

    @cached_property
    def matrix(self) -> Any:
        """The rows of balances, safety stocks, materials and work centers, (rows, size)."""
        from scipy.sparse import csc_array  # a slow import, so only here

        scenario, places = self.scenario, list(self.scenario.items).index
        orders, stocks, lacking, unmet = self._columns
        balance = np.zeros((len(scenario.items), self.periods, self.size))
        safety, taken = np.zeros_like(balance), np.zeros_like(balance)
        time = np.zeros((len(scenario.work_centers), self.periods, self.size))
        centers = list(scenario.work_centers).index
        for t in range(self.periods):
            for k in range(len(scenario.items)):
                balance[k, t, stocks[k, t]] = safety[k, t, stocks[k, t]] = 1.0
                safety[k, t, lacking[k, t]] = 1.0
                if t:
                    balance[k, t, stocks[k, t - 1]] = taken[k, t, stocks[k, t - 1]] = -1.0
            for k, source in enumerate(scenario.sources.values()):
                made, lead, good = places(source.makes), self.leads[k], source.good_share or 1.0
                if t >= lead:
                    balance[made, t, orders[k, t - lead]] -= good
                if t >= lead > 0:
                    taken[made, t, orders[k, t - lead]] -= good
                for material, units in source.consumes.items():
                    balance[places(material), t, orders[k, t]] += units
                    taken[places(material), t, orders[k, t]] += units
                if source.at:
                    time[centers(source.at), t, orders[k, t]] += source.time_per_unit
            for k, demand in enumerate(scenario.demands.values()):
                balance[places(demand.item), t, unmet[k, t]] -= 1.0
                if t and demand.waits:
                    balance[places(demand.item), t, unmet[k, t - 1]] += 1.0
        for k in self.upstream:  # what the next period takes as materials is not safety stock
            safety[k, :, stocks[k]] = 0.0
            safety[k] -= taken[k]
        kinds = (balance, safety, taken[self.materials], time)
        return csc_array(np.concatenate([kind.reshape(-1, self.size) for kind in kinds]))

    @cached_property
    def materials(self) -> list[int]:
        """Places of the items that sources consume."""
        items = list(self.scenario.items)
        return [k for k, name in enumerate(items) if self.scenario.consumers_of(name)]

    @cached_property
    def upstream(self) -> list[int]:
        """Places of the materials that no customer buys."""
        sold = {demand.item for demand in self.scenario.demands.values()}
        return [k for k in self.materials if list(self.scenario.items)[k] not in sold]

    @cached_property
    def most(self) -> Array:
        """Upper bounds of the columns; 0 for an order that would arrive after the plan."""
        found = np.full(self.size, np.inf)
        for k, source in enumerate(self.scenario.sources.values()):
            found[self.orders[k]] = source.maximum_order or np.inf
            found[self.orders[k, self.periods - self.leads[k] :]] = 0.0
        return found

    def due(self, state: Array) -> Array:
        """Return the units in process by the period they are due, (batch, items, periods)."""
        scenario, place = self.scenario, list(self.scenario.items).index
        found = np.zeros((len(state), len(scenario.items), self.periods))
        for k, (name, source) in enumerate(scenario.sources.items()):
            due, share = found[:, place(source.makes)], source.good_share or 1.0
            add_due(self.layout, state, name, due, self.leads[k], soonest=1, share=share)
        return found

    def time(self, state: Array) -> Array:
        """Return the mean time of every center in the coming periods, (batch, centers, periods).

        The effect of the present state (up or down) shrinks by (1 - fails - repaired) per period.
        """
        scenario = self.scenario
        found = np.empty((len(state), len(scenario.work_centers), self.periods))
        for k, (name, center) in enumerate(scenario.work_centers.items()):
            usual, _ = available_time(scenario, name)
            found[:, k] = usual
            if center.breakdown is not None:
                up = state[:, self.layout.named[f"{name}.up"].start, np.newaxis]
                whole = center.time.expectation
                found[:, k] += (whole * up - usual) * forgotten(center.breakdown, self.periods)
        return found

    def solve(self, known: Array) -> Array:
        """Return the first orders, (sources,), given what changes from plan to plan.

        `known` holds the right-hand sides, then the bounds of orders in this period, then those of
        unmet demand.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp  # a slow import, so only here

        count, sources = self.matrix.shape[0], len(self.leads)
        high, first, unmet = np.split(known, [count, count + sources])
        half = len(self.scenario.items) * self.periods
        low = high.copy()
        low[2 * half :], high[half : 2 * half] = -np.inf, np.inf
        most = self.most.copy()
        most[self.orders[:, 0]] = np.minimum(most[self.orders[:, 0]], first)
        most[self._columns[3].ravel()] = unmet
        found = milp(
            self.costs,
            constraints=LinearConstraint(self.matrix, low, high),
            bounds=Bounds(0.0, most),
            options={"presolve": False},  # presolving takes longer than it saves
        )
        if found.x is None:
            raise ArithmeticError(f"the plan has no solution: {found.message}")
        return np.asarray(found.x[self.orders[:, 0]])


@dataclass(frozen=True, eq=False)
class RollingProgram(Forecasting):
    """The policy; its memory holds the forecasts, and `known` holds the plans made so far."""

    known: dict[bytes, Array] = field(default_factory=dict, init=False, repr=False)

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the first orders of the plans in whole lots, (batch, sources)."""
        self.forecasts.revise(state, memory, np.zeros(1))
        program = self._program
        expected = self.forecasts.ahead(memory, program.periods)
        given = self._given(state, self.forecasts.shown(state, expected).swapaxes(1, 2))
        found = remembered(
            self.known, given, lambda new: np.array([program.solve(given[k]) for k in new])
        )
        return rounded(found, self.plan.lots, self._smallest)

    def _given(self, state: Array, expected: Array) -> Array:
        """Return what changes from plan to plan, a row per plan: see `Program.solve`."""
        scenario, due = self.layout.scenario, self._program.due(state)
        items, periods = list(scenario.items), self._program.periods
        for k, name in enumerate(items):
            due[:, k, 0] += self.plan.total(state, f"{name}.stock")
        balance = due.copy()
        unmet = np.full(expected.shape, np.inf)
        for k, (name, demand) in enumerate(scenario.demands.items()):
            balance[:, items.index(demand.item)] -= expected[:, k]
            balance[:, items.index(demand.item), 0] -= self.plan.total(state, f"{name}.backlog")
            if not demand.waits:
                unmet[:, k] = expected[:, k]
        upstream = self.values.get("safety_upstream", np.zeros((1, 1)))
        factors = np.where(self._is_upstream, upstream, self.values["safety"])
        stocks = np.repeat((factors * self._deviations)[:, :, np.newaxis], periods, axis=2)
        stocks = np.broadcast_to(stocks, due.shape).copy()
        stocks[:, self._program.upstream] -= due[:, self._program.upstream]
        first = np.full((len(state), len(scenario.sources)), np.inf)
        for k, (name, source) in enumerate(scenario.sources.items()):
            if source.disruption is not None:
                first[:, k] = np.where(self.plan.total(state, f"{name}.up") > 0, np.inf, 0.0)
        parts = (balance, stocks, due[:, self._program.materials], self._program.time(state))
        rows_ = [
            np.broadcast_to(p, (len(state), *p.shape[1:])).reshape(len(state), -1) for p in parts
        ]
        return np.concatenate([*rows_, first, unmet.reshape(len(state), -1)], axis=1)

    @cached_property
    def _program(self) -> Program:
        return Program(self.layout)

    @cached_property
    def _is_upstream(self) -> npt.NDArray[np.bool_]:
        return np.isin(np.arange(len(self.layout.scenario.items)), self._program.upstream)

    @cached_property
    def _deviations(self) -> Array:
        """Standard deviation of each item's need over lead time, one period and queue, in units."""
        at = self._program.stages
        leads = dict(zip(self.layout.scenario.sources, self._program.leads, strict=True))
        found = np.zeros(len(self.layout.scenario.items))
        for k, item in enumerate(self.layout.scenario.items):
            if stage := at.get(item):
                demand = deviation_of(stage.surprise) ** 2 * (leads[stage.source] + 1)
                found[k] = math.sqrt(demand + stage.queue * (stage.queue + 1))
        return found

    @cached_property
    def _smallest(self) -> Array:
        return np.array([stage.smallest_order for stage in self.plan.stages])


def rounded(orders: Array, lots: Array, smallest: Array) -> Array:
    """Return orders in whole lots; at least half of the smallest order is raised to that order.

    >>> rounded(np.array([[2.6, 14.0, 9.0]]), np.array([1.0, 10, 10]), np.array([1.0, 10, 20]))
    array([[ 3., 10.,  0.]])
    """
    whole = np.floor(orders / lots + HALF) * lots
    raised = np.where(orders >= smallest / 2 - 1e-7, smallest, 0.0)
    return np.where(whole >= smallest, whole, raised)


def forgotten(process: UpDown, periods: int) -> Array:
    """Return how much of the effect of being up or down is left after 0, 1, ... periods.

    >>> forgotten(UpDown(fails=0.1, repaired=0.4), 3).tolist()
    [1.0, 0.5, 0.25]
    """
    return np.asarray((1.0 - process.fails - process.repaired) ** np.arange(periods))


def why_not(scenario: Scenario) -> str:
    """Return why the policy does not apply, or nothing."""
    if reason := smoothed.why_not(scenario):
        return reason
    if found := scenario.rework:
        return f"{min(found)} works on by-products, which a linear plan does not know"
    if taken := shared(scenario):
        return f"{taken[0]} takes setups at a shared work center, which are not a linear cost"
    for name, source in scenario.sources.items():
        if source.carrier:
            return f"{name} shares a truck, whose cost is not linear"
    for name, stage in stages(scenario).items():
        if stage.order_lasts > MOST_CYCLE:
            return f"an order of {name} has a large fixed cost, which is not linear"
    for name, item in scenario.items.items():
        if item.shelf_life is not None:
            return f"{name} has a shelf life; a linear plan does not know the age of stock"
    if Program(lay_out(scenario)).size * scenario.horizon.periods > WORK:
        return "the plant is too large; its plans would take hours"
    return ""


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the safety factors of sold items and, if there are any, of their materials."""
    sold = {demand.item for demand in scenario.demands.values()}
    at = stages(scenario).values()
    ratios = [critical_ratio(stage.shortage, stage.holding) for stage in at if stage.item in sold]
    factor = NormalDist().inv_cdf(max(max(ratios, default=0.5), 0.5))

    names = ["safety", *(["safety_upstream"] if Program(lay_out(scenario)).upstream else [])]
    return tuple(
        parameter(name, "standard deviations", round(factor, 2), high=8.0, step=0.05)
        for name in names
    )


ROLLING_LP = Classic("rolling-lp", why_not, parameters, acting(RollingProgram), is_slow=True)
