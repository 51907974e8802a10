"""Textbook sizes take limits of orders into account: no policy is absurd on a small plant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import agents
from agents.classic import CLASSICS
from jitgym import evaluate
from jitgym.scenario import Scenario
from tests.scenarios import Probe, plant

PERIODS = 200
EACH_PERIOD = {"base-stock", "kanban", "conwip", "adaptive-kanban", "capped-base-stock", "linear"}
EACH_PERIOD |= {"linear-capped", "smoothed", "croston", "tsb", "myopic", "constant"}
SLOW = {"rolling-lp", "look-ahead", "myopic-2"}


def single(seed: int) -> Scenario:
    """A random item with one source and random limits of its orders."""
    rng = np.random.default_rng(seed)
    pick = lambda *values: values[rng.integers(len(values))]  # noqa: E731
    mean = pick(2, 5, 12)
    kind = pick("poisson", "geometric", "deterministic")
    demand: Any = mean if kind == "deterministic" else {"distribution": kind, "mean": mean}
    source: dict[str, Any] = {"makes": "product", "lead_time": pick(0, 1, 2, 5)}
    limit = pick("none", "lot", "minimum", "maximum", "lot and minimum", "storage")
    item: dict[str, Any] = {"holding_cost": 1}
    if "lot" in limit:
        source["lot_size"] = pick(4, 24)
    if "minimum" in limit:
        source["minimum_order"] = pick(10, 40)
    if limit == "maximum":
        source["maximum_order"] = float(np.ceil(mean * pick(1.2, 1.5, 3)))
    if limit == "storage":
        item["storage"] = mean * pick(4, 8) * (1 + source["lead_time"])
    if pick(True, False):
        source["shipment_cost"] = pick(5, 20)
    if pick(True, False, False):
        source["unit_cost"] = 2
    customers: dict[str, Any] = {
        "item": "product",
        "quantity": demand,
        "unmet": pick("backordered", "lost"),
        "shortage_cost": pick(4, 19, 99, 20_000),
    }
    return plant(
        items={"product": item},
        sources={"supplier": source},
        demands={"customers": customers},
        horizon={"ongoing": PERIODS, "warm_up": 40},
    )


def wider(seed: int) -> Scenario:
    """A random item with patterns, dearer shipments, work centers, and several limits at once."""
    rng = np.random.default_rng(seed)
    pick = lambda *values: values[rng.integers(len(values))]  # noqa: E731
    mean = pick(2, 5, 8, 12)
    kind = pick("poisson", "geometric", "deterministic")
    demand: Any = mean if kind == "deterministic" else {"distribution": kind, "mean": mean}
    source: dict[str, Any] = {"makes": "product", "lead_time": pick(0, 1, 2, 5)}
    item: dict[str, Any] = {"holding_cost": 1}
    sections: dict[str, Any] = {}
    limit = pick("none", "lot", "minimum", "lot and minimum", "maximum")
    if "lot" in limit:
        source["lot_size"] = pick(4, 24)
    if "minimum" in limit:
        source["minimum_order"] = pick(5, 10, 50)
    if limit == "maximum":
        source["maximum_order"] = float(np.ceil(mean * pick(1.2, 1.5, 3)))
    elif pick(True, False):
        source |= {"at": "shop", "time_per_unit": 1}
        sections["work_centers"] = {"shop": {"time": float(np.ceil(mean * pick(1.2, 1.5, 3)))}}
    if pick(True, False, False):
        least = max(source.get("lot_size", 1) + source.get("minimum_order", 0), mean)
        item["storage"] = least * pick(2, 4, 8) * (1 + source["lead_time"])
    source["shipment_cost"] = pick(0, 0, 5, 20, 60)
    source["unit_cost"] = pick(0, 0, 2)
    customers: dict[str, Any] = {
        "item": "product",
        "quantity": demand,
        "unmet": pick("backordered", "lost"),
        "shortage_cost": pick(2, 4, 19, 99, 20_000),
    }
    if source["shipment_cost"] > customers["shortage_cost"] * source.get("maximum_order", np.inf):
        source["shipment_cost"] = 0  # else it costs more than to serve nobody
    if pattern := pick(None, None, [0.5, 1.5], [2, 0], [1, 1, 1, 1, 1, 0.5, 1.5]):
        customers["pattern"] = pattern
    return plant(
        items={"product": item},
        sources={"supplier": source},
        demands={"customers": customers},
        horizon={"ongoing": PERIODS, "warm_up": 40},
        **sections,
    )


def judged(scenario: Scenario) -> dict[str, tuple[float, float, float]]:
    """Policy -> cost that its sizes decide, fill rate, and whole cost, if the policy applies."""
    found = {}
    for name, classic in CLASSICS.items():
        if name in SLOW or classic.why_not(scenario):
            continue
        rows = evaluate.rollout(agents.make(name, scenario), scenario, episodes=4, seed=1)
        cost = float(rows["cost"].mean())
        if name in EACH_PERIOD and "shipment" in rows:  # no size changes how often they order
            cost -= float(rows["shipment"].mean())
        found[name] = (cost, float(rows["fill_rate"].mean()), float(rows["cost"].mean()))
    return found


def measure(scenario: Scenario, found: dict[str, tuple[float, float, float]]) -> float:
    """The cost of the best of them; if demand is certain, at least that of half an order held."""
    source, mean = scenario.sources["supplier"], scenario.demands["customers"].mean
    half = (mean + max(source.lot_size, source.minimum_order)) / 2
    return max(half, min(whole for _, _, whole in found.values()))


FORMER = [
    27,
    30,
    31,
    44,
    137,
    141,
    153,
    176,
    181,
    203,
    244,
    249,
    268,
    285,
    289,
    295,
    315,
    399,
    486,
    489,
]
"""Seeds of `wider` that failed before: a policy cost up to 1,105 times the best."""


@pytest.mark.parametrize(
    ("generator", "seed"),
    [(single, seed) for seed in (0, 3, 347, 351, 373)] + [(wider, seed) for seed in FORMER],
)
def test_no_textbook_policy_costs_three_times_the_best_where_orders_are_limited(
    generator: Callable[[int], Scenario], seed: int
) -> None:
    """None costs more than three times the best of them, and none has fill rate 0."""
    scenario = generator(seed)
    found = judged(scenario)
    best = measure(scenario, found)
    for name, (cost, fill_rate, _) in found.items():
        assert cost <= 3 * best, (name, found)
        assert fill_rate > 0, (name, found)


GEOMETRIC = {"quantity": {"distribution": "geometric", "mean": 12}}
WEEK = {"pattern": [1, 1, 1, 1, 1, 0.5, 1.5]}


@pytest.mark.parametrize(
    ("name", "source", "customers", "sections"),
    [
        # 95 % of demand, and a normal quantile of .999, were far too little: 77.2 and 6.2 times.
        ("mrp", {}, GEOMETRIC | WEEK | {"shortage_cost": 20_000}, {}),
        ("seasonal-base-stock", {}, GEOMETRIC | WEEK | {"shortage_cost": 20_000}, {}),
        # A level that is cut to a small storage falls below it whenever the forecast falls.
        (
            "smoothed",
            {"lead_time": 3},
            {"quantity": {"distribution": "gamma", "mean": 3, "cv": 0.5}, "shortage_cost": 20_000},
            {"items": {"product": {"holding_cost": 0.1, "storage": 24}}},
        ),
        # With a cap of one lot, time that was left after it went to no other: 13.1 times.
        (
            "linear-capped",
            {"at": "shop", "time_per_unit": 1, "lot_size": 6},
            {"quantity": 3, "pattern": [0.5, 1.5], "shortage_cost": 49},
            {"work_centers": {"shop": {"time": 4}}},
        ),
        # Its order was due only when stock and pipeline were empty: 9.0 and 3.4 times.
        (
            "linear-capped",
            {"minimum_order": 10, "lead_time": 2},
            {"quantity": 2, "unmet": "lost", "shortage_cost": 99},
            {},
        ),
        (
            "linear-capped",
            {"lot_size": 24, "lead_time": 2},
            {"quantity": 2, "unmet": "lost", "shortage_cost": 99},
            {},
        ),
    ],
)
def test_a_textbook_size_costs_about_as_much_as_base_stock(
    name: str, source: dict[str, Any], customers: dict[str, Any], sections: dict[str, Any]
) -> None:
    scenario = shop(source, customers, **sections)
    assert cost(name, scenario) <= 1.5 * cost("base-stock", scenario)


def test_a_constant_order_can_be_placed() -> None:
    """The nearest whole lots to 9.97 were 8, below the minimum of 10: nothing was ever granted."""
    customers = GEOMETRIC | {"unmet": "lost", "shortage_cost": 19}
    source = {"lot_size": 4, "minimum_order": 10, "lead_time": 2}
    assert "no order that can be placed is near" in agents.why_not(
        "constant", shop(source, customers)
    )
    nearer = shop(source | {"lot_size": 2}, customers)
    assert agents.make("constant", nearer).parameters == {"order": 10}


def test_a_constant_order_is_refused_where_base_stock_costs_far_less() -> None:
    """By the formulas 114 per period for 25.7, and 20 for an order: what is short is dear."""
    customers = {"quantity": {"distribution": "geometric", "mean": 5}, "unmet": "lost"}
    source = {"lead_time": 0, "maximum_order": 15, "shipment_cost": 20}
    assert agents.why_not("constant", shop(source, customers | {"shortage_cost": 99})) == (
        "it would cost 2.9 times as much as base-stock with supplier"
    )
    assert not agents.why_not("constant", shop(source, customers | {"shortage_cost": 19}))


def test_a_maximum_order_that_is_rarely_reached_does_not_delay_the_plan() -> None:
    """MRP planned two periods instead of one, for units that hardly ever wait: 3.3 times."""
    source, customers = {"maximum_order": 36}, {"quantity": {"distribution": "poisson", "mean": 12}}
    scenario = shop(source, customers | {"shortage_cost": 4})
    assert cost("mrp", scenario) <= 1.5 * cost("base-stock", scenario)


@pytest.mark.parametrize("name", ["base-stock", "kanban", "smoothed", "s-S", "constant"])
def test_a_certain_pattern_is_not_sized_as_chance(name: str) -> None:
    """16 and 0 units in turn: two periods always need 16, but the level was 32."""
    customers = {"quantity": 8, "pattern": [2, 0], "unmet": "lost", "shortage_cost": 19}
    scenario = shop({}, customers)
    if name == "base-stock":
        assert agents.make(name, scenario).parameters == {"level": 16}
    if name == "constant":
        assert agents.make(name, scenario).parameters == {"order": 8}
    # Half of the largest demand held, which is what a constant order holds, and no unit short.
    assert cost(name, scenario) <= 8 + 1e-9


def test_what_waits_behind_a_capacity_in_a_known_cycle_is_ordered_ahead() -> None:
    """15 and 5 units in turn with orders of at most 11: up to 4 units wait."""
    customers = {"quantity": 10, "pattern": [1.5, 0.5], "shortage_cost": 20_000}
    scenario = shop({"lead_time": 0, "maximum_order": 11}, customers)
    for name in ("base-stock", "seasonal-base-stock", "mrp"):
        assert cost(name, scenario) <= 15, name


@pytest.mark.parametrize("section", [{"minimum_order": 50}, {"lot_size": 50}])
def test_an_order_above_the_time_of_a_period_is_made_over_several(section: dict[str, Any]) -> None:
    """Work on it is kept: 50 units at 12 per period are granted in the fifth period."""
    source = {"lead_time": 0, "at": "shop", "time_per_unit": 1} | section
    probe = Probe(shop(source, {"quantity": 0}, work_centers={"shop": {"time": 12}}))
    granted = [probe.step(supplier=50)["supplier.granted"] for _ in range(10)]
    assert granted == [0, 0, 0, 0, 50, 0, 0, 0, 0, 50]


@pytest.mark.parametrize(
    ("source", "time", "mean"),
    [({"lot_size": 24}, 10, 8), ({"lot_size": 24}, 4, 3), ({"minimum_order": 50}, 9, 8)],
)
def test_a_level_covers_the_periods_that_a_large_lot_takes(
    source: dict[str, Any], time: float, mean: float
) -> None:
    """Before, base-stock with lots of 24 at 10 per period cost up to 23 times the best level."""
    customers = {"quantity": {"distribution": "poisson", "mean": mean}, "shortage_cost": 99}
    at = source | {"lead_time": 0, "at": "shop", "time_per_unit": 1}
    scenario = shop(at, customers, work_centers={"shop": {"time": time}})
    assert cost("base-stock", scenario) <= 1.5 * best_level(scenario, range(20, 150, 4))


def test_a_known_pattern_is_not_intermittent_demand() -> None:
    """Croston expects .9 of the mean if demand comes every second period: fill rate .938."""
    pattern = shop(customers={"quantity": 8, "pattern": [2, 0]})
    chance = {"distribution": "intermittent", "probability": 0.5, "quantity": 8}
    for name in ("croston", "tsb"):
        assert "pattern" in agents.why_not(name, pattern)
        assert not agents.why_not(name, shop(customers={"quantity": chance, "pattern": [2, 0]}))


def test_a_dear_shortage_is_not_cut_to_a_ratio_of_99_percent() -> None:
    """The safety factor was that of .99 (2.33), however dear a shortage is."""
    life: dict[str, Any] = {
        "distribution": "life-cycle",
        "mean": 600,
        "shares": [0.1, 0.3, 0.4, 0.2],
    }
    life["standard_deviation_of_level"] = 150
    source, product = {"unit_cost": 4, "lead_time": 1}, {"salvage_value": 3}
    for cost_of_shortage, factor in ((10, 2.35), (9_999, 3.72)):
        customers = {"quantity": life, "unmet": "lost", "price": 100}
        scenario = shop(
            source,
            customers | {"shortage_cost": cost_of_shortage},
            items={"product": product},
            horizon={"season": 4},
        )
        late = agents.make("accurate-response", scenario).parameters["late"]
        assert late == pytest.approx(factor, abs=0.02), cost_of_shortage


# --- cases ---------------------------------------------------------------------------------------


def shop(
    source: dict[str, Any] | None = None, customers: dict[str, Any] | None = None, **sections: Any
) -> Scenario:
    """Poisson 5, lead time 1, holding cost 1, backorder cost 9, and the additions of a case."""
    demand = {
        "item": "product",
        "quantity": {"distribution": "poisson", "mean": 5},
        "unmet": "backordered",
        "shortage_cost": 9,
    }
    sections = {"items": {"product": {"holding_cost": 1}}} | sections
    return plant(
        sources={"supplier": {"makes": "product", "lead_time": 1} | (source or {})},
        demands={"customers": demand | (customers or {})},
        **{"horizon": {"ongoing": 1000, "warm_up": 100}} | sections,
    )


def cost(name: str, scenario: Scenario, **parameters: Any) -> float:
    policy = agents.make(name, scenario, **parameters)
    return float(evaluate.rollout(policy, scenario, episodes=4, seed=1)["cost"].mean())


def best_level(scenario: Scenario, levels: range) -> float:
    return min(cost("base-stock", scenario, level=level) for level in levels)


@pytest.mark.parametrize(
    "source",
    [
        {"lot_size": 24},
        {"minimum_order": 20},
        {"lot_size": 4, "minimum_order": 18},
        {"maximum_order": 6},
        {"partial": {"share": 0.4, "rest": "later"}},
    ],
)
def test_a_base_stock_level_allows_for_limits_of_orders(
    source: dict[str, Any],
) -> None:
    """The level is within 15 % of the best one: before, lot 24 cost 73.7 instead of 12.6."""
    scenario = shop(source)
    assert cost("base-stock", scenario) <= 1.15 * best_level(scenario, range(10, 60))


def test_a_maximum_order_is_sized_like_a_work_center_of_that_capacity() -> None:
    at_a_center = shop({"at": "shop", "time_per_unit": 1}, work_centers={"shop": {"time": 6}})
    same = agents.make("base-stock", at_a_center).parameters
    assert agents.make("base-stock", shop({"maximum_order": 6})).parameters == same


@pytest.mark.parametrize("name", ["mrp", "conwip", "adaptive-kanban", "kanban", "constant"])
def test_every_policy_that_applies_orders_at_least_the_minimum(name: str) -> None:
    scenario = shop({"minimum_order": 20})
    if CLASSICS[name].why_not(scenario):
        assert name == "constant"
        return
    assert cost(name, scenario) <= 2 * best_level(scenario, range(20, 45, 5))


def test_a_salvage_value_that_is_not_stated_counts_as_zero() -> None:
    """One season of Poisson 15, price 10, cost 4: F(S) = 6 / 10, so S is 16."""
    customers = {"unmet": "lost", "price": 10, "shortage_cost": 0}
    season = {"quantity": {"distribution": "poisson", "mean": 15}} | customers
    one = shop({"unit_cost": 4, "lead_time": 0}, season, horizon={"season": 1})
    one = one.model_copy(update={"items": {"product": type(one.items["product"])()}})
    assert agents.make("base-stock", one).parameters == {"level": 16}


def test_a_unit_left_after_a_long_season_loses_its_value_once() -> None:
    """The holding cost is h + (c - v) / T: a unit that is left loses c - v once in T periods."""
    source = {"unit_cost": 4, "lead_time": 0}
    customers = {"unmet": "lost", "price": 10, "shortage_cost": 0}
    scenario = shop(source, customers, horizon={"season": 20})
    level = agents.make("base-stock", scenario).parameters["level"]
    found = {s: cost("base-stock", scenario, level=s) for s in range(4, 13)}
    assert found[level] <= min(found.values()) + 0.02 * abs(min(found.values()))


def test_a_cost_ratio_above_9999_does_not_change_the_holding_cost() -> None:
    """h is 1, b is 90,000: the holding cost does not grow with the shortage cost."""
    fixed = {"shipment_cost": 64, "lead_time": 0}
    dear, dearer = (shop(fixed, {"shortage_cost": b}) for b in (9_000, 90_000))
    sizes = [agents.make("s-S", scenario).parameters for scenario in (dear, dearer)]
    batch = [size["order_up_to"] - size["reorder_point"] for size in sizes]
    assert abs(batch[1] - batch[0]) <= 2
    assert 0 <= sizes[1]["reorder_point"] - sizes[0]["reorder_point"] <= 4


MONTHS = [69, 29, 36, 61, 61, 26, 34, 67, 45, 67, 79, 56]  # Wagner and Whitin (1958)


@pytest.mark.parametrize("name", ["wagner-whitin", "silver-meal", "seasonal-base-stock", "mrp"])
def test_variation_that_is_known_needs_no_safety_stock(name: str) -> None:
    mean = sum(MONTHS) / 12
    known = {"quantity": mean, "pattern": [month / mean for month in MONTHS]}
    scenario = shop({"shipment_cost": 85, "lead_time": 0}, known, horizon={"ongoing": 240})
    policy = agents.make(name, scenario)
    rows = evaluate.rollout(policy, scenario, episodes=1, seed=1)
    assert float(rows["fill_rate"].mean()) > 0.99
    # The least cost of a year: at most 12 orders, and only the stock of months ordered ahead.
    assert float(rows["cost"].mean()) <= 85 + mean


def test_a_policy_is_one_file_and_one_line_of_the_registry(monkeypatch: Any) -> None:
    """A toy policy: its equation, its parameter, and how it is built."""
    from agents.classic.base.declaration import Classic, parameter, ruled
    from jitgym.control import pull_rule

    toy = Classic(
        "toy",
        lambda scenario: "",
        lambda scenario: (
            parameter("cards", "units", 9, of=scenario.sources, high=40, whole=True),
        ),
        ruled(lambda layout, values: pull_rule(layout, cards={"supplier": values["cards"][0]})),
    )
    monkeypatch.setitem(CLASSICS, "toy", toy)
    scenario = shop(horizon={"ongoing": 60})
    assert agents.make("toy", scenario).parameters == {"cards": 9}
    assert agents.make("toy", scenario, cards=12).parameters == {"cards": 12}
    assert cost("toy", scenario) > 0
    tuned = agents.tune("toy", scenario, seed=0)
    assert tuned.policy.parameters["cards"] > 9


@pytest.mark.parametrize("name", ["base-stock", "kanban", "eoq", "single-index", "dual-index"])
def test_sources_that_share_a_storage_get_its_room_in_the_order_of_asking(name: str) -> None:
    """The quick source comes first, wherever the scenario names it: kanban cost 43.1 for 25.9."""
    ways = {
        "slow": {"makes": "product", "lead_time": 3},
        "fast": {"makes": "product", "lead_time": 1, "unit_cost": 2},
    }
    costs = []
    for order in (ways, dict(reversed(ways.items()))):
        scenario = plant(
            items={"product": {"holding_cost": 1, "storage": 20}},
            sources=order,
            demands=shop(customers={"quantity": {"distribution": "poisson", "mean": 6}}).demands,
            horizon={"ongoing": 200, "warm_up": 50},
        )
        costs.append(cost(name, scenario))
    assert costs[0] == pytest.approx(costs[1])
