"""Whether a plant can keep up with its demand: the load and the capacity of each of its limits.

A limit is the time of a work center, the maximum order of a source, the storage of an item that no
customer demands, or a material that no source makes. A linear program finds mean rates of all
sources that supply the demand, so that alternatives (several sources of one item, rework) share the
load as evenly as possible:

    minimize rho   such that   use of each limit <= rho x its capacity,   supply of an item >= need

rho is the utilization of the tightest limit. It includes breakdowns, disruptions, overtime, defects
and the canceled share of partial deliveries. It ignores setups, shelf lives and a process that
drifts out of control. So a plant that passes may still be too slow, but a plant that fails is too
slow with every policy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jitgym.distributions import Deterministic
from jitgym.units import whole

from .model import Written
from .parts import Demand, Source

SAME = 1e-9  # utilizations that differ by at most this are equal


@dataclass(frozen=True)
class Load:
    """The load of one limit of a plant, and its capacity."""

    place: str  # such as work_centers.press
    what: str  # "units of time" or "units"
    needed: float  # in the unit of the limit, mean per period
    available: float  # likewise, without time lost to breakdowns and disruptions

    @property
    def utilization(self) -> float:
        """Needed / available; infinite if nothing is available."""
        if self.available > 0:
            return self.needed / self.available
        return math.inf if self.needed > 0 else 0.0


@dataclass(frozen=True)
class Limit:
    """One limit, and how much of it each unit of a source's output uses."""

    place: str
    what: str
    use: Mapping[str, float]  # source -> use per unit that it makes
    available: float  # mean per period


def utilization(scenario: Written) -> tuple[Load, ...]:
    """Return the load of every limit of a plant if all of its mean demand must be served.

    Alternatives share the work such that the load of the tightest limit is as small as possible.
    The result is empty if nothing limits the plant. All loads are infinite if no rates of the
    sources can serve the demand.

    >>> from jitgym.catalog import load
    >>> [(each.place, round(each.utilization, 2)) for each in utilization(load("tandem"))]
    [('work_centers.station_1', 0.7), ('work_centers.station_2', 0.7)]
    """
    return _loads(scenario, {n: d.mean for n, d in scenario.demands.items()})


def cautions(scenario: Written) -> tuple[str, ...]:
    """Return a sentence for each limit that is too tight for the demand that waits.

    Demand that is lost, or whose customers leave, cannot pile up, so that there is a steady state.
    """
    waiting = {name: _waits_for_ever(each) for name, each in scenario.demands.items()}
    if not any(waiting.values()):
        return ()
    tight = [
        load
        for load in _loads(scenario, waiting)
        if load.utilization > 1 + SAME
        or (load.utilization > 1 - SAME and _varies(scenario) and not scenario.horizon.ends)
    ]
    return tuple(_sentence(scenario, load) for load in tight)


def can_pile_up(scenario: Written) -> bool:
    """Whether a backlog can grow with the horizon: it is ongoing, and some customers wait."""
    return not scenario.horizon.ends and any(map(_waits_for_ever, scenario.demands.values()))


def _sentence(scenario: Written, load: Load) -> str:
    if load.available > 0:
        told = (
            f"{load.place}: demand needs {load.needed:.4g} {load.what} per period, but only "
            f"{load.available:.4g} are available (utilization {load.utilization:.3g})"
        )
    else:
        told = f"{load.place}: demand needs more {load.what} than can ever be available"
    if scenario.horizon.ends:
        return f"{told}; no policy can serve all demand of the season"
    return (
        f"{told}; the backlog grows without limit, so that there is no steady state and every "
        "average grows with the horizon; expected a utilization below 1"
    )


def _waits_for_ever(demand: Demand) -> float:
    """Mean demand, in units per period, that would wait until it is served."""
    if not demand.waits or demand.abandons:
        return 0.0
    share = 1.0 if isinstance(demand.unmet, str) else demand.unmet.backordered
    return share * demand.mean


def _varies(scenario: Written) -> bool:
    """Whether chance or seasons can bring more work, or less time, than the mean."""
    demands, centers = scenario.demands.values(), scenario.work_centers.values()
    return (
        any(each.varies or not isinstance(each.quantity, Deterministic) for each in demands)
        or any(each.time.variance > 0 or each.breakdown for each in centers)
        or any(s.disruption or s.quality or s.partial for s in scenario.sources.values())
    )


