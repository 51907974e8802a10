"""Units, time and customers are conserved in every period of random plants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitgym import catalog
from jitgym.catalog import load
from jitgym.scenario import Scenario
from tests.scenarios import Probe, asked_at_random, scenarios

EXAMPLES = 150  # random plants, 25 periods each
TIGHT = 1e-6  # units: .1 is not exact in binary, and an order may be of 1e9 units


@dataclass(frozen=True)
class Period:
    """What was asked, the state before and after the period, and the flows in between."""

    scenario: Scenario
    number: int  # number of the period, from 0
    asked: dict[str, float]
    before: dict[str, list[float]]
    flows: dict[str, float]
    after: dict[str, list[float]]

    def flow(self, owner: str, what: str) -> float:
        return self.flows[f"{owner}.{what}"]

    def opening(self, name: str) -> float:
        return sum(self.before.get(name, ()))

    def closing(self, name: str) -> float:
        return sum(self.after.get(name, ()))

    def left(self, item: str) -> float:
        """Return the stock that was not granted to any source."""
        return self.opening(f"{item}.stock") - self.flow(item, "consumed")


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=TIGHT)


def check_items(period: Period) -> None:
    scenario = period.scenario
    for item in scenario.items:
        flow = {w: period.flow(item, w) for w in ("arrived", "consumed", "served", "wasted")}
        came = period.opening(f"{item}.stock") + flow["arrived"]
        went = flow["consumed"] + flow["served"] + flow["wasted"]
        assert close(came, period.closing(f"{item}.stock") + went), (item, period)
        made = sum(period.flow(source, "received") for source in scenario.sources_of(item))
        made += sum(
            period.flow(name, "defective")
            for name, source in scenario.sources.items()
            if source.quality is not None and source.quality.by_product == item
        )
        assert close(flow["arrived"], made)
        if scenario.items[item].shelf_life is None:
            assert close(flow["wasted"], period.flows.get(f"{item}.obsolete", 0.0))
        # Stock is sold off only at the end of a season, and then all of it.
        is_last = scenario.horizon.ends and period.number == scenario.horizon.periods - 1
        left = period.closing(f"{item}.stock") if is_last else 0.0
        assert close(period.flows.get(f"{item}.salvaged", 0.0), left)
        used = sum(
            scenario.sources[source].consumes[item] * period.flow(source, "granted")
            for source in scenario.consumers_of(item)
        )
        assert close(flow["consumed"], used)
        served = sum(
            period.flow(n, "served") for n, d in scenario.demands.items() if d.item == item
        )
        assert close(flow["served"], served)


def check_sources(period: Period) -> None:
    for name, source in period.scenario.sources.items():
        granted = period.flow(name, "granted")
        received, defective = period.flow(name, "received"), period.flow(name, "defective")
        cancelled = period.flows.get(f"{name}.cancelled", 0.0)
        before = period.opening(f"{name}.in_process") + period.opening(f"{name}.unshipped")
        after = period.closing(f"{name}.in_process") + period.closing(f"{name}.unshipped")
        assert close(before + granted, after + received + defective + cancelled), (name, period)
        at_once = source.lead_time.expectation == 0
        in_process = after if at_once else before + granted - cancelled
        assert close(period.flow(name, "in_process"), in_process), (name, period)
        if source.quality is not None:
            escaped, scrapped = period.flow(name, "escaped"), period.flow(name, "scrapped")
            assert close(scrapped, 0.0 if source.quality.by_product else defective)
            assert escaped <= received + TIGHT
        if period.before.get(f"{name}.up") == [0.0]:
            assert granted == period.flow(name, "shipments") == 0
        waited = period.opening(f"{name}.unshipped") + granted
        unshipped = period.closing(f"{name}.unshipped") + cancelled
        ships = period.flows.get(f"{name}.shipped", granted)
        assert close(ships, waited - unshipped)
        assert period.flow(name, "shipments") == float(ships > 0)
        if source.commitment is not None:
            check_contract(name, source.commitment, period)
    for name, carrier in period.scenario.carriers.items():
        load = sum(
            period.flows.get(f"{n}.shipped", period.flow(n, "granted"))
            for n, source in period.scenario.sources.items()
            if source.carrier == name
        )
        most = 1.0 if carrier.capacity is None else load / carrier.capacity
        trips = period.flow(name, "trips")
        assert most - TIGHT <= trips <= math.ceil(most) if load > 0 else trips == 0


def check_contract(name: str, contract: Any, period: Period) -> None:
    owed = period.opening(f"{name}.owed") - period.flow(name, "granted")
    passed = period.opening("clock.period")  # an episode of `train` begins at a random phase
    is_over = (passed + 1) % contract.every == 0
    assert close(period.flow(name, "shortfall"), max(owed, 0.0) if is_over else 0.0)
    assert close(period.closing(f"{name}.owed"), contract.quantity if is_over else owed)


def check_demands(period: Period) -> None:
    for name, demand in period.scenario.demands.items():
        requested, served, at_once, lost, waiting = (
            period.flow(name, w) for w in ("requested", "served", "at_once", "lost", "waiting")
        )
        opening, closing = period.opening(f"{name}.backlog"), period.closing(f"{name}.backlog")
        abandoned = period.flows.get(f"{name}.abandoned", 0.0)
        assert close(closing, opening + requested - served - lost - abandoned), (name, period)
        assert close(waiting, closing)
        assert abandoned <= opening + TIGHT
        assert 0 <= at_once <= served + TIGHT
        assert at_once <= requested
        if demand.unmet == "lost":
            assert close(lost, requested - at_once)
        elif demand.unmet == "backordered" or demand.unmet.backordered == 1:
            assert lost <= TIGHT
        # All waiting customers are in the queue; none has waited longer than the simulation runs.
        assert close(period.closing(f"{name}.queue"), closing), (name, period)
        longest = period.after.get(f"{name}.queue", [])[period.number + 1 :]
        assert sum(longest) <= TIGHT
        if waiting > TIGHT or lost > TIGHT:  # demand is unmet only when the stock is empty
            assert period.flow(demand.item, "on_hand") <= TIGHT


def check_limits(period: Period) -> None:
    scenario = period.scenario
    for name, source in scenario.sources.items():
        granted = period.flow(name, "granted")
        lots = granted / source.lot_size
        assert math.isclose(lots, round(lots), rel_tol=1e-9, abs_tol=1e-6), (name, period)
        asked = max(period.asked[name], 0.0)
        assert granted <= asked * (1 + 1e-12) + TIGHT * source.lot_size, (name, period)
        assert granted == 0 or granted >= source.minimum_order - TIGHT
        assert source.maximum_order is None or granted <= source.maximum_order + TIGHT
    for name, item in scenario.items.items():
        if item.storage is not None:
            lying = period.opening(f"{name}.stock") + sum(
                period.opening(f"{source}.in_process") + period.opening(f"{source}.unshipped")
                for source in scenario.sources_of(name)
            )
            granted = sum(period.flow(source, "granted") for source in scenario.sources_of(name))
            demands = {n: d for n, d in scenario.demands.items() if d.item == name}
            waiting = sum(period.opening(f"{n}.backlog") for n in demands)
            room = item.storage + waiting - lying
            assert granted <= max(room, 0.0) + TIGHT, (name, period)
            # More can lie there only as first stock, by-product, or units for customers who left.
            may_exceed = name in by_products(scenario) or any(d.abandons for d in demands.values())
            if item.initial_stock <= item.storage and not may_exceed:
                assert period.flow(name, "on_hand") <= item.storage + TIGHT, (name, period)


def by_products(scenario: Scenario) -> set[str | None]:
    qualities = [source.quality for source in scenario.sources.values() if source.quality]
    return {quality.by_product for quality in qualities}


def setup_time(period: Period, source: str) -> float:
    """Return a source's setup time, which depends on whether its project is done."""
    for name, project in period.scenario.projects.items():
        path = f"sources.{source}.setup_time"
        if path in project.improves and period.closing(f"{name}.progress") > project.periods + 1:
            raise AssertionError("progress goes on")
        if path in project.improves and period.opening(f"{name}.progress") > project.periods:
            return float(project.improves[path])
    return float(period.scenario.sources[source].setup_time)


