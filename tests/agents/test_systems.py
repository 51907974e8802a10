"""The opponents of the five systems: where they apply, their asks, and their tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from agents.classic import CLASSICS
from agents.classic.adaptive.accurate_response import brought_up
from agents.classic.adaptive.seasonal_base_stock import mean_ahead
from agents.classic.base.acting import rows, shared
from agents.classic.base.forecasting import Forecasts, Life
from agents.classic.planning.mrp import plan
from agents.classic.scheduling.c_mu import index
from agents.classic.scheduling.heijunka import every_part_every
from agents.classic.sourcing.balanced import balance
from agents.classic.sourcing.can_order import truck_interval
from agents.tuning.space import FEW_NUMBERS, MANY_NUMBERS, Space, roles
from jitgym import evaluate
from jitgym.control import ViewLayout
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario

from .test_classic import asked_at, assert_batches_equal_the_loop, row_at

CATALOG = sorted(path.stem for path in (Path(jitgym.__file__).parent / "catalog").glob("*.yaml"))
SYSTEMS = ("automotive-line", "print-on-demand", "online-retail", "fast-fashion", "content-studio")
APPLIES = {
    "hybrid": {
        "automotive-line",
        "beer-game",
        "content-studio",
        "kanban-line",
        "one-warehouse-many-stores",
        "online-retail",
        "print-on-demand",
        "serial-system",
        "tandem",
    },
    "heijunka": {"automotive-line", "content-studio", "print-on-demand"},
    "heijunka-milk-run": {"automotive-line"},
    "regime-base-stock": {"automotive-line", "content-studio", "kanban-line", "regime-switching"},
    "conwip-hot": {"content-studio"},
    "seasonal-base-stock": {"beer-game", "print-on-demand"},
    "c-mu": {"automotive-line", "content-studio", "print-on-demand"},
    "can-order": {"automotive-line", "joint-replenishment", "online-retail"},
    "balanced": {"one-warehouse-many-stores", "online-retail"},
    "accurate-response": {"fast-fashion"},
    "bayesian-base-stock": {"fast-fashion"},
    "tailored-base-surge": {"dual-sourcing"},
    "single-index": {"dual-sourcing", "fast-fashion"},
    "dual-index": {"dual-sourcing", "fast-fashion"},
    "capped-dual-index": {"dual-sourcing", "fast-fashion"},
    "linear-capped": {
        "fixed-cost",
        "lost-sales",
        "order-crossover",
        "perishable",
        "recorded-retail",
        "regime-switching",
    },
}
APPLIES["extended-kanban"] = APPLIES["hybrid"]
PAIRS = [(name, scenario) for name, fitting in APPLIES.items() for scenario in sorted(fitting)]
RULES = (
    "heijunka",
    "heijunka-milk-run",
    "can-order",
    "hybrid",
    "extended-kanban",
    "regime-base-stock",
    "conwip-hot",
    "tailored-base-surge",
    "single-index",
    "dual-index",
    "capped-dual-index",
    "linear-capped",
)


def brief(name: str, periods: int = 30) -> Scenario:
    """A scenario of the catalog with a short horizon; a season keeps its length."""
    scenario = jitgym.load(name)
    if scenario.horizon.ends:
        return scenario
    return jitgym.load(name, **{"horizon.ongoing": periods, "horizon.warm_up": periods // 3})


# --- where they apply ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", APPLIES)
def test_a_policy_applies_to_its_systems_and_says_elsewhere_why_not(name: str) -> None:
    reasons = {scenario: agents.why_not(name, scenario) for scenario in CATALOG}
    assert {scenario for scenario, reason in reasons.items() if not reason} == APPLIES[name]
    assert not any("\n" in reason or len(reason) > 120 for reason in reasons.values())


@pytest.mark.parametrize("scenario", SYSTEMS)
def test_push_kanban_and_base_stock_apply_to_all_five_systems(scenario: str) -> None:
    for name in ("mrp", "kanban", "base-stock", "smoothed"):
        assert agents.why_not(name, scenario) == ""


@pytest.mark.parametrize("scenario", CATALOG)
def test_textbook_sizes_of_the_catalog_are_within_the_bounds_of_the_tuner(scenario: str) -> None:
    loaded = jitgym.load(scenario)
    for name, classic in CLASSICS.items():
        if classic.why_not(loaded):
            continue
        for parameter in classic.parameters(loaded):
            assert np.isfinite(parameter.textbook).all(), name
            assert (parameter.textbook >= parameter.least).all(), name
            assert (parameter.textbook <= parameter.high).all(), name
            parameter.checked(parameter.textbook, name)


# --- sizes by hand ------------------------------------------------------------------------------


def test_mrp_nets_lots_and_schedules_releases_as_a_planner_would() -> None:
    net, release = plan([10, 40, 10, 60], on_hand=25, lead_time=2)
    assert net == [0, 25, 10, 60]
    assert release == [35, 60, 0, 0]  # earlier shortages are released at once
    _, release = plan([10, 40, 10, 60], on_hand=55, receipts=[0, 5], lead_time=1, lot=25)
    assert release == [0, 0, 75, 0]


def test_the_heijunka_interval_leaves_time_for_the_setups_of_a_cycle() -> None:
    assert every_part_every(setups=0.4, time=1.0, work=0.9) == 5  # .44 at .1 per period
    assert every_part_every(setups=0.0, time=1.0, work=0.9) == 1
    free = {f"sources.cast_{variant}.setup_cost": 0 for variant in "ab"}
    assert (
        agents.make("heijunka", jitgym.load("automotive-line", **free)).parameters["interval"] == 3
    )


def test_the_heijunka_interval_is_the_common_cycle_of_lowest_cost() -> None:
    # sqrt(2 x 40 / .098 (8.4 (1 - 8.4 / p) + 3.6 (1 - 3.6 / p))), p some 14 kits an hour
    policy = agents.make("heijunka", "automotive-line")
    assert policy.parameters["interval"] == 12


def test_the_c_mu_priority_is_cost_times_rate_divided_by_abandonment() -> None:
    assert index(waiting=3, leaving=0, chance=0, rate=2) == 6
    assert index(waiting=1, leaving=20, chance=0.05, rate=2) == 80  # (1 + 1) x 2 / .05


def test_the_truck_interval_is_the_economic_one() -> None:
    assert truck_interval(trip=40, items=[5, 5], holding=[2, 2]) == 5  # sqrt(2 x 50 / 4)


def test_shares_of_a_scarce_stock_leave_equal_fractiles() -> None:
    gaps, spread = np.array([[10.0, 10.0, 1.0]]), np.array([[2.0, 1.0, 1.0]])
    shares = balance(np.array([11.0]), gaps, spread)
    assert shares.sum() == pytest.approx(11, abs=1e-4)
    np.testing.assert_allclose(shares[0], [4, 7, 0], atol=1e-3)  # 3 deviations short of both


def test_an_order_below_the_minimum_is_raised_to_it_or_dropped() -> None:
    orders = brought_up(np.array([299.0, 300.0, 700.5, -5.0]), minimum=600, share=0.5)
    assert orders.tolist() == [0, 600, 700, 0]


def test_mean_demand_ahead_counts_whole_periods_and_a_share_of_the_last() -> None:
    assert mean_ahead([10, 20, 40], periods=1.5) == [20, 40, 45]


# --- their asks ---------------------------------------------------------------------------------


def first_asks(name: str, scenario: str, **parameters: Any) -> dict[str, float]:
    """Return the asks of a policy in the first period, by source."""
    policy = agents.make(name, scenario, **parameters)
    return dict(zip(policy.layout.scenario.sources, asked_at(policy), strict=False))


def test_heijunka_does_not_set_up_for_less_than_a_run() -> None:
    levels = [60, 60, 28, 28, 20, 20, 28, 20]
    free = first_asks("heijunka", "automotive-line", levels=levels, interval=0)
    held = first_asks("heijunka", "automotive-line", levels=levels, interval=12)
    assert free["cast_b"] > 0 == held["cast_b"]  # its gap is less than a run of 43
    assert free["assemble_a"] == held["assemble_a"]  # no setups there


def test_c_mu_ranks_prints_by_the_cost_of_waiting() -> None:
    policy = agents.make("c-mu", "print-on-demand")
    sources = list(policy.layout.scenario.sources)
    priority = dict(zip(sources, row_at(policy)[len(sources) :], strict=True))
    # (.2 / .01 + 18.5) / .085 for an hour of shirts, and so on
    expected = {"print_mug": 500, "print_shirt": 452.9, "print_hoodie": 434.8, "engrave_mug": 86.5}
    assert {name: priority[name] for name in expected} == pytest.approx(expected, rel=1e-3)


def test_can_order_adds_items_below_their_can_order_point_to_an_order_that_is_due() -> None:
    sizes = {"levels": [60, 50, 20, 12], "must": 2, "can": 1}
    policy = agents.make("can-order", "joint-replenishment", **sizes)
    due = {"bolts.stock": 36, "nuts.stock": 40, "washers.stock": 17, "screws.stock": 9}
    assert asked_at(policy, **due) == [24, 10, 0, 3]  # screws may at 10, washers at 15
    assert asked_at(policy, **{**due, "bolts.stock": 37}) == [0, 0, 0, 0]


def test_levels_rise_in_a_wave_and_while_a_work_center_is_down() -> None:
    policy = agents.make("regime-base-stock", "regime-switching", level=10, shifts=[20])
    calm, wave = ({"product.stock": 4, "customers.regime": regime} for regime in (0, 1))
    assert (asked_at(policy, **calm), asked_at(policy, **wave)) == ([6], [26])
    line = agents.make("regime-base-stock", "kanban-line")
    shifts = [4.0 if name == "press:pressing" else 0.0 for name in _shifts("kanban-line")]
    line = agents.make("regime-base-stock", "kanban-line", shifts=shifts)
    up, down = (np.array(asked_at(line, **{"press.up": up})) for up in (1, 0))
    assert (down - up)[:4].tolist() == [4, 4, 0, 0]  # the echelon of the mill, and the press


def _shifts(scenario: str) -> tuple[str, ...]:
    parameters = CLASSICS["regime-base-stock"].parameters(jitgym.load(scenario))
    return next(p.of for p in parameters if p.name == "shifts")


def test_conwip_hot_gives_hot_work_more_cards_in_a_wave_and_priority() -> None:
    sizes = {"cards": [2, 9, 9], "wave_cards": [15, 9, 3], "stage_cards": [20] * 7}
    policy = agents.make("conwip-hot", "content-studio", **sizes)
    sources = list(policy.layout.scenario.sources)
    calm = row_at(policy, **{"hot_moments.regime": 0})
    wave = row_at(policy, **{"hot_moments.regime": 1})
    hot = sources.index("write_hot")
    assert (calm[hot], wave[hot]) == (2, 15)
    evergreen = sources.index("write_evergreen")
    assert (calm[evergreen], wave[evergreen]) == (9 - 8, 0)  # eight are in stock: paused in a wave
    alike = agents.make("conwip-hot", "content-studio", **sizes, hot_first=0)
    assert not any(row_at(alike)[len(sources) :])
    ranks = dict(zip(sources, calm[len(sources) :], strict=True))
    assert ranks["write_hot"] > max(ranks["write_seasonal"], ranks["write_evergreen"])


def test_accurate_response_buys_once_early_and_once_late() -> None:
    scenario = jitgym.load("fast-fashion")
    policy = agents.make("accurate-response", scenario, review=20)
    layout = policy.layout
    state = np.tile(layout.plant.initial, (scenario.horizon.periods, 1))
    state[:, layout.plant.clock] = np.arange(len(state))
    asked = policy.act(ViewLayout(layout).of(state), policy.start(len(state)))
    assert set(np.flatnonzero(asked.any(axis=1))) <= {0, 20}
    slow = [k for k, name in enumerate(scenario.sources) if name.endswith("far")]
    assert (asked[0, slow] >= 1200).all()
    assert asked[0].sum() == asked[0, slow].sum()


def test_a_season_without_sales_lowers_the_forecast_for_its_rest() -> None:
    layout = lay_out(jitgym.load("fast-fashion"))
    life = Life(layout, "gail_buyers")
    state = np.tile(layout.plant.initial, (2, 1))
    before, _ = life.predicted(state, 0, 32)
    assert before[0] == pytest.approx(1017)
    state[:, layout.plant.clock] = 12 + 10  # half of it is over
    state[1, life._cell] = 1017
    rest, variance = life.predicted(state, 0, 32)
    passed = sum([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.09])
    shape = (1017 / 388) ** 2
    expected = (1 - passed) * (shape + 1017) / (shape / 1017 + passed)
    assert rest[1] == pytest.approx(expected)
    assert variance[1] == pytest.approx(expected + expected**2 / (shape + 1017))
    assert rest[0] < 0.05 * rest[1]


def test_a_forecast_removes_season_and_pattern_before_smoothing_and_restores_them() -> None:
    layout = lay_out(jitgym.load("print-on-demand"))
    forecasts = Forecasts(layout)
    memory, state = forecasts.start(1), layout.plant.initial.copy()[np.newaxis]
    forecasts.revise(state, memory, np.array([[0.5]]))  # nothing was asked for yet
    demands = list(layout.scenario.demands.values())
    means = [[demand.phases[t].expectation for demand in demands] for t in range(3)]
    np.testing.assert_allclose(forecasts.ahead(memory, 3)[0], means)
    state[:, layout.plant.demands["last"]] = np.multiply(means[0], 2)
    forecasts.revise(state, memory, np.array([[0.5]]))
    np.testing.assert_allclose(forecasts.ahead(memory, 2)[0], np.multiply(means[1:], 1.5))


def test_only_sources_at_one_work_center_share_setups() -> None:
    assert shared(jitgym.load("automotive-line")) == ["cast_a", "cast_b"]


# --- one world, one row -------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "scenario"), [pair for pair in PAIRS if pair[0] in RULES])
def test_policies_of_the_five_systems_give_the_same_rows_in_batches(
    name: str, scenario: str
) -> None:
    plant = brief(scenario)
    policy = agents.make(name, plant)
    assert policy.rule is not None
    assert_batches_equal_the_loop(policy, plant)


@pytest.mark.parametrize(
    ("name", "scenario"),
    [pair for pair in PAIRS if pair[0] not in RULES] + [("mrp", name) for name in SYSTEMS],
)
def test_policies_that_act_as_one_batch_ask_the_same_as_alone(name: str, scenario: str) -> None:
    plant = brief(scenario)
    policy = agents.make(name, plant)
    layout: Layout = policy.layout
    classic = CLASSICS[name]
    sizes = {p.name: p.textbook for p in classic.parameters(plant)}
    other = classic.build(name, layout, {k: v + 1 for k, v in sizes.items()})
    crowd = policy.crowd([other], 2)
    view = ViewLayout(layout).of(np.tile(layout.plant.initial, (4, 1)))
    together = crowd.act(view, crowd.start(4))
    for k, one in enumerate((policy, other)):
        alone = one.act(view[2 * k : 2 * k + 2], one.start(2))
        np.testing.assert_array_equal(together[2 * k : 2 * k + 2], alone)
    once, again = (evaluate.rollout(policy, plant, 3, seed=5)["cost"] for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert rows({"a": np.array([1.0, 2.0])})["a"].shape == (1, 2)


@pytest.mark.parametrize("name", ["c-mu", "hybrid"])
def test_tuning_is_deterministic_and_not_worse_than_the_textbook(name: str) -> None:
    plant = brief("content-studio", 12)
    first, second = (agents.tune(name, plant, seed=2, episodes=4) for _ in range(2))
    assert first.parameters == second.parameters
    assert first.tuning.cost <= first.tuning.textbook_cost


# --- many parameters ----------------------------------------------------------------------------


def test_sources_in_like_positions_are_tuned_as_one_group() -> None:
    scenario = jitgym.load("online-retail")
    space = Space(CLASSICS["base-stock"].parameters(scenario), roles(scenario))
    assert FEW_NUMBERS < space.size <= MANY_NUMBERS
    groups = dict(zip(space.parameters[0].of, space.groups.tolist(), strict=True))
    assert len(set(groups.values())) == 2
    assert groups["bowls_supply"] == groups["tags_supply"] != groups["tags_to_west"]
    moves = {tuple(move) for move in space.moves.tolist()}
    assert tuple(int(g == 0) for g in space.groups) in moves
    assert tuple([1] + [0] * (space.size - 1)) in moves
    points = space.sample(32, seed=0)
    assert points[0] == space.origin
    steps = np.array(points[1:]) * space.step
    assert (np.sign(steps[:, 1]) == np.sign(steps[:, 2])).all()  # a group is scaled as one
