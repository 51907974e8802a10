"""The inventory position counts every unit once, wherever a feature puts it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import agents
from agents.classic import CLASSICS
from jitgym.control import View, ViewLayout, echelon, local
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario
from tests.scenarios import Probe, asked_at_random, plant, scenarios

LATER = {
    "share": {"distribution": "finite", "values": [0.2, 1.0], "probabilities": [0.7, 0.3]},
    "rest": "later",
}


def counted(row: dict[int, float], state: np.ndarray) -> float:
    return math.fsum(units * state[cell] for cell, units in row.items())


def balance(scenario: Scenario, item: str, flows: dict[str, float]) -> float:
    """What a period's flows add to the position of an item, net of backorders: in less out."""

    def flow(owner: str, what: str) -> float:
        return flows.get(f"{owner}.{what}", 0.0)

    total = -flow(item, "consumed") - flow(item, "wasted")
    for name in scenario.sources_of(item):
        total += flow(name, "granted") - flow(name, "cancelled") - flow(name, "defective")
    for name, source in scenario.sources.items():
        if source.quality is not None and source.quality.by_product == item:
            total += flow(name, "defective")  # by-products enter stock as they arrive
    for name, demand in scenario.demands.items():
        if demand.item == item:
            gone = flow(name, "lost") + (flow(name, "abandoned") if demand.waits else 0.0)
            total -= flow(name, "requested") - gone
    back = {
        material: quantity
        for name, (material, quantity) in scenario.reworked.items()
        if scenario.sources[name].makes == item
    }
    for (
        material,
        quantity,
    ) in back.items():  # defects come back, until they are taken or thrown away
        left = flow(material, "arrived") - flow(material, "consumed") - flow(material, "wasted")
        total += left / quantity
    return total


