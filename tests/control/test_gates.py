"""Gates: heijunka and can-order as compiled rules ask for what their equations say."""

from __future__ import annotations

import numpy as np
import pytest

from agents.classic import CLASSICS
from agents.classic.base.acting import Positions, in_scenario_order, rows
from agents.classic.base.declaration import Array, Values
from agents.classic.sourcing.can_order import carried
from jitgym.catalog import load
from jitgym.control import Rule, pull_rule, with_joint_gate, with_setup_gate
from jitgym.control.policy import ask_batch
from jitgym.evaluate.compiled_loop import run_rules
from jitgym.plant import Layout, episode_keys, lay_out

APPLIES = [
    *(("heijunka", name) for name in ("automotive-line", "content-studio", "print-on-demand")),
    *(("can-order", name) for name in ("automotive-line", "joint-replenishment", "online-retail")),
]


def asked(layout: Layout, rule: Rule, state: Array) -> Array:
    """Return what a rule asks for in each state, (batch, sources)."""
    found = np.zeros((len(state), layout.asked_cells))
    ask_batch(layout.plant, rule, state, found)
    return found[:, : len(layout.scenario.sources)]


def random_states(layout: Layout, rng: np.random.Generator, count: int = 400) -> Array:
    """Return the initial state with other stocks, pipelines, backlogs and setups."""
    state = np.repeat(layout.plant.initial[np.newaxis], count, axis=0)
    sources = list(layout.scenario.sources.values())
    for part in layout.state:
        shape = (count, part.stop - part.start)
        cells = state[:, part.start : part.stop]
        if part.name.endswith(".setup"):
            crew = [k + 1.0 for k, s in enumerate(sources) if part.name == f"{s.at}.setup"]
            cells[:] = rng.choice([0.0, *crew], size=shape)
        elif part.name.endswith((".stock", ".in_process", ".backlog")):
            usual = 1.5 * max(float(state[0, part.start]), 10.0)
            cells[:] = np.floor(usual * rng.random(shape) * (rng.random(shape) < 0.6))
    return state


def random_values(name: str, layout: Layout, rng: np.random.Generator) -> dict[str, Array]:
    """Return values between 0 and twice the textbook's; real numbers, so none is a tie."""
    values = {}
    for each in CLASSICS[name].parameters(layout.scenario):
        drawn = 2 * rng.random(each.textbook.size) * np.maximum(each.textbook, each.step)
        values[each.name] = np.floor(drawn) if each.name == "levels" else drawn
    return values


def by_equations_heijunka(layout: Layout, values: Values, state: Array) -> Array:
    """The asks of heijunka in numpy."""
    plan, given = Positions(layout), rows(values)
    orders = plan.up_to(state, in_scenario_order(layout, given["levels"]) @ plan.to_echelon)
    needs = np.zeros(orders.shape[1])
    for source, _ in plan.set_up:
        needs[source] = plan.stages[source].requirement
    runs = np.floor(given["interval"] * needs / plan.lots + 0.5) * plan.lots
    return plan.hold_back(state, orders, runs)


def by_equations_can_order(layout: Layout, values: Values, state: Array) -> Array:
    """The asks of can-order in numpy."""
    plan, given = Positions(layout), rows(values)
    place = list(layout.scenario.sources).index
    orders = plan.up_to(state, in_scenario_order(layout, given["levels"]) @ plan.to_echelon)
    for k, crew in enumerate(carried(layout.scenario).values()):
        sources = [place(name) for name in crew]
        needs = np.array([plan.stages[source].requirement for source in sources])
        gaps = orders[:, sources]
        must = gaps >= np.maximum(given["must"][:, k : k + 1] * needs, 1e-9)
        can = gaps >= given["can"][:, k : k + 1] * needs
        goes = must.any(axis=1, keepdims=True)
        orders[:, sources] = np.where(goes & (must | can), gaps, 0.0)
    return orders


BY_EQUATIONS = {"heijunka": by_equations_heijunka, "can-order": by_equations_can_order}


@pytest.mark.parametrize(("name", "scenario"), APPLIES)
def test_the_compiled_rule_asks_for_what_the_equations_say(name: str, scenario: str) -> None:
    layout = lay_out(load(scenario))
    classic = CLASSICS[name]
    rng = np.random.default_rng(7)
    state, both = random_states(layout, rng), [0, 0]
    for _ in range(8):
        values = random_values(name, layout, rng)
        rule = classic.build(name, layout, values).rule
        assert rule is not None
        expected = BY_EQUATIONS[name](layout, values, state)
        assert asked(layout, rule, state).tolist() == expected.tolist()
        free = asked(layout, rule._replace(gates=rule.gates[:0]), state)
        both[0] += int((expected < free).sum())  # orders that a gate held back
        both[1] += int((expected[:, rule.gates["source"]] > 0).sum())
    assert min(both) > 100


def joint(layout: Layout, *, must: float, can: float, load: float) -> Rule:
    """Base-stock levels of 60, 50, 20 and 12, and one joint gate for all four sources."""
    names = list(layout.scenario.sources)
    rule = pull_rule(layout, levels=dict(zip(names, (60.0, 50.0, 20.0, 12.0), strict=True)))
    return with_joint_gate(
        layout, rule, dict.fromkeys(names, must), dict.fromkeys(names, can), load
    )


def test_a_carrier_goes_with_a_least_load_or_when_it_must() -> None:
    layout = lay_out(load("joint-replenishment"))
    state = np.zeros((1, layout.cells))
    for part in layout.state:
        if part.name.endswith(".stock"):
            level = {"bolts": 36.0, "nuts": 40.0, "washers": 17.0, "screws": 9.0}
            state[0, part.start] = level[part.name.removesuffix(".stock")]
    gaps = [24, 10, 3, 3]
    orders = {
        (24, 0, np.inf): gaps,  # one order must go, and all can go
        (25, 0, np.inf): [0, 0, 0, 0],
        (25, 0, 40): gaps,  # the load is 40
        (25, 0, 41): [0, 0, 0, 0],
        (25, 5, 40): [0, 0, 0, 0],  # what cannot go is no load
        (25, 5, 34): [24, 10, 0, 0],
        (8, 25, np.inf): [24, 10, 0, 0],  # what must go can go
        (0, 0, 0): gaps,
    }
    for (must, can, least), expected in orders.items():
        rule = joint(layout, must=must, can=can, load=least)
        assert asked(layout, rule, state).tolist() == [expected]


def test_each_rule_of_a_population_has_its_own_gates() -> None:
    layout = lay_out(load("automotive-line"))
    keys = episode_keys("test", 3, np.arange(2))
    levels = dict.fromkeys(layout.scenario.sources, 60.0)
    free = pull_rule(layout, levels=levels)
    population = []
    for run, least in ((8, 48), (24, 24), (0, 0)):
        rule = with_setup_gate(layout, free, {"cast_a": run, "cast_b": run})
        supply = {"iron_supply": np.inf, "valve_supply": np.inf}
        population.append(with_joint_gate(layout, rule, supply, dict.fromkeys(supply, 0), least))
    first, *others = population
    for is_frozen in (False, True):
        together = run_rules(layout, first.stack(others), keys, "test", is_frozen=is_frozen).cost
        alone = [run_rules(layout, rule, keys, "test", is_frozen=False).cost for rule in population]
        assert together.tolist() == np.concatenate(alone).tolist()
        assert len(set(together[:, 0].tolist())) == 3
        without = run_rules(layout, free, keys, "test", is_frozen=False).cost
        assert together[2].tolist() == without[0].tolist()  # with thresholds of 0 nothing waits
