"""Release: what is granted of what is asked, in plants small enough to check by hand."""

from __future__ import annotations

from typing import Any

import pytest

from jitgym.catalog import load
from jitgym.scenario import Scenario
from tests.scenarios import MADE_OF_MATERIAL, NOBODY, Probe, plant


def bought(**source: Any) -> Scenario:
    """One product from one supplier."""
    return plant(sources={"supplier": {"makes": "product", **source}})


def workshop(
    time: float, materials: float = 1e6, *, breakdown: Any = None, **sources: dict[str, Any]
) -> Scenario:
    """Parts of one material, each by one source, all at one machine."""
    center = {"time": time} | ({} if breakdown is None else {"breakdown": breakdown})
    return plant(
        items={"material": {"initial_stock": materials}, **{f"part_{s}": {} for s in sources}},
        work_centers={"machine": center},
        sources={
            name: {
                "makes": f"part_{name}",
                "consumes": {"material": 1},
                "at": "machine",
                "time_per_unit": 1,
                **source,
            }
            for name, source in sources.items()
        },
        demands={"nobody": {**NOBODY, "item": f"part_{next(iter(sources))}"}},
    )


def shared_material(stock: float, **sources: dict[str, Any]) -> Scenario:
    """Parts of one scarce material, without a machine."""
    return plant(
        items={"material": {"initial_stock": stock}, **{f"part_{s}": {} for s in sources}},
        sources={
            name: {"makes": f"part_{name}", "consumes": {"material": 1}, **source}
            for name, source in sources.items()
        },
        demands={"nobody": {**NOBODY, "item": f"part_{next(iter(sources))}"}},
    )


def grants(flows: dict[str, float], *names: str) -> list[float]:
    return [flows[f"{name}.granted"] for name in names]


# --- (i) limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "asked", "granted"),
    [
        ({}, 7, 7),
        ({}, 7.9, 7),
        ({}, -3, 0),
        ({}, 0.999, 0),
        ({"lot_size": 4}, 11, 8),
        ({"lot_size": 0.5}, 2.7, 2.5),
        ({"lot_size": 0.1}, 0.3, 0.3),  # though .3 / .1 is below 3 in binary
        ({"maximum_order": 10}, 25, 10),
        ({"maximum_order": 10, "lot_size": 4}, 25, 8),
        ({"minimum_order": 5}, 4, 0),
        ({"minimum_order": 5}, 5, 5),
        ({"minimum_order": 5, "lot_size": 4}, 6, 0),  # one lot of 4 is less than 5
        ({"minimum_order": 5, "lot_size": 4}, 8, 8),
    ],
)
def test_an_order_is_granted_in_whole_lots_between_its_minimum_and_its_maximum(
    source: dict[str, Any], asked: float, granted: float
) -> None:
    probe = Probe(bought(**source))
    assert probe.step(supplier=asked)["supplier.granted"] == pytest.approx(granted)


def test_storage_is_filled_net_of_the_pipeline_and_the_first_source_has_the_room() -> None:
    scenario = plant(
        items={"product": {"storage": 20, "initial_stock": 5}},
        sources={
            "near": {"makes": "product", "lead_time": 1},
            "far": {"makes": "product", "lead_time": 3},
        },
    )
    probe = Probe(scenario)
    assert grants(probe.step(near=10, far=10), "near", "far") == [10, 5]
    assert grants(probe.step(near=10, far=10), "near", "far") == [0, 0]  # 15 in stock, 5 on the way


def test_stock_that_began_above_its_storage_only_blocks_new_orders() -> None:
    probe = Probe(plant(items={"product": {"storage": 4, "initial_stock": 9}}))
    assert probe.step(supplier=1)["supplier.granted"] == 0
    assert probe["product.stock"] == 9


def test_what_is_not_granted_is_forgotten() -> None:
    probe = Probe(bought(maximum_order=10))
    probe.step(supplier=25)
    assert probe.step(supplier=0)["supplier.granted"] == 0


# --- (ii) rationing, (v) the rest -----------------------------------------------------------------


def test_a_scarce_material_is_rationed_by_ratio_in_lots_and_the_rest_handed_out() -> None:
    # 10 for 8 + 9 asked: shares 4.7 and 5.3, in lots 4 and 3; 3 are left for one more lot of 2.
    probe = Probe(shared_material(10, pairs={"lot_size": 2}, triples={"lot_size": 3}))
    assert grants(probe.step(pairs=8, triples=9), "pairs", "triples") == [6, 3]
    assert probe["material.stock"] == 1


