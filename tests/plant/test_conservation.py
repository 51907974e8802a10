"""What goes in comes out: every period of random plants, to the last unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitgym import catalog
from jitgym.scenario import Scenario, load
from tests.scenarios import Probe, asked_at_random, scenarios

EXAMPLES = 150  # random plants, 25 periods each
TIGHT = 1e-6  # of a unit: a lot of .1 is no whole number in binary, and an order may be of 1e9


@dataclass(frozen=True)
class Period:
    """What was asked, what lay where before and after, and what flowed in between."""

    scenario: Scenario
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
        """Stock that nobody was granted."""
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
        assert close(flow["arrived"], made)
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
    for name in period.scenario.sources:
        granted = period.flow(name, "granted")
        gone = period.flow(name, "received") + period.flow(name, "defective")
        opening, closing = (
            period.opening(f"{name}.in_process"),
            period.closing(f"{name}.in_process"),
        )
        assert close(granted, closing - opening + gone), (name, period)
        at_once = period.scenario.sources[name].lead_time.expectation == 0
        assert close(period.flow(name, "in_process"), 0 if at_once else opening + granted)


def check_demands(period: Period) -> None:
    for name, demand in period.scenario.demands.items():
        requested, served, at_once, lost, waiting = (
            period.flow(name, w) for w in ("requested", "served", "at_once", "lost", "waiting")
        )
        opening, closing = period.opening(f"{name}.backlog"), period.closing(f"{name}.backlog")
        assert close(closing, opening + requested - served - lost), (name, period)
        assert close(waiting, closing)
        assert 0 <= at_once <= served + TIGHT
        assert at_once <= requested
        assert close(
            lost if demand.unmet == "lost" else closing - opening + served - at_once,
            requested - at_once,
        )
        if waiting > TIGHT or lost > TIGHT:  # nobody waits or leaves beside a full shelf
            assert period.flow(demand.item, "on_hand") <= TIGHT


def check_limits(period: Period) -> None:
    scenario = period.scenario
    for name, source in scenario.sources.items():
        granted = period.flow(name, "granted")
        lots = granted / source.lot_size
        assert math.isclose(lots, round(lots), rel_tol=1e-9, abs_tol=1e-6), (name, period)
        assert granted <= max(period.asked[name], 0.0) + TIGHT * source.lot_size
        assert granted == 0 or granted >= source.minimum_order - TIGHT
        assert source.maximum_order is None or granted <= source.maximum_order + TIGHT
    for name, item in scenario.items.items():
        if item.storage is not None:
            lying = period.opening(f"{name}.stock") + sum(
                period.opening(f"{source}.in_process") for source in scenario.sources_of(name)
            )
            granted = sum(period.flow(source, "granted") for source in scenario.sources_of(name))
            assert granted <= max(item.storage - lying, 0.0) + TIGHT, (name, period)


def check_centers(period: Period) -> None:
    scenario = period.scenario
    for name in scenario.work_centers:
        available, used = period.flow(name, "available"), period.flow(name, "used")
        crew = {n: source for n, source in scenario.sources.items() if source.at == name}
        assert used <= available + TIGHT
        is_down = period.before.get(f"{name}.up") == [0.0]
        if is_down or available == 0:
            assert available == 0
            assert all(period.flow(source, "granted") == 0 for source in crew)
        assert close(period.flow(name, "made"), sum(period.flow(n, "granted") for n in crew))
        # Time is conserved too: what was used went into setups and lots, or is kept for later.
        into = sum(
            source.setup_time * period.flow(n, "setups")
            + source.time_per_unit * period.flow(n, "granted")
            for n, source in crew.items()
        )
        kept = sum(period.closing(f"{n}.work") - period.opening(f"{n}.work") for n in crew)
        assert close(used, into + kept), (name, period)


def check_nothing_is_left_undone(period: Period) -> None:
    """After the last pass no source could be granted a lot more of what it asked for."""
    scenario = period.scenario
    for name, source in scenario.sources.items():
        if source.at is not None:
            idle = period.flow(source.at, "available") - period.flow(source.at, "used")
            if idle <= TIGHT:
                continue
        granted = period.flow(name, "granted")
        more = period.flow(name, "allowed") - granted
        for material, quantity in source.consumes.items():
            more = min(more, period.left(material) / quantity)
        more = math.floor(more / source.lot_size - 1e-6) * source.lot_size
        assert more <= 0 or granted + more < source.minimum_order + TIGHT, (name, period)


def check_nothing_is_negative(period: Period) -> None:
    for name, cells in period.after.items():
        assert min(cells, default=0.0) >= 0.0, (name, period)
    for name, value in period.flows.items():
        assert value >= 0.0 or name.endswith(".asked"), (name, period)


@given(scenarios(), st.integers(0, 2**32 - 1))
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
def test_no_unit_is_lost(scenario: Scenario, seed: int) -> None:
    probe = Probe(scenario, seed)
    for row in asked_at_random(scenario, seed):
        asked = dict(zip(scenario.sources, row.tolist(), strict=True))
        before = probe.state()
        flows = probe.step(**asked)
        period = Period(scenario, asked, before, flows, probe.state())
        check_items(period)
        check_sources(period)
        check_demands(period)
        check_limits(period)
        check_centers(period)
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
            assert flows[f"{source}.granted"] == more + gone