def limits(scenario: Written) -> list[Limit]:
    """Return all limits of the mean rates of a plant's sources."""
    sources = scenario.sources
    found = []
    for center in scenario.work_centers:
        crew = {name: sources[name].time_per_unit for name in scenario.crew_of(center)}
        use = {name: time for name, time in crew.items() if time}
        if use:
            found.append(
                Limit(f"work_centers.{center}", "units of time", use, mean_time(scenario, center))
            )
    for name, source in sources.items():
        up = 1.0 if source.disruption is None else source.disruption.up_share
        if source.maximum_order is not None:
            most = float(whole(source.maximum_order / source.lot_size)) * source.lot_size
            found.append(Limit(f"sources.{name}.maximum_order", "units", {name: 1.0}, up * most))
        elif up == 0:
            found.append(Limit(f"sources.{name}.disruption", "units", {name: 1.0}, 0.0))
    for name in _never_made(scenario):
        use = {s: source.consumes[name] for s, source in sources.items() if name in source.consumes}
        left = scenario.items[name].initial_stock / scenario.horizon.periods
        found.append(Limit(f"items.{name}", "units", use, left if scenario.horizon.ends else 0.0))
    asked_for = {demand.item for demand in scenario.demands.values()}
    for name, item in scenario.items.items():
        if item.storage is None or name in asked_for:  # units for waiting customers pass through
            continue
        # A unit takes storage from its order to its use: the lead time and the period of its use.
        use = {s: 1.0 + scenario.mean_lead_time(s) for s in scenario.sources_of(name)}
        if use:
            found.append(Limit(f"items.{name}.storage", "units", use, item.storage))
    return found


def _never_made(scenario: Written) -> list[str]:
    """Items that are consumed but never made, so that only their initial stock is available."""
    by_products = {s.quality.by_product for s in scenario.sources.values() if s.quality}
    return [
        name
        for name in scenario.items
        if name not in by_products and not scenario.sources_of(name) and scenario.consumers_of(name)
    ]


def mean_time(scenario: Written, center: str) -> float:
    """Return the mean time of a work center per period, with overtime, without time down."""
    about = scenario.work_centers[center]
    time = about.time.expectation + (about.overtime.time if about.overtime else 0.0)
    if about.breakdown is None:
        return time
    return time * about.breakdown.per_period(_units_made(scenario, center, time)).up_share


def _units_made(scenario: Written, center: str, time: float) -> float:
    """Units that a work center makes per period in which it is up: those needed, if time allows.

    All needed units must be made in periods in which it is up, so this is a lower bound.
    """
    needed, work = scenario.needed_at(center)
    return needed * min(1.0, time / work) if work else needed


def share_into_stock(source: Source) -> float:
    """Return the mean share of the units that are ordered from a source that enters stock."""
    if source.partial is not None and source.partial.rest == "cancelled":
        return source.good_share * source.partial.share.expectation
    return source.good_share


def _loads(scenario: Written, needed: Mapping[str, float]) -> tuple[Load, ...]:
    """Return the load of every limit if the needed units of each demand must be served."""
    bounds = limits(scenario)
    if not bounds:
        return ()
    rates = _rates(scenario, bounds, needed)
    if rates is None:  # blame the limits with capacity 0, if there are any
        blocking = [each for each in bounds if each.available <= 0] or bounds
        return tuple(Load(each.place, each.what, math.inf, 0.0) for each in blocking)
    return tuple(
        Load(
            each.place,
            each.what,
            math.fsum(use * rates[name] for name, use in each.use.items()),
            each.available,
        )
        for each in bounds
    )


def _rates(
    scenario: Written, bounds: list[Limit], needed: Mapping[str, float]
) -> dict[str, float] | None:
    """Return mean rates of all sources that serve the demand; None if there are none."""
    # Slow imports, so only here: they take half a second, and most plants never ask.
    from scipy import optimize, sparse

    linprog: Any = optimize.linprog  # its stubs accept dense matrices only

    names = list(scenario.sources)
    column = {name: k for k, name in enumerate(names)}
    row = {name: k for k, name in enumerate(scenario.items)}
    rho = len(names)
    supply = sparse.lil_matrix((len(row), rho + 1))
    for name, source in scenario.sources.items():
        supply[row[source.makes], column[name]] += share_into_stock(source)
        if source.quality is not None and source.quality.by_product is not None:
            supply[row[source.quality.by_product], column[name]] += source.quality.found
        for material, quantity in source.consumes.items():
            supply[row[material], column[name]] -= quantity
    need = np.zeros(len(row))
    for name, demand in scenario.demands.items():
        need[row[demand.item]] += needed[name]
    for name in _never_made(scenario):  # this is a limit instead
        supply[row[name], :] = 0.0
    if scenario.horizon.ends:  # a season may use its initial stock
        initial = [item.initial_stock for item in scenario.items.values()]
        need -= np.array(initial) / scenario.horizon.periods
    use = sparse.lil_matrix((len(bounds), rho + 1))
    for k, limit in enumerate(bounds):
        scale = limit.available or 1.0
        for name, amount in limit.use.items():
            use[k, column[name]] = amount / scale
        use[k, rho] = -1.0 if limit.available > 0 else 0.0
    above = sparse.vstack([-supply, use]).tocsr()
    at_most = np.concatenate([-need, np.zeros(len(bounds))])
    tightest = np.zeros(rho + 1)
    tightest[rho] = 1.0
    first = linprog(tightest, A_ub=above, b_ub=at_most)
    if first.x is None:
        return None
    # Of all these rates, take those with the least work in total, so that none is done in vain.
    work = np.asarray(use[:, :rho].sum(axis=0)).ravel()
    most = [(0.0, None)] * rho + [(0.0, first.x[rho] * (1 + SAME) + SAME)]
    second = linprog(np.append(work, 0.0), A_ub=above, b_ub=at_most, bounds=most)
    found = first.x if second.x is None else second.x
    return {name: float(found[column[name]]) for name in names}
