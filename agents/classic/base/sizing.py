"""What textbook sizing needs to know of a plant: demand over a lead time, congestion, cost ratios.

Quantities in units of the item that a source makes, times in periods. A probability mass is an
array: entry k is the probability of k units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from jitgym.control import echelon_matrix
from jitgym.distributions import Distribution, LifeCycle, NegativeBinomial
from jitgym.scenario import Demand, Scenario, UpDown
from jitgym.units import whole_up

Array = npt.NDArray[np.float64]

MOST_RATIO = 0.9999  # where holding costs nothing, this share of lead time demand is covered
LEAST_SLACK = 0.02  # of the work; a work center that has less time to spare is sized as if it had
LEAST_MASS = 1e-6  # of an outage's tail
LONGEST_WAIT = 100.0  # periods; nor is it sized for queues beyond this


def stages(scenario: Scenario) -> dict[str, Stage]:
    """Return every source as a stage, from supplier to customer."""
    matrix = echelon_matrix(scenario)
    return {name: Stage(scenario, name, matrix) for name in from_supplier_to_customer(scenario)}


def from_supplier_to_customer(scenario: Scenario) -> list[str]:
    """Return the sources, items upstream first, those of one item in scenario order."""
    return [name for item in scenario.items_upstream_first for name in scenario.sources_of(item)]


def outside_suppliers(scenario: Scenario) -> list[str]:
    """Return the sources that consume nothing and stand at no work center."""
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
    matrix: Array  # units of each source's item in a unit of each other's: `echelon_matrix`

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
        """The least that can be ordered: whole lots, not below the minimum order."""
        least = self.scenario.sources[self.source].minimum_order
        return self.lot * max(1, int(whole_up(least / self.lot)))

    @property
    def resolution(self) -> float:
        """The finest difference of a level that matters, in units."""
        return min(1.0, self.lot)

    @property
    def requirement(self) -> float:
        """Mean units needed a period."""
        return self.scenario.mean_requirement(self.item)

    @cached_property
    def units(self) -> dict[str, float]:
        """Demand -> units of this item in a unit of it, for the demands that need any."""
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
        """Sources from this one down to a customer, by the way with the longest lead times."""
        return self.scenario.route(self.source)

    @cached_property
    def queue(self) -> float:
        """Mean units that wait for the work center, were demand passed on at once.

            (variance of the work that comes + variance of the time) / (2 (mean time - mean work))

        a period, with variances in the long run, breakdowns included: heavy traffic (Kingman 1962).
        With a base-stock policy it is the mean shortfall below the level (Glasserman 1997).
        """
        source = self.scenario.sources[self.source]
        if source.at is None or source.time_per_unit == 0 or self.requirement == 0:
            return 0.0
        time, variance = available_time(self.scenario, source.at)
        work = self._work_at(source.at)
        crew = [name for name, other in self.scenario.sources.items() if other.at == source.at]
        per_demand = dict.fromkeys(self.scenario.demands, 0.0)
        for name in crew:
            for demand, units in Stage(self.scenario, name, self.matrix).units.items():
                per_demand[demand] += units * self.scenario.sources[name].time_per_unit
        variance += math.fsum(
            per_demand[name] ** 2 * deviation_of(mass_of(demand)) ** 2
            for name, demand in self.scenario.demands.items()
        )
        waiting = variance / (2 * max(time - work, LEAST_SLACK * work))
        # Of that this source's share of the work, in its units.
        return min(waiting / work, LONGEST_WAIT) * self.requirement

    def _work_at(self, center: str) -> float:
        """Mean work that comes to a center, in its time a period."""
        return math.fsum(
            self.scenario.mean_requirement(source.makes) * source.time_per_unit
            for source in self.scenario.sources.values()
            if source.at == center
        )

    @property
    def flow_time(self) -> float:
        """Mean periods from an ask to the unit's arrival: one of review, lead time and queue."""
        queue = self.queue / self.requirement if self.requirement else 0.0
        return 1.0 + self.scenario.mean_lead_time(self.source) + queue

    @cached_property
    def lead_time_demand(self) -> Array:
        """Mass of what must be covered, in units.

        Demand over one period, the lead times down to the customer and the age of outages on the
        way, and beside it the units that wait for the work centers there, each geometric. Of a new
        product, demand over so many periods at the height of its life.
        """
        periods = np.array([0.0, 1.0])
        waiting = np.ones(1)
        place = list(self.scenario.sources).index
        for name in self.route:
            source = self.scenario.sources[name]
            periods = np.convolve(periods, mass(source.lead_time))
            if source.disruption is not None:
                periods = np.convolve(periods, outage(source.disruption))
            units = 1.0 if name == self.source else self.matrix[place(self.source), place(name)]
            queue = Stage(self.scenario, name, self.matrix).queue
            waiting = np.convolve(waiting, geometric(units * queue))
        lives = [self.scenario.demands[name].quantity for name in self.units]
        if any(isinstance(life, LifeCycle) for life in lives):
            return self._height_of_life(math.ceil(mean_of(periods)))
        return compound(self.demand, periods, waiting)

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
        """Mass of one period's demand, all demands independent; of any period, where it varies."""
        total = np.ones(1)
        for name, units in self.units.items():
            total = compound(mass_of(self.scenario.demands[name], units), ONCE, total)
        return total

    @property
    def shortage(self) -> float:
        """Cost of a unit short: a period where demand waits, once where it is lost."""
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

    @property
    def holding(self) -> float:
        """Cost of a unit too many: for a period, or where a season ends, of having it left then."""
        return overage(self.scenario, self.item)

    @property
    def ratios(self) -> tuple[float, float]:
        """Newsvendor ratios that bound this stage's echelon level from below and from above.

            (b + h') / (b + h0)   and   (b + h') / (b + h)

        h' holding cost of its materials, h of its item, h0 of what the customer gets (Shang and
        Song 2003); on a single item both are b / (b + h).
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
        """Mean cost a unit over the demands, weighted by the units that each needs."""
        weights = {name: self.units[name] * self.scenario.demands[name].mean for name in costs}
        total = math.fsum(weights.values())
        return math.fsum(weights[name] * costs[name] for name in costs) / total if total else 0.0

    @property
    def ceiling(self) -> float:
        """No level beyond this is worth a look: nearly all lead time demand, in whole lots.

        But twice the smallest order.
        """
        most = quantile(self.lead_time_demand, MOST_RATIO)
        if self.smallest_order > self.lot:
            most = max(most, 2 * self.smallest_order)
        return self.lot * max(4.0, float(whole_up(most / self.lot)))


ONCE = np.array([0.0, 1.0])
"""A mass of exactly one period."""


def outage(process: UpDown) -> Array:
    """Return the mass of how many periods a supplier has been down: 0 while it is up.

        P(k) = f / (f + r) x r (1 - r)^(k - 1),   k >= 1

    f, r the chances to fail and to recover in a period: what stock must cover where deliveries stop
    (Snyder and Shen 2019, chapter 9).

    >>> outage(UpDown(fails=0.1, repaired=0.4)).round(3)[:4]  # up 80 % of the time
    array([0.8  , 0.08 , 0.048, 0.029])
    """
    fails, repaired = process.fails, max(process.repaired, 1.0 / LONGEST_WAIT)
    longest = 1 if repaired >= 1 else math.ceil(math.log(LEAST_MASS) / math.log1p(-repaired))
    ages = repaired * (1.0 - repaired) ** np.arange(longest)
    down = fails / (fails + repaired)
    return np.append(1.0 - down, down * ages / ages.sum())


def critical_ratio(shortage: float, holding: float) -> float:
    """Return b / (b + h), at most .9999; 0 where nothing short costs anything.

    >>> critical_ratio(shortage=4, holding=1)
    0.8
    """
    if shortage <= 0:
        return 0.0
    return min(shortage / max(shortage + holding, 1e-300), MOST_RATIO)


def worth(scenario: Scenario, demand: Demand) -> float:
    """Return the cost of a unit short: lost, with its margin; waiting, a period."""
    if not demand.waits:
        return demand.shortage_cost + max(0.0, demand.price - scenario.unit_cost(demand.item))
    if demand.abandons:  # who waits a period more may leave
        return demand.shortage_cost + demand.abandons * demand.abandonment_cost
    return demand.shortage_cost or demand.price


def overage(scenario: Scenario, item: str) -> float:
    """Return the cost of a unit too many.

    Holding it for a period and the chance that it becomes obsolete; where a season ends, what it
    lost in value by then.
    """
    about = scenario.items[item]
    if scenario.horizon.ends and about.salvage_value:
        return about.holding_cost + max(0.0, scenario.unit_cost(item) - about.salvage_value)
    return about.holding_cost + about.obsolescence * (about.disposal_cost + (about.value or 0.0))


def available_time(scenario: Scenario, center: str) -> tuple[float, float]:
    """Return mean and long-run variance a period of a work center's time, breakdowns included.

    Up and down is a chain with correlation c = 1 - fails - repaired from period to period, which
    multiplies the variance of its sum by (1 + c) / (1 - c).
    """
    about = scenario.work_centers[center]
    mean, variance = about.time.expectation, about.time.variance
    broken = about.breakdown
    if broken is None or broken.fails == 0:
        return mean, variance
    fails = broken.fails
    if broken.per == "unit":
        made = math.fsum(
            scenario.mean_requirement(source.makes)
            for source in scenario.sources.values()
            if source.at == center
        )
        fails = 1 - (1 - fails) ** made
    if broken.repaired == 0:
        return 0.0, 0.0
    up = broken.repaired / (fails + broken.repaired)
    correlation = 1 - fails - broken.repaired
    lasting = (1 + correlation) / (1 - correlation)
    return up * mean, up * variance + mean**2 * up * (1 - up) * lasting


def mass(distribution: Distribution, scale: float = 1.0) -> Array:
    """Return the mass of scale x a distribution.

    What lies between two whole numbers is split among them, so that the mean is kept.

    >>> from jitgym.distributions import Deterministic
    >>> mass(Deterministic(value=1.25)).tolist()
    [0.0, 0.75, 0.25]
    """
    support, probabilities = distribution.pmf()
    below = np.floor(scale * support).astype(np.int64)
    rest = scale * support - below
    found = np.zeros(int(below[-1]) + 2)
    np.add.at(found, below, probabilities * (1 - rest))
    np.add.at(found, below + 1, probabilities * rest)
    return found if found[-1] > 0 else found[:-1]


def mass_of(demand: Demand, scale: float = 1.0) -> Array:
    """Return the mass of scale x a demand: of a period taken at random, where periods differ."""
    phases = demand.phases
    kinds = {id(phase): phase for phase in phases}
    shares = {key: sum(id(phase) == key for phase in phases) / len(phases) for key in kinds}
    masses = {key: mass(phase, scale) for key, phase in kinds.items()}
    total = np.zeros(max(each.size for each in masses.values()))
    for key, each in masses.items():
        total[: each.size] += shares[key] * each
    return total


def geometric(mean: float) -> Array:
    """Return the mass of a geometric number that counts from 0."""
    share = mean / (1 + mean)
    if share < 1e-12:
        return np.ones(1)
    found = (1 - share) * share ** np.arange(math.ceil(math.log(1e-12) / math.log(share)) + 1)
    return found / found.sum()


def compound(demand: Array, periods: Array, more: Array) -> Array:
    """Return the mass of demand summed over a random number of periods, and of more beside it.

    >>> compound(np.array([0.5, 0.5]), periods=np.array([0, 0.5, 0.5]), more=np.ones(1)).round(3)
    array([0.375, 0.5  , 0.125])
    """
    size = (demand.size - 1) * (periods.size - 1) + more.size
    padded = 1 << (size - 1).bit_length()
    transform = np.polynomial.polynomial.polyval(np.fft.rfft(demand, padded), periods)
    found = (
        np.fft.irfft(transform * np.fft.rfft(more, padded), padded) if padded > 1 else np.ones(1)
    )
    found = np.clip(found[:size], 0.0, None)
    return found / found.sum()


def quantile(of: Array, ratio: float) -> float:
    """Return the least number of units that covers this share of a mass."""
    return best_window(of, ratio, 1) + 1.0


def best_window(of: Array, ratio: float, width: int) -> float:
    """Return the r for which positions r + 1, ..., r + width, all equally likely, cost least.

    The least r, at least -1, where the mass covers the ratio on the average over the window; with
    width 1, r + 1 is the newsvendor level.
    """
    covered = np.minimum(np.cumsum(of), 1.0)
    covered = np.concatenate([covered, np.ones(width)])
    total = np.concatenate([[0.0], np.cumsum(covered)])
    share = (total[width:] - total[:-width]) / width
    return float(np.argmax(share >= min(ratio, 1 - 1e-12) - 1e-12)) - 1.0


def mean_of(of: Array) -> float:
    """Return the mean of a mass, in units."""
    return float(np.arange(of.size) @ of)


def deviation_of(of: Array) -> float:
    """Return the standard deviation of a mass, in units."""
    return float(np.sqrt((np.arange(of.size) - mean_of(of)) ** 2 @ of))