def test_at_one_machine_the_rest_goes_to_the_source_that_asked_for_more() -> None:
    # As above, but the machine's sequence grants the rest: a lot of 3 to the larger request.
    probe = Probe(workshop(100, 10, pairs={"lot_size": 2}, triples={"lot_size": 3}))
    assert grants(probe.step(pairs=8, triples=9), "pairs", "triples") == [4, 6]


def test_a_material_is_rationed_in_units_of_the_material() -> None:
    # Asked: 6 x 1 + 3 x 4 = 18 of 9 in stock, so half of each request: 3, and 1 of 1.5. The other 2
    # go to the first source.
    scenario = shared_material(9, single={}, heavy={"consumes": {"material": 4}})
    flows = Probe(scenario).step(single=6, heavy=3)
    assert grants(flows, "single", "heavy") == [5, 1]
    assert flows["material.consumed"] == 9


def test_the_scarcest_of_several_materials_decides() -> None:
    scenario = plant(
        items={"bolt": {"initial_stock": 7}, "plate": {"initial_stock": 100}, "product": {}},
        sources={"assembly": {"makes": "product", "consumes": {"bolt": 2, "plate": 1}}},
    )
    flows = Probe(scenario).step(assembly=50)
    assert flows["assembly.granted"] == 3
    assert (flows["bolt.consumed"], flows["plate.consumed"]) == (6, 3)


def test_a_share_below_the_minimum_order_goes_to_the_other_sources() -> None:
    # The shares are 5 each, but the first source must not get less than 6.
    probe = Probe(shared_material(10, bulk={"minimum_order": 6}, single={}))
    assert grants(probe.step(bulk=10, single=10), "bulk", "single") == [0, 10]


def test_material_that_one_machine_cannot_use_goes_to_another() -> None:
    # Both ask for all 10; the slow machine makes 2 of its 5, and the other gets the rest.
    scenario = plant(
        items={"material": {"initial_stock": 10}, "one": {}, "other": {}},
        work_centers={"fast": {"time": 100}, "slow": {"time": 2}},
        sources={
            "quick": {
                "makes": "one",
                "consumes": {"material": 1},
                "at": "fast",
                "time_per_unit": 1,
            },
            "tardy": {
                "makes": "other",
                "consumes": {"material": 1},
                "at": "slow",
                "time_per_unit": 1,
            },
        },
        demands={"nobody": {**NOBODY, "item": "one"}},
    )
    assert grants(Probe(scenario).step(quick=10, tardy=10), "quick", "tardy") == [8, 2]


def test_no_material_that_arrives_in_this_period_can_be_used_in_it() -> None:
    probe = Probe(plant(**MADE_OF_MATERIAL))
    assert grants(probe.step(supplier=5, making=5), "supplier", "making") == [5, 0]
    assert grants(probe.step(making=5), "making") == [5]


# --- (iii) work centers ---------------------------------------------------------------------------


def test_two_sources_share_a_machine_and_its_setups() -> None:
    probe = Probe(workshop(10, a={"setup_time": 2}, b={"setup_time": 3}))
    # Set up for neither: b first, because it asks for more. 3 + 5; the last 2 go into a's setup.
    flows = probe.step(a=4, b=5)
    assert grants(flows, "a", "b") == [0, 5]
    assert flows["machine.used"] == 10
    assert (flows["a.setups"], flows["b.setups"]) == (0, 1)
    assert (probe["a.work"], probe["machine.setup"]) == (2, 2)
    # Set up for b: 5. Then a, whose setup is already paid: 4 of the 5 that are left.
    flows = probe.step(a=4, b=5)
    assert grants(flows, "a", "b") == [4, 5]
    assert flows["machine.used"] == 9
    assert (flows["a.setups"], flows["b.setups"]) == (1, 0)
    assert (probe["a.work"], probe["machine.setup"]) == (0, 1)
    # Set up for a: it goes first although b asks for more. 6, then b's setup of 3, and one of b.
    flows = probe.step(a=6, b=10)
    assert grants(flows, "a", "b") == [6, 1]
    assert (flows["a.setups"], flows["b.setups"]) == (0, 1)
    assert (flows["machine.used"], probe["machine.setup"]) == (10, 2)


def test_equal_asks_run_in_the_order_written() -> None:
    probe = Probe(workshop(6, first={}, second={}))
    assert grants(probe.step(first=5, second=5), "first", "second") == [5, 1]


def test_the_sequence_follows_what_was_asked_not_what_is_allowed() -> None:
    probe = Probe(workshop(6, first={}, second={"maximum_order": 3}))
    assert grants(probe.step(first=5, second=50), "first", "second") == [3, 3]


