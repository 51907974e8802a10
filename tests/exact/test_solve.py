"""The optimum of any small plant: no policy costs less, and simulation agrees with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import agents
import jitgym
from jitgym import ScenarioError, evaluate, exact
from jitgym.control import View
from jitgym.exact import noise
from jitgym.plant import lay_out
from jitgym.scenario import Scenario
from tests.scenarios import plant, scenarios

EXAMPLES = 30
T_999 = 5.5  # standard errors: 99.9 % familywise over 30 examples, 64 episodes each
TWO_OR_THREE = st.sampled_from(
    [
        {"distribution": "finite", "values": [0, 1, 3], "probabilities": [0.5, 0.3, 0.2]},
        {"distribution": "uniform", "low": 0, "high": 2},
        {"distribution": "binomial", "trials": 3, "probability": 0.4},
    ]
)
MAYBE = st.integers(0, 2).map(lambda k: k == 0)


@st.composite
def small(draw: st.DrawFn) -> Scenario:
    """A plant of one or two items with one or two features, small enough to enumerate."""
    unmet = draw(st.sampled_from(["lost", "backordered"]))
    supplier: dict[str, Any] = {
        "makes": "part",
        "lead_time": draw(st.sampled_from([0, 1, 2])),
        "unit_cost": draw(st.sampled_from([0, 1])),
        "shipment_cost": draw(st.sampled_from([0, 0, 3])),
        "maximum_order": 3,
    }
    item: dict[str, Any] = {"holding_cost": draw(st.sampled_from([1, 0.5])), "storage": 5}
    demand: dict[str, Any] = {
        "item": "part",
        "quantity": draw(TWO_OR_THREE),
        "unmet": unmet,
        "shortage_cost": draw(st.sampled_from([4, 9])),
    }
    document: dict[str, Any] = {"horizon": {"ongoing": 2200, "warm_up": 200}}
    kind = draw(st.sampled_from(["plain", "disruption", "quality", "line", "season", "regimes"]))
    if draw(MAYBE) and kind != "line":
        item |= {"shelf_life": 2, "disposal_cost": 1}
    if draw(MAYBE) and unmet == "backordered":
        demand |= {"abandons": 0.2, "abandonment_cost": 2}
    if kind == "disruption":
        supplier["disruption"] = {"fails": 0.1, "repaired": 0.5}
    if kind == "quality":
        supplier["quality"] = {"defects": 0.2}
    if kind == "season":
        document["horizon"] = {"season": 6}
        item["salvage_value"] = 0.5
    if kind == "regimes":
        low, high = {"distribution": "uniform", "low": 0, "high": 1}, demand["quantity"]
        demand["quantity"] = {
            "distribution": "regimes",
            "regimes": {"slow": low, "brisk": high},
            "stay": {"slow": 0.8, "brisk": 0.7},
        }
    items, sources = {"part": item}, {"supplier": supplier}
    if kind == "line":
        items["car"] = {"holding_cost": 2, "storage": 4}
        demand["item"] = "car"
        time = {"distribution": "finite", "values": [1, 2, 3], "probabilities": [0.2, 0.3, 0.5]}
        document["work_centers"] = {
            "shop": {"time": time, "breakdown": {"fails": 0.1, "repaired": 0.6, "per": "unit"}}
        }
        sources["making"] = {
            "makes": "car",
            "consumes": {"part": 1},
            "at": "shop",
            "time_per_unit": 1,
            "maximum_order": 3,
        }
    return plant(items, sources, {"customers": demand}, **document)


def random_table(seed: int, sources: int) -> Any:
    """A policy whose request is arbitrary in each state, but always the same."""

    def table(view: View) -> np.ndarray:
        assert view.layout is not None
        seen = [k for k, cell in enumerate(view.layout.cells) if cell.of.kind != "report"]
        digits = np.floor(np.asarray(view)[:, seen]) @ np.arange(1, len(seen) + 1)
        phase = np.sin(digits[:, np.newaxis] * 12.9898 + np.arange(1, sources + 1) * (seed + 1.7))
        return np.floor(np.abs(phase) * 3.99)

    return table


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(small(), st.integers(0, 99))
def test_no_policy_costs_less_than_the_optimum_and_simulation_agrees(
    plant: Scenario, seed: int
) -> None:
    try:
        solution = exact.solve(plant)
    except exact.TooLarge:  # demand may exceed capacity, so that there is no finite optimum
        return
    slack = 1e-8 * (1 + abs(solution.cost))
    policies = [random_table(seed + k, len(plant.sources)) for k in range(3)]
    for name in ("kanban", "base-stock", "conwip"):
        if not agents.why_not(name, plant):
            policies.append(agents.make(name, plant))
    for policy in policies:
        try:
            value = exact.evaluate(policy, plant, memory=3e8)
        except exact.TooLarge:  # the backlog grows without end
            continue
        assert value.cost >= solution.lower - slack
    again = exact.evaluate(solution.policy, plant)
    assert again.cost == pytest.approx(solution.cost, abs=max(slack, 1e-7))
    cost = evaluate.rollout(solution.policy, plant, episodes=64, seed=seed)["cost"]
    error = cost.std() / np.sqrt(cost.size) + 1e-9
    assert abs(cost.mean() - solution.cost) < T_999 * error


def test_a_solution_describes_itself() -> None:
    solution = exact.solve("lost-sales")
    assert solution.lower <= solution.cost <= solution.upper
    assert solution.cost == pytest.approx(4.728525, abs=1e-6)
    assert solution.yardstick == "average cost per period"
    assert 5_000 < solution.states < 50_000
    assert solution.cut < 1e-11
    assert solution.edge == 0.0


def test_the_optimal_policy_can_be_saved_and_loaded(tmp_path: Path) -> None:
    scenario = jitgym.load("lost-sales", lead_time=2)
    policy = exact.solve(scenario).policy
    policy.save(tmp_path / "optimal.npz")
    loaded = exact.OptimalPolicy.load(tmp_path / "optimal.npz", lay_out(scenario))
    one = evaluate.rollout(policy, scenario, episodes=2)
    assert one["cost"].tolist() == evaluate.rollout(loaded, scenario, episodes=2)["cost"].tolist()
    assert policy.outside == 0
    with pytest.raises(ScenarioError, match="other cells"):
        exact.OptimalPolicy.load(tmp_path / "optimal.npz", lay_out(jitgym.load("tandem")))


def test_a_state_outside_the_table_gets_the_decision_of_the_nearest_one() -> None:
    scenario = jitgym.load("lost-sales", lead_time=2)
    policy = exact.solve(scenario).policy
    rows = np.array([[500.0, 3.0]])
    assert policy.asks[policy.numbers(rows)].tolist() == [[0.0, 0.0]]
    assert policy.outside == 1


@pytest.mark.parametrize(
    ("name", "given_", "says"),
    [
        ("regime-switching", {"seen": False}, "regime is hidden"),
        ("recorded-retail", {}, "recorded demand is one path|forecast"),
    ],
)
def test_a_plant_that_is_not_finite_is_refused_with_the_reason(
    name: str, given_: dict[str, Any], says: str
) -> None:
    with pytest.raises(exact.NotFinite, match=says):
        exact.solve(jitgym.load(name, **given_))


@pytest.mark.parametrize(
    ("part", "channel"),
    [
        ("_of_demand", "customers.quantity"),
        ("_of_source", "supplier.lead_time"),
        ("_draw", "supplier.lead_time"),
    ],
)
def test_a_draw_that_no_known_stage_reads_is_refused(
    monkeypatch: pytest.MonkeyPatch, part: str, channel: str
) -> None:
    """Without its reader a channel would stay at u = 0, and the "exact" cost would be wrong."""
    scenario = plant(
        sources={
            "supplier": {
                "makes": "product", "lead_time": {"distribution": "uniform", "low": 1, "high": 2}
            }
        },
        demands={
            "customers": {
                "item": "product",
                "quantity": {"distribution": "poisson", "mean": 1},
                "unmet": "lost",
                "shortage_cost": 9,
            }
        },
    )  # fmt: skip
    layout = lay_out(scenario)
    noise.table(layout)
    monkeypatch.setattr(noise, part, lambda *_: [])
    with pytest.raises(exact.NotFinite, match=channel):
        noise.table(layout)
    with pytest.raises(exact.NotFinite, match=channel):
        exact.solve(scenario)


@given(scenarios())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_every_draw_of_a_random_plant_has_a_known_reader(scenario: Scenario) -> None:
    assume(not any(demand.forecast for demand in scenario.demands.values()))  # not finite
    layout = lay_out(scenario)
    read = {channel for channel, *_ in noise._readers(layout.plant)}
    assert read == set(range(len(layout.channels)))


def test_a_plant_that_is_too_large_is_refused_before_memory_is_used() -> None:
    with pytest.raises(exact.TooLarge, match=r"states.*would take .* GB; at most 0\.0 GB"):
        exact.solve(jitgym.load("lost-sales", lead_time=4), memory=2e6)


def test_a_policy_with_a_memory_is_refused() -> None:
    class Remembers:
        name, rule = "remembers", None

        def start(self, batch: int) -> np.ndarray:
            return np.zeros((batch, 1))

        def act(self, view: View, memory: np.ndarray) -> np.ndarray:
            return np.zeros((view.shape[0], 1))

    with pytest.raises(exact.NotFinite, match="has a memory"):
        exact.evaluate(Remembers(), "lost-sales")


def test_a_policy_that_looks_at_reports_is_refused() -> None:
    with pytest.raises(exact.NotFinite, match="cells that only report"):
        exact.evaluate(lambda view: view["customers.last"], "lost-sales")


def test_stock_without_a_bound_is_cut_off_so_rarely_that_the_cost_is_right() -> None:
    """Base-surge with a constant order: stock rises while demand happens to be low."""
    scenario = jitgym.load("dual-sourcing")
    policy = agents.make("tailored-base-surge", scenario, order=1, level=4)
    value = exact.evaluate(policy, scenario)
    cost = evaluate.rollout(policy, scenario, episodes=64)["cost"]
    assert 0.0 < value.edge < 1e-9
    assert abs(cost.mean() - value.cost) < 4 * cost.std() / 8


@pytest.mark.parametrize("order", [2, 3])
def test_stock_that_grows_without_limit_is_refused(order: int) -> None:
    scenario = jitgym.load("dual-sourcing")
    policy = agents.make("tailored-base-surge", scenario, order=order, level=3)
    with pytest.raises(exact.TooLarge, match="the stock grows without end"):
        exact.evaluate(policy, scenario)


def test_a_level_far_above_the_first_edge_is_reached() -> None:
    scenario = jitgym.load("lost-sales", lead_time=0)
    value = exact.evaluate(agents.make("base-stock", scenario, level=300), scenario)
    assert value.cost == pytest.approx(295.0, abs=1e-6)  # 300 less the mean demand, held
    assert value.edge == 0.0


def test_a_style_sold_for_one_season_is_solved() -> None:
    """A new product with a cheap far source and a near one; demand so far tells its level."""
    style = plant(
        {"style": {"holding_cost": 0.1, "salvage_value": 6}},
        {
            "far": {"makes": "style", "lead_time": 2, "unit_cost": 8, "minimum_order": 2},
            "near": {"makes": "style", "lead_time": 1, "unit_cost": 9},
        },
        {
            "buyers": {
                "item": "style",
                "quantity": {
                    "distribution": "life-cycle",
                    "mean": 4,
                    "standard_deviation_of_level": 2,
                    "shares": [0.6, 0.4],
                    "first": 2,
                },
                "unmet": "lost",
                "price": 12,
            }
        },
        horizon={"season": 4},
    )
    box = exact.Bounds({"far": 8, "near": 8}, {"style": 12}, {}, False)
    solution = exact.solve(style, bounds=box)
    cost = evaluate.rollout(solution.policy, style, episodes=4000)["cost"]
    assert abs(cost.mean() - solution.cost) < 4 * cost.std() / np.sqrt(cost.size)
    # No policy gains more than if it knew the mean demand and bought it far: 4 x (12 - 8).
    assert -16 < solution.cost < -4


def test_the_bayesian_policy_is_near_the_optimum_of_one_style() -> None:
    style = jitgym.load("style", pieces=400)
    optimum = exact.solve(style).cost
    costs = {
        name: exact.evaluate(agents.tune(name, style).policy, style).cost
        for name in ("bayesian-base-stock", "accurate-response")
    }
    assert min(costs.values()) >= optimum - 1e-8 * abs(optimum)
    # Simulation misses about .02 % of the return.
    assert costs["bayesian-base-stock"] == pytest.approx(optimum, rel=0.002)


def test_a_decision_with_more_next_states_than_expected_is_enumerated() -> None:
    """Two demands drawn together: the first decision has some five thousand next states."""
    names = ("a", "b")
    stock = plant(
        {name: {"holding_cost": 1, "initial_stock": 90} for name in names},
        {f"to_{name}": {"makes": name, "lead_time": 0, "maximum_order": 1} for name in names},
        {
            f"for_{name}": {
                "item": name,
                "quantity": {"distribution": "poisson", "mean": 30},
                "unmet": "lost",
                "shortage_cost": 1,
            }
            for name in names
        },
        horizon={"season": 2},
    )
    solution = exact.solve(stock)
    assert solution.states > 5000
    # Stock nearly always lasts for both periods: 60 and 30 units of each item are held.
    assert solution.cost == pytest.approx(180.0, abs=0.01)


def test_given_bounds_are_kept() -> None:
    box = exact.Bounds({"supplier": 2}, {"product": 30}, {}, False)
    solution = exact.solve(jitgym.load("lost-sales", lead_time=1), bounds=box)
    assert solution.rounds == 1
    assert solution.policy.asks[:, 0].max() == 2
    assert solution.cost > 4.040711
