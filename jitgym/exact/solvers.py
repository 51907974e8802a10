"""Solvers: algorithms that know only arrays.

Average cost g solves g + V(s) = min_a [c(s, a) + sum_j P(j | s, a) V(j)]. For *any* V, with T the
operator on the right and the differences d(s) = (T V)(s) - V(s),

    min d <= optimal average cost <= average cost of the greedy policy <= max d

(Odoni 1969; Puterman 1994, section 8.5): the reported bounds are proved by one last application of
T to the V that was found, no matter how it was found. V is improved by modified policy iteration: T
once, then the operator of the greedy policy many times, damped so that periodic chains converge
too. Costs are money per period.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym.plant.jit import compiled, kernel

from .chains import chain_of, is_direct, ranges, relative_values
from .model import Arrays

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

DAMPING = 0.05  # share of the old value that is kept, so that periodic chains converge too
SWEEPS = 8  # applications of a policy's operator between two checks of its differences
MOST_SWEEPS = 4000
PATIENCE = 400  # sweeps after which a policy's equations are solved directly, if that is cheap
ENOUGH = 0.05  # share to which a policy's differences are narrowed before it is improved again


@dataclass(frozen=True)
class Solved:
    """Values, decisions and bounds."""

    value: Floats  # relative value, or cost to go, of each state, (states,)
    choice: Whole  # decision in each state, (states,); -1 at an end
    lower: float  # lower bound of the optimal average cost
    upper: float  # upper bound of the average cost of `choice`
    iterations: int  # applications of T
    sweeps: int  # applications of one policy's operator


@kernel
def expected(arrays: Arrays, value: Floats, factor: float, post: int) -> float:
    """Return the mean cost from a post-decision state on."""
    law = arrays.post_law[post]
    shift = arrays.post_first[post] - arrays.law_first[law]
    total = 0.0
    for k in range(arrays.law_first[law], arrays.law_first[law + 1]):
        total += arrays.law_prob[k] * value[arrays.next[shift + k]]
    return arrays.post_cost[post] + factor * total


@kernel
def of_decision(arrays: Arrays, later: Floats, decision: int) -> float:
    """Return the mean cost from a decision on, given that from post-decision states on."""
    if arrays.link_first.size == 1:
        return arrays.cost[decision] + later[arrays.link_post[decision]]
    total = arrays.cost[decision]
    for k in range(arrays.link_first[decision], arrays.link_first[decision + 1]):
        total += arrays.link_prob[k] * later[arrays.link_post[k]]
    return total


@kernel
def links_of(arrays: Arrays, decision: int) -> tuple[int, int]:
    """Return the first link of a decision and the first one that is no longer its own."""
    if arrays.link_first.size > 1:
        return arrays.link_first[decision], arrays.link_first[decision + 1]
    return decision, decision + 1


@compiled
def improve(
    arrays: Arrays, factor: float, value: Floats, later: Floats, better: Floats, choice: Whole
) -> None:
    """Apply T to `value`: write T V, (states,), and the minimizing decision; ties go to the first.

    `later` is working room for the post-decision states.
    """
    for post in range(arrays.post_cost.size):
        later[post] = expected(arrays, value, factor, post)
    for s in range(arrays.first.size - 1):
        best = 0.0
        taken = -1
        for decision in range(arrays.first[s], arrays.first[s + 1]):
            cost = of_decision(arrays, later, decision)
            if taken < 0 or cost < best - 1e-12:
                best = cost
                taken = decision
        better[s] = best
        choice[s] = taken


@compiled
def sweep(
    arrays: Arrays,
    factor: float,
    choice: Whole,
    damping: float,
    used: Whole,
    value: Floats,
    later: Floats,
    better: Floats,
) -> None:
    """Apply a policy's operator to `value`, damped, and write the result to `better`.

    `used` are the post-decision states that the policy leads to, which many states share. `later`
    is working room for all post-decision states.
    """
    for k in range(used.size):
        later[used[k]] = expected(arrays, value, factor, used[k])
    for s in range(choice.size):
        total = 0.0
        if choice[s] >= 0:
            total = of_decision(arrays, later, choice[s])
        better[s] = (1.0 - damping) * total + damping * value[s]


def used_by(arrays: Arrays, choice: Whole) -> Whole:
    """Return the post-decision states that a policy leads to from any state."""
    taken = choice[choice >= 0]
    if arrays.link_first.size > 1:
        first = arrays.link_first[taken]
        taken = ranges(first, arrays.link_first[taken + 1] - first)
    is_used = np.zeros(arrays.post_cost.size, dtype=bool)
    is_used[arrays.link_post[taken]] = True
    return np.flatnonzero(is_used)


@compiled
def push(arrays: Arrays, choice: Whole, here: Floats, there: Floats) -> None:
    """Advance probabilities of states by one period under a policy; what ends drops out."""
    there[:] = 0.0
    for s in range(choice.size):
        decision = choice[s]
        if here[s] == 0.0 or decision < 0:
            continue
        first, last = links_of(arrays, decision)
        for link in range(first, last):
            p = here[s]
            if arrays.link_first.size > 1:
                p *= arrays.link_prob[link]
            post = arrays.link_post[link]
            law = arrays.post_law[post]
            shift = arrays.post_first[post] - arrays.law_first[law]
            for k in range(arrays.law_first[law], arrays.law_first[law + 1]):
                there[arrays.next[shift + k]] += p * arrays.law_prob[k]


def average(
    arrays: Arrays,
    *,
    tolerance: float = 1e-9,
    value: Floats | None = None,
    most: int = 100_000,
    say: Callable[[int, float, float], None] | None = None,
) -> Solved:
    """Return the minimal long-run average cost and a policy that attains it.

    The iteration stops when the bounds are within `tolerance` times 1 + their size, or after `most`
    applications of T; the bounds then show the remaining error. It starts from `value`.
    """
    states = arrays.states
    value = np.zeros(states) if value is None else value.copy()
    better, later = np.empty(states), np.empty(arrays.post_cost.size)
    choice = np.empty(states, dtype=np.int64)
    lower, upper = -np.inf, np.inf
    iterations = sweeps = 0
    while iterations < most:
        improve(arrays, 1.0, value, later, better, choice)
        iterations += 1
        difference = better - value
        lower, upper = max(lower, float(difference.min())), float(difference.max())
        if say is not None:
            say(iterations, lower, upper)
        if upper - lower <= tolerance * (1.0 + abs(upper)):
            break
        value, better = better, value
        wanted = max(ENOUGH * float(np.ptp(difference)), 0.25 * tolerance * (1.0 + abs(upper)))
        sweeps += narrow(arrays, choice, wanted, value, later, better)
    return Solved(value, choice, lower, upper, iterations, sweeps)


def narrow(
    arrays: Arrays, choice: Whole, wanted: float, value: Floats, later: Floats, better: Floats
) -> int:
    """Apply a policy's operator to `value` until its differences span at most `wanted`.

    `later` and `better` are working room. Return the number of applications, which is even.
    """
    sweeps = 0
    used = used_by(arrays, choice)
    while sweeps < MOST_SWEEPS:
        for _ in range(SWEEPS // 2):
            sweep(arrays, 1.0, choice, DAMPING, used, value, later, better)
            sweep(arrays, 1.0, choice, DAMPING, used, better, later, value)
        sweeps += SWEEPS
        if float(np.ptp(value - better)) <= wanted * (1.0 - DAMPING):
            break
        if sweeps == PATIENCE and np.all(choice >= 0):
            chain = chain_of(arrays, choice)
            if is_direct(chain):
                exact = relative_values(chain)
                if np.ptp(chain.differences(exact)) < np.ptp(value - better):
                    value[:] = exact
    value -= value[0]
    return sweeps


def discounted(
    arrays: Arrays, discount: float, *, tolerance: float = 1e-9, most: int = 100_000
) -> Solved:
    """Return the minimal discounted cost to go from each state, and a policy that attains it.

    The optimum lies between T V plus discount / (1 - discount) times the smallest difference of T V
    and V, and the same with the largest difference (MacQueen 1966). `value` is the midpoint of
    these bounds; `lower` and `upper` are their distances from it.
    """
    states = arrays.states
    value, better = np.zeros(states), np.empty(states)
    later, choice = np.empty(arrays.post_cost.size), np.empty(states, dtype=np.int64)
    iterations = sweeps = 0
    low = high = 0.0
    while iterations < most:
        improve(arrays, discount, value, later, better, choice)
        iterations += 1
        difference = better - value
        scale = discount / (1.0 - discount)
        low, high = scale * float(difference.min()), scale * float(difference.max())
        value, better = better, value
        if high - low <= tolerance * (1.0 + float(np.abs(value).max())):
            break
        used = used_by(arrays, choice)
        for _ in range(SWEEPS):
            sweep(arrays, discount, choice, 0.0, used, value, later, better)
            value, better = better, value
            sweeps += 1
    middle = 0.5 * (low + high)
    return Solved(value + middle, choice, low - middle, high - middle, iterations, sweeps)


@compiled
def backward(arrays: Arrays, factor: float, value: Floats, later: Floats, choice: Whole) -> None:
    """Write cost to go and choice if every transition leads to a state with a higher number."""
    for s in range(arrays.first.size - 2, -1, -1):
        best = 0.0
        taken = -1
        for decision in range(arrays.first[s], arrays.first[s + 1]):
            cost = arrays.cost[decision]
            first, last = links_of(arrays, decision)
            for link in range(first, last):
                post = arrays.link_post[link]
                if later[post] != later[post]:
                    later[post] = expected(arrays, value, factor, post)
                if arrays.link_first.size > 1:
                    cost += arrays.link_prob[link] * later[post]
                else:
                    cost += later[post]
            if taken < 0 or cost < best - 1e-12:
                best = cost
                taken = decision
        value[s] = best
        choice[s] = taken


def until_the_end(arrays: Arrays, discount: float = 1.0) -> Solved:
    """Return the minimal cost to go until a state without decisions, by backward induction.

    Transitions must lead to states with higher numbers, or to an end.
    """
    value = np.zeros(arrays.states)
    choice = np.full(arrays.states, -1, dtype=np.int64)
    backward(arrays, discount, value, np.full(arrays.post_cost.size, np.nan), choice)
    return Solved(value, choice, 0.0, 0.0, 1, 0)


@compiled
def by_post(arrays: Arrays, choice: Whole, shares: Floats, of_post: Floats, total: Floats) -> None:
    """Add the mean of a quantity of the post-decision states to `total[0]`."""
    for s in range(choice.size):
        decision = choice[s]
        if decision < 0:
            continue
        if arrays.link_first.size == 1:
            total[0] += shares[s] * of_post[arrays.link_post[decision]]
        else:
            for k in range(arrays.link_first[decision], arrays.link_first[decision + 1]):
                total[0] += shares[s] * arrays.link_prob[k] * of_post[arrays.link_post[k]]


def mean_of_posts(arrays: Arrays, choice: Whole, shares: Floats, of_post: Floats) -> float:
    """Return the mean of a quantity of the post-decision states, weighted by shares of states."""
    total = np.zeros(1)
    by_post(arrays, choice, shares, of_post, total)
    return float(total[0])


def cost_of_periods(
    arrays: Arrays, choice: Whole, discount: float, warm_up: int, periods: int, start: Floats
) -> float:
    """Return a policy's discounted cost of the periods after a warm-up, from shares `start`."""
    value, better = np.zeros(arrays.states), np.empty(arrays.states)
    used, later = used_by(arrays, choice), np.empty(arrays.post_cost.size)
    for _ in range(periods - warm_up):
        sweep(arrays, discount, choice, 0.0, used, value, later, better)
        value, better = better, value
    here, there = start.copy(), np.empty_like(start)
    for _ in range(warm_up):
        push(arrays, choice, here, there)
        here, there = there, here
    return float(here @ value)


def least_of_periods(
    arrays: Arrays, discount: float, warm_up: int, periods: int, start: Floats
) -> float:
    """Return the minimal cost of the periods after a warm-up; the warm-up itself costs nothing.

    A policy that attains it uses the period; no policy that sees only the state costs less.
    """
    value, better = np.zeros(arrays.states), np.empty(arrays.states)
    later, choice = np.empty(arrays.post_cost.size), np.empty(arrays.states, dtype=np.int64)
    for _ in range(periods - warm_up):
        improve(arrays, discount, value, later, better, choice)
        value, better = better, value
    free = arrays._replace(
        cost=np.zeros_like(arrays.cost), post_cost=np.zeros_like(arrays.post_cost)
    )
    for _ in range(warm_up):
        improve(free, 1.0, value, later, better, choice)
        value, better = better, value
    return float(start @ value)
