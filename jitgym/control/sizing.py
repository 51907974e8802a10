"""Textbook sizing of a plant: the demand that a level must cover, limits of orders, and levels.

Quantities are in units of the item that a source makes, times in periods. A probability mass is an
array: entry k is the probability of k units.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from jitgym.distributions import Deterministic, LifeCycle, NegativeBinomial
from jitgym.scenario import Scenario, UpDown, economic_order_quantity
from jitgym.units import at_least, whole, whole_up

from .costs import MOST_RATIO, critical_ratio, holding_at_least, overage, worth
from .cycles import from_each_phase, waiting_behind
from .masses import (
    ONCE,
    below_the_level,
    compound,
    deviation_of,
    geometric,
    mass,
    mass_of,
    mean_of,
    quantile,
    steadied,
)
from .rules import echelon_matrix

Array = npt.NDArray[np.float64]

LEAST_SLACK = 0.02  # share of the work: least spare time that a work center is sized with
LEAST_MASS = 1e-6  # of the tail of an outage
LONGEST_WAIT = 100.0  # periods; longer queues are not sized for
REPETITIONS = 4  # least number of times that a known cycle repeats in an episode
LONGEST_CYCLE = 60  # periods; the demand of a longer cycle counts as that of a random period
LONGEST_QUEUE = 2048  # units that wait for a capacity if the cycle of demand is known


def stages(scenario: Scenario) -> dict[str, Stage]:
    """Return every source as a stage, from supplier to customer.

    The results of the last scenarios are kept, because every policy asks for the same.
    """
    for known, at in _LAST:
        if known is scenario:
            return at
    matrix = echelon_matrix(scenario)
    at = {name: Stage(scenario, name, matrix) for name in from_supplier_to_customer(scenario)}
    _LAST.append((scenario, at))
    return at


_LAST: deque[tuple[Scenario, dict[str, Stage]]] = deque(maxlen=4)


def from_supplier_to_customer(scenario: Scenario) -> list[str]:
    """Return the sources: upstream items first, those of one item in scenario order."""
    return [name for item in scenario.items_upstream_first for name in scenario.sources_of(item)]


def outside_suppliers(scenario: Scenario) -> list[str]:
    """Return the sources that consume nothing and use no work center."""
    sources = scenario.sources
    return [
        name
        for name in from_supplier_to_customer(scenario)
        if not sources[name].consumes and sources[name].at is None
    ]


@dataclass(frozen=True)
class Stage:
    """One source, its item, and all that lies between it and the customers."""

    scenario: Scenario
    source: str
    matrix: Array  # units of each source's item per unit of each other's: `echelon_matrix`

    @property
    def item(self) -> str:
        """The item that it makes."""
        return self.scenario.sources[self.source].makes

    @property
    def lot(self) -> float:
        """Units in a container."""
        return self.scenario.sources[self.source].lot_size

    @property
    def smallest_order(self) -> float:
        """The smallest order: whole lots, not below the minimum order."""
        return self.scenario.sources[self.source].smallest_order

    @property
    def storage(self) -> float:
        """The most units that can be in stock or on the way, net of backlog; infinite without."""
        room = self.scenario.items[self.item].storage
        return math.inf if room is None else room

    @property
    def largest_order(self) -> float:
        """The largest order: whole lots, within maximum order and storage."""
        most = min(self.scenario.sources[self.source].maximum_order or math.inf, self.storage)
        return max(self.lot * float(whole(most / self.lot)), self.lot) if most < math.inf else most

    @property
    def fixed(self) -> float:
        """Cost of an order, whatever its size."""
        source = self.scenario.sources[self.source]
        return source.shipment_cost + source.setup_cost

    @cached_property
    def economic_order(self) -> float:
        """The economic order quantity (Harris 1913); without a fixed cost, the need of one period.

        It lasts no longer than an episode, or than the shelf life of the item.
        """
        if not self.fixed or not self.requirement:
            return self.requirement
        periods = float(self.scenario.horizon.periods)
        keeps = self.scenario.items[self.item].shelf_life
        most = self.requirement * min(periods, periods if keeps is None else keeps)
        return min(
            economic_order_quantity(self.fixed, self.requirement, self.holding) or most, most
        )

    @property
    def order_quantity(self) -> float:
        """The economic order in the nearest whole lots, between smallest and largest order."""
        quantity = max(self.lot * round(self.economic_order / self.lot), self.smallest_order)
        return min(quantity, max(self.largest_order, self.smallest_order))

    @property
    def order_lasts(self) -> float:
        """Number of periods that an economic order lasts; 1 without a fixed cost."""
        return self.economic_order / self.requirement if self.requirement else 1.0

    @cached_property
    def carrying(self) -> float:
        """Holding cost per unit and period, at least the cost at which the order is economic."""
        least = holding_at_least(self.shortage, self.holding)
        if not self.fixed or not self.requirement:
            return least
        return max(least, 2 * self.fixed * self.requirement / self.economic_order**2)

    @property
    def resolution(self) -> float:
        """The finest difference of a level that matters, in units."""
        return min(1.0, self.lot)

    @cached_property
    def requirement(self) -> float:
        """Mean units needed per period."""
        return self.scenario.mean_requirement(self.item)

    @cached_property
    def units(self) -> dict[str, float]:
        """Demand -> units of this item per unit of the demand, for the demands that need any."""
        names = list(self.scenario.sources)
        row = self.matrix[names.index(self.source)]
        contained = {
            name: 1.0
            if demand.item == self.item
            else max(
                (row[names.index(s)] for s in self.scenario.sources_of(demand.item)), default=0
            )
            for name, demand in self.scenario.demands.items()
        }
        return {name: float(units) for name, units in contained.items() if units > 0}

    @property
    def route(self) -> tuple[str, ...]:
        """The sources from this one down to a customer, along the longest lead times."""
        return self.scenario.route(self.source)

    @cached_property
    def queue(self) -> float:
        """Mean units that would wait for the work center if demand were passed on at once.

            (variance of the arriving work + variance of the time) / (2 (mean time - mean work))

        per period, with long-run variances and breakdowns: heavy traffic (Kingman 1962). With a
        base-stock policy it is the mean shortfall below the level (Glasserman 1997). If the
        capacity is certain, and demand has a known cycle or an order takes several periods, it is
        the mean of `_waiting`.
        """
        if self._waiting is not None:
            return mean_of(self._waiting) + self._unshipped
        return max(self._queue_at_its_center, self._queue_for_its_orders) + self._unshipped

    @cached_property
    def _waiting(self) -> Array | None:
        """Mass of the units that wait for a certain capacity; None where `queue` is a formula."""
        is_alone = self.scenario.sources_of(self.item) == (self.source,)
        if not is_alone or (len(self.cycle) == 1 and not self.batch_wait):
            return None
        capacity = self.capacity
        if not self.requirement < capacity < math.inf:
            return None
        return waiting_behind(capacity, self.cycle, LONGEST_QUEUE)

    @cached_property
    def capacity(self) -> float:
        """The most units per period, if this is certain and not shared; else infinite."""
        source = self.scenario.sources[self.source]
        capacity = self.largest_order if source.maximum_order else math.inf
        if source.at is not None and source.time_per_unit > 0:
            if not self._is_certain(source.at):
                return math.inf
            time, _ = available_time(self.scenario, source.at)
            capacity = min(capacity, time / source.time_per_unit)
        return capacity

    @cached_property
    def peak_wait(self) -> float:
        """The most units that wait for a certain capacity if a known cycle brings its means."""
        if len(self.cycle) == 1 or not self.requirement < self.capacity < math.inf:
            return 0.0
        most = waiting = 0.0
        for demand in 2 * self.cycle:
            waiting = max(waiting + mean_of(demand) - self.capacity, 0.0)
            most = max(most, waiting)
        return most

    @cached_property
    def cycle(self) -> tuple[Array, ...]:
        """Mass of the demand of each period of its cycle; only one if there is no known cycle.

        A cycle is known if it is short and repeats within an episode. The demand of a longer one
        is sized as that of a random period.
        """
        demands = {name: self.scenario.demands[name] for name in self.units}
        length = math.lcm(*(demand.cycle for demand in demands.values() if demand.varies))
        most = min(LONGEST_CYCLE, self.scenario.horizon.periods // REPETITIONS)
        if not 1 < length <= most:
            return (self.demand,)
        found = []
        for k in range(length):
            total = np.ones(1)
            for name, demand in demands.items():
                of_phase = mass(demand.phases[k % len(demand.phases)], self.units[name])
                total = compound(of_phase, ONCE, total)
            found.append(total)
        return tuple(found)

    @cached_property
    def batch_wait(self) -> int:
        """Periods that an order waits because the work center takes longer for its smallest order.

        It is 0 if the center can make the smallest order within one period. The center keeps its
        work on an unfinished lot or minimum order, and nothing is granted until it is complete.
        """
        source = self.scenario.sources[self.source]
        if source.at is None:
            return 0
        center = self.scenario.work_centers[source.at]
        overtime = 0.0 if center.overtime is None else center.overtime.time
        needed = self.smallest_order * source.time_per_unit
        time = center.time.expectation + overtime
        if time <= 0 or at_least(center.time.support_max + overtime, needed):
            return 0
        return int(min(whole_up(needed / time) - 1, LONGEST_WAIT))

    @property
    def _unshipped(self) -> float:
        """Mean units that wait to ship if a share m of the units due ships: D (1 - m) / m."""
        partial = self.scenario.sources[self.source].partial
        if partial is None or partial.rest != "later":
            return 0.0
        share = partial.share.expectation
        return self.requirement * (1 - share) / share

    @cached_property
    def _queue_for_its_orders(self) -> float:
        """The same queue if the largest order, and not the work center, limits a period."""
        rivals = self.scenario.sources_of(self.item)
        most = math.fsum(
            Stage(self.scenario, name, self.matrix).largest_order
            if self.scenario.sources[name].maximum_order
            else math.inf
            for name in rivals
        )
        if most == math.inf or self.requirement == 0:
            return 0.0
        variance = deviation_of(self.demand) ** 2
        slack = max(most - self.requirement, LEAST_SLACK * self.requirement)
        return min(variance / (2 * slack), LONGEST_WAIT * self.requirement)

    @cached_property
    def _queue_at_its_center(self) -> float:
        source = self.scenario.sources[self.source]
        if source.at is None or source.time_per_unit == 0 or self.requirement == 0:
            return 0.0
        time, variance = available_time(self.scenario, source.at)
        _, work = self.scenario.needed_at(source.at)
        per_demand = dict.fromkeys(self.scenario.demands, 0.0)
        for name in self.scenario.crew_of(source.at):
            for demand, units in Stage(self.scenario, name, self.matrix).units.items():
                per_demand[demand] += units * self.scenario.sources[name].time_per_unit
        variance += math.fsum(
            per_demand[name] ** 2 * deviation_of(mass_of(demand)) ** 2
            for name, demand in self.scenario.demands.items()
        )
        waiting = variance / (2 * max(time - work, LEAST_SLACK * work))
        # This source's share of the waiting work, in its units.
        return min(waiting / work, LONGEST_WAIT) * self.requirement

    @property
    def flow_time(self) -> float:
        """Mean periods from order to arrival: one review period, lead time, wait and queue."""
        queue = self.queue / self.requirement if self.requirement else 0.0
        return 1.0 + self.scenario.mean_lead_time(self.source) + self.batch_wait + queue

    @cached_property
    def lead_time_demand(self) -> Array:
        """Mass of the demand that must be covered, in units.

        It is the demand over one period, the lead times down to the customer, the wait for large
        lots (`batch_wait`) and the age of outages on the route, plus the units that wait for the
        work centers there, each geometric. If demand has a known cycle, the periods follow each
        other in it. For a new product it is the demand over this number of periods at the peak of
        its life.
        """
        periods, waiting = self._to_cover
        lives = [self.scenario.demands[name].quantity for name in self.units]
        if any(isinstance(life, LifeCycle) for life in lives):
            return self._height_of_life(math.ceil(mean_of(periods)))
        if len(self.cycle) > 1:
            return np.asarray(from_each_phase(self.cycle, periods, waiting).mean(axis=0))
        return compound(self.demand, periods, waiting)

    @property
    def must_cover_by_phase(self) -> Array:
        """Masses of what a level must cover from each phase of a known cycle, (phases, units)."""
        periods, waiting = self._to_cover
        return from_each_phase(self.cycle, periods, compound(self.below, ONCE, waiting))

    @cached_property
    def _to_cover(self) -> tuple[Array, Array]:
        """Masses of the periods whose demand must be covered, and of the units that wait."""
        periods = ONCE
        waiting = np.ones(1)
        place = list(self.scenario.sources).index
        for name in self.route:
            source = self.scenario.sources[name]
            periods = np.convolve(periods, mass(source.lead_time))
            if source.disruption is not None:
                periods = np.convolve(periods, outage(source.disruption))
            units = 1.0 if name == self.source else self.matrix[place(self.source), place(name)]
            stage = Stage(self.scenario, name, self.matrix)
            periods = np.append(np.zeros(stage.batch_wait), periods)
            queue = stage.queue
            if source.partial is not None and source.partial.share.variance == 0 and queue:
                # A certain share only delays units; a random share makes a queue.
                delay = Deterministic(value=stage._unshipped / stage.requirement)
                periods = np.convolve(periods, mass(delay))
                queue -= stage._unshipped
            if units == 1 and stage._waiting is not None:
                waiting = np.convolve(waiting, np.trim_zeros(stage._waiting, "b"))
                queue -= mean_of(stage._waiting)
            waiting = np.convolve(waiting, geometric(units * max(queue, 0.0)))
        return periods, waiting

    @cached_property
    def must_cover(self) -> Array:
        """Mass of the units that an order-up-to level must cover: `lead_time_demand` and `below`.

        Orders are whole lots and not below the minimum, so the position stays below the level: with
        lots of Q, by 0 to Q - 1 units with equal probability (Hadley and Whitin 1963).
        """
        return compound(self.below, ONCE, self.lead_time_demand)

    @cached_property
    def below(self) -> Array:
        """Mass of the units by which lots and minimum orders leave the position below a level."""
        return below_the_level(self.demand, self.lot, self.smallest_order)

    @cached_property
    def surprises(self) -> Array:
        """Mass of the demand that must be covered if pattern and seasons are known and forecast."""
        return self._steady.lead_time_demand

    @cached_property
    def uncertainty(self) -> float:
        """Its standard deviation, in units; 0 if demand, lead times and capacity are certain."""
        sources = [self.scenario.sources[name] for name in self.route]
        demands = [self.scenario.demands[name] for name in self.units]
        is_certain = (
            all(phase.variance == 0 for demand in demands for phase in demand.phases)
            and all(s.lead_time.variance == 0 and s.disruption is None for s in sources)
            and all(s.at is None or self._is_certain(s.at) for s in sources)
        )
        return 0.0 if is_certain else deviation_of(self.surprises)

    def _is_certain(self, center: str) -> bool:
        """Whether a source has a center for itself, and as much of its time in every period."""
        about = self.scenario.work_centers[center]
        is_alone = len(self.scenario.crew_of(center)) == 1
        return is_alone and about.breakdown is None and about.time.variance == 0

    @property
    def safety_factor(self) -> float:
        """Deviations by which the newsvendor's level exceeds what is expected, of surprises alone.

        Demand is rarely normal, least of all where a shortage is dear: it is the level of its mass.
        """
        if self.uncertainty < 1e-9:
            return 0.0
        level = bounded_level(self.surprises, *self.ratios)
        return (level - mean_of(self.surprises)) / self.uncertainty

    @cached_property
    def surprise(self) -> Array:
        """Mass of the demand of a period if pattern and seasons are known and forecast."""
        return self._steady.demand

    @cached_property
    def _steady(self) -> Stage:
        if not any(self.scenario.demands[name].varies for name in self.units):
            return self
        return Stage(without_seasons(self.scenario), self.source, self.matrix)

    def _height_of_life(self, periods: int) -> Array:
        total = np.ones(1)
        for name, units in self.units.items():
            demand = self.scenario.demands[name]
            if isinstance(demand.quantity, LifeCycle):
                most = np.convolve(demand.quantity.shares, np.ones(periods)).max()
                at_most = NegativeBinomial(
                    mean=demand.quantity.mean * most, size=demand.quantity.shape
                )
                total = compound(mass(at_most, units), ONCE, total)
            else:
                steady = np.append(np.zeros(periods), 1.0)
                total = compound(mass_of(demand, units), steady, total)
        return total

    @cached_property
    def demand(self) -> Array:
        """Mass of the demand of a period (a random one, if it varies); demands are independent."""
        total = np.ones(1)
        for name, units in self.units.items():
            total = compound(mass_of(self.scenario.demands[name], units), ONCE, total)
        return total

    @cached_property
    def shortage(self) -> float:
        """Cost of a unit short: per period if demand waits, once if it is lost."""
        return self._mean_over_demands(
            {
                name: worth(self.scenario, self.scenario.demands[name]) / units
                for name, units in self.units.items()
            }
        )

    @property
    def is_lost(self) -> bool:
        """Whether all unmet demand is lost."""
        return not any(self.scenario.demands[name].waits for name in self.units)

    @cached_property
    def holding(self) -> float:
        """Cost of a unit too many per period, with the loss at the end of a season: `overage`."""
        return overage(self.scenario, self.item)

    @cached_property
    def ratios(self) -> tuple[float, float]:
        """Newsvendor ratios that bound this stage's echelon level from below and from above.

            (b + h') / (b + h0)   and   (b + h') / (b + h)

        h' is the holding cost of its materials, h of its item, and h0 of the item that the customer
        gets (Shang and Song 2003). For a single item both are b / (b + h).
        """
        if self.shortage <= 0:
            return 0.0, 0.0
        consumes = self.scenario.sources[self.source].consumes
        materials = math.fsum(q * overage(self.scenario, name) for name, q in consumes.items())
        sold = self._mean_over_demands(
            {
                name: overage(self.scenario, self.scenario.demands[name].item) / units
                for name, units in self.units.items()
            }
        )
        low, high = sorted(
            critical_ratio(self.shortage + materials, holding - materials)
            for holding in (sold, self.holding)
        )
        return low, high

    def _mean_over_demands(self, costs: Mapping[str, float]) -> float:
        """Return the mean cost per unit over the demands, weighted by the units that each needs."""
        weights = {name: self.units[name] * self.scenario.demands[name].mean for name in costs}
        total = math.fsum(weights.values())
        return math.fsum(weights[name] * costs[name] for name in costs) / total if total else 0.0

    @cached_property
    def ceiling(self) -> float:
        """The largest useful level: it covers nearly all lead time demand, in whole lots.

        It is at least twice the smallest order.
        """
        most = quantile(self.lead_time_demand, MOST_RATIO)
        if self.smallest_order > 1:
            most = max(most, quantile(self.must_cover, MOST_RATIO), 2 * self.smallest_order)
        return self.lot * max(4.0, float(whole_up(most / self.lot)))


def base_stock_levels(scenario: Scenario) -> dict[str, float]:
    """Return source -> the textbook local base-stock level, from supplier to customer."""
    at = stages(scenario)
    local = local_levels(scenario, {name: echelon_level(stage) for name, stage in at.items()})
    return {name: local[name] for name in at}


def echelon_level(stage: Stage) -> float:
    """Return the textbook echelon base-stock level, at least the smallest order if needed."""
    level = bounded_level(stage.must_cover, *stage.ratios)
    is_needed = stage.smallest_order > stage.lot or stage.is_lost
    return max(level, stage.smallest_order) if is_needed and stage.smallest_order > 1 else level


def bounded_level(must_cover: Array, low: float, high: float) -> float:
    """Return the mean of the newsvendor levels at two ratios, in whole units.

    >>> from jitgym.distributions import Poisson
    >>> h, b = 0.25, 9  # Shang and Song (2003): four stages, 16 units per period, lead times 0.25
    >>> [bounded_level(mass(Poisson(mean=4 * j)), (b + h * (4 - j)) / (b + h * 4),
    ...                (b + h * (4 - j)) / (b + h * (5 - j))) for j in (1, 2, 3, 4)]
    [8.0, 13.0, 18.0, 22.0]
    """
    return float((quantile(must_cover, low) + quantile(must_cover, high)) // 2)


def local_levels(scenario: Scenario, echelon: Mapping[str, float]) -> dict[str, float]:
    """Return source -> local level, in whole units and at least 0, from echelon levels.

    If only one item is made of another one, the lower echelon holds no more than the upper one.
    """
    levels = dict(echelon)
    for name in levels:
        consumers = scenario.consumers_of(scenario.sources[name].makes)
        if len(consumers) == 1:
            (below,) = consumers
            units = scenario.sources[below].consumes[scenario.sources[name].makes]
            levels[below] = min(levels[below], levels[name] / units)
    matrix = echelon_matrix(scenario)
    local = np.linalg.solve(matrix, [levels[name] for name in scenario.sources])
    levels_up = np.maximum(whole_up(local), 0.0)
    return dict(zip(scenario.sources, levels_up.tolist(), strict=True))


def without_seasons(scenario: Scenario) -> Scenario:
    """Return the scenario for a policy that forecasts pattern and seasons: only surprises are left.

    Every demand has its long-run mean, and the deviations of its phases from their own means.
    """
    return scenario.model_copy(
        update={
            "demands": {
                name: demand.model_copy(
                    update={"quantity": steadied(demand), "pattern": (), "seasons": None}
                )
                if demand.varies
                else demand
                for name, demand in scenario.demands.items()
            }
        }
    )


def outage(process: UpDown) -> Array:
    """Return the mass of the number of periods that a supplier has been down: 0 while it is up.

        P(k) = f / (f + r) x r (1 - r)^(k - 1),   k >= 1

    f and r are the probabilities to fail and to recover in a period. Stock must cover these periods
    without deliveries (Snyder and Shen 2019, chapter 9).

    >>> outage(UpDown(fails=0.1, repaired=0.4)).round(3)[:4]  # up 80 % of the time
    array([0.8  , 0.08 , 0.048, 0.029])
    """
    fails, repaired = process.fails, max(process.repaired, 1.0 / LONGEST_WAIT)
    longest = 1 if repaired >= 1 else math.ceil(math.log(LEAST_MASS) / math.log1p(-repaired))
    ages = repaired * (1.0 - repaired) ** np.arange(longest)
    down = fails / (fails + repaired)
    return np.append(1.0 - down, down * ages / ages.sum())


def available_time(scenario: Scenario, center: str) -> tuple[float, float]:
    """Return mean and long-run variance per period of a work center's time, with breakdowns.

    Up and down is a chain with the correlation c = 1 - fails - repaired between periods, which
    multiplies the variance of a sum by (1 + c) / (1 - c).
    """
    about = scenario.work_centers[center]
    mean, variance = about.time.expectation, about.time.variance
    if about.breakdown is None or about.breakdown.fails == 0:
        return mean, variance
    broken = about.breakdown.per_period(scenario.needed_at(center)[0])
    if broken.repaired == 0:
        return 0.0, 0.0
    up = broken.up_share
    correlation = 1 - broken.fails - broken.repaired
    lasting = (1 + correlation) / (1 - correlation)
    return up * mean, up * variance + mean**2 * up * (1 - up) * lasting
