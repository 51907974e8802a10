"""Evaluation: what a given policy costs exactly, on the states that it reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy, View, ViewLayout, as_policy
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario, load

from . import solvers
from .bounds import first_backlogs, given_box
from .chains import long_run
from .enumeration import MEMORY, Enumerated, enumerate_states
from .errors import NotFinite, TooLarge
from .noise import Tabled, table
from .solving import ENDLESS, STILL, expect_end

Floats = npt.NDArray[np.float64]

MOST_ROUNDS = 12
ROWS = 1 << 14  # states that a policy is asked about at once


@dataclass(frozen=True)
class Value:
    """The cost of a policy by the scenario's yardstick, and what it took."""

    cost: float
    lower: float
    upper: float
    states: int  # that the policy reaches
    seconds: float
    cut: float  # probability a period that the tails left out have
    edge: float  # long-run probability a period that demand is turned away at the backlog's edge


def evaluate(
    policy: Policy | Callable[[View], npt.ArrayLike],
    scenario: Scenario | str,
    *,
    memory: float = MEMORY,
) -> Value:
    """Return what a policy costs, exactly: classic, learned, or a plain function of the view.

    Backlog beyond an edge is turned away; the edge is doubled until the cost stands still.

    Raises
    ------
    NotFinite
        If the plant is no finite process, the policy has a memory, or it looks at what only
        reports.
    TooLarge
        If the states that it reaches would take more memory than allowed.
    """
    scenario = load(scenario)
    began = time.perf_counter()
    layout = lay_out(scenario)
    tabled = table(layout)
    expect_end(scenario)
    asking = Asking(as_policy(policy), layout)
    backlog = first_backlogs(scenario)
    before, edge = np.inf, np.inf
    for _ in range(MOST_ROUNDS):
        box = given_box(layout, backlog)
        reached = enumerate_states(layout, tabled, box, memory=memory, given=asking)
        now = _judged(layout, tabled, reached, began)
        still = abs(now.cost - before) <= 0.1 * STILL * (1.0 + abs(now.cost))
        if not backlog or now.edge == 0.0 or still:
            return now
        if now.edge > ENDLESS and now.edge > 0.5 * edge:
            break
        before, edge = now.cost, now.edge
        backlog = {name: 2 * units for name, units in backlog.items()}
    raise TooLarge(
        f"{scenario.file}: under {asking.policy.name} the backlog grows without end, as far as "
        f"{max(backlog.values()):,.0f} units show: it has no long-run average"
    )


class Asking:
    """A policy as a function of state rows: (states, cells) -> (states, asked cells)."""

    def __init__(self, policy: Policy, layout: Layout) -> None:
        self.policy, self.layout, self.view = policy, layout, ViewLayout(layout)
        made_for = getattr(policy, "layout", layout)
        if made_for.state != layout.state:
            raise ValueError(
                f"policy {policy.name!r} was made for {made_for.scenario.name!r} with other cells "
                f"than {layout.scenario.name!r} has; expected a policy made for this scenario"
            )
        if np.asarray(policy.start(1)).size > 0:
            raise NotFinite(
                f"policy {policy.name!r} has a memory, which the plant's states do not show; "
                "expected one that sees only the view"
            )

    def __call__(self, states: Floats) -> Floats:
        """Return what is asked for; the policy must not look at cells that only report."""
        asked = [self._of(states[k : k + ROWS]) for k in range(0, states.shape[0], ROWS)]
        return np.concatenate(asked)

    def _of(self, states: Floats) -> Floats:
        rows = states.copy()
        asked = self._act(rows)
        reports = slice(self.layout.key_cells, None)
        rows[:, reports] = self.layout.plant.initial[reports] + 7.0
        if not np.array_equal(asked, self._act(rows)):
            raise NotFinite(
                f"policy {self.policy.name!r} looks at what only reports (the demand of the period "
                "before), which is no part of the plant's states; expected one that does not"
            )
        return asked

    def _act(self, rows: Floats) -> Floats:
        memory = self.policy.start(rows.shape[0])
        asked = np.asarray(self.policy.act(self.view.of(rows), memory), dtype=np.float64)
        whole = np.zeros((rows.shape[0], self.layout.asked_cells))
        if asked.ndim == 1:
            asked = asked[:, np.newaxis]
        if asked.shape[0] != rows.shape[0] or not np.isfinite(asked).all():
            raise ValueError(
                f"policy {self.policy.name!r} asked with shape {asked.shape}, or for what is not "
                f"finite; expected (batch, sources) = ({rows.shape[0]}, "
                f"{self.layout.plant.sources.size})"
            )
        whole[:, : asked.shape[1]] = asked
        return whole


def _judged(layout: Layout, tabled: Tabled, reached: Enumerated, began: float) -> Value:
    arrays, start, plant = reached.arrays, reached.start, layout.plant
    scenario = layout.scenario
    choice = np.where(np.diff(arrays.first) > 0, arrays.first[:-1], -1)
    edge = 0.0
    if scenario.horizon.ends:
        cost = float(start @ solvers.until_the_end(arrays, plant.discount).value)
        lower = upper = cost
        edge = float(reached.edge.max(initial=0.0))
    elif scenario.discount is not None:
        span = (plant.warm_up, plant.periods)
        cost = solvers.cost_of_periods(arrays, choice, plant.discount, *span, start)
        lower = upper = cost
        edge = float(reached.edge.max(initial=0.0))
    else:
        run = long_run(arrays, choice, start)
        cost, lower, upper = run.cost, run.lower, run.upper
        edge = solvers.mean_of_posts(arrays, choice, run.shares, reached.edge)
    seconds = time.perf_counter() - began
    return Value(cost, lower, upper, arrays.states, seconds, tabled.cut, edge)
