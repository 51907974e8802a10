"""Evaluation: the exact cost of a given policy, on the states that it reaches."""

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
PATIENT = 6  # rounds in which orders may often be held back: a slow chain needs a wide edge
HALVED = 0.4  # twice the edge must lower their probability to this share, or no edge is wide enough
SELDOM = 1e-12  # probability per period of reaching an edge that is not widened
ROWS = 1 << 14  # most states that are passed to a policy at once

# Above `LARGE` states a lower precision is enough: each further digit would take minutes.
LARGE = 20_000
ROUGHLY_SELDOM = 1e-9
UNSETTLED = 1e-5  # as a share of 1 + the cost: bounds further apart than this are not a result
CLEARLY = 0.01  # as a share: how far a cost must exceed `enough` to stop early
MARGIN = 1.1  # times the estimated widening of an edge


@dataclass(frozen=True)
class Value:
    """The cost of a policy by the scenario's yardstick, and how it was computed."""

    cost: float
    lower: float  # bound for the process within its edges: see `edge`
    upper: float
    states: int  # reached by the policy
    seconds: float
    cut: float  # probability per period of the tails that are left out
    edge: float  # long-run probability per period of reaching an edge
    memory: int  # bytes
    is_settled: bool = True  # False if it stopped early, at a cost clearly above `enough`

    def __repr__(self) -> str:
        """Return the cost and the effort in one line."""
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
    """Return the exact cost of a policy: classic, learned, or a plain function of the view.

    Demand beyond an edge of backlog is turned away, and orders beyond an edge of stock are held
    back. The edges are widened until the cost is stable to about 9 digits, or 6 if there are many
    states.

    Parameters
    ----------
    policy, scenario
        The policy to evaluate, and the scenario.
    memory
        Bytes that may be used; an evaluation that needs more is refused.
    enough
        A cost above which the exact value does not matter. The evaluation stops early if the policy
        costs 1 % more than this within edges that are still narrow, where turning demand away costs
        nothing. This is a rule of thumb; it is not used where waiting customers pay a price.

    Raises
    ------
    NotFinite
        If the plant is not a finite process, the policy has a memory, or it reads cells that only
        report.
    TooLarge
        If the states that it reaches would take more memory than allowed, if stock or backlog grows
        without end, or if the equations of its chain cannot be solved.
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
        f"{scenario.file}: under {asking.policy.name} the {what} grows without end (it still grows "
        f"at {max(edges.values()):,.0f} units), so there is no long-run average; try other "
        "parameters of the policy"
    )


class Asking:
    """A policy as a function of state rows: (states, cells) -> (states, asked cells)."""

    def __init__(self, policy: Policy, layout: Layout) -> None:
        self.policy, self.layout, self.view = policy, layout, ViewLayout(layout)
        made_for = getattr(policy, "layout", layout)
        if made_for.state != layout.state:
            raise ValueError(
                f"policy {policy.name!r} was made for {made_for.scenario.name!r}, which has other "
                f"cells than {layout.scenario.name!r}; expected a policy made for this scenario"
            )
        if np.asarray(policy.start(1)).size > 0:
            raise NotFinite(
                f"policy {policy.name!r} has a memory, which is not part of the plant's states; "
                "expected a policy that reads only the view"
            )

    def __call__(self, states: Floats) -> Floats:
        """Return what is asked for; raise NotFinite if the policy reads cells that only report."""
        asked = [self._of(states[k : k + ROWS]) for k in range(0, states.shape[0], ROWS)]
        return np.concatenate(asked)

    def _of(self, states: Floats) -> Floats:
        rows = states.copy()
        asked = self._act(rows)
        reports = slice(self.layout.key_cells, None)
        rows[:, reports] = self.layout.plant.initial[reports] + 7.0
        if not np.array_equal(asked, self._act(rows)):
            raise NotFinite(
                f"policy {self.policy.name!r} reads cells that only report (the previous period's "
                "demand) and are not part of the plant's states; expected one that ignores them"
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
                f"policy {self.policy.name!r} returned an array of shape {asked.shape}, or numbers "
                f"that are not finite; expected finite numbers of shape (batch, sources) = "
                f"({rows.shape[0]}, {self.layout.plant.sources.size})"
            )
        whole[:, : asked.shape[1]] = asked
        return whole


@dataclass(frozen=True)
class Judged:
    """The cost of a policy within edges, and how often per period it reaches them."""

    value: Value
    turned_away: float
    held_back: float
    backlog: dict[str, float]  # edges in units
    reached: Enumerated
    run: LongRun | None  # where the yardstick is the average

    @property
    def is_large(self) -> bool:
        """Whether each further digit takes long."""
        return self.value.states > LARGE

    @property
    def seldom(self) -> float:
        """The probability per period below which an edge is wide enough."""
        return ROUGHLY_SELDOM if self.is_large else SELDOM

    def stands(self, before: Judged | None) -> bool:
        """Whether wider edges would leave the cost unchanged.

        The last change of the cost was due to the edges before, and falls with how often edges are
        reached. The factor 4 allows for demand that waits longer before a wider edge turns it away.
        """
        if max(self.turned_away, self.held_back) <= self.seldom:
            return True
        if before is None:
            return False
        still = (ROUGH_TOLERANCE if self.is_large else 0.1 * STILL) * (1.0 + abs(self.value.cost))
        expected = min(1.0, 4.0 * self.value.edge / before.value.edge)
        return expected * abs(self.value.cost - before.value.cost) <= still

    def is_above(self, cost: float) -> bool:
        """Whether the policy costs clearly more than this, and not because orders are held back."""
        limit = cost + CLEARLY * abs(cost)
        return self.held_back <= self.seldom and self.value.lower > limit

    def is_endless(self, before: Judged | None, rounds: int) -> bool:
        """Whether wider edges are reached about as often: stock or backlog grows without end."""
        if before is None:
            return False
        waits = self.turned_away > ENDLESS and self.turned_away > 0.5 * before.turned_away
        piles = self.held_back > ENDLESS and self.held_back > HALVED * before.held_back
        return waits or (piles and rounds >= PATIENT)

    def widening(self, before: Judged | None) -> float:
        """Return the factor by which to widen the backlog's edges: 2, or just enough.

        It is just enough where that saves much time: demand turned away falls geometrically with
        the edges.
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
        """Return relative values and shares from which to start within wider edges."""
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
                f"{scenario.file}: the long-run average did not converge: it lies between "
                f"{lower:.6g} and {upper:.6g}, but the chain of {arrays.states:,} states mixes "
                "too slowly to narrow this further"
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