def check_projects(period: Period) -> None:
    """Each project is begun once, paid then, and continues by itself until it is done."""
    for name, project in period.scenario.projects.items():
        before, after = period.opening(f"{name}.progress"), period.closing(f"{name}.progress")
        begun = period.flow(name, "begun")
        assert begun == float(before == 0 and period.asked[name] > 0.5)
        now = 1.0 if begun else before
        assert after == (now + 1 if 0 < now <= project.periods else now)


def check_centers(period: Period) -> None:
    scenario = period.scenario
    for name in scenario.work_centers:
        available, used = period.flow(name, "available"), period.flow(name, "used")
        crew = {n: source for n, source in scenario.sources.items() if source.at == name}
        assert used <= available + TIGHT
        over = (
            0.0
            if scenario.work_centers[name].overtime is None
            else (scenario.work_centers[name].overtime.time)
        )
        regular = period.flow(name, "regular")
        assert close(available, regular + over) or available == 0
        assert close(period.flows.get(f"{name}.over", 0.0), max(used - regular, 0.0) if over else 0)
        if not any(project.slows == name for project in scenario.projects.values()):
            is_up = period.before.get(f"{name}.up", [1.0]) == [1.0]
            assert close(regular, period.flow(name, "planned") if is_up else 0.0)
        is_down = period.before.get(f"{name}.up") == [0.0]
        if is_down or available == 0:
            assert available == 0
            assert all(period.flow(source, "granted") == 0 for source in crew)
        assert close(period.flow(name, "made"), sum(period.flow(n, "granted") for n in crew))
        # Time is conserved too: the time used goes into setups and lots, or is kept for later.
        into = sum(
            setup_time(period, n) * period.flow(n, "setups")
            + source.time_per_unit * period.flow(n, "granted")
            for n, source in crew.items()
        )
        kept = sum(period.closing(f"{n}.work") - period.opening(f"{n}.work") for n in crew)
        assert close(used, into + kept), (name, period)