def test_no_setup_is_paid_for_a_source_that_will_not_run() -> None:
    probe = Probe(workshop(10, 5, a={"setup_time": 1}, b={"setup_time": 1, "minimum_order": 6}))
    probe.step(a=1)
    flows = probe.step(b=6)  # only 4 of the material are left
    assert (flows["b.granted"], flows["b.setups"], flows["machine.used"]) == (0, 0, 0)
    assert probe["machine.setup"] == 1
    assert probe["b.work"] == 0


def test_a_setup_that_costs_money_but_no_time_is_counted() -> None:
    probe = Probe(workshop(10, a={"setup_cost": 7}, b={"setup_cost": 9}))
    assert probe.step(a=2, b=1)["a.setups"] == 1
    flows = probe.step(a=2, b=3)  # now it is set up for b
    assert (flows["a.setups"], flows["b.setups"]) == (1, 0)
    assert probe.engine.cost[0] == 7


def test_an_unfinished_lot_is_kept_as_work_so_that_no_time_is_lost() -> None:
    # Lots of 4 in 13.5 hours: 12 or 16 per period, and 13.5 on average.
    probe = Probe(workshop(13.5, a={"lot_size": 4}))
    made = [probe.step(a=1000)["a.granted"] for _ in range(8)]
    assert made == [12, 12, 16, 12, 12, 16, 12, 16]
    assert sum(made) / 8 == 13.5
    assert probe["a.work"] == 0


def test_idle_time_is_not_kept() -> None:
    probe = Probe(workshop(13.5, a={"lot_size": 4}))
    flows = probe.step(a=8)
    assert (flows["machine.used"], probe["a.work"]) == (8, 0)
    assert probe.step(a=1000)["a.granted"] == 12
    assert probe["a.work"] == 1.5


def test_kept_work_waits_until_its_source_asks_again() -> None:
    probe = Probe(workshop(3, a={"lot_size": 4}, b={}))
    assert probe.step(a=4)["a.granted"] == 0
    assert probe["a.work"] == 3
    assert probe.step(b=3)["b.granted"] == 3
    assert probe["a.work"] == 3
    flows = probe.step(a=4, b=2)
    assert grants(flows, "a", "b") == [4, 2]  # the lot lacked an hour
    assert flows["machine.used"] == 3


def test_a_setup_longer_than_a_period_is_finished_in_the_next_ones() -> None:
    probe = Probe(workshop(10, a={"setup_time": 25}))
    flows = [probe.step(a=100) for _ in range(4)]
    assert [f["a.granted"] for f in flows] == [0, 0, 5, 10]
    assert [f["a.setups"] for f in flows] == [0, 0, 1, 0]
    assert all(f["machine.used"] == 10 for f in flows)


def test_a_minimum_order_longer_than_a_period_is_granted_when_it_is_finished() -> None:
    probe = Probe(workshop(4, a={"minimum_order": 6}))
    assert [probe.step(a=6)["a.granted"] for _ in range(3)] == [0, 6, 0]
    probe = Probe(workshop(4, a={"minimum_order": 6}))
    assert [probe.step(a=100)["a.granted"] for _ in range(4)] == [0, 8, 0, 8]


def test_a_machine_that_is_down_makes_nothing_and_keeps_its_work() -> None:
    # It fails with certainty after the first period and is repaired after the second.
    probe = Probe(workshop(3, breakdown={"fails": 1, "repaired": 1}, a={"lot_size": 4}))
    seen = []
    for _ in range(4):
        flows = probe.step(a=4)
        seen.append((flows["machine.available"], flows["a.granted"], probe["a.work"]))
    assert seen == [(3, 0, 3), (0, 0, 3), (3, 4, 0), (0, 0, 0)]


def test_a_source_that_takes_no_time_still_needs_its_machine_up() -> None:
    scenario = workshop(5, breakdown={"fails": 1, "repaired": 1}, a={"time_per_unit": 0})
    probe = Probe(scenario)
    assert [probe.step(a=50)["a.granted"] for _ in range(3)] == [50, 0, 50]


def test_a_source_that_takes_no_time_runs_in_both_passes_when_the_time_is_out() -> None:
    """Each source gets 2 of 5 steel; the saw has time for 1, and the stamp gets the rest."""
    scenario = plant(
        items={"steel": {"initial_stock": 5}, "board": {}, "badge": {}},
        work_centers={"shop": {"time": 1}},
        sources={
            "saw": {"makes": "board", "consumes": {"steel": 1}, "at": "shop", "time_per_unit": 1},
            "stamp": {"makes": "badge", "consumes": {"steel": 1}, "at": "shop"},
        },
        demands={"nobody": NOBODY | {"item": "badge"}},
    )
    assert grants(Probe(scenario).step(saw=5, stamp=5), "saw", "stamp") == [1, 4]


