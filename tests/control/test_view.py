"""The view: what a policy may see, by name."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from jitgym.catalog import load
from jitgym.control import View, ViewLayout
from tests.scenarios import Probe, plant


@pytest.fixture
def line() -> Probe:
    return Probe(load("kanban-line"), seed=2)


def seen(probe: Probe) -> View:
    return ViewLayout(probe.layout).of(probe.engine.state)


def test_cells_stand_in_the_order_item_source_center_demand_forecast() -> None:
    kinds = [cell.of.kind for cell in ViewLayout(Probe(load("recorded-retail")).layout).cells]
    assert kinds == sorted(
        kinds, key=["item", "source", "center", "demand", "report", "forecast"].index
    )
    names = [cell.name for cell in ViewLayout(Probe(load("kanban-line")).layout).cells]
    assert names == [
        "steel.stock",
        "panel.stock",
        "frame.stock",
        "car.stock",
        "mill.in_process[1]",
        "mill.in_process[2]",
        "mill.in_process[3]",
        "press.up",
        "weld.up",
        "assembly.up",
        "customers.backlog",
        "customers.last",
    ]


def test_the_view_shows_the_pipeline_by_age_and_in_total(line: Probe) -> None:
    # An order arrives two periods after it was placed at the earliest: none of these has arrived.
    line.step(mill=4)
    assert seen(line)["mill.in_process[1]"].tolist() == [4]
    line.step(mill=8)
    view = seen(line)
    assert view["mill.in_process[1]"].tolist() == [8]
    assert view["mill.in_process"].tolist() == [line["mill.in_process"]]


def test_a_view_shows_natural_units_by_name_for_each_row(line: Probe) -> None:
    for _ in range(20):
        flows = line.step(mill=8, pressing=9, welding=9, finishing=9)
        view = seen(line)
        assert view["car.stock"].tolist() == [line["car.stock"]]
        assert view["customers.backlog"].tolist() == [flows["customers.waiting"]]
        assert view["customers.last"].tolist() == [flows["customers.requested"]]
        assert view["press.up"].tolist() == [line["press.up"]]


def test_an_item_without_a_visible_pipeline_has_nothing_in_process() -> None:
    # Units that arrive at once or at the end of the same period are never in process at a decision.
    for lead_time in (0, 1):
        probe = Probe(plant(sources={"supplier": {"makes": "product", "lead_time": lead_time}}))
        probe.step(supplier=3)
        assert seen(probe)["supplier.in_process"].tolist() == [0]
        assert seen(probe)["product.stock"].tolist() == [3]


def test_an_unknown_name_lists_the_known_ones(line: Probe) -> None:
    with pytest.raises(KeyError, match=r"steel\.stock"):
        seen(line)["iron.stock"]


def test_a_view_is_an_array_that_keeps_its_names(line: Probe) -> None:
    view = seen(line)
    assert view[0, 0] == 12
    assert view.shape == (1, 12)
    for kept in (view.copy(), copy.deepcopy(view), view + 0):
        assert kept["steel.stock"].tolist() == [12]
    assert pickle.loads(pickle.dumps(view)).tolist() == view.tolist()


def test_a_view_is_a_copy_of_the_state(line: Probe) -> None:
    view = seen(line)
    view[:] = 99
    assert line["steel.stock"] == 12


def test_state_and_view_convert_into_each_other(line: Probe) -> None:
    for _ in range(5):
        line.step(mill=8, pressing=3)
    layout = ViewLayout(line.layout)
    shown = line.engine.state.copy()
    for part in line.layout.state:
        if part.kind == "hidden":  # waiting times are only reported
            shown[:, part.start : part.stop] = 0.0
    np.testing.assert_array_equal(layout.state(np.asarray(seen(line))), shown)


def test_the_setup_is_seen_as_one_plus_the_number_of_its_source() -> None:
    probe = Probe(
        plant(
            work_centers={"lathe": {"time": 20}},
            sources={
                "supplier": {"makes": "product"},
                "turning": {
                    "makes": "product", "at": "lathe", "time_per_unit": 1, "setup_time": 3
                },
            },
        )
    )  # fmt: skip
    assert seen(probe)["lathe.setup"].tolist() == [0]
    probe.step(turning=1)
    assert seen(probe)["lathe.setup"].tolist() == [2]
