"""The optimal policy as an agent, and classic policies tuned exactly."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import agents
import jitgym
from agents.studies import comparison
from agents.tuning.exactly import tune_exactly
from jitgym import ScenarioError, exact
from jitgym.exact import OptimalPolicy
from jitgym.report import policies

SMALL = jitgym.load("lost-sales", lead_time=2, penalty=4)


def test_the_optimal_policy_is_an_agent_that_can_be_stored(tmp_path: Path) -> None:
    policy = agents.make("optimal", SMALL)
    assert isinstance(policy, OptimalPolicy)
    cost = exact.evaluate(policy, SMALL).cost
    assert cost == pytest.approx(4.395295, abs=1e-5)  # Zipkin (2008), L = 2, p = 4
    policy.save(tmp_path / "table.npz")
    again = agents.make("optimal", SMALL, path=tmp_path / "table.npz")
    assert exact.evaluate(again, SMALL).cost == cost


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "optimal",
            {"level": 3},
            "optimal: unknown parameter 'level'; this policy has no parameters",
        ),
        (
            "base-stock",
            {"path": "here"},
            "base-stock: a path is given, but a classic policy takes no path",
        ),
        ("paired-ppo", {}, "paired-ppo: no path is given; expected the folder of a trained agent"),
    ],
)
def test_an_agent_with_wrong_arguments_is_refused(name: str, given: dict, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        agents.make(name, SMALL, **given)


@pytest.mark.parametrize(
    ("name", "parameters", "cost"),
    [
        ("base-stock", {"level": 16}, 4.638644),
        ("capped-base-stock", {"level": 17, "cap": 5}, 4.405732),
    ],
)
def test_exact_tuning_finds_the_published_parameters(
    name: str, parameters: dict[str, float], cost: float
) -> None:
    start = {parameter: value + 2 for parameter, value in parameters.items()}
    best = tune_exactly(name, SMALL, start=start)
    assert best.parameters == parameters
    assert best.value.cost == pytest.approx(cost, abs=1e-6)


def test_exact_tuning_skips_candidates_whose_stock_has_no_limit() -> None:
    """With a constant order of the mean demand, stock has no limit: that neighbor is refused."""
    scenario = jitgym.load("dual-sourcing")
    best = tune_exactly("tailored-base-surge", scenario, start={"order": 1, "level": 3})
    assert best.parameters["order"] == 1


def test_a_drawing_of_the_optimal_policy_shows_its_table(tmp_path: Path) -> None:
    """Net stock is stock less backlog, and the picture shows the table."""
    scenario = jitgym.load("fixed-cost", poisson_mean=4)
    policy = exact.solve(scenario).policy
    rows = np.zeros((policy.states.shape[0], policy.layout.cells))
    rows[:, policy.key] = policy.states
    stock = policies.net_stock(policy, rows, "product")
    assert stock.min() < 0 < stock.max()
    order = policy.asks[np.argsort(stock), 0]
    assert order[0] > 0  # (s, S): up to S from s on, nothing above
    assert order[-1] == 0
    policies.draw(policy, tmp_path / "policy.svg")
    assert (tmp_path / "policy.svg").read_text().count("<path") > 5


def test_an_exactly_tuned_policy_costs_no_more_than_the_policies_that_it_contains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The search starts from the textbook's sizes only, and simulation chooses neighbors."""
    line = jitgym.load("line", stations=2, utilization=0.4, mean_time_to_repair=1.2, backorder=5)
    monkeypatch.setattr("agents.tuning.exactly.tune", lambda *_: SimpleNamespace(parameters={}))
    monkeypatch.setattr("agents.tuning.exactly.FEW", 0)
    monkeypatch.setattr("agents.tuning.exactly.LONGER", 2)
    names = ("extended-kanban", "hybrid", "kanban", "conwip", "base-stock")
    best, left_out = comparison.classics_exactly(line, names)
    assert not left_out
    cost = {name: tuned.value.cost for name, tuned in best.items()}
    assert cost["hybrid"] <= min(cost["kanban"], cost["conwip"])
    assert cost["extended-kanban"] <= min(cost["kanban"], cost["base-stock"])
    optimum = exact.solve(line)
    assert min(cost.values()) >= optimum.lower - 1e-6
    assert min(cost.values()) < 1.02 * optimum.cost
    # A search among all neighbors finds the same, but takes twice as long.
    assert best["extended-kanban"].parameters == {"cards": [1, 2], "levels": [1, 1]}
