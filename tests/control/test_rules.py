"""Pull rules: what they ask for, worked out by hand, in batches and in the compiled loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitgym.catalog import load
from jitgym.control import (
    Rule,
    RulePolicy,
    View,
    ViewLayout,
    asking_order,
    echelon_matrix,
    linear_rule,
    pull_rule,
)
from jitgym.envs import ActionEncoding, ask
from jitgym.evaluate import rollout
from jitgym.evaluate.compiled_loop import run_rules
from jitgym.plant import Layout, episode_keys, lay_out
from jitgym.scenario import Scenario
from tests.scenarios import NOBODY, plant, scenarios


def line(*, lot: float = 1, lead_time: int = 3, **sections: Any) -> Scenario:
    """Three stages in series: s1 makes i1, s2 makes i2 from i1, s3 makes i3 from i2."""
    return plant(
        items={"i1": {}, "i2": {}, "i3": {}},
        sources={
            "s1": {"makes": "i1", "lead_time": lead_time, "lot_size": lot},
            "s2": {"makes": "i2", "consumes": {"i1": 1}, "lead_time": lead_time, "lot_size": lot},
            "s3": {"makes": "i3", "consumes": {"i2": 1}, "lead_time": lead_time, "lot_size": lot},
        },
        demands={
            "customers": {
                "item": "i3",
                "quantity": {"distribution": "poisson", "mean": 2},
                "unmet": "backordered",
                "shortage_cost": 9,
            }
        },
        **sections,
    )


def asks(scenario: Scenario, rule: Rule, **cells: float) -> dict[str, float]:
    """Return what the rule asks for if the view shows these cells; dots are written `__`."""
    layout = lay_out(scenario)
    view = np.zeros((1, len(ViewLayout(layout).cells)))
    for name, value in cells.items():
        positions = ViewLayout(layout).positions[name.replace("__", ".")]
        view[0, positions[-1]] = value
    policy = RulePolicy("rule", layout, rule)
    asked = policy.act(view.view(View), policy.start(1))
    return dict(zip(scenario.sources, asked[0].tolist(), strict=False))  # the priorities follow


# --- kanban ---------------------------------------------------------------------------------------


def test_kanban_frees_a_card_when_the_next_stage_has_a_card_for_the_part() -> None:
    """The card recursion, worked out from the customer upward:

    K = 5, 4, 6; in process 1, 0, 2; stock 2, 3, 1.
    B3 = 1, free3 = 6 - 2 - 1 = 3
    B2 = max(0, 3 - 3) = 0, free2 = 4 - 0 - 0 = 4
    B1 = max(0, 2 - 4) = 0, ask1 = 5 - 1 - 0 = 4
    """
    scenario = line()
    rule = pull_rule(lay_out(scenario), cards={"s1": 5, "s2": 4, "s3": 6})
    state = dict(i1__stock=2, i2__stock=3, i3__stock=1, s1__in_process=1, s3__in_process=2)
    assert asks(scenario, rule, **state) == {"s1": 4, "s2": 4, "s3": 3}
    # The shortcut K - p - s is a local buffer cap: another policy, and a worse one.
    shortcut = {"s1": 5 - 1 - 2, "s2": 4 - 0 - 3, "s3": 6 - 2 - 1}
    assert shortcut != asks(scenario, rule, **state)


def test_kanban_asks_for_nothing_where_all_cards_are_in_use() -> None:
    scenario = line()
    rule = pull_rule(lay_out(scenario), cards={"s1": 3, "s2": 4, "s3": 2})
    # s3 holds both cards: nothing is freed upstream, however many parts wait.
    state = dict(i1__stock=3, i2__stock=4, i3__stock=0, s3__in_process=2)
    assert asks(scenario, rule, **state) == {"s1": 0, "s2": 0, "s3": 0}


def test_kanban_does_not_see_the_backlog() -> None:
    scenario = line()
    rule = pull_rule(lay_out(scenario), cards={"s1": 3, "s2": 3, "s3": 3})
    assert asks(scenario, rule) == asks(scenario, rule, customers__backlog=50)


def test_a_card_stands_for_a_container_and_is_freed_when_that_is_empty() -> None:
    scenario = line(lot=4)
    rule = pull_rule(lay_out(scenario), cards={"s1": 8, "s2": 8, "s3": 8})
    # 5 parts of two containers are left: the second one is not empty yet.
    assert asks(scenario, rule, i3__stock=5)["s3"] == 0
    assert asks(scenario, rule, i3__stock=4)["s3"] == 4
    # One container is freed downstream: 4 of 8 parts wait under cards, one container is asked for.
    assert asks(scenario, rule, i3__stock=4, i2__stock=8)["s2"] == 4


def test_freed_cards_of_all_consumers_add_up_by_the_bill_of_materials() -> None:
    scenario = plant(
        items={"board": {}, "chair": {}, "table": {}},
        sources={
            "mill": {"makes": "board", "lead_time": 2},
            "chairs": {"makes": "chair", "consumes": {"board": 2}, "lead_time": 2},
            "tables": {"makes": "table", "consumes": {"board": 5}, "lead_time": 2},
        },
        demands={
            "a": {"item": "chair", "quantity": 1, "unmet": "lost"},
            "b": {"item": "table", "quantity": 1, "unmet": "lost"},
        },
    )
    rule = pull_rule(lay_out(scenario), cards={"mill": 30, "chairs": 4, "tables": 3})
    state = dict(board__stock=25, chair__stock=1, table__stock=1, mill__in_process=2)
    # Freed: 3 chairs and 2 tables, so 16 of the 25 boards; 9 wait under a card, 2 are coming.
    assert asks(scenario, rule, **state) == {"mill": 19, "chairs": 3, "tables": 2}


# --- base-stock and CONWIP ------------------------------------------------------------------------


def test_base_stock_counts_all_units_from_its_stage_to_the_customer_net_of_backorders() -> None:
    scenario = line()
    rule = pull_rule(lay_out(scenario), levels={"s1": 20, "s2": 14, "s3": 8})
    state = dict(
        i1__stock=1, i2__stock=2, i3__stock=3, s1__in_process=4, s2__in_process=2, s3__in_process=1
    )
    echelons = {"s1": 13, "s2": 8, "s3": 4}
    gaps = {"s1": 20 - 13, "s2": 14 - 8, "s3": 8 - 4}
    assert sum(state.values()) == echelons["s1"]
    assert asks(scenario, rule, **state) == gaps
    more = {source: gap + 5 for source, gap in gaps.items()}
    assert asks(scenario, rule, **state, customers__backlog=5) == more


def test_a_position_above_its_level_asks_for_nothing() -> None:
    scenario = line()
    rule = pull_rule(lay_out(scenario), levels={"s1": 20, "s2": 14, "s3": 8})
    assert asks(scenario, rule, i3__stock=30) == {"s1": 0, "s2": 0, "s3": 0}


def test_conwip_caps_the_line_gross_of_backorders_and_pushes_the_rest() -> None:
    scenario = line()
    rule = pull_rule(lay_out(scenario), levels={"s1": 12}, net=False)
    state = dict(i1__stock=2, i2__stock=3, i3__stock=1, s2__in_process=2)
    expected = {"s1": 12 - 8, "s2": 2, "s3": 3}  # the others ask for all that their materials allow
    assert asks(scenario, rule, **state) == expected
    assert asks(scenario, rule, **state, customers__backlog=7) == expected


def test_hybrid_asks_for_the_smaller_of_kanban_and_conwip() -> None:
    scenario = line()
    cards = {"s1": 5, "s2": 4, "s3": 6}
    state = dict(i1__stock=2, i2__stock=3, i3__stock=1, s1__in_process=1, s3__in_process=2)
    for level, first in ((100, 4), (11, 2), (9, 0)):  # cards alone: 4; the line holds 9
        rule = pull_rule(lay_out(scenario), cards=cards, levels={"s1": level}, net=False)
        assert asks(scenario, rule, **state) == {"s1": first, "s2": 4, "s3": 3}


def test_extended_kanban_frees_only_what_its_levels_let_it_ask_for() -> None:
    # ask = max(0, min(K - p - B, S - e)), and free likewise: s3 may have only 1, so B2 = 2.
    scenario = line()
    rule = pull_rule(
        lay_out(scenario),
        cards={"s1": 5, "s2": 4, "s3": 6},
        levels={"s1": 50, "s2": 50, "s3": 4},
    )
    state = dict(i1__stock=2, i2__stock=3, i3__stock=1, s1__in_process=1, s3__in_process=2)
    assert asks(scenario, rule, **state) == {"s1": 4, "s2": 2, "s3": 1}


def test_sources_of_an_item_are_asked_by_lead_time_and_each_order_counts_for_the_next() -> None:
    scenario = plant(
        sources={  # in the other order
            "far": {"makes": "product", "lead_time": 5},
            "near": {"makes": "product", "lead_time": 0},
        },
    )
    assert asking_order(scenario) == ["near", "far"]
    rule = pull_rule(lay_out(scenario), levels={"near": 10, "far": 14})
    state = dict(product__stock=4, far__in_process=2)
    assert asks(scenario, rule, **state) == {
        "near": 4,
        "far": 4,
    }  # the far source sees a position of 4 + 2 + 4
    capped = pull_rule(lay_out(scenario), levels={"near": 10, "far": 14}, caps={"near": 1})
    assert asks(scenario, capped, **state) == {"near": 1, "far": 7}


def test_sources_are_asked_from_the_customer_upward() -> None:
    assert asking_order(line()) == ["s3", "s2", "s1"]
    assert asking_order(load("kanban-line")) == ["finishing", "welding", "pressing", "mill"]


# --- the rest of the family -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "position", "asked"),
    [
        (dict(levels={"supplier": 20}, caps={"supplier": 6}), 4, 6),  # capped base-stock
        (dict(levels={"supplier": 20}, caps={"supplier": 6}), 17, 3),
        (dict(levels={"supplier": 20}, triggers={"supplier": 8}), 13, 0),  # (s, S) = (12, 20)
        (dict(levels={"supplier": 20}, triggers={"supplier": 8}), 12, 8),
        (dict(levels={"supplier": 20}, batches={"supplier": 6}), 5, 12),  # (r, nQ)
        (dict(levels={"supplier": 20.5}), 4, 16),  # whole units
    ],
)
def test_single_item_rules_are_rows_of_numbers(
    numbers: dict[str, Any], position: float, asked: float
) -> None:
    scenario = plant(sources={"supplier": {"makes": "product", "lead_time": 2}})
    rule = pull_rule(lay_out(scenario), **numbers)
    state = dict(product__stock=position - 1, supplier__in_process=1)
    assert asks(scenario, rule, **state) == {"supplier": asked}


def test_a_linear_rule_weighs_every_cell() -> None:
    # floor(min(20 - (1 x stock + .5 x pipeline), 9)): the linear-capped rule.
    scenario = plant(sources={"supplier": {"makes": "product", "lead_time": 2}})
    layout = lay_out(scenario)
    cells = {part.name: part.start for part in layout.state}
    position = {cells["product.stock"]: 1.0, cells["supplier.in_process"] + 1: 0.5}
    rule = linear_rule(layout, ["supplier"], [position], [(1e9, 20.0, 9.0, 1.0, 0.0)])
    for stock, coming, asked in ((10, 5, 7), (2, 2, 9), (30, 0, 0)):
        state = dict(product__stock=stock, supplier__in_process=coming)
        assert asks(scenario, rule, **state) == {"supplier": asked}


# --- echelon levels -------------------------------------------------------------------------------


def test_echelon_levels_are_sums_of_local_levels_downstream() -> None:
    assert (echelon_matrix(line()) @ [7, 5, 9]).tolist() == [21, 14, 9]


def test_echelon_levels_follow_the_bill_of_materials() -> None:
    scenario = plant(
        items={"wheel": {}, "frame": {}, "bike": {}, "trailer": {}},
        sources={
            "wheels": {"makes": "wheel", "lead_time": 2},
            "frames": {"makes": "frame", "lead_time": 1},
            "bikes": {"makes": "bike", "consumes": {"wheel": 2, "frame": 1}, "lead_time": 2},
            "trailers": {"makes": "trailer", "consumes": {"wheel": 4}, "lead_time": 2},
        },
        demands={
            "riders": {"item": "bike", "quantity": 1, "unmet": "backordered"},
            "movers": {"item": "trailer", "quantity": 1, "unmet": "backordered"},
            "garages": {"item": "wheel", "quantity": 1, "unmet": "backordered"},
        },
    )
    local = [10, 20, 3, 2]
    assert (echelon_matrix(scenario) @ local).tolist() == [10 + 2 * 3 + 4 * 2, 20 + 3, 3, 2]
    # So do echelon positions: a bike holds two wheels; a backordered bike counts as minus two.
    rule = pull_rule(lay_out(scenario), levels={"wheels": 100})
    state = dict(wheel__stock=5, wheels__in_process=7, bike__stock=3, bikes__in_process=1)
    owed = dict(riders__backlog=2, movers__backlog=1, garages__backlog=4)
    position = 5 + 7 + 2 * (3 + 1 - 2) + 4 * (0 - 1) - 4
    assert asks(scenario, rule, **state, **owed)["wheels"] == 100 - position


def test_echelon_levels_upstream_count_the_source_that_is_asked_last() -> None:
    scenario = plant(
        items={"part": {}, "product": {}},
        sources={
            "supplier": {"makes": "part"},
            "slow": {"makes": "product", "consumes": {"part": 1}, "lead_time": 4},
            "fast": {"makes": "product", "consumes": {"part": 1}, "lead_time": 1},
        },
    )
    assert (echelon_matrix(scenario) @ [5, 8, 3]).tolist() == [13, 8, 3]


# --- batches and the compiled loop ----------------------------------------------------------------


class InBatches:
    """The same rule without its record: it is evaluated in batches, through `act`."""

    rule = None

    def __init__(self, policy: RulePolicy) -> None:
        self.name, self._policy = policy.name, policy

    def start(self, batch: int) -> np.ndarray:
        return self._policy.start(batch)

    def act(self, view: View, memory: np.ndarray) -> np.ndarray:
        return self._policy.act(view, memory)


def some_rules(layout: Layout) -> dict[str, Rule]:
    scenario = layout.scenario
    bounds = {
        name: round(0.3 * scenario.level_bound(source.makes))
        for name, source in scenario.sources.items()
    }
    echelon = dict(zip(bounds, echelon_matrix(scenario) @ [*bounds.values()], strict=True))
    first = asking_order(scenario)[-1]
    return {
        "kanban": pull_rule(layout, cards=bounds),
        "conwip": pull_rule(layout, levels={first: 2.0 * echelon[first]}, net=False, caps=bounds),
        "base-stock": pull_rule(layout, levels=echelon),
        "extended": pull_rule(layout, cards=bounds, levels=echelon, triggers={first: 3.0}),
    }


def assert_same_rows(layout: Layout, rule: Rule, episodes: int) -> None:
    policy = RulePolicy("rule", layout, rule)
    compiled = rollout(policy, layout.scenario, episodes=episodes, seed=3)
    batched = rollout(InBatches(policy), layout.scenario, episodes=episodes, seed=3)
    pd.testing.assert_frame_equal(compiled, batched, check_exact=True)


@pytest.mark.parametrize("kind", ["kanban", "conwip", "base-stock", "extended"])
@pytest.mark.parametrize("name", ["kanban-line", "lost-sales", "recorded-retail", "tandem"])
def test_batches_and_the_compiled_loop_give_the_same_rows(name: str, kind: str) -> None:
    horizon = {"horizon.ongoing": 51, "horizon.warm_up": 8}
    layout = lay_out(load(name, **horizon))
    assert_same_rows(layout, some_rules(layout)[kind], episodes=8)


@given(
    scenarios(periods=12),
    st.sampled_from(["kanban", "conwip", "base-stock", "extended"]),
    st.sampled_from([None, 0.9]),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_batches_and_the_compiled_loop_agree_on_random_plants(
    scenario: Scenario, kind: str, discount: float | None
) -> None:
    layout = lay_out(scenario.model_copy(update={"discount": discount}))
    assert_same_rows(layout, some_rules(layout)[kind], episodes=3)


def test_a_population_gives_each_rule_its_own_rows() -> None:
    layout = lay_out(load("kanban-line", **{"horizon.ongoing": 60, "horizon.warm_up": 8}))
    keys = episode_keys("tune", 1, np.arange(5))
    bounds = [{s: float(k) for s in layout.scenario.sources} for k in (12, 24, 60)]
    rules = [pull_rule(layout, cards=cards) for cards in bounds]
    together = run_rules(layout, rules[0].stack(rules[1:]), keys, "tune")
    for p, rule in enumerate(rules):
        alone = run_rules(layout, rule, keys, "tune")
        assert together.cost[p].tolist() == alone.cost[0].tolist()
        assert together.sums[p].tolist() == alone.sums[0].tolist()
    quick = run_rules(layout, rules[1], keys, "tune", flows=False)
    assert quick.cost[0] == pytest.approx(together.cost[1], rel=1e-12)  # summed in another order
    assert quick.terms[0] == pytest.approx(together.terms[1], rel=1e-12)
    assert quick.sums.size == 0


@pytest.mark.parametrize("control", ["cards", "base-stock"])
def test_levels_as_actions_ask_the_same_as_the_rule_with_these_levels(control: str) -> None:
    scenario = line(lot=2, actions={"maximum_level": {"i1": 20, "i2": 20, "i3": 20}})
    layout = lay_out(scenario)
    encoding = ActionEncoding(layout, control)
    rng = np.random.default_rng(0)
    view = rng.integers(0, 8, (50, len(ViewLayout(layout).cells))).astype(np.float64)
    actions = rng.uniform(-1, 1, (50, 3))
    asked = ask(encoding, actions, view)
    for row in range(50):
        local = encoding.decode(actions[row])
        if control == "cards":
            numbers = {"cards": dict(zip(scenario.sources, local.tolist(), strict=True))}
        else:
            echelon = [local.sum(), local[1:].sum(), local[2]]
            numbers = {"levels": dict(zip(scenario.sources, echelon, strict=True))}
        policy = RulePolicy("rule", layout, pull_rule(layout, **numbers))
        assert (
            asked[row].tolist() == policy.act(view[[row]].view(View), np.empty((1, 0)))[0].tolist()
        )


@pytest.mark.parametrize("asked", [np.zeros((2, 5)), np.full(2, np.nan)], ids=["shape", "nan"])
def test_the_asks_of_a_policy_are_checked(asked: np.ndarray) -> None:
    scenario = plant(demands={"nobody": NOBODY}, horizon={"ongoing": 3})
    with pytest.raises(ValueError, match="asked"):
        rollout(lambda view: asked, scenario, episodes=2)
    with pytest.raises(ValueError, match="at least 1"):
        rollout(lambda view: np.zeros(len(view)), scenario, episodes=0)
    with pytest.raises(TypeError, match="neither"):
        rollout(7, scenario)


@pytest.mark.parametrize("given", ["lost-sales", "kanban-line"])
def test_a_policy_is_not_run_on_a_plant_of_other_cells(given: str) -> None:
    layout = lay_out(load("lost-sales", lead_time=10))
    policy = RulePolicy("base-stock", layout, pull_rule(layout, levels={"supplier": 40.0}))
    with pytest.raises(ValueError, match="made for"):
        rollout(policy, given, episodes=2)
    # A plant with other numbers in the same cells is not refused.
    rollout(policy, load("lost-sales", lead_time=10, penalty=9, mean=4), episodes=2)


def test_a_plain_function_of_the_view_is_a_policy_in_units() -> None:
    scenario = plant(
        sources={"supplier": {"makes": "product", "lot_size": 0.5}},
        demands={"customers": {"item": "product", "quantity": 1.5, "unmet": "lost"}},
        horizon={"ongoing": 10},
    )

    def up_to_one_and_a_half(view: View) -> np.ndarray:
        return 1.5 - view["product.stock"]

    rows = rollout(up_to_one_and_a_half, scenario, episodes=2)
    assert rows.policy.tolist() == ["up_to_one_and_a_half"] * 2
    assert rows.fill_rate.tolist() == [1.0, 1.0]
    assert rows.average_inventory.tolist() == [0.0, 0.0]


def test_a_source_with_rivals_can_be_asked_for_a_minimum_of_fractional_lots() -> None:
    """Three lots of .3 are .8999999999999999 units, which is the minimum order of .9."""
    fast = {"makes": "product", "lead_time": 1, "lot_size": 0.3, "minimum_order": 0.9}
    scenario = plant(sources={"fast": fast, "slow": {"makes": "product", "lead_time": 3}})
    rule = pull_rule(lay_out(scenario), levels={"fast": 0.9, "slow": 0.9})
    assert asks(scenario, rule)["fast"] == pytest.approx(0.9)
