"""Classic policies: their textbook sizes, and their rules."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agents
import jitgym
from agents.classic import CLASSICS, values_of
from agents.classic.reorder.eoq import reorder_point
from jitgym import ScenarioError, evaluate
from jitgym.control import Policy, View, ViewLayout
from jitgym.control.masses import best_window, compound, deviation_of, geometric, mass, mean_of
from jitgym.control.sizing import available_time, stages
from jitgym.distributions import Deterministic, Poisson
from jitgym.plant import lay_out
from jitgym.scenario import Scenario
from tests.scenarios import brief, plant, scenarios
from tests.tables import published

REFUSED = {(name, "tandem") for name in ("eoq", "constant", "smoothed", "mrp")}
REFUSED |= {("constant", "kanban-line")}  # demand waits
GENERAL = ("kanban", "conwip", "base-stock", "eoq", "constant", "smoothed", "mrp")
PAIRS = [
    (name, scenario)
    for scenario in ("lost-sales", "kanban-line", "tandem", "recorded-retail")
    for name in GENERAL
]
APPLICABLE = [pair for pair in PAIRS if pair not in REFUSED]


def printed(model: str, instance: str = "") -> str:
    """The optimum of a row of the published textbook figures."""
    rows = [row for row in published("textbook.csv") if row["model"] == model]
    (found,) = [r["optimum"] for r in rows if instance in r["instance"]]
    return found


def single(quantity: Any, lead_time: Any = 0, holding: float = 1, shortage: float = 4) -> Scenario:
    """One item with backorders."""
    return plant(
        items={"product": {"holding_cost": holding}},
        sources={"supplier": {"makes": "product", "lead_time": lead_time}},
        demands={
            "customers": {
                "item": "product",
                "quantity": quantity,
                "unmet": "backordered",
                "shortage_cost": shortage,
            }
        },
    )


# --- sizes that are printed ---------------------------------------------------------------------


def test_the_level_over_a_lead_time_is_that_of_the_textbook() -> None:
    """Example 4.4, N(50, 8) over four periods and one more: 264.77, here in whole units."""
    normal = {"distribution": "normal", "mean": 50, "standard_deviation": 8}
    scenario = single(normal, lead_time=4, holding=0.18, shortage=0.7)
    assert printed("newsvendor normal with lead time").startswith("S=264.7669 ")
    assert agents.make("base-stock", scenario).parameters == {"level": 265}


def test_the_reorder_point_is_that_of_the_textbook() -> None:
    ratio = 150 / (150 + 20)
    point = reorder_point(mass(Poisson(mean=1.5 * 2)), quantity=5, low=ratio, high=ratio)
    assert printed("(r,Q) Poisson").startswith(f"r={point:g} Q=5 ")


def test_a_serial_line_is_sized_within_one_unit_of_the_published_optimum() -> None:
    scenario = plant(  # example 6.1 with Poisson demand, in this project's order of events
        items={
            "c": {"holding_cost": 2},
            "b": {"holding_cost": 4},
            "a": {"holding_cost": 7},
        },
        sources={
            "third": {"makes": "c", "lead_time": 2},
            "second": {"makes": "b", "consumes": {"c": 1}, "lead_time": 1},
            "first": {"makes": "a", "consumes": {"b": 1}, "lead_time": 0},
        },
        demands={
            "customers": {
                "item": "a",
                "quantity": {"distribution": "poisson", "mean": 5},
                "unmet": "backordered",
                "shortage_cost": 37.12,
            }
        },
    )
    best = re.search(r"S=\((\d+),(\d+),(\d+)\)", printed("serial echelon base-stock Poisson(5)"))
    assert best is not None
    levels = agents.make("base-stock", scenario).parameters["levels"]
    np.testing.assert_allclose(np.cumsum(levels[::-1]), [int(s) for s in best.groups()], atol=1)


def test_without_a_fixed_cost_an_order_is_the_demand_of_one_period() -> None:
    assert agents.make("eoq", "lost-sales").parameters["quantity"] == 5


def test_an_order_is_whole_lots_and_not_below_the_minimum() -> None:
    scenario = jitgym.load("lost-sales", **{"sources.supplier.lot_size": 4})
    assert agents.make("eoq", scenario).parameters["quantity"] == 4
    scenario = jitgym.load(scenario, **{"sources.supplier.minimum_order": 9})
    assert agents.make("eoq", scenario).parameters["quantity"] == 12


def test_a_constant_order_is_below_mean_demand_where_unmet_demand_is_lost() -> None:
    assert agents.make("constant", "lost-sales").parameters["order"] == 4
    assert agents.why_not("constant", single(5)) == (
        "demand waits here: a constant order does not react to backlog, so stock drifts"
    )


def test_a_constant_order_is_refused_where_no_whole_order_is_near_the_ideal_one() -> None:
    """Mean 5, h 1, p 4: q = 5 - sqrt(5 / 8) = 4.21, but nothing lies between 0 and a lot of 24."""
    scenario = jitgym.load("lost-sales", **{"sources.supplier.lot_size": 24})
    assert agents.why_not("constant", scenario) == (
        "its order from supplier is 4.21 units per period, and no order that can be placed is near"
    )
    least = jitgym.load("lost-sales", **{"sources.supplier.minimum_order": 9})
    assert agents.why_not("constant", least) == (
        "the mean need per period is below the minimum order of supplier, 9"
    )


# --- the parts of sizing ------------------------------------------------------------------------


def test_lead_time_demand_covers_the_lead_time_and_one_period() -> None:
    (stage,) = stages(jitgym.load("lost-sales")).values()
    expected = mass(Poisson(mean=5 * 5))
    shared = min(expected.size, stage.lead_time_demand.size)
    np.testing.assert_allclose(stage.lead_time_demand[:shared], expected[:shared], atol=1e-12)


def test_lead_time_demand_is_a_mixture_over_random_lead_times() -> None:
    lead_time = {"distribution": "finite", "values": [4, 5], "probabilities": [0.25, 0.75]}
    (stage,) = stages(single({"distribution": "geometric", "mean": 4}, lead_time)).values()
    periods, spread = 4.75 + 1, 0.25 * 0.75
    variance = periods * 4 * (1 + 4) + spread * 4**2  # of a sum of a random number of demands
    assert mean_of(stage.lead_time_demand) == pytest.approx(periods * 4)
    assert deviation_of(stage.lead_time_demand) == pytest.approx(variance**0.5)


def test_units_count_through_the_bill_of_materials() -> None:
    at = stages(network())
    assert at["forge"].units == {"north": 2.0, "south": 2.0}
    assert at["forge"].requirement == pytest.approx(2 * (3 + 2))
    assert mean_of(at["forge"].demand) == pytest.approx(2 * (3 + 2))
    assert at["to_north"].units == {"north": 1.0}
    assert at["forge"].route == ("forge", "assembly", "to_south")


def test_compound_is_a_mixture_of_convolutions() -> None:
    demand, more = np.array([0.2, 0.5, 0.3]), np.array([0.6, 0.4])
    twice = np.convolve(np.convolve(demand, demand), more)
    once = np.convolve(demand, more)
    expected = 0.3 * np.pad(once, (0, twice.size - once.size)) + 0.7 * twice
    found = compound(demand, periods=np.array([0, 0.3, 0.7]), more=more)
    np.testing.assert_allclose(found, expected, atol=1e-15)


def test_a_mass_keeps_the_mean_of_fractions() -> None:
    assert mean_of(mass(Deterministic(value=0.3), scale=2.5)) == pytest.approx(0.75)


def test_the_best_window_has_the_lowest_cost() -> None:
    of, ratio, width = mass(Poisson(mean=7)), 0.8, 4
    below = np.arange(of.size)

    def cost(point: float) -> float:
        left = point + 1 + np.arange(width)[:, np.newaxis] - below
        return float(
            ((1 - ratio) * np.maximum(left, 0) + ratio * np.maximum(-left, 0)).mean(0) @ of
        )

    best = best_window(of, ratio, width)
    assert cost(best) == min(cost(point) for point in range(-1, 30))


def test_the_queue_is_close_to_that_of_two_machines_in_a_row() -> None:
    """Each station of the tandem line is M/M/1 with utilization .7: 2.33 units on average."""
    for stage in stages(jitgym.load("tandem")).values():
        assert stage.queue == pytest.approx(0.7 / 0.3, rel=0.25)


def test_breakdowns_count_with_their_long_run_variance() -> None:
    scenario = jitgym.load("kanban-line")
    for name, center in scenario.work_centers.items():
        assert center.breakdown is not None
        fails, repaired = center.breakdown.fails, center.breakdown.repaired
        rng = np.random.default_rng(0)
        up, made = np.ones(4000, dtype=bool), np.zeros(4000)
        for _ in range(1000):
            made += up * center.time.expectation
            u = rng.random(4000)
            up = np.where(up, u >= fails, u < repaired)
        mean, variance = available_time(scenario, name)
        assert made.mean() / 1000 == pytest.approx(mean, rel=0.01)
        assert made.var() / 1000 == pytest.approx(variance, rel=0.1)


def test_a_geometric_mass_has_the_given_mean() -> None:
    assert mean_of(geometric(6.5)) == pytest.approx(6.5)
    assert geometric(0.0).tolist() == [1.0]


# --- where they apply ---------------------------------------------------------------------------


def test_the_names_of_the_policies_are_those_of_the_registry() -> None:
    assert agents.names()[: len(GENERAL)] == GENERAL
    assert len(set(agents.names())) == len(agents.names())


@pytest.mark.parametrize(("name", "scenario"), PAIRS)
def test_a_policy_applies_to_a_plant_or_says_in_one_line_why_not(name: str, scenario: str) -> None:
    reason = agents.why_not(name, scenario)
    assert bool(reason) == ((name, scenario) in REFUSED)
    assert "\n" not in reason
    if reason:
        with pytest.raises(ScenarioError, match=re.escape(f"{name} does not apply: {reason}")):
            agents.make(name, scenario)
        with pytest.raises(ScenarioError, match=re.escape(f"{name} does not apply: {reason}")):
            agents.tune(name, scenario)


@pytest.mark.parametrize("scenario", ["lost-sales", "kanban-line", "fast-fashion", "tandem"])
def test_every_policy_applies_or_says_in_one_short_line_why_not(scenario: str) -> None:
    reasons = {name: agents.why_not(name, scenario) for name in agents.names()}
    assert not any("\n" in reason or len(reason) > 120 for reason in reasons.values())
    assert {"kanban", "base-stock"} <= {name for name, reason in reasons.items() if not reason}


def test_conwip_refuses_a_plant_with_two_outside_sources() -> None:
    assert "forge, mill" in agents.why_not("conwip", network())


@pytest.mark.parametrize("name", ["kanban", "base-stock", "eoq", "smoothed", "mrp"])
def test_policies_apply_to_assembly_and_distribution(name: str) -> None:
    scenario = network()
    rows = evaluate.rollout(agents.make(name, scenario), scenario, episodes=4)
    assert rows["throughput"].mean() > 2.5  # of 5 asked for


@given(scenarios(periods=12), st.data())
@settings(max_examples=24)
def test_any_plant_is_sized_by_the_textbook_or_refused(scenario: Scenario, data: Any) -> None:
    """Every policy is sized and run; one in five with a rule is also compared with its batches.

    Whether the loop and batches agree depends on the plant and the rule, not on the policy.
    """
    layout, policies = lay_out(scenario), []
    for name, classic in CLASSICS.items():
        if classic.why_not(scenario):
            continue
        parameters = classic.parameters(scenario)
        for parameter in parameters:
            assert np.isfinite(parameter.textbook).all()
            assert (parameter.textbook >= parameter.least).all()
            assert (parameter.textbook <= parameter.high).all()
            assert (parameter.step > 0).all()
            parameter.checked(parameter.textbook, name)
        policies.append(classic.build(name, layout, values_of(name, parameters, {})))
    checked = data.draw(st.integers(0, 4), label="which of the rules is held to its batches")
    for k, policy in enumerate(policy for policy in policies if policy.rule is not None):
        if k % 5 == checked:
            assert_batches_equal_the_loop(policy, scenario)
        else:
            assert np.isfinite(evaluate.rollout(policy, scenario, 1, seed=1)["cost"]).all()
    for policy in policies:
        if policy.rule is None:
            assert np.isfinite(evaluate.rollout(policy, scenario, 2, seed=1)["cost"]).all()


# --- their rules --------------------------------------------------------------------------------


@dataclass(frozen=True)
class InBatches:
    """A policy that hides its rule, so that batches run it instead of the compiled loop."""

    policy: Policy
    rule: None = None

    @property
    def name(self) -> str:
        return self.policy.name

    def start(self, batch: int) -> Any:
        return self.policy.start(batch)

    def act(self, view: View, memory: Any) -> Any:
        return self.policy.act(view, memory)


def assert_batches_equal_the_loop(policy: Policy, scenario: Scenario) -> None:
    compiled = evaluate.rollout(policy, scenario, episodes=3, seed=1)
    batches = evaluate.rollout(InBatches(policy), scenario, episodes=3, seed=1)
    figures = compiled.columns[5:]
    np.testing.assert_array_equal(compiled[figures], batches[figures])


@pytest.mark.parametrize(("name", "scenario"), APPLICABLE)
def test_batches_and_the_compiled_loop_give_the_same_rows(name: str, scenario: str) -> None:
    plant_ = brief(scenario, 40)
    policy = agents.make(name, plant_)
    assert (policy.rule is None) == (name in ("smoothed", "mrp"))
    assert_batches_equal_the_loop(policy, plant_)


@pytest.mark.parametrize(
    ("name", "column", "parameter"),
    [
        ("kanban", "kanban", "cards"),
        ("base-stock", "base_stock", "levels"),
        ("conwip", "", "cards"),
    ],
)
def test_policies_of_the_tandem_cost_what_is_published(
    name: str, column: str, parameter: str
) -> None:
    row = published("two_station_tandem.csv")[0]
    key = f"{column}_{parameter}" if column else "conwip_cards"
    given_ = [int(x) for x in row[key].split(",")]
    scenario = jitgym.load("tandem", **{"horizon.ongoing": 20_000, "horizon.warm_up": 2000})
    policy = agents.make(name, scenario, **{parameter: given_})
    cost = evaluate.rollout(policy, scenario, episodes=32, seed=3)["cost"].mean()
    assert cost == pytest.approx(float(row[f"{column or name}_cost"]), rel=0.03)


def asked_at(policy: Policy, **cells: float) -> list[float]:
    """Return the asks in the first state of the plant, with these cells changed, by source."""
    return row_at(policy, **cells)[: len(policy.layout.scenario.sources)]


def row_at(policy: Policy, **cells: float) -> list[float]:
    """Return the same, with the priorities that follow the quantities of some policies."""
    layout = policy.layout
    state = layout.plant.initial.copy()[np.newaxis]
    for part in layout.state:
        if part.name in cells:
            state[0, part.start + part.size - 1] = cells[part.name]
    asked = policy.act(ViewLayout(layout).of(state), policy.start(1))
    return np.asarray(asked)[0].tolist()


@pytest.mark.parametrize(("position", "asked"), [(21, 0), (20, 10), (11, 10), (10, 20), (0, 30)])
def test_eoq_orders_whole_quantities_at_or_below_the_reorder_point(
    position: float, asked: float
) -> None:
    policy = agents.make("eoq", "lost-sales", quantity=10, reorder_point=20)
    assert asked_at(policy, **{"product.stock": position}) == [asked]


@pytest.mark.parametrize("stock", [0, 5, 500])
def test_a_constant_order_does_not_depend_on_the_stock(stock: float) -> None:
    assert asked_at(agents.make("constant", "lost-sales", order=4), **{"product.stock": stock}) == [
        4
    ]


def test_conwip_counts_gross_of_backorders_and_base_stock_net() -> None:
    waiting = {"part.stock": 1, "product.stock": 0, "customers.backlog": 4}
    assert asked_at(agents.make("conwip", "tandem", cards=9), **waiting)[0] == 8
    assert asked_at(agents.make("base-stock", "tandem", levels=[3, 6]), **waiting)[0] == 12


def test_kanban_frees_a_card_when_the_next_stage_has_one_for_the_part() -> None:
    policy = agents.make("kanban", "tandem", cards=[3, 6])
    assert asked_at(policy, **{"part.stock": 4, "product.stock": 3}) == [2, 3]
    assert asked_at(policy, **{"part.stock": 4, "product.stock": 6}) == [0, 0]


def test_a_card_stands_for_a_container() -> None:
    scenario = jitgym.load("recorded-retail")
    cards = evaluate.rollout(agents.make("kanban", scenario, cards=90), scenario, 4)
    units = evaluate.rollout(agents.make("base-stock", scenario, level=1080), scenario, 4)
    np.testing.assert_array_equal(cards["cost"], units["cost"])


def test_kanban_conwip_and_base_stock_coincide_on_a_lost_sales_item() -> None:
    scenario = brief("lost-sales", 200)
    costs = [
        evaluate.rollout(agents.make(name, scenario, **parameters), scenario, 8)["cost"].to_numpy()
        for name, parameters in (
            ("kanban", {"cards": 25}),
            ("conwip", {"cards": 25}),
            ("base-stock", {"level": 25}),
        )
    ]
    np.testing.assert_array_equal(costs[0], costs[1])
    np.testing.assert_array_equal(costs[0], costs[2])


@pytest.mark.parametrize("name", ["lost-sales", "kanban-line", "recorded-retail"])
def test_a_forecast_that_never_moves_is_a_base_stock_policy(name: str) -> None:
    scenario = brief(name, 40)
    still = evaluate.rollout(agents.make("smoothed", scenario, weight=0), scenario, 8)
    fixed = evaluate.rollout(agents.make("base-stock", scenario), scenario, 8)
    np.testing.assert_allclose(still["cost"], fixed["cost"], rtol=1e-12)


def test_the_forecast_is_smoothed_from_the_demand_of_the_period_before() -> None:
    policy = agents.make("smoothed", "lost-sales", weight=0.25, safety=1)
    memory = policy.start(1)
    assert memory.tolist() == [[5]]
    asked, expected = [], 5.0
    state = policy.layout.plant.initial.copy()[np.newaxis]
    last = next(part.start for part in policy.layout.state if part.name == "customers.last")
    for demand in (9, 1, 6):
        state[0, last] = demand
        asked.append(policy.act(ViewLayout(policy.layout).of(state), memory)[0, 0])
        expected += 0.25 * (demand - expected)
        assert memory[0, 0] == expected
        assert asked[-1] == np.floor(5 * expected + 5)  # five periods; one deviation is 5
    assert len(set(asked)) > 1


def network() -> Scenario:
    """Two wheels and a frame make a cart at one work center; two stores sell it."""
    poisson = {"distribution": "poisson", "mean": 3}
    return plant(
        items={
            "north_cart": {"holding_cost": 6, "initial_stock": 10},
            "south_cart": {"holding_cost": 6, "initial_stock": 10},
            "cart": {"holding_cost": 5, "initial_stock": 10},
            "wheel": {"holding_cost": 1, "initial_stock": 20},
            "frame": {"holding_cost": 2, "initial_stock": 10},
        },
        work_centers={"hall": {"time": 8}},
        sources={
            "forge": {"makes": "wheel", "lead_time": 2, "lot_size": 4, "shipment_cost": 5},
            "mill": {"makes": "frame", "lead_time": 1},
            "assembly": {
                "makes": "cart",
                "consumes": {"wheel": 2, "frame": 1},
                "at": "hall",
                "time_per_unit": 1,
            },
            "to_north": {"makes": "north_cart", "consumes": {"cart": 1}, "lead_time": 1},
            "to_south": {"makes": "south_cart", "consumes": {"cart": 1}, "lead_time": 2},
        },
        demands={
            "north": {
                "item": "north_cart",
                "quantity": poisson,
                "unmet": "backordered",
                "shortage_cost": 30,
            },
            "south": {"item": "south_cart", "quantity": 2, "unmet": "lost", "shortage_cost": 60},
        },
    )


# --- what a user writes -------------------------------------------------------------------------


def test_lists_go_from_supplier_to_customer_however_the_scenario_is_ordered() -> None:
    listed = agents.make("kanban", network())
    scenario = network()
    order = [scenario.sources[name].makes for name in ("forge", "mill", "assembly")]
    assert list(scenario.items_upstream_first[:3]) == order
    cards = agents.make("kanban", scenario, cards=[1, 2, 3, 4, 5])
    numbers = {
        list(scenario.sources)[ask["source"]]: numbers[0]
        for ask, numbers in zip(cards.rule.asks, cards.rule.numbers[0], strict=True)
    }
    assert numbers == {"forge": 4, "mill": 2, "assembly": 3, "to_north": 4, "to_south": 5}
    assert len(listed.parameters["cards"]) == 5


def test_textbook_and_given_parameters_have_names_of_their_own() -> None:
    assert agents.make("kanban", "tandem").name == "kanban (textbook)"
    given_ = agents.make("kanban", "tandem", cards=[3, 6])
    assert (given_.name, given_.parameters) == ("kanban", {"cards": [3, 6]})


def test_a_single_parameter_may_be_given_as_a_list_or_an_array() -> None:
    for value in (25, 25.0, [25], (25,), np.array([25]), np.int64(25)):
        assert agents.make("base-stock", "lost-sales", level=value).parameters == {"level": 25}
    assert agents.make("base-stock", "lost-sales", levels=[25]).parameters == {"level": 25}


def test_parameters_that_are_not_given_keep_their_textbook_values() -> None:
    textbook = agents.make("eoq", "recorded-retail").parameters
    policy = agents.make("eoq", "recorded-retail", quantity=120)
    assert policy.parameters == {**textbook, "quantity": 120}


@pytest.mark.parametrize(
    ("name", "scenario", "parameters", "message"),
    [
        ("kanbam", "tandem", {}, "unknown policy 'kanbam'; did you mean 'kanban'?"),
        (
            "kanban",
            "tandem",
            {"card": 3},
            "kanban: unknown parameter 'card'; did you mean 'cards'?",
        ),
        ("kanban", "tandem", {"level": 3}, "unknown parameter 'level'; expected one of cards"),
        ("base-stock", "tandem", {"level": 3}, "unknown parameter 'level'; did you mean 'levels'?"),
        (
            "kanban",
            "tandem",
            {"cards": [3, 6, 1]},
            "cards has 3 values; expected 2, from supplier to customer: first, second",
        ),
        ("kanban", "tandem", {"cards": 3}, "cards has 1 value; expected 2, from supplier"),
        ("conwip", "tandem", {"cards": [3, 6]}, "conwip: cards has 2 values; expected 1"),
        ("kanban", "tandem", {"cards": [3, -1]}, "cards is -1; expected at least 0"),
        ("kanban", "tandem", {"cards": [3, 1.5]}, "cards is 1.5; expected a whole number"),
        ("base-stock", "lost-sales", {"level": -2}, "level is -2; expected at least 0"),
        ("base-stock", "lost-sales", {"level": "25"}, "level is '25'; expected a number"),
        ("base-stock", "lost-sales", {"level": True}, "level is True; expected a number"),
        ("base-stock", "lost-sales", {"level": None}, "level is None; expected a number"),
        ("base-stock", "lost-sales", {"level": np.nan}, "level is nan; expected a finite number"),
        ("eoq", "lost-sales", {"quantity": 0}, "quantity is 0; expected at least 1"),
        (
            "eoq",
            "recorded-retail",
            {"quantity": 30},
            "quantity is 30; expected a multiple of the lot size, 12",
        ),
        ("eoq", "lost-sales", {"reorder_point": -1}, "reorder_point is -1; expected at least 0"),
        ("constant", "recorded-retail", {"order": 10}, "order is 10; expected a multiple of the"),
        ("smoothed", "lost-sales", {"weight": 1.5}, "weight is 1.5; expected at most 1"),
    ],
)
def test_bad_input_gets_one_clear_message(
    name: str, scenario: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScenarioError, match=re.escape(message)) as caught:
        agents.make(name, scenario, **parameters)
    assert "\n" not in str(caught.value)


def test_importing_agents_loads_no_learner() -> None:
    program = "import agents, sys; print(*sys.modules)"
    command = [sys.executable, "-W", "error", "-c", program]
    loaded = set(subprocess.check_output(command, text=True, cwd=Path(__file__).parents[2]).split())
    assert "agents.tuning.search" in loaded
    assert not loaded & {"torch", "stable_baselines3", "matplotlib", "pandas", "scipy.stats"}


def test_no_module_has_the_name_of_a_public_function() -> None:
    """Importing the module later would replace the function."""
    modules = {module.name for module in pkgutil.iter_modules(agents.__path__)}
    assert not modules & {name for name in agents.__all__ if callable(getattr(agents, name))}