@given(scenarios(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_position_changes_by_the_units_granted_less_those_that_leave(
    scenario: Scenario, seed: int
) -> None:
    layout = lay_out(scenario)
    positions = {item: local(layout, item) for item in scenario.items}
    probe = Probe(scenario, seed)
    for row in asked_at_random(scenario, seed):
        before = probe.engine.state[0].copy()
        flows = probe.step_row(row)
        for item, position in positions.items():
            change = counted(position, probe.engine.state[0]) - counted(position, before)
            assert math.isclose(change, balance(scenario, item, flows), rel_tol=1e-9, abs_tol=1e-5)


@given(scenarios())
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_an_echelon_position_adds_those_of_all_items_made_of_it(scenario: Scenario) -> None:
    layout = lay_out(scenario)
    state = np.random.default_rng(1).random(layout.cells)
    for item in scenario.items:
        below = scenario.goes_into(item)
        whole = counted(local(layout, item), state) + math.fsum(
            units * counted(echelon(layout, consumer), state) for consumer, units in below.items()
        )
        assert math.isclose(counted(echelon(layout, item), state), whole, rel_tol=1e-9)


# --- what policies count ------------------------------------------------------------------------


def single(**source: Any) -> Scenario:
    return plant(
        items={"product": {"holding_cost": 1, "initial_stock": 10}},
        sources={"supplier": {"makes": "product", "lead_time": 2} | source},
        demands={
            "customers": {
                "item": "product",
                "quantity": {"distribution": "poisson", "mean": 5},
                "unmet": "backordered",
                "shortage_cost": 9,
            }
        },
    )


def state_of(layout: Layout, **cells: float) -> np.ndarray:
    row = layout.plant.initial.copy()
    for name, units in cells.items():
        part = next(p for p in layout.state if p.name == name.replace("__", "."))
        row[part.start + (1 if part.name.endswith("in_process") else 0)] = units
    return row[np.newaxis]


def asks(name: str, scenario: Scenario, **cells: float) -> dict[str, float]:
    layout = lay_out(scenario)
    policy = agents.make(name, scenario)
    seen: View = ViewLayout(layout).of(state_of(layout, **cells))
    asked = np.asarray(policy.act(seen, policy.start(1)))[0]
    return dict(zip(scenario.sources, asked.tolist(), strict=False))


BLIND = {"constant"}  # it looks at nothing
ORDERING = [
    name
    for name, classic in CLASSICS.items()
    if name not in BLIND and not classic.why_not(single(partial=LATER, shipment_cost=20))
]


@pytest.mark.parametrize("name", ORDERING)
def test_no_policy_orders_units_again_that_wait_to_ship(name: str) -> None:
    scenario = single(partial=LATER, shipment_cost=20)
    cells = {"product__stock": 0.0}
    assert asks(name, scenario, **cells, supplier__unshipped=0)["supplier"] > 0
    assert asks(name, scenario, **cells, supplier__unshipped=500)["supplier"] == 0


@pytest.mark.parametrize("name", ORDERING)
def test_a_unit_that_waits_to_ship_counts_as_one_on_its_way(name: str) -> None:
    if name in ("linear-capped", "rolling-lp"):
        return  # they weigh units by their age
    scenario = single(partial=LATER, shipment_cost=20)
    cells = {"product__stock": 0.0}
    for units in (3.0, 7.0):
        waits = asks(name, scenario, **cells, supplier__unshipped=units)
        comes = asks(name, scenario, **cells, supplier__in_process=units)
        assert waits == comes


def test_base_stock_holds_its_level_where_deliveries_fall_short() -> None:
    """It held up to 301 units for a level of 30: what waited to ship was ordered again."""
    scenario = single(partial=LATER)
    probe, layout = Probe(scenario, 1), lay_out(scenario)
    policy = agents.make("base-stock", scenario, level=30)
    for _ in range(200):
        asked = policy.act(ViewLayout(layout).of(probe.engine.state), np.empty((1, 0)))
        probe.step_row(np.asarray(asked)[0])
        assert sum(probe.state()["product.stock"]) <= 30


# --- several sources, and rework ----------------------------------------------------------------


def two_sources(**fast: Any) -> Scenario:
    return plant(
        items={"product": {"holding_cost": 1}},
        sources={
            "near": {"makes": "product", "lead_time": 1, "unit_cost": 2} | fast,
            "far": {"makes": "product", "lead_time": 3},
        },
        demands={"customers": {"item": "product", "quantity": 5, "unmet": "backordered"}},
    )


@pytest.mark.parametrize(
    ("fast", "cells", "granted"),
    [
        ({}, {}, 20),
        ({"maximum_order": 6}, {}, 6),
        ({"lot_size": 8}, {}, 16),
        ({"minimum_order": 30}, {}, 0),
        ({"disruption": {"fails": 0.1, "repaired": 0.5}}, {"near__up": 0.0}, 0),
    ],
)
@pytest.mark.parametrize("name", ["base-stock", "heijunka-like", "single-index"])
def test_the_next_source_gets_the_part_of_an_order_that_the_first_cannot_deliver(
    name: str, fast: dict[str, Any], cells: dict[str, float], granted: float
) -> None:
    scenario = two_sources(**fast)
    layout = lay_out(scenario)
    if name == "heijunka-like":  # a policy that is no rule
        from agents.classic.base.acting import Positions

        state = state_of(layout, **cells)
        near, far = Positions(layout).up_to(state, np.array([[20.0, 20.0]]))[0]
    else:
        levels = (
            {"levels": [20, 20]}
            if name == "base-stock"
            else {"expedited_level": 20, "regular_level": 20}
        )
        policy = agents.make(name, scenario, **levels)
        seen = ViewLayout(layout).of(state_of(layout, **cells))
        near, far = np.asarray(policy.act(seen, np.empty((1, 0))))[0, :2]
    assert (near, far) == (granted, 20 - granted)


def reworking() -> Scenario:
    return plant(
        items={"steel": {"holding_cost": 1}, "defects": {}, "part": {"holding_cost": 2}},
        sources={
            "mill": {"makes": "steel", "lead_time": 2},
            "making": {
                "makes": "part",
                "consumes": {"steel": 1},
                "lead_time": 1,
                "quality": {"defects": 0.2, "by_product": "defects"},
            },
            "mending": {"makes": "part", "consumes": {"defects": 1}, "lead_time": 2},
        },
        demands={
            "customers": {
                "item": "part",
                "quantity": 5,
                "unmet": "backordered",
                "shortage_cost": 9,
            }
        },
    )


@pytest.mark.parametrize("name", ["base-stock", "kanban", "extended-kanban", "generalized-kanban"])
def test_defects_that_come_back_are_counted_once(name: str) -> None:
    """Seven defects: mended, or waiting to be, they stand for seven parts."""
    scenario = reworking()
    none = asks(name, scenario, steel__stock=50)
    seven = asks(name, scenario, steel__stock=50, defects__stock=7)
    mended = asks(name, scenario, steel__stock=50, mending__in_process=7)
    assert none["making"] > 7
    assert seven["mending"] >= 7
    assert seven["making"] == mended["making"] == none["making"] - 7
    assert seven["mill"] == mended["mill"]
