"""Hindsight: the twin is the plant, its slopes are those of the cost, and the learner descends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import agents
import jitgym
from agents.branches import Asking, Herd
from agents.learned import start as starts
from agents.learned.corrections import rule_of
from agents.learned.hindsight import twin as twins
from agents.learned.hindsight.session import HindsightSession
from agents.learned.registry import find
from agents.learned.session import Problem
from jitgym import ScenarioError
from jitgym.plant import lay_out

SMOOTH = [
    ("lost-sales", {}),
    ("perishable", {}),
    ("regime-switching", {}),
    ("order-crossover", {}),
    ("serial-system", {}),
    ("one-warehouse-many-stores", {}),  # shares short stock in whole lots: no equal flows
]


def problem_of(name: str, settings: dict[str, Any], classic: str = "base-stock") -> Problem:
    """Return a plant and a classic with textbook parameters as the start."""
    scenario = jitgym.load(name, **settings)
    layout = lay_out(scenario)
    start = starts.Start(agents.make(classic, scenario), classic, {}, {}, 0, 0.0)
    return Problem(scenario, layout, start, 0, 100_000)


def session_of(name: str, settings: dict[str, Any], **changes: Any) -> HindsightSession:
    given = find("hindsight").read_settings().model_copy(update=changes)
    return HindsightSession(problem_of(name, settings), given)


@pytest.mark.parametrize(("name", "settings"), SMOOTH[:5])
def test_without_corrections_the_twin_is_the_plant(name: str, settings: dict[str, Any]) -> None:
    """Whole demand and whole levels: the plant with tiny lots has the same flows, cell by cell."""
    problem = problem_of(name, settings)
    layout, policy = problem.layout, problem.start.policy
    rule = rule_of(policy)
    assert rule is not None
    herd, other = (Herd(layout, 16, 3) for _ in range(2))
    asking = Asking(policy, layout)
    for each in (herd, other):
        each.begin(asking, 40)
    twin = twins.Twin(layout, other.plant, rule, "train")
    none, cost = np.zeros((16, len(problem.scenario.sources))), np.empty(16)
    for _ in range(60):
        herd.run(asking(herd.state, herd.memory))
        twin.forward(other.keys, other.period, none, other.state, cost)
        other.period += 1
        np.testing.assert_allclose(other.state, herd.state, atol=1e-3)
        np.testing.assert_allclose(cost, herd.cost, rtol=1e-3, atol=1e-2)


def window_cost(session: HindsightSession) -> float:
    """Return the total cost of a window from the first states on, and go back to them."""
    before = session.herd.snapshot()
    _, costs = session._forward()
    session.herd.restore(before)
    return float(costs.sum())


@pytest.mark.parametrize(("name", "settings"), [*SMOOTH[:3], SMOOTH[5]])
def test_slopes_in_the_weights_are_those_of_the_cost(name: str, settings: dict[str, Any]) -> None:
    """Central differences of the cost of a window, in the direction of the slope itself."""
    session = session_of(name, settings, paths=96, window=10)
    noise = np.random.default_rng(5)
    for part in ("last", "last_bias"):
        drawn = 0.3 * noise.standard_normal(session.weights[part].shape)
        session.weights[part].copy_(torch.from_numpy(drawn))
    before = session.herd.snapshot()
    moments, _ = session._forward()
    session.herd.restore(before)
    slopes = session._backward(moments)
    norm = np.sqrt(sum(float((part**2).sum()) for part in slopes.values()))
    found = {}
    for way in (1.0, -1.0):
        for part, slope in slopes.items():
            session.weights[part] += way * 0.002 * slope / norm
        found[way] = window_cost(session)
        for part, slope in slopes.items():
            session.weights[part] -= way * 0.002 * slope / norm
    measured = (found[1.0] - found[-1.0]) / 0.004
    assert measured == pytest.approx(norm, rel=0.04)


def test_a_stop_and_a_restart_change_nothing() -> None:
    """A session that is restored from a snapshot goes on to the same weights, bit by bit."""
    whole, stopped = (session_of("lost-sales", {}, paths=16, window=8) for _ in range(2))
    for _ in range(2):
        whole.advance()
    stopped.advance()
    restored = session_of("lost-sales", {}, paths=16, window=8)
    restored.restore(stopped.snapshot())
    restored.advance()
    assert restored.periods == whole.periods > 0
    for name, part in whole.weights.items():
        assert torch.equal(part, restored.weights[name])
    np.testing.assert_array_equal(whole.price, restored.price)


def test_what_never_moves_under_the_start_is_seen_in_its_usual_size() -> None:
    """A start that orders nothing has no stock: the net would see it in units, up to hundreds."""
    scenario = jitgym.load("lost-sales")
    layout = lay_out(scenario)
    start = starts.find(scenario, starts.NOTHING)
    settings = find("hindsight").read_settings()
    base = HindsightSession(Problem(scenario, layout, start, 0, 1_000), settings).base
    names = [entry.name for entry in base.features.entries]
    stock = names.index("product.stock")
    assert base.net.gain[stock] == pytest.approx(base.features.entries[stock].factor)
    assert base.net.gain[stock] != 1.0


def test_a_short_training_closes_half_of_the_gap_of_base_stock(tmp_path: Path) -> None:
    """The tuned base-stock level of lost sales costs 9.9 % more than the optimum."""
    found = find("hindsight").train(
        "lost-sales",
        find("hindsight").read_settings(),
        tmp_path / "run",
        periods=400_000,
        start="base-stock",
    )
    assert not found.kept
    assert found.learner == "hindsight"
    verdict = found.verdicts[-1]
    assert verdict.difference.mean < -0.05 * verdict.incumbent_cost


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("kanban-line", "has a cost per shipment"),
        ("content-studio", "has setups"),
        ("tandem", "less than a lot per period"),
        ("print-on-demand", "hindsight does not suit"),
    ],
)
def test_a_plant_whose_cost_jumps_is_refused_by_name(name: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        session_of(name, {})
