"""Evaluation: what a given policy costs exactly, on the states that it reaches."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from jitgym.catalog import load
from jitgym.control import Policy, View, ViewLayout, as_policy
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario

from . import solvers
from .bounds import first_backlogs, first_positions, given_box
from .chains import LongRun, Near, long_run
from .enumeration import MEMORY, Enumerated, enumerate_states
from .errors import NotFinite, TooLarge
from .noise import Tabled, table
from .solving import ENDLESS, ROUGH_TOLERANCE, STILL, carried, expect_end, foreseen, proved

Floats = npt.NDArray[np.float64]

MOST_ROUNDS = 12
PATIENT = 6  # rounds in which orders may be held back often: a slow chain needs a wide edge
HALVED = 0.4  # an edge twice as wide that lowers their probability by less is never wide enough
SELDOM = 1e-12  # probability a period of an edge that is not widened
ROWS = 1 << 14  # states that a policy is asked about at once

# Beyond `LARGE` states less is enough: every digit more would take minutes.
LARGE = 20_000
ROUGHLY_SELDOM = 1e-9
UNSETTLED = 1e-5  # of 1 + a cost: bounds that are further apart are no result
CLEARLY = 0.01  # of a cost: how far it must lie above what is enough
MARGIN = 1.1  # times what an edge seems to lack


@dataclass(frozen=True)
class Value:
    """The cost of a policy by the scenario's yardstick, and what it took."""

    cost: float
    lower: float  # of the process within its edges: see `edge`
    upper: float
    states: int  # that the policy reaches
    seconds: float
    cut: float  # probability a period that the tails left out have
    edge: float  # long-run probability a period that an edge turns demand away or holds orders back
    memory: int  # bytes
    is_settled: bool = True  # False where it was enough to see that it costs far too much

    def __repr__(self) -> str:
        """Return the cost and what it took in a line."""
        cost = proved(self.cost, self.lower, self.upper)
        more = "" if self.is_settled else " or more"
        return f"cost {cost}{more}, {self.states:,} states, {self.seconds:.1f} s"


