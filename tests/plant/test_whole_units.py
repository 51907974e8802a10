"""Whole units: there is one tolerance, and no number in the data means "none"."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agents
import jitgym
from jitgym import units
from jitgym.control import RulePolicy, ViewLayout, pull_rule
from jitgym.plant import Layout, draws, lay_out
from jitgym.scenario import Scenario
from tests.scenarios import Probe, plant

LOTS = (0.1, 0.3, 0.7, 1 / 3, 1.1, 1.7, 2.3, 12.0, 0.01)


def bought(items: dict[str, Any] | None = None, **source: Any) -> Scenario:
    return plant(
        items={"product": items or {}}, sources={"supplier": {"makes": "product"} | source}
    )


def asked_by(layout: Layout, level: float) -> float:
    """Return what base-stock asks for without stock."""
    policy = RulePolicy("up to", layout, pull_rule(layout, levels={"supplier": level}))
    view = ViewLayout(layout).of(np.zeros((1, layout.cells)))
    return float(policy.act(view, policy.start(1))[0, 0])


# --- lots and limits ------------------------------------------------------------------------------


@pytest.mark.parametrize("lot", LOTS)
@pytest.mark.parametrize("lots", [1, 3, 7, 49])
def test_an_order_of_whole_lots_up_to_rounding_is_granted(lot: float, lots: int) -> None:
    size = round(lot * lots, 10)
    scenario = bought(lot_size=lot, minimum_order=size, maximum_order=size)
    assert Probe(scenario).step(supplier=size)["supplier.granted"] == pytest.approx(size)
    made = plant(
        items={"product": {"storage": size}},
        work_centers={"machine": {"time": 0.3 * size}},
        sources={
            "making": {
                "makes": "product", "at": "machine", "time_per_unit": 0.3,
                "lot_size": lot, "minimum_order": size, "maximum_order": size,
            }
        },
    )  # fmt: skip
    assert Probe(made).step(making=size)["making.granted"] == pytest.approx(size)


@pytest.mark.parametrize("lot", LOTS)
def test_material_for_whole_lots_up_to_rounding_is_enough(lot: float) -> None:
    for lots in (1, 3, 7, 49):
        scenario = plant(
            items={"part": {"initial_stock": round(0.3 * lot * lots, 10)}, "product": {}},
            sources={
                "making": {"makes": "product", "consumes": {"part": 0.3}, "lot_size": lot},
                "other": {"makes": "product", "consumes": {"part": 0.3}, "lot_size": lot},
            },
        )
        flows = Probe(scenario).step(making=1000 * lot, other=1000 * lot)
        granted = flows["making.granted"] + flows["other.granted"]
        assert granted == pytest.approx(lot * lots)


@given(st.sampled_from(LOTS), st.integers(0, 10**12))
def test_whole_lots_are_recognized_at_any_size(lot: float, lots: int) -> None:
    assert units.whole(lots * lot / lot) == lots
    assert units.whole((lots + 0.99) * lot / lot) == lots
    assert units.whole_up(lots * lot / lot) == lots
    assert units.is_whole(lots * lot / lot)
    assert units.at_least(lots * lot, lots * lot)
    assert not units.at_least(float(lots), lots + 0.5)


# --- fractions that are rounding errors -----------------------------------------------------------


def test_fourteen_units_up_to_the_last_bit_count_as_fourteen() -> None:
    for u in (0.01, 0.3, 0.77, 0.999):
        assert draws.share_of(u, 13.999999999999996, 0.5) == draws.binomial(u, 14.0, 0.5)
    assert draws.share_of(0.999999, 13.999999999999996, 1.0) <= 13.999999999999996


def test_a_request_that_lacks_only_the_last_bit_is_served_in_full() -> None:
    """.3 - .1 - .1 leaves .09999999999999998 of .1."""
    demand = {"item": "product", "quantity": 0.1, "unmet": "backordered"}
    probe = Probe(plant(items={"product": {"initial_stock": 0.3}}, demands={"customers": demand}))
    for _ in range(3):
        flows = probe.step()
        assert flows["customers.at_once"] == pytest.approx(0.1)
        assert flows["customers.in_full"] == 1
    assert flows["customers.ready"] == 0  # and nothing is left
    assert probe.step()["customers.in_full"] == 0


def test_a_remainder_from_rounding_does_not_count_as_stock() -> None:
    demand = {"item": "product", "quantity": 0.1, "unmet": "lost"}
    probe = Probe(plant(items={"product": {"initial_stock": 0.8}}, demands={"customers": demand}))
    ready = [probe.step()["customers.ready"] for _ in range(8)]
    assert ready == [1] * 7 + [0]


def test_a_partial_delivery_of_whole_units_loses_no_unit_to_rounding() -> None:
    scenario = bought(partial={"share": 0.1, "rest": "later"})
    assert Probe(scenario).step(supplier=30)["supplier.shipped"] == 3
    assert Probe(scenario).step(supplier=70)["supplier.shipped"] == 7


@pytest.mark.parametrize("lot", LOTS)
def test_rules_ask_for_as_many_lots_as_close_the_gap(lot: float) -> None:
    layout = lay_out(bought(lot_size=lot))
    for lots in (1, 3, 7, 49):
        assert asked_by(layout, level=round(lots * lot, 10)) == pytest.approx(lots * lot)


def test_the_tolerance_for_whole_units_is_written_in_one_place() -> None:
    """Rounding to whole units, lots and periods goes through jitgym/units.py."""
    own = re.compile(r"(floor|ceil)\([^\n]*[-+] ?(1e-\d+|ROUNDING)")
    folders = [Path(jitgym.__file__).parent, Path(agents.__file__).parent]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    assert len(files) > 100
    found = [
        f"{file.name}: {line.strip()}"
        for file in files
        if file.name != "units.py"
        for line in file.read_text().splitlines()
        if own.search(line)
    ]
    assert found == []


# --- no number stands for "none" ------------------------------------------------------------------


@pytest.mark.parametrize("asked", [5e9, 1e9, 2e12])
def test_without_a_maximum_all_that_is_asked_is_granted(asked: float) -> None:
    assert Probe(bought()).step(supplier=asked)["supplier.granted"] == asked


@pytest.mark.parametrize("storage", [1e9, 2e9, 1e12])
def test_a_very_large_storage_still_limits_orders(storage: float) -> None:
    probe = Probe(bought({"storage": storage}))
    assert probe.step(supplier=5e12)["supplier.granted"] == storage


def test_a_very_large_maximum_and_truck_still_limit_orders() -> None:
    scenario = plant(
        sources={"supplier": {"makes": "product", "maximum_order": 2e9, "carrier": "ship"}},
        carriers={"ship": {"cost": 1, "capacity": 1.5e9}},
    )
    probe = Probe(scenario)
    flows = probe.step(supplier=5e9)
    assert (flows["supplier.granted"], flows["ship.trips"]) == (2e9, 2)


@pytest.mark.parametrize("level", [1e9, 3e9])
def test_a_very_large_level_is_reached(level: float) -> None:
    assert asked_by(lay_out(bought()), level) == level