def test_a_machine_that_fails_by_unit_does_not_fail_while_it_is_idle() -> None:
    scenario = workshop(5, breakdown={"fails": 1, "repaired": 0, "per": "unit"}, a={})
    probe = Probe(scenario)
    for _ in range(20):
        assert probe.step(a=0)["machine.available"] == 5
    probe.step(a=1)
    assert probe.step(a=1)["machine.available"] == 0


def test_nothing_is_set_up_twice_in_a_period_for_what_rounding_left() -> None:
    work = {"lot_size": 4, "setup_time": 5, "setup_cost": 10}
    probe = Probe(workshop(100, 14, a=work, b=work))
    # Of 14, a and b get 7 each, that is one lot of 4. The 6 left suffice for one more lot: the
    # machine, now set up for b, makes it for b, although a has the first turn.
    flows = probe.step(a=8, b=8)
    assert grants(flows, "a", "b") == [4, 8]
    assert (flows["a.setups"], flows["b.setups"]) == (1, 1)


# --- what the whole plant adds --------------------------------------------------------------------


def test_priorities_come_before_the_present_setup_and_the_larger_ask() -> None:
    probe = Probe(workshop(10, a={"setup_time": 2}, b={"setup_time": 3}))
    # Set up for neither. Priority puts a first although b asks for more: 2 + 4, then b's setup of 3
    # and one of b.
    flows = probe.step(a=4, b=5, priorities={"a": 1})
    assert grants(flows, "a", "b") == [4, 1]
    assert (flows["a.setups"], flows["b.setups"]) == (1, 1)
    # Set up for b, but a comes first: 2 + 6 = 8, and the last 2 go into b's setup.
    flows = probe.step(a=6, b=5, priorities={"a": 7, "b": 3})
    assert grants(flows, "a", "b") == [6, 0]
    assert probe["b.work"] == 2
    # Equal priorities have no effect: the source that it is set up for goes first.
    flows = probe.step(a=1, b=9, priorities={"a": 3, "b": 3})
    assert grants(flows, "a", "b") == [1, 8]  # 1 hour, 1 more of b's setup, 8 of b


def test_equal_priorities_do_not_change_the_sequence() -> None:
    one, other = (Probe(workshop(7, a={"setup_time": 1}, b={"setup_time": 2})) for _ in range(2))
    for t in range(20):
        asked = {"a": t % 5, "b": (3 * t) % 7}
        assert one.step(**asked) == other.step(**asked, priorities={"a": 4, "b": 4})


def overtime(time: float, cost: float, **center: Any) -> Scenario:
    scenario = workshop(8, a={})
    changes = {"work_centers.machine.overtime": {"time": time, "cost": cost}}
    changes |= {f"work_centers.machine.{name}": value for name, value in center.items()}
    return load(scenario, **changes)


def test_overtime_is_used_when_the_regular_time_is_out_and_paid_by_the_hour() -> None:
    probe = Probe(overtime(3, 50))
    for asked, granted, over in ((6, 6, 0), (8, 8, 0), (10, 10, 2), (20, 11, 3)):
        flows = probe.step(a=asked)
        assert (flows["a.granted"], flows["machine.over"]) == (granted, over)
        assert flows["machine.available"] == 11
        assert probe.engine.cost[0] == 50 * over


def test_a_machine_that_is_down_has_no_overtime() -> None:
    probe = Probe(overtime(3, 50, breakdown={"fails": 1, "repaired": 1}))
    assert [probe.step(a=20)["a.granted"] for _ in range(4)] == [11, 0, 11, 0]


def test_a_supplier_that_is_down_grants_nothing_and_what_is_on_the_way_still_comes() -> None:
    # It fails with certainty after the first period and recovers after the second.
    probe = Probe(bought(lead_time=2, disruption={"fails": 1, "repaired": 1}))
    seen = []
    for _ in range(5):
        up = probe["supplier.up"]
        flows = probe.step(supplier=5)
        seen.append((up, flows["supplier.granted"], flows["supplier.received"]))
    assert seen == [(1, 5, 0), (0, 0, 5), (1, 5, 0), (0, 0, 5), (1, 5, 0)]


