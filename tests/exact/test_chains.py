"""The long run of one policy: all methods give the same solution, and bounds are correct."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import agents
import jitgym
from jitgym import exact
from jitgym.exact import chains, evaluation
from jitgym.exact.bounds import first_backlogs, first_positions, given_box
from jitgym.exact.chains import Chain, long_run
from jitgym.exact.enumeration import Enumerated, enumerate_states
from jitgym.exact.evaluation import Asking
from jitgym.exact.model import Arrays
from jitgym.exact.noise import table
from jitgym.plant import lay_out
from tests.processes import arrays_of

LINE = jitgym.load("line", stations=2, utilization=0.7)
POLICIES = {
    "kanban": {"cards": [3, 6]},
    "conwip": {"cards": 8},
    "base-stock": {"levels": [2, 6]},
}


@cache
def within_first_edges(name: str) -> Enumerated:
    """Return the reachable states of a policy on the line, within the first, narrow edges."""
    layout = lay_out(LINE)
    box = given_box(layout, first_positions(LINE), first_backlogs(LINE))
    policy = agents.make(name, LINE, **POLICIES[name])
    return enumerate_states(layout, table(layout), box, given=Asking(policy, layout))


def chain(name: str) -> Chain:
    """What it does there."""
    arrays = within_first_edges(name).arrays
    return chains.chain_of(arrays, np.arange(arrays.states))


def walk(states: int) -> Chain:
    """A backlog that rises with probability .3 and falls with .4: far states mix slowly."""
    rows = []
    for s in range(states):
        up, down = min(s + 1, states - 1), max(s - 1, 0)
        rows.append([(float(s), [(0.3, up), (0.4, down), (0.3, s)])])
    return chains.chain_of(arrays_of(rows), np.arange(states))


@pytest.mark.parametrize("name", POLICIES)
def test_all_methods_for_the_equations_of_a_policy_agree(name: str) -> None:
    policy = chain(name)
    shares = chains.balanced(policy)
    cost = float(shares @ policy.cost)

    def residual(value: np.ndarray) -> np.ndarray:
        return policy.differences(value) - value.mean()

    zero = np.zeros(policy.states)
    for value in (
        chains.relative_values(policy),
        chains.by_krylov(residual, zero, np.ptp, 1e-10, 40),
        chains.by_steps(residual, zero, np.ptp, 1e-10, 100_000),
    ):
        differences = policy.differences(value)
        assert np.ptp(differences) < 1e-9
        assert differences.mean() == pytest.approx(cost, abs=1e-9)
    found = chains.shares_within(policy, np.ones(policy.states))
    assert found == pytest.approx(shares, abs=1e-9)


@pytest.mark.parametrize("states", [100, 4000])
def test_a_slowly_mixing_walk_has_the_average_of_the_formula(states: int) -> None:
    """Birth and death: shares fall by .3 / .4 per unit, so the mean is .75 / .25."""
    _, lower, upper = chains.average_within(walk(states), 1e-8, np.zeros(states))
    assert lower == pytest.approx(3.0, abs=1e-6)
    assert upper == pytest.approx(3.0, abs=1e-6)
    shares = chains.shares_within(walk(states), np.ones(states))
    assert shares[:4] == pytest.approx(0.25 * 0.75 ** np.arange(4), abs=1e-9)


@pytest.mark.parametrize("name", POLICIES)
def test_bounds_contain_the_cost_however_few_iterations_were_done(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = chain(name)
    cost = float(chains.balanced(policy) @ policy.cost)
    monkeypatch.setattr(chains, "is_direct", lambda chain: False)
    monkeypatch.setattr(chains, "MOST", 0)
    monkeypatch.setattr(chains, "PATIENCE", 3)
    widths = []
    for restarts in (0, 1, 2, 40):
        monkeypatch.setattr(chains, "RESTARTS", restarts)
        _, lower, upper = chains.average_within(policy, 1e-9, np.zeros(policy.states))
        assert lower - 1e-9 <= cost <= upper + 1e-9
        widths.append(upper - lower)
    assert widths[0] > 1.0
    assert widths[-1] < 2e-9


def test_the_cost_of_a_large_chain_is_right_to_six_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = agents.make("kanban", LINE, **POLICIES["kanban"])
    value = exact.evaluate(policy, LINE)
    assert value.edge < 1e-12
    monkeypatch.setattr(evaluation, "LARGE", 0)
    rough = exact.evaluate(policy, LINE)
    assert rough.states < value.states
    assert rough.cost == pytest.approx(value.cost, rel=1e-6)
    assert rough.upper - rough.lower < 1e-7


def test_an_edge_that_is_never_reached_is_not_widened() -> None:
    """Cards limit the stock of kanban, so its edge is never met; the edge of backlog is widened."""
    policy = agents.make("kanban", LINE, **POLICIES["kanban"])
    value = exact.evaluate(policy, LINE)
    layout = lay_out(LINE)
    wide = {name: 40 * units for name, units in first_backlogs(LINE).items()}
    box = given_box(layout, first_positions(LINE), wide)
    reached = enumerate_states(layout, table(layout), box, given=Asking(policy, layout))
    run = chains.long_run(reached.arrays, np.arange(reached.arrays.states), reached.start)
    assert value.cost == pytest.approx(run.cost, rel=1e-8)


def test_bounds_allow_for_paths_that_have_not_ended_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """State 0 moves to 1 or 2 too seldom to be followed to the end; the true average is 20."""
    monkeypatch.setattr(chains, "MOST", 1000)
    leaves = 1e-6
    arrays = Arrays(
        first=np.arange(4),
        cost=np.array([0.0, 10.0, 30.0]),
        link_first=np.zeros(1, dtype=np.int64),
        link_post=np.arange(3, dtype=np.int32),
        link_prob=np.zeros(0),
        post_cost=np.zeros(3),
        post_first=np.array([0, 3, 4]),
        post_law=np.array([0, 1, 1], dtype=np.int32),
        next=np.array([0, 1, 2, 1, 2], dtype=np.int32),
        law_first=np.array([0, 3, 4]),
        law_prob=np.array([1.0 - 2 * leaves, leaves, leaves, 1.0]),
    )
    run = long_run(arrays, np.arange(3), np.array([1.0, 0.0, 0.0]))
    assert run.lower <= 20.0 <= run.upper
    assert run.upper - run.lower > 1.0  # the bounds show the uncertainty


def test_an_early_stop_is_not_used_where_waiting_customers_pay() -> None:
    """Turning customers away within narrow edges loses their price, so the cost is too high."""
    given: dict[str, object] = {
        "demands.customers.price": 10,
        "demands.customers.shortage_cost": 0.1,
    }
    given |= {"lead_time": 1, "demands.customers.unmet": "backordered"}
    scenario = jitgym.load("lost-sales", **given)
    policy = agents.make("base-stock", scenario, level=0)
    settled = exact.evaluate(policy, scenario)
    found = exact.evaluate(policy, scenario, enough=settled.cost - 1.0)
    assert found.cost == pytest.approx(settled.cost, abs=1e-9)
    assert found.is_settled
