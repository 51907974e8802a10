"""Lays out what only some plants have: one function per feature, no records if it is not used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.distributions import Distribution, LifeCycle, PartOf, Recorded, Regimes
from jitgym.scenario import Revealed, Smoothing

from .records import (
    ABANDONMENT,
    CARRIER,
    COMMITMENT,
    CROSTON,
    EXPONENTIAL,
    LIFE,
    NONE,
    OBSOLESCENCE,
    ORACLE,
    PART,
    PARTIAL,
    PROJECT,
    QUALITY,
    REGIME,
    REVEALED,
    SALVAGE,
    SAVING,
    SMOOTHING,
    TSB,
    UNLIMITED,
    UP_DOWN,
)
from .rows import Plan

Records = npt.NDArray[Any]


def lay_ups_and_downs(plan: Plan, sources: Records, centers: Records) -> Records:
    """Lay out the suppliers and work centers that fail: up or down."""
    rows: list[tuple[Any, ...]] = []
    for record, (name, source) in zip(sources, plan.scenario.sources.items(), strict=True):
        if source.disruption is None:
            continue
        record["up"] = plan.state.take("source", name, "up", "")
        project, after = plan.improved(f"sources.{name}.disruption.fails")
        fails, repaired = source.disruption.fails, source.disruption.repaired
        channel = plan.tables.channel(f"{name}.disruption")
        after = fails if after is None else after
        rows.append((record["up"], fails, after, project, NONE, repaired, channel))
    for record, (name, center) in zip(centers, plan.scenario.work_centers.items(), strict=True):
        if center.breakdown is None:
            continue
        record["up"] = plan.state.take("center", name, "up", "")
        project, after = plan.improved(f"work_centers.{name}.breakdown.fails")
        fails, repaired = center.breakdown.fails, center.breakdown.repaired
        made = record["made"] if center.breakdown.per == "unit" else NONE
        channel = plan.tables.channel(f"{name}.breakdown")
        after = fails if after is None else after
        rows.append((record["up"], fails, after, project, made, repaired, channel))
    plan.initial.update((int(row[0]), 1.0) for row in rows)
    return np.array(rows, dtype=UP_DOWN)


def lay_qualities(plan: Plan, sources: Records) -> Records:
    """Lay out the sources that make defects."""
    rows: list[tuple[Any, ...]] = []
    for record, (name, source) in zip(sources, plan.scenario.sources.items(), strict=True):
        quality = source.quality
        if quality is None:
            continue
        record["quality"] = len(rows)
        project, after = plan.improved(f"sources.{name}.quality.defects")
        rows.append(
            (
                quality.defects,
                quality.defects if after is None else after,
                project,
                quality.drifts,
                quality.drifted_defects,
                quality.escapes,
                NONE if quality.by_product is None else plan.items[quality.by_product],
                plan.tables.channel(f"{name}.quality", size=4),
                plan.flows.take("source", name, "escaped", "units"),
                plan.flows.take("source", name, "scrapped", "units"),
            )
        )
    return np.array(rows, dtype=QUALITY)


def lay_partials(plan: Plan, sources: Records) -> Records:
    """Lay out the sources with partial deliveries: the units that ship later."""
    rows: list[tuple[Any, ...]] = []
    for record, (name, source) in zip(sources, plan.scenario.sources.items(), strict=True):
        partial = source.partial
        if partial is None:
            continue
        record["partial"] = len(rows)
        share = plan.tables.add(partial.share, f"{name}.partial")
        waiting = NONE
        if partial.rest == "later":
            waiting = plan.state.take("source", name, "unshipped", "units")
        cancelled = plan.flows.take("source", name, "cancelled", "units")
        shipped = plan.flows.take("source", name, "shipped", "units")
        rows.append((share, waiting, cancelled, shipped))
    return np.array(rows, dtype=PARTIAL)


def lay_commitments(plan: Plan) -> Records:
    """Lay out the contracts: the units still to be ordered."""
    rows: list[tuple[Any, ...]] = []
    for name, source in plan.scenario.sources.items():
        commitment = source.commitment
        if commitment is None:
            continue
        owed = plan.state.take("source", name, "owed", "units")
        plan.initial[owed] = commitment.quantity
        shortfall = plan.flows.take("source", name, "shortfall", "units")
        rows.append((plan.sources[name], commitment.quantity, commitment.every, owed, shortfall))
    return np.array(rows, dtype=COMMITMENT)


def lay_carriers(plan: Plan) -> tuple[Records, npt.NDArray[np.int32]]:
    """Lay out the carriers and the sources of each."""
    rows: list[tuple[Any, ...]] = []
    loads: list[int] = []
    for name, carrier in plan.scenario.carriers.items():
        first = len(loads)
        loads += [
            plan.sources[source]
            for source, about in plan.scenario.sources.items()
            if about.carrier == name
        ]
        capacity = UNLIMITED if carrier.capacity is None else carrier.capacity
        rows.append((first, len(loads), capacity, plan.flows.take("carrier", name, "trips", "")))
    return np.array(rows, dtype=CARRIER), np.array(loads, dtype=np.int32)


def lay_projects(plan: Plan) -> Records:
    """Lay out the improvement projects: the progress of each."""
    rows: list[tuple[Any, ...]] = []
    for name, project in plan.scenario.projects.items():
        progress = plan.state.take("source", name, "progress", "periods")
        center = NONE if project.slows is None else plan.centers[project.slows]
        begun = plan.flows.take("project", name, "begun", "")
        rows.append((progress, project.periods, center, project.slowed_by, begun))
    return np.array(rows, dtype=PROJECT)


def lay_savings(
    plan: Plan, sources: Records, carriers: Records
) -> tuple[Records, list[tuple[str, int, float]]]:
    """Lay out the fixed costs that projects reduce; also return their (term, flow, price)."""
    rows: list[tuple[Any, ...]] = []
    bookings: list[tuple[str, int, float]] = []
    costs = [
        (f"sources.{name}.{field}", term, int(record[flow]), getattr(source, field))
        for record, (name, source) in zip(sources, plan.scenario.sources.items(), strict=True)
        for field, term, flow in (
            ("shipment_cost", "shipment", "shipments"),
            ("setup_cost", "setup", "setups"),
        )
    ]
    costs += [
        (f"carriers.{name}.cost", "shipment", int(record["trips"]), carrier.cost)
        for record, (name, carrier) in zip(carriers, plan.scenario.carriers.items(), strict=True)
    ]
    for path, term, flow, cost in costs:
        project, after = plan.improved(path)
        if project != NONE:
            owner, what = path.split(".")[1:]
            reduced = plan.flows.take("project", owner, f"reduced_{what}", "")
            rows.append((project, flow, reduced))
            bookings.append((term, reduced, after - cost))
    return np.array(rows, dtype=SAVING), bookings


def lay_abandonment(plan: Plan) -> Records:
    """Lay out the demands whose customers leave while they wait."""
    rows = [
        (
            plan.demands[name],
            demand.abandons,
            plan.tables.channel(f"{name}.abandons"),
            plan.flows.take("demand", name, "abandoned", "units"),
        )
        for name, demand in plan.scenario.demands.items()
        if demand.abandons > 0
    ]
    return np.array(rows, dtype=ABANDONMENT)


def lay_regimes(plan: Plan, demands: Records) -> Records:
    """Lay out the demands with regimes: the current regime, seen or hidden."""
    rows: list[tuple[Any, ...]] = []
    for record, (name, demand) in zip(demands, plan.scenario.demands.items(), strict=True):
        quantity = demand.quantity
        if not isinstance(quantity, Regimes):
            continue
        kind = "demand" if quantity.seen else "hidden"
        record["regime"] = plan.state.take(kind, name, "regime", "")
        chances = np.vstack([quantity.stationary, quantity.transitions])
        rows.append(
            (
                plan.demands[name],
                len(quantity.regimes),
                plan.tables.add_numbers(np.cumsum(chances, axis=1)),
                plan.tables.channel(f"{name}.regime"),
            )
        )
    return np.array(rows, dtype=REGIME)


def lay_lives(plan: Plan, demands: Records) -> Records:
    """Lay out the demands of new products: the demand so far."""
    rows: list[tuple[Any, ...]] = []
    for record, (name, demand) in zip(demands, plan.scenario.demands.items(), strict=True):
        life = demand.quantity
        if not isinstance(life, LifeCycle):
            continue
        record["life"] = len(rows)
        sold = plan.state.take("demand", name, "so_far", "units")
        shares = plan.tables.add_numbers(life.shares)
        channel = plan.tables.channel(f"{name}.quantity")
        rate = life.shape / life.mean
        rows.append((sold, life.shape, rate, life.first, len(life.shares), shares, channel))
    return np.array(rows, dtype=LIFE)


def lay_parts(plan: Plan, demands: Records) -> Records:
    """Lay out the demands that share a stream, one stream after another."""
    rows: list[tuple[Any, ...]] = []
    for stream, about in plan.scenario.streams.items():
        total = plan.tables.add(about.quantity, f".stream.{stream}")
        rest = 1.0
        for name, demand in plan.scenario.demands.items():
            part = demand.quantity
            if not isinstance(part, PartOf) or part.stream != stream:
                continue
            demands[plan.demands[name]]["stream"] = len(rows)
            # The share of what earlier parts left; the last part of a whole stream gets all of it.
            share = min(1.0, part.share / rest) if rest > 1e-12 else 0.0
            share = 1.0 if share > 1.0 - 1e-12 else share
            channel = plan.tables.channel(f"{name}.quantity")
            is_first = int(rest == 1.0)
            rows.append((plan.demands[name], share, channel, is_first, total))
            rest -= part.share
    return np.array(rows, dtype=PART)


def lay_revealed(plan: Plan, demands: Records) -> Records:
    """Lay out the forecasts that are revealed ahead: latent parts (hidden) and forecasts."""
    rows: list[tuple[Any, ...]] = []
    for record, (name, demand) in zip(demands, plan.scenario.demands.items(), strict=True):
        if not isinstance(demand.forecast, Revealed):
            continue
        record["revealed"] = len(rows)
        shares = np.array(demand.forecast.shares)
        leads = shares.size + 1
        # Of the demand j periods ahead, the parts with a lead of max(j, 1) or more are revealed.
        known = np.array([shares[max(j, 1) - 1 :].sum() for j in range(leads)])
        values, ends = demand.quantity.steps()
        rows.append(
            (
                plan.demands[name],
                leads,
                plan.state.take("hidden", name, "latent", "", leads),
                plan.state.take("forecast", name, "forecast", "units", leads),
                plan.tables.add_numbers(np.sqrt(np.concatenate([[0.0], shares]))),
                plan.tables.add_numbers(np.sqrt(np.clip(1.0 - known, 0.0, None))),
                plan.tables.add_numbers([_normal_quantile(end) for end in ends[:-1]]),
                values.size,
                plan.tables.channel(f"{name}.news", size=leads - 1),
                plan.tables.channel(f"{name}.quantity"),
            )
        )
        for lead in range(leads):
            plan.initial[rows[-1][3] + lead] = demand.quantity.expectation
    return np.array(rows, dtype=REVEALED)


def _normal_quantile(u: float) -> float:
    from scipy.special import ndtri  # a slow import, so only where it is needed

    return float(ndtri(u))


METHODS = {"exponential-smoothing": EXPONENTIAL, "croston": CROSTON, "tsb": TSB}


def lay_smoothing(plan: Plan) -> Records:
    """Lay out the causal forecasts of recorded demand, and those of an oracle."""
    rows: list[tuple[Any, ...]] = []
    for name, demand in plan.scenario.demands.items():
        method = demand.forecast
        if method is None or isinstance(method, Revealed):
            continue
        quantity: Distribution = demand.quantity
        assert isinstance(quantity, Recorded)
        forecast = plan.state.take("forecast", name, "forecast", "units")
        plan.initial[forecast] = quantity.expectation
        if not isinstance(method, Smoothing):
            recording = plan.tables.recorded.index(quantity)
            ahead = plan.tables.channel_ahead(f"{name}.quantity", recording, 1)
            rows.append((plan.demands[name], ORACLE, 1.0, forecast, NONE, ahead))
            continue
        size = NONE
        if method.method != "exponential-smoothing":
            series = quantity.series("train")
            frequency = max(float(np.mean(series > 0)), 1e-9)
            size = plan.state.take("hidden", name, "smoothed", "", 3)
            plan.initial[size] = quantity.expectation / frequency
            plan.initial[size + 1] = 1.0 / frequency if method.method == "croston" else frequency
            plan.initial[size + 2] = 1.0  # periods since the last demand
        kind = METHODS[method.method]
        rows.append((plan.demands[name], kind, method.weight, forecast, size, NONE))
    return np.array(rows, dtype=SMOOTHING)


def lay_obsolescence(plan: Plan) -> Records:
    """Lay out the items that become obsolete."""
    rows = [
        (
            plan.items[name],
            item.obsolescence,
            plan.tables.channel(f"{name}.obsolescence"),
            plan.flows.take("item", name, "obsolete", "units"),
        )
        for name, item in plan.scenario.items.items()
        if item.obsolescence > 0
    ]
    return np.array(rows, dtype=OBSOLESCENCE)


def lay_salvage(plan: Plan) -> Records:
    """Lay out the stock that is sold at the end of a season."""
    if not plan.scenario.horizon.ends:
        return np.array([], dtype=SALVAGE)
    rows = [
        (plan.items[name], plan.flows.take("item", name, "salvaged", "units"))
        for name in plan.scenario.items
    ]
    return np.array(rows, dtype=SALVAGE)


def lay_clock(plan: Plan) -> tuple[int, int]:
    """Lay out the clock if anything depends on it; return its cell and its cycle in periods."""
    scenario = plan.scenario
    patterns = [len(demand.phases) for demand in scenario.demands.values() if demand.varies]
    contracts = [s.commitment.every for s in scenario.sources.values() if s.commitment]
    lives = any(isinstance(demand.quantity, LifeCycle) for demand in scenario.demands.values())
    if not patterns and not contracts and not lives and not scenario.horizon.ends:
        return NONE, 0
    ends = scenario.horizon.ends or lives
    cycle = 0 if ends else math.lcm(*patterns, *contracts)
    return plan.state.take("clock", "clock", "period", "periods"), cycle