def evaluate(
    policy: Policy | Callable[[View], npt.ArrayLike],
    scenario: Scenario | str,
    *,
    memory: float = MEMORY,
    enough: float = math.inf,
) -> Value:
    """Return what a policy costs, exactly: classic, learned, or a plain function of the view.

    Backlog beyond an edge is turned away, and orders beyond an edge of stock are not placed; the
    edges are widened until the cost stands still, to 9 digits or so, and 6 of many states.

    Parameters
    ----------
    policy, scenario
        What is evaluated, and where.
    memory
        Bytes that may be taken; more are refused.
    enough
        A cost above which it does not matter how much more. Within edges that are still narrow
        demand is turned away for nothing, so that a policy that costs a hundredth more there is
        taken to cost more: a rule of thumb, and none where those who wait pay a price.

    Raises
    ------
    NotFinite
        If the plant is no finite process, the policy has a memory, or it looks at what only
        reports.
    TooLarge
        If the states that it reaches would take more memory than allowed, or stock or backlog
        grows without end, or the equations of its chain cannot be solved.
    """
    scenario = load(scenario)
    if any(demand.waits and demand.price for demand in scenario.demands.values()):
        enough = math.inf
    began = time.perf_counter()
    layout = lay_out(scenario)
    tabled = table(layout)
    expect_end(scenario)
    asking = Asking(as_policy(policy), layout)
    position, backlog = first_positions(scenario), first_backlogs(scenario)
    before: Judged | None = None
    for rounds in range(1, MOST_ROUNDS + 1):
        box = given_box(layout, position, backlog)
        reached = enumerate_states(layout, tabled, box, memory=memory, given=asking)
        now = _judged(layout, tabled, reached, began, backlog, before)
        if now.stands(before):
            return now.value
        if now.is_above(enough):
            return replace(now.value, is_settled=False)
        if now.is_endless(before, rounds):
            break
        if now.turned_away > now.seldom:
            factor = now.widening(before)
            backlog = {name: math.ceil(factor * units) for name, units in backlog.items()}
        if now.held_back > now.seldom:
            orders = dict(zip(scenario.items, reached.held_back, strict=True))
            position = {name: 2 * (units + orders[name]) for name, units in position.items()}
        before = now
    what, edges = ("stock", position) if now.held_back > now.turned_away else ("backlog", backlog)
    raise TooLarge(
        f"{scenario.file}: under {asking.policy.name} the {what} grows without end, as far as "
        f"{max(edges.values()):,.0f} units show: it has no long-run average"
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


@dataclass(frozen=True)
class Judged:
    """The cost of a policy within edges, and how often it is at them, a period."""

    value: Value
    turned_away: float
    held_back: float
    backlog: dict[str, float]  # edges in units
    reached: Enumerated
    run: LongRun | None  # where the yardstick is the average

    @property
    def is_large(self) -> bool:
        """Whether every digit takes long."""
        return self.value.states > LARGE

    @property
    def seldom(self) -> float:
        """Probability a period below which an edge is wide enough."""
        return ROUGHLY_SELDOM if self.is_large else SELDOM

    def stands(self, before: Judged | None) -> bool:
        """Whether wider edges would not move the cost.

        What the last widening moved it by was due to the edges before, and falls with how often
        they are met; with four times as much, as a wider edge turns away what waits longer.
        """
        if max(self.turned_away, self.held_back) <= self.seldom:
            return True
        if before is None:
            return False
        still = (ROUGH_TOLERANCE if self.is_large else 0.1 * STILL) * (1.0 + abs(self.value.cost))
        expected = min(1.0, 4.0 * self.value.edge / before.value.edge)
        return expected * abs(self.value.cost - before.value.cost) <= still

    def is_above(self, cost: float) -> bool:
        """Whether it costs far more, and not because orders are held back."""
        limit = cost + CLEARLY * abs(cost)
        return self.held_back <= self.seldom and self.value.lower > limit

    def is_endless(self, before: Judged | None, rounds: int) -> bool:
        """Whether wider edges are met about as often: stock or backlog grows without end."""
        if before is None:
            return False
        waits = self.turned_away > ENDLESS and self.turned_away > 0.5 * before.turned_away
        piles = self.held_back > ENDLESS and self.held_back > HALVED * before.held_back
        return waits or (piles and rounds >= PATIENT)

    def widening(self, before: Judged | None) -> float:
        """Return how many times the backlog's edges should be as wide: twice, or just enough.

        Just enough where that saves much time: demand turned away falls geometrically with them.
        """
        if before is None or not self.is_large or before.turned_away <= 0.0:
            return 2.0
        fallen = math.log(before.turned_away / self.turned_away)
        name = next(iter(self.backlog))
        grown = 1.0 - before.backlog[name] / self.backlog[name]
        if fallen <= 0.0 or grown <= 0.0:
            return 2.0
        missing = math.log(self.turned_away / self.seldom)
        return min(2.0, 1.0 + MARGIN * grown * missing / fallen)

    def foresee(self, wider: Enumerated) -> Near:
        """Return relative values and shares to begin with within wider edges."""
        assert self.run is not None
        return Near(
            foreseen(self.reached, self.run.value, wider),
            carried(self.reached, self.run.shares, wider),
        )


def _judged(
    layout: Layout,
    tabled: Tabled,
    reached: Enumerated,
    began: float,
    backlog: dict[str, float],
    before: Judged | None,
) -> Judged:
    arrays, start, plant = reached.arrays, reached.start, layout.plant
    scenario = layout.scenario
    choice = np.where(np.diff(arrays.first) > 0, arrays.first[:-1], -1)
    turned_away = float(reached.edge.max(initial=0.0))
    held_back = float(reached.held.max(initial=0.0))
    run = None
    if scenario.horizon.ends:
        cost = float(start @ solvers.until_the_end(arrays, plant.discount).value)
        lower = upper = cost
    elif scenario.discount is not None:
        span = (plant.warm_up, plant.periods)
        cost = solvers.cost_of_periods(arrays, choice, plant.discount, *span, start)
        lower = upper = cost
    else:
        run = long_run(arrays, choice, start, near=before.foresee(reached) if before else None)
        cost, lower, upper = run.cost, run.lower, run.upper
        if upper - lower > UNSETTLED * (1.0 + abs(cost)):
            raise TooLarge(
                f"{scenario.file}: the long-run average could not be computed: it lies between "
                f"{lower:.6g} and {upper:.6g}, and the chain of {arrays.states:,} states forgets "
                "too slowly to tell more"
            )
        turned_away = solvers.mean_of_posts(arrays, choice, run.shares, reached.edge)
        held_back = float(run.shares @ reached.held[choice])
    edge = min(turned_away + held_back, 1.0)
    value = Value(
        cost=float(cost),
        lower=float(lower),
        upper=float(upper),
        states=arrays.states,
        seconds=time.perf_counter() - began,
        cut=tabled.cut,
        edge=edge,
        memory=arrays.nbytes,
    )
    return Judged(value, turned_away, held_back, backlog, reached, run)