def test_the_rest_of_a_partial_delivery_ships_later_or_never() -> None:
    half = {"share": 0.5}
    probe = Probe(bought(lead_time=1, partial=half))
    # 7 due, 3 ship; 4 + 2 due, 3 ship; 3 due, 1 ships.
    flows = [probe.step(supplier=asked) for asked in (7, 2, 0)]
    assert [f["supplier.shipped"] for f in flows] == [3, 3, 1]
    assert probe["supplier.unshipped"] == 2
    probe = Probe(bought(lead_time=1, unit_cost=10, partial=half | {"rest": "cancelled"}))
    flows = probe.step(supplier=7)
    assert (flows["supplier.shipped"], flows["supplier.cancelled"]) == (3, 4)
    assert probe.engine.cost[0] == 30  # what does not arrive is not paid
    assert "supplier.unshipped" not in probe.state()


def test_what_is_still_to_ship_takes_storage() -> None:
    scenario = load(bought(lead_time=1, partial={"share": 0.5}), **{"items.product.storage": 10})
    probe = Probe(scenario)
    assert probe.step(supplier=8)["supplier.granted"] == 8
    assert probe.step(supplier=8)["supplier.granted"] == 2


def with_projects(scenario: Scenario, **projects: dict[str, Any]) -> Scenario:
    return Scenario.from_document(scenario.document() | {"projects": projects})


def test_a_project_slows_its_center_and_then_shortens_the_setup_for_good() -> None:
    scenario = with_projects(
        workshop(10, a={"setup_time": 4}, b={"setup_time": 4}),
        smed={
            "cost": 100,
            "improves": {"sources.a.setup_time": 1},
            "slows": "machine",
            "slowed_by": 0.2,
            "periods": 2,
        },
    )
    probe = Probe(scenario)
    # One period without the project: 4 + 6.
    assert probe.step(a=20)["a.granted"] == 6
    # Training leaves 8 hours of 10 for two periods, and its cost is paid once.
    flows = probe.step(b=20, begin=("smed",))
    assert (flows["machine.available"], flows["b.granted"]) == (8, 4)
    assert probe.engine.cost[0] == 100
    flows = probe.step(a=20, begin=("smed",))  # it is under way: nothing is begun or paid again
    assert (flows["machine.available"], flows["a.granted"], flows["smed.begun"]) == (8, 4, 0)
    assert probe.engine.cost[0] == 0
    # Done: setups of a take one hour, those of b still four.
    assert probe.step(b=20)["b.granted"] == 6
    assert probe.step(a=20)["a.granted"] == 9


def test_a_project_reduces_a_fixed_cost_when_it_is_done() -> None:
    scenario = with_projects(
        bought(shipment_cost=30),
        dock={"cost": 7, "improves": {"sources.supplier.shipment_cost": 10}},
    )
    probe, paid = Probe(scenario), []
    for t in range(4):
        probe.step(supplier=1, begin=("dock",) if t == 1 else ())
        paid.append(float(probe.engine.cost[0]))
    assert paid == [30, 30 + 7, 10, 10]


def test_a_project_shortens_a_lead_time_for_what_is_on_the_way_too() -> None:
    scenario = with_projects(
        bought(lead_time=4),
        road={"cost": 0, "improves": {"sources.supplier.lead_time": 2}},
    )
    probe = Probe(scenario)
    came = [
        probe.step(supplier=1 if t < 6 else 0, begin=("road",) if t == 2 else ())[
            "supplier.received"
        ]
        for t in range(9)
    ]
    # Done from period 3 on: orders of periods 0, 1, 2 arrive once they are two periods old.
    assert came == [0, 0, 0, 3, 1, 1, 1, 0, 0]


def test_a_truck_carries_what_its_sources_ship_in_a_period_together() -> None:
    scenario = plant(
        items={"one": {}, "two": {}},
        carriers={"truck": {"cost": 20, "emissions": 5, "capacity": 10}},
        sources={
            "first": {"makes": "one", "carrier": "truck", "emissions_per_unit": 1},
            "second": {"makes": "two", "carrier": "truck", "shipment_cost": 3},
        },
        demands={"nobody": {**NOBODY, "item": "one"}},
        emission_price=2,
    )
    probe = Probe(scenario)
    for first, second, trips in ((4, 6, 1), (4, 7, 2), (0, 0, 0), (10, 0, 1), (0, 21, 3)):
        flows = probe.step(first=first, second=second)
        assert flows["truck.trips"] == trips
        assert probe.engine.cost[0] == 20 * trips + 3 * (second > 0) + 2 * (5 * trips + first)
