"""The order of events in a period, and what the ledger books."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitgym.control import RulePolicy, pull_rule
from jitgym.evaluate import rollout
from jitgym.plant import KPIS, kpis, lay_out
from jitgym.scenario import Scenario
from tests.scenarios import NOBODY, Probe, asked_at_random, plant, scenarios


def customers(quantity: Any, unmet: str = "lost", **demand: Any) -> dict[str, Any]:
    return {"customers": {"item": "product", "quantity": quantity, "unmet": unmet, **demand}}


# --- the order of events --------------------------------------------------------------------------


@pytest.mark.parametrize("lead_time", [0, 1, 2, 5])
def test_an_order_is_usable_its_lead_time_later_before_that_periods_demand(lead_time: int) -> None:
    probe = Probe(
        plant(
            sources={"supplier": {"makes": "product", "lead_time": lead_time}},
            demands=customers(7),
        )
    )
    served = [probe.step(supplier=7 * (t == 0))["customers.served"] for t in range(8)]
    assert served == [7.0 * (t == lead_time) for t in range(8)]


def test_the_decision_maker_sees_the_stock_after_todays_arrivals() -> None:
    probe = Probe(plant(sources={"supplier": {"makes": "product", "lead_time": 2}}))
    probe.step(supplier=7)
    assert (probe["product.stock"], probe["supplier.in_process"]) == (0, 7)
    probe.step()
    assert (probe["product.stock"], probe["supplier.in_process"]) == (7, 0)


def test_stock_and_units_in_process_are_counted_after_demand_and_before_arrivals() -> None:
    scenario = plant(
        items={"product": {"initial_stock": 10, "holding_cost": 1}},
        sources={"supplier": {"makes": "product", "lead_time": 1, "in_process_holding_cost": 0.5}},
        demands=customers(4),
    )
    probe = Probe(scenario)
    flows = probe.step(supplier=6)
    assert (flows["product.on_hand"], flows["supplier.in_process"]) == (6, 6)
    assert probe.engine.cost[0] == 6 + 0.5 * 6
    assert probe["product.stock"] == 12  # it arrived after the count


def test_backorders_are_served_before_new_demand() -> None:
    probe = Probe(plant(demands=customers(5, "backordered")))
    probe.step()
    flows = probe.step(supplier=8)
    # 5 were waiting; of the 5 new ones 3 are served at once.
    assert (flows["customers.served"], flows["customers.at_once"]) == (8, 3)
    assert (flows["customers.waiting"], probe["customers.backlog"]) == (2, 2)


def test_all_backorders_of_an_item_come_before_any_new_demand_in_scenario_order() -> None:
    demands = {
        "first": {"item": "product", "quantity": 3, "unmet": "backordered"},
        "second": {"item": "product", "quantity": 4, "unmet": "backordered"},
    }
    probe = Probe(plant(demands=demands))
    probe.step()
    flows = probe.step(supplier=9)
    assert (flows["first.served"], flows["second.served"]) == (3 + 2, 4)
    assert (flows["first.at_once"], flows["second.at_once"]) == (2, 0)


def test_lost_demand_does_not_return() -> None:
    probe = Probe(plant(demands=customers(5)))
    assert probe.step(supplier=2)["customers.lost"] == 3
    assert probe.step(supplier=8)["customers.served"] == 5
    assert probe["product.stock"] == 3


def test_a_center_that_failed_is_seen_to_be_down_before_the_decision() -> None:
    scenario = plant(
        work_centers={"machine": {"time": 5, "breakdown": {"fails": 0.4, "repaired": 0.5}}},
        sources={"making": {"makes": "product", "at": "machine", "time_per_unit": 1}},
    )
    probe = Probe(scenario)
    states = []
    for _ in range(400):
        up = probe["machine.up"]
        states.append(up)
        assert probe.step(making=5)["making.granted"] == 5 * up
    changes = np.array(states[1:]) - states[:-1]
    fails = (changes < 0).sum() / (np.array(states[:-1]) == 1).sum()
    repaired = (changes > 0).sum() / (np.array(states[:-1]) == 0).sum()
    assert fails == pytest.approx(0.4, abs=0.12)  # four standard deviations and more
    assert repaired == pytest.approx(0.5, abs=0.15)


def test_failures_by_unit_follow_the_units_made() -> None:
    # P(down after making n) = 1 - (1 - p)^n: 1 - .9^5 = .40951.
    breakdown = {"fails": 0.1, "repaired": 1, "per": "unit"}
    scenario = plant(
        work_centers={"machine": {"time": 5, "breakdown": breakdown}},
        sources={"making": {"makes": "product", "at": "machine", "time_per_unit": 1}},
    )
    probe = Probe(scenario)
    fell = [
        probe.step(making=5)["making.granted"] > 0 and not probe["machine.up"] for _ in range(6000)
    ]
    ran = sum(fell) / (6000 - sum(fell))
    assert ran == pytest.approx(1 - 0.9**5, abs=0.03)


def test_exactly_one_event_of_a_clock_happens_per_period() -> None:
    event = {"distribution": "event", "clock": "machines"}
    scenario = plant(
        work_centers={"one": {"time": {**event, "rate": 1}}, "two": {"time": {**event, "rate": 3}}},
        sources={
            "making": {"makes": "product", "at": "one", "time_per_unit": 1},
            "more": {"makes": "product", "at": "two", "time_per_unit": 1},
        },
        demands=customers({**event, "rate": 6}),
    )
    probe = Probe(scenario)
    happened = np.zeros(3)
    for _ in range(6000):
        flows = probe.step()
        now = [flows["one.available"], flows["two.available"], flows["customers.requested"]]
        assert sorted(now) == [0, 0, 1]
        happened += now
    assert happened / 6000 == pytest.approx([0.1, 0.3, 0.6], abs=0.025)


# --- recorded demand ------------------------------------------------------------------------------


@pytest.fixture
def recorded(tmp_path: Path) -> dict[str, Any]:
    """Twelve days of one item, 10 to 21: eight of the split train, then four of the split test."""
    file = tmp_path / "sales.csv"
    rows = [f"2024-01-{k + 1:02d},a,{10 + k}" for k in range(12)]
    file.write_text("\n".join(["date,item,quantity", *rows, ""]))
    splits = {
        "train": {"from": date(2024, 1, 1), "to": date(2024, 1, 8), "block": 3},
        "test": {"from": date(2024, 1, 9), "to": date(2024, 1, 12)},
    }
    return {"distribution": "recorded", "file": str(file), "item": "a", "splits": splits}


def test_a_recorded_split_is_replayed_in_order(recorded: dict[str, Any]) -> None:
    scenario = plant(horizon={"ongoing": 4}, demands=customers(recorded))
    for episode in (0, 3):  # the record is the same in every episode
        probe = Probe(scenario, seed=1, split="test", episode=episode)
        assert [probe.step()["customers.requested"] for _ in range(4)] == [18, 19, 20, 21]


def test_resampled_records_come_in_moving_blocks(recorded: dict[str, Any]) -> None:
    recorded["splits"]["test"]["block"] = 2  # 60 periods are longer than the record
    scenario = plant(horizon={"ongoing": 60}, demands=customers(recorded))
    starts = []
    for seed in range(40):
        probe = Probe(scenario, seed=seed, split="train")
        drawn = [probe.step()["customers.requested"] for _ in range(60)]
        for block in np.reshape(drawn, (20, 3)):
            assert np.diff(block).tolist() == [1, 1]
            starts.append(block[0])
    # A block of three may begin on six of eight days, each equally often.
    assert set(starts) == {10, 11, 12, 13, 14, 15}
    assert np.bincount(np.array(starts, dtype=int) - 10) / 800 == pytest.approx(1 / 6, abs=0.05)


def test_the_forecast_smooths_what_was_seen_and_nothing_else(recorded: dict[str, Any]) -> None:
    forecast = {"method": "exponential-smoothing", "weight": 0.25}
    demand = customers(recorded, forecast=forecast)
    probe = Probe(plant(horizon={"ongoing": 4}, demands=demand), split="test")
    expected = np.arange(10, 18).mean()  # learned from the split train
    for requested in (18, 19, 20, 21):
        assert probe["customers.forecast"] == pytest.approx(expected)
        probe.step()
        expected += 0.25 * (requested - expected)


@pytest.mark.parametrize("block", [0, 3])
def test_an_oracle_shows_the_demand_that_will_come(recorded: dict[str, Any], block: int) -> None:
    recorded["splits"]["test"]["block"] = block
    scenario = plant(
        horizon={"ongoing": 4},
        tags=["leaks"],
        demands=customers(recorded, forecast={"method": "oracle"}),
    )
    for seed in range(8):
        probe = Probe(scenario, seed=seed, split="test")
        probe.step()
        for _ in range(3):
            shown = probe["customers.forecast"]
            assert probe.step()["customers.requested"] == shown


@pytest.mark.parametrize("method", ["croston", "tsb"])
def test_intermittent_forecasts_follow_their_formulas(
    recorded: dict[str, Any], method: str, tmp_path: Path
) -> None:
    sales = [0, 6, 0, 0, 9, 3, 0, 0, 0, 0, 8, 4]
    rows = [f"2024-01-{k + 1:02d},a,{sold}" for k, sold in enumerate(sales)]
    Path(recorded["file"]).write_text("\n".join(["date,item,quantity", *rows, ""]))
    weight, taught = 0.25, np.array(sales[:8])
    demand = customers(recorded, forecast={"method": method, "weight": weight})
    probe = Probe(plant(horizon={"ongoing": 4}, demands=demand), split="test")
    share = (taught > 0).mean()
    size, interval, since = taught[taught > 0].mean(), 1 / share, 1
    for sold in sales[8:]:
        assert probe.step()["customers.requested"] == sold
        if sold:
            size += weight * (sold - size)
            interval += weight * (since - interval)
        since = 1 if sold else since + 1
        share += weight * ((sold > 0) - share)
        croston = (1 - weight / 2) * size / interval  # Syntetos and Boylan (2005)
        tsb = size * share  # Teunter, Syntetos and Babai (2011)
        expected = croston if method == "croston" else tsb
        assert probe["customers.forecast"] == pytest.approx(expected)


# --- the ledger -----------------------------------------------------------------------------------


def test_every_term_of_the_ledger_equals_that_computed_by_hand() -> None:
    scenario = plant(
        items={"product": {"holding_cost": 1, "initial_stock": 3}},
        work_centers={"machine": {"time": 10}},
        sources={
            "bought": {
                "makes": "product",
                "lead_time": 2,
                "unit_cost": 5,
                "paid": "receipt",
                "shipment_cost": 30,
                "in_process_holding_cost": 0.25,
            },
            "made": {
                "makes": "product",
                "at": "machine",
                "time_per_unit": 1,
                "setup_time": 2,
                "setup_cost": 11,
                "unit_cost": 2,
            },
        },
        demands={
            **customers(4, "backordered", shortage_cost=9, price=20),
            "others": {
                "item": "product", "quantity": 3, "unmet": "lost", "shortage_cost": 6, "price": 10
            },
        },
    )  # fmt: skip
    probe = Probe(scenario)
    probe.step(bought=8, made=2)
    # 3 + 2 made: customers get 4, others 1 of 3; 8 are on the way and not yet paid.
    terms = dict(zip(probe.layout.terms, probe.engine.terms[0].tolist(), strict=True))
    assert terms == {
        "holding": 0,
        "in_process_holding": 2,
        "shortage": 12,
        "purchase": 4,
        "shipment": 30,
        "setup": 11,
        "revenue": -90,
    }
    assert probe.engine.cost[0] == sum(terms.values())
    probe.step()
    # Nothing is left: 4 wait and 3 are lost; the 8 arrive and are paid.
    terms = dict(zip(probe.layout.terms, probe.engine.terms[0].tolist(), strict=True))
    assert terms["purchase"] == 40
    assert terms["shortage"] == 4 * 9 + 3 * 6
    assert (terms["shipment"], terms["setup"], terms["revenue"]) == (0, 0, 0)


def expected_cost(scenario: Scenario, flows: dict[str, float], done: set[str]) -> float:
    """Return the cost of a period, computed independently from the scenario.

    `done` are the projects that were finished when the period began.
    """
    improved = {p: v for n in done for p, v in scenario.projects[n].improves.items()}
    cost, emitted = 0.0, 0.0
    for name, item in scenario.items.items():
        cost += item.holding_cost * flows[f"{name}.on_hand"]
        cost += item.disposal_cost * flows[f"{name}.wasted"]
        cost -= item.salvage_value * flows.get(f"{name}.salvaged", 0.0)
    for name, source in scenario.sources.items():
        came = flows[f"{name}.received"] + flows[f"{name}.defective"]
        ordered = flows[f"{name}.granted"] - flows.get(f"{name}.cancelled", 0.0)
        ships = flows.get(f"{name}.shipped", flows[f"{name}.granted"]) > 0
        at = f"sources.{name}"
        cost += source.in_process_holding_cost * flows[f"{name}.in_process"]
        cost += source.unit_cost * (ordered if source.paid == "order" else came)
        cost += improved.get(f"{at}.shipment_cost", source.shipment_cost) * ships
        cost += improved.get(f"{at}.setup_cost", source.setup_cost) * flows[f"{name}.setups"]
        if source.quality is not None and source.quality.by_product is None:
            cost += scenario.items[source.makes].disposal_cost * flows[f"{name}.defective"]
        if source.commitment is not None:
            cost += source.commitment.shortfall_cost * flows[f"{name}.shortfall"]
        emitted += source.emissions_per_unit * ordered + source.emissions_per_shipment * ships
    for name, carrier in scenario.carriers.items():
        trips = flows[f"{name}.trips"]
        cost += improved.get(f"carriers.{name}.cost", carrier.cost) * trips
        emitted += carrier.emissions * trips
    for name, demand in scenario.demands.items():
        cost -= demand.price * flows[f"{name}.served"]
        cost += demand.shortage_cost * flows[f"{name}.waiting"]
        cost += demand.shortage_cost * flows[f"{name}.lost"]
        cost += demand.abandonment_cost * flows.get(f"{name}.abandoned", 0.0)
    for name, center in scenario.work_centers.items():
        if center.overtime is not None:
            beyond = flows[f"{name}.used"] - flows[f"{name}.regular"]
            cost += center.overtime.cost * max(beyond, 0.0)
    for name, project in scenario.projects.items():
        cost += project.cost * flows[f"{name}.begun"]
    return cost + scenario.emission_price * emitted


class Cycles:
    """The replenishment cycles of one demand, computed independently: each ends at an arrival."""

    def __init__(self, scenario: Scenario, item: str) -> None:
        self.at_once, self.later = [], []  # flows that bring the item, by the time of their arrival
        for name, source in scenario.sources.items():
            arrives = self.at_once if source.lead_time.support_max == 0 else self.later
            if source.makes == item:
                arrives.append(f"{name}.received")
            if source.quality is not None and source.quality.by_product == item:
                arrives.append(f"{name}.defective")
        self.is_short = False
        self.ended = self.full = 0

    def period(self, flows: dict[str, float], name: str, counts: bool) -> None:
        self._end(flows, self.at_once, counts)
        unmet = flows[f"{name}.requested"] - flows[f"{name}.at_once"]
        self.is_short |= max(unmet, flows[f"{name}.waiting"]) > 1e-9
        self._end(flows, self.later, counts)

    def _end(self, flows: dict[str, float], arrives: list[str], counts: bool) -> None:
        if sum(flows[flow] for flow in arrives) > 0:
            self.ended += counts
            self.full += counts and not self.is_short
            self.is_short = False


class Queue:
    """The queue of one demand, first come, first served, computed independently.

    As in the plant, waits above 12 periods count as 12, and above 11 as 11 once served.
    """

    def __init__(self) -> None:
        self.waiting: list[list[float]] = []  # [periods waited, units], longest wait first
        self.served: dict[int, float] = {}
        self.left = 0.0  # periods waited by those who left

    def period(self, flows: dict[str, float], name: str, counts: bool) -> None:
        for waited, units in self._leave(flows.get(f"{name}.abandoned", 0.0)):
            self.left += counts * min(waited, 12) * units
        at_once = flows[f"{name}.at_once"]
        served = self._leave(flows[f"{name}.served"] - at_once)
        for waited, units in [*served, (0, at_once)]:
            key = min(int(waited), 11)
            self.served[key] = self.served.get(key, 0.0) + counts * units
        unmet = flows[f"{name}.requested"] - at_once - flows[f"{name}.lost"]
        self.waiting.append([0, unmet])
        for group in self.waiting:
            group[0] += 1

    def _leave(self, units: float) -> list[tuple[float, float]]:
        gone = []
        while units > 1e-9 and self.waiting:
            waited, there = self.waiting[0]
            part = min(units, there)
            gone.append((waited, part))
            units -= part
            self.waiting[0][1] -= part
            if self.waiting[0][1] <= 1e-12:
                self.waiting.pop(0)
        return gone


def expected_kpis(
    scenario: Scenario,
    periods: list[dict[str, float]],
    queues: dict[str, Queue],
    costs: list[float],
    cycles: dict[str, Cycles],
) -> dict[str, float]:
    """Return the KPIs by brute force, from the raw flows of every period."""

    def each(names: Any, what: str) -> np.ndarray:  # (periods, names)
        rows = [[flows.get(f"{name}.{what}", 0.0) for name in names] for flows in periods]
        return np.array(rows).reshape(len(periods), len(names))

    def total(names: Any, *what: str) -> float:
        return float(sum(each(names, w).sum() for w in what))

    def ratio(top: float, bottom: float) -> float:
        return top / bottom if bottom != 0 else np.nan

    def squared_variation(sample: np.ndarray) -> float:
        if np.ptp(sample) <= 1e-9 * abs(sample).max():
            return 0.0 if sample.mean() != 0 else np.nan
        return float(sample.var() / sample.mean() ** 2)

    count = len(periods)
    items, demands, centers = scenario.items, scenario.demands, scenario.work_centers
    sources = scenario.sources
    are_stated = all(item.value is not None for item in items.values())
    values = [item.value if are_stated else item.holding_cost for item in items.values()]
    values = values if any(values) or are_stated else [1.0] * len(items)
    value = dict(zip(items, values, strict=True))
    sold = sum(value[d.item] * total([n], "served") for n, d in demands.items())
    held = sum(value[n] * total([n], "on_hand") for n in items)
    moving = sum(value[s.makes] * total([n], "in_process") for n, s in sources.items())
    outside = [n for n, s in sources.items() if not s.consumes and s.at is None]
    ordered = each(outside, "granted").sum(axis=1)
    asked = each(outside, "asked").sum(axis=1)
    requested = each(demands, "requested").sum(axis=1)
    served, gone = total(demands, "served"), total(demands, "lost", "abandoned")
    found, missed = total(sources, "defective"), total(sources, "escaped")
    received, scrapped = total(sources, "received"), total(sources, "scrapped")
    owed = sum(d.price * d.pays_after * total([n], "served") for n, d in demands.items())
    owing = sum(s.unit_cost * s.pays_after * total([n], "granted") for n, s in sources.items())
    revenue = sum(d.price * total([n], "served") for n, d in demands.items())
    bought = sum(s.unit_cost * total([n], "granted") for n, s in sources.items())
    left = sum(queue.left for queue in queues.values())
    waited = np.zeros(12)
    for queue in queues.values():
        for periods_waited, units in queue.served.items():
            waited[periods_waited] += units
    within = np.flatnonzero(np.cumsum(waited) >= 0.95 * served - 1e-6)
    moves = [n for n, s in sources.items() if s.carrier is None and s.at is None]
    emitted = sum(
        s.emissions_per_unit * (total([n], "granted") - total([n], "cancelled"))
        + s.emissions_per_shipment * total([n], "shipments")
        for n, s in sources.items()
    )
    emitted += sum(c.emissions * total([n], "trips") for n, c in scenario.carriers.items())
    good = sum(
        s.time_per_unit * total([n], "received") for n, s in sources.items() if s.at is not None
    )
    priced = any(d.price for d in demands.values())
    known = all(items[d.item].value is not None for d in demands.values())
    margin = sum(
        (d.price - (items[d.item].value or 0.0)) * total([n], "lost", "abandoned")
        for n, d in demands.items()
    )

    horizon = scenario.horizon
    earned = -float(sum(costs)) / (1 if horizon.ends else count)
    bought_in = sum(
        items[n].initial_stock + total([n], "arrived") for n in {d.item for d in demands.values()}
    )
    spoiled = sum(s.setup_scrap * total([n], "setups") for n, s in sources.items())

    def stay(item: str) -> float:
        """Return the periods that a unit of an item spends in process and in stock."""
        there = total([item], "on_hand") + total(scenario.sources_of(item), "in_process")
        return ratio(there, total([item], "consumed", "served", "wasted"))

    def route(item: str) -> float:
        materials = {m for n in scenario.sources_of(item) for m in sources[n].consumes}
        before = [route(material) for material in materials]
        longest = np.nan if np.isnan(before).any() else max(before, default=0.0)
        return float(longest + stay(item))

    routes = [route(d.item) for d in demands.values()]
    stockouts = each(demands, "requested") > each(demands, "at_once")
    return {
        "fill_rate": ratio(total(demands, "at_once"), requested.sum()),
        "ready_rate": (each([d.item for d in demands.values()], "on_hand") > 0).mean(),
        "cycle_service_level": ratio(
            sum(cycle.full for cycle in cycles.values()),
            sum(cycle.ended for cycle in cycles.values()),
        ),
        "period_service_level": 1 - stockouts.mean(),
        "on_time_in_full": ratio(
            ((each(demands, "requested") > 0) & ~stockouts).sum(),
            (each(demands, "requested") > 0).sum(),
        ),
        "backlog": each(demands, "waiting").sum(axis=1).mean(),
        "backlog_age": ratio(total(demands, "waiting"), requested.sum()),
        "waiting_p95": float(within[0]) if served > 0 else np.nan,
        "abandoned": ratio(gone, requested.sum()),
        "abandoned_waiting": ratio(left, total(demands, "abandoned")),
        "customer_lead_time": ratio(max(total(demands, "waiting") - left, 0.0), served),
        "production_lead_time": np.nan if np.isnan(routes).any() else max(routes),
        "censored": ratio(requested.sum() - served - gone, requested.sum()),
        "first_pass_defects": 1e6 * ratio(found + missed + spoiled, found + received + spoiled),
        "defect_rate": 1e6 * ratio(missed, received),
        "waste": ratio(total(items, "wasted") + scrapped + spoiled, received + found + spoiled),
        "average_inventory": each(items, "on_hand").sum(axis=1).mean(),
        "in_process": each(sources, "in_process").sum(axis=1).mean(),
        "turnover": ratio(scenario.periods_per_year * sold, held),
        "working_capital": (held + moving + owed - owing) / count if are_stated else np.nan,
        "cash_conversion_cycle": ratio(held + moving, sold)
        + (owed / revenue if revenue else 0.0)
        - (owing / bought if bought else 0.0),
        "lost_margin": margin / count if priced and known else np.nan,
        "profit": earned if priced else np.nan,
        "margin": ratio(earned, revenue if horizon.ends else revenue / count) if priced else np.nan,
        "sell_through": ratio(served, bought_in) if horizon.ends else np.nan,
        "throughput": served / count,
        "utilization": ratio(total(centers, "used"), total(centers, "available")),
        "oee": ratio(good, total(centers, "planned", "over")),
        "setups": total(sources, "setups") / count,
        "shipments": (total(moves, "shipments") + total(scenario.carriers, "trips")) / count,
        "emissions": emitted / count,
        **{f"within_{n}": ratio(waited[: n + 1].sum(), requested.sum()) for n in scenario.within},
        "bullwhip_asked": ratio(squared_variation(asked), squared_variation(requested)),
        "bullwhip": ratio(squared_variation(ordered), squared_variation(requested)),
        "granted_share": ratio(total(sources, "granted"), total(sources, "asked")),
    }


@given(scenarios(), st.integers(0, 2**32 - 1), st.sampled_from([None, 0.9]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_cost_and_kpis_equal_their_brute_force_recomputation(
    scenario: Scenario, seed: int, discount: float | None
) -> None:
    scenario = scenario.model_copy(update={"discount": discount})
    probe = Probe(scenario, seed)
    horizon = scenario.horizon
    queues = {name: Queue() for name in scenario.demands}
    cycles = {name: Cycles(scenario, demand.item) for name, demand in scenario.demands.items()}
    periods, costs = [], []
    rows = asked_at_random(scenario, seed)
    rows[:, : len(scenario.sources)] = np.minimum(rows[:, : len(scenario.sources)], 40.0)
    for t, row in enumerate(rows):
        done = {n for n, p in scenario.projects.items() if probe[f"{n}.progress"] > p.periods}
        flows = probe.step_row(row)
        cost = float(probe.engine.cost[0])
        assert cost == pytest.approx(expected_cost(scenario, flows, done), rel=1e-9, abs=1e-6)
        assert cost == pytest.approx(probe.engine.terms[0].sum(), rel=1e-9, abs=1e-9)
        assert probe.engine.reward[0] == pytest.approx(-cost / scenario.reward_scale)
        for name, queue in queues.items():
            queue.period(flows, name, t >= horizon.warm_up)
            cycles[name].period(flows, name, t >= horizon.warm_up)
        if t >= horizon.warm_up:
            periods.append(flows)
            costs.append(cost)
    if discount is not None:
        expected = float(np.dot(costs, discount ** np.arange(len(costs))))
    else:
        expected = float(np.sum(costs) if horizon.ends else np.mean(costs))
    assert probe.engine.episode_cost[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    found = kpis(probe.layout, probe.engine.sums, len(periods))
    assert found.keys() == {*KPIS, *(f"within_{n}" for n in scenario.within)}
    if horizon.warm_up == 0:  # otherwise work begun before the warm-up ended may count
        assert not found["oee"][0] > 1 + 1e-9
    expected_by_name = expected_kpis(scenario, periods, queues, costs, cycles)
    for name, value in found.items():
        assert value[0] == pytest.approx(expected_by_name[name], rel=1e-6, abs=1e-9, nan_ok=True), (
            name
        )


def test_kpis_equal_those_computed_by_hand() -> None:
    scenario = plant(
        items={"product": {"initial_stock": 6, "value": 10}},
        demands=customers(4, "backordered"),
        horizon={"ongoing": 3, "warm_up": 1},
        periods_per_year=50,
    )
    probe = Probe(scenario)
    for asked in (0, 1, 9):  # stock 2; then 3 of 4 at once; then 1 waiting, 4 new and 4 left
        probe.step(supplier=asked)
    found = {
        name: float(value[0]) for name, value in kpis(probe.layout, probe.engine.sums, 2).items()
    }
    expected = {
        "fill_rate": 7 / 8,
        "ready_rate": 1 / 2,
        "cycle_service_level": 1 / 2,
        "period_service_level": 1 / 2,
        "on_time_in_full": 1 / 2,
        "average_inventory": 4 / 2,
        "turnover": 50 * 10 * (3 + 5) / (10 * 4),
        "backlog": 1 / 2,
        "customer_lead_time": 1 / 8,
        "waiting_p95": 1,  # 7 of 8 at once are less than 95 %
        "production_lead_time": 4 / 8,
        "working_capital": 10 * 4 / 2,
        "throughput": 4,
        "waste": 0,
        "utilization": np.nan,  # there is no work center
        "oee": np.nan,
        "bullwhip": np.nan,  # demand does not vary
        "abandoned_waiting": np.nan,  # no customer left
        "lost_margin": np.nan,  # there is no price
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, nan_ok=True)


def test_overtime_that_is_worked_is_planned_time() -> None:
    scenario = plant(
        work_centers={"machine": {"time": 10, "overtime": {"time": 5, "cost": 2}}},
        sources={"making": {"makes": "product", "at": "machine", "time_per_unit": 1}},
        horizon={"ongoing": 2},
    )
    probe = Probe(scenario)
    probe.step(making=15)
    assert kpis(probe.layout, probe.engine.sums, 1)["oee"][0] == 1
    probe.step(making=5)  # this needs no overtime
    assert kpis(probe.layout, probe.engine.sums, 2)["oee"][0] == 20 / 25


@pytest.mark.parametrize(("order", "in_cycles", "in_periods"), [(8, 0, 1 / 2), (12, 1, 1)])
def test_service_by_replenishment_cycle_and_by_period(
    order: float, in_cycles: float, in_periods: float
) -> None:
    """Demand is 3 per day; an order every fourth day of 8 lasts two days, of 12 all four."""
    probe = Probe(plant(demands=customers(3, "lost"), horizon={"ongoing": 41, "warm_up": 1}))
    for t in range(41):
        probe.step(supplier=order if t % 4 == 0 else 0)
    found = kpis(probe.layout, probe.engine.sums, 40)
    assert found["cycle_service_level"][0] == in_cycles
    assert found["period_service_level"][0] == in_periods


@pytest.mark.parametrize("reorder_point", [1, 2, 3])
def test_the_cycle_service_level_is_that_of_the_textbook(reorder_point: int) -> None:
    """P1 = P(demand over the lead time <= reorder point), here binomial (Silver, Pyke, Thomas)."""
    scenario = plant(
        items={"product": {"initial_stock": 10}},
        sources={"supplier": {"makes": "product", "lead_time": 4}},
        demands=customers(
            {"distribution": "binomial", "trials": 1, "probability": 0.5}, "backordered"
        ),
        horizon={"ongoing": 4000, "warm_up": 100},
    )
    layout = lay_out(scenario)
    rule = pull_rule(
        layout,
        levels={"supplier": reorder_point + 10.0},
        batches={"supplier": 10.0},
        triggers={"supplier": 10.0},
    )
    rows = rollout(RulePolicy("(r, nQ)", layout, rule), scenario, episodes=32)
    expected = sum(math.comb(4, k) for k in range(reorder_point + 1)) / 16
    assert rows["cycle_service_level"].mean() == pytest.approx(expected, abs=0.02)
    assert rows["period_service_level"].mean() > rows["cycle_service_level"].mean()


@pytest.mark.parametrize("issuing", ["fifo", "lifo"])
def test_the_oldest_units_become_obsolete_first(issuing: str) -> None:
    product = {
        "initial_stock": 10, "shelf_life": 3, "issuing": issuing, "obsolescence": 0.3
    }  # fmt: skip
    for seed in range(8):
        probe = Probe(plant(items={"product": product}), seed=seed)
        lost = probe.step()["product.obsolete"]
        old = 10 - lost
        lost = probe.step(supplier=10)["product.obsolete"]
        expected = [0, 10 - max(lost - old, 0), max(old - lost, 0)]
        assert probe.state()["product.stock"] == expected


def test_a_plant_without_demand_has_defined_averages_and_no_fill_rate() -> None:
    probe = Probe(plant(demands={"nobody": NOBODY}, horizon={"ongoing": 2}))
    probe.step()
    probe.step()
    found = kpis(probe.layout, probe.engine.sums, 2)
    assert np.isnan(found["fill_rate"][0])
    assert found["average_inventory"][0] == found["throughput"][0] == 0