def check_nothing_is_left_undone(period: Period) -> None:
    """After the last pass no source could be granted one more lot of what it asked for."""
    scenario = period.scenario
    for name, source in scenario.sources.items():
        if source.at is not None and period.flow(source.at, "available") == 0:
            continue
        if source.at is not None:
            idle = period.flow(source.at, "available") - period.flow(source.at, "used")
            takes_time = source.time_per_unit > 0 or source.setup_time > 0 or source.setup_cost > 0
            if idle <= TIGHT and takes_time:
                continue
        granted = period.flow(name, "granted")
        more = period.flow(name, "allowed") - granted
        for material, quantity in source.consumes.items():
            more = min(more, period.left(material) / quantity)
        more = math.floor(more / source.lot_size - 1e-6) * source.lot_size
        assert more <= 0 or granted + more < source.minimum_order + TIGHT, (name, period)


def check_nothing_is_negative(period: Period) -> None:
    for name, cells in period.after.items():
        if name.endswith((".owed", ".latent")):  # owed may be negative; latent is a normal variable
            continue
        assert min(cells, default=0.0) >= 0.0, (name, period)
    for name, value in period.flows.items():
        assert value >= 0.0 or name.endswith(".asked"), (name, period)


@given(scenarios(), st.integers(0, 2**32 - 1))
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
def test_no_unit_is_lost(scenario: Scenario, seed: int) -> None:
    probe = Probe(scenario, seed)
    sources = len(scenario.sources)
    for number, row in enumerate(asked_at_random(scenario, seed)):
        asked = dict(zip(scenario.sources, row.tolist(), strict=False))
        asked |= dict(zip(scenario.projects, row[2 * sources :].tolist(), strict=True))
        before = probe.state()
        flows = probe.step_row(row)
        period = Period(scenario, number, asked, before, flows, probe.state())
        check_items(period)
        check_sources(period)
        check_demands(period)
        check_limits(period)
        check_centers(period)
        check_projects(period)
        check_nothing_is_left_undone(period)
        check_nothing_is_negative(period)


@pytest.mark.parametrize("name", catalog.names())
def test_whole_units_balance_to_the_last_bit(name: str) -> None:
    scenario = load(name)
    probe = Probe(scenario, seed=1)
    rng = np.random.default_rng(1)
    for _ in range(400):
        asked = rng.integers(0, 30, len(scenario.sources)).astype(np.float64).tolist()
        before = probe.state()
        flows = probe.step(**dict(zip(scenario.sources, asked, strict=True)))
        after = probe.state()
        for item in scenario.items:
            came = sum(before[f"{item}.stock"]) + flows[f"{item}.arrived"]
            went = flows[f"{item}.consumed"] + flows[f"{item}.served"] + flows[f"{item}.wasted"]
            assert came == sum(after[f"{item}.stock"]) + went
        for source in scenario.sources:
            more = sum(after[f"{source}.in_process"]) - sum(before[f"{source}.in_process"])
            gone = flows[f"{source}.received"] + flows[f"{source}.defective"]
            gone += flows.get(f"{source}.cancelled", 0.0)
            assert flows[f"{source}.granted"] == more + gone
