"""Chains: the long-run cost of one policy, starting from a given state.

If a chain ends in one closed class of states, its average cost g and relative values V solve
g + V = c + P V on that class. As in `solvers`, for any V that is found, g lies between the smallest
and the largest difference of c + P V and V. If a chain may end in several classes, its cost is the
mean over them, weighted by the probability of ending in each.

Values and shares are found with the damped operator where it converges quickly. Where the chain
mixes slowly, as that of a line with a long backlog, they are found from their linear equations by
BiCGSTAB (van der Vorst 1992), in hundreds of products with P instead of many thousands.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .model import Arrays

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Operator = Callable[[Floats], Floats]
Size = Callable[[Floats], float]

DIRECT = 500  # most states whose equations are solved directly
SPARSE = 50_000  # the same, where few transitions lead from each state, as in a line
FEW = 8  # transitions per state
DAMPING = 0.05
PATIENCE = 50  # steps before the equations are solved
MOST = 200_000  # largest number of steps
WORK = 1e11  # steps x transitions, about a minute; the bounds then show the remaining error
FAR = 100.0  # times the tolerance; a residual due to rounding alone is smaller
LEFT = 1e-13  # probability of not yet being in a closed class that is neglected
BALANCED = 1e-13  # largest change of the shares in one period

NEARER = 1e-3  # factor by which one run of a Krylov method should reduce the residual
STEPS = 200  # most steps of BiCGSTAB in one run; each computes two products with P
KEPT = 40  # most directions of GMRES in one run
RESTARTS = 40
STALLED = 0.9  # BiCGSTAB has stalled if a larger share of the residual remains


@dataclass(frozen=True)
class LongRun:
    """Average cost per period with its bounds, long-run shares of the states, relative values."""

    cost: float
    lower: float
    upper: float
    shares: Floats  # (states,)
    value: Floats  # (states,); 0 outside of closed classes


@dataclass(frozen=True)
class Near:
    """Relative values and shares from which a search starts."""

    value: Floats  # (states,)
    shares: Floats  # (states,)


@dataclass(frozen=True)
class Chain:
    """The chain of one policy as two factors, P = links @ nexts, with far fewer numbers than P."""

    links: csr_array[Any]  # probability of each post-decision state, (states, posts)
    nexts: csr_array[Any]  # probability of each next state, (posts, states)
    cost: Floats  # mean cost of a period, (states,)

    @property
    def states(self) -> int:
        """The number of states."""
        return self.cost.size

    @property
    def transitions(self) -> int:
        """The number of entries that one step reads."""
        return int(self.links.nnz + self.nexts.nnz)

    @cached_property
    def transposed(self) -> tuple[csc_array[Any], csc_array[Any]]:
        """Both factors transposed."""
        return self.nexts.T, self.links.T

    @cached_property
    def matrix(self) -> csr_array[Any]:
        """P, (states, states)."""
        return (self.links @ self.nexts).tocsr()

    def ahead(self, value: Floats) -> Floats:
        """Return P V, the mean value one period later."""
        later: Floats = self.links @ (self.nexts @ value)
        return later

    def on(self, shares: Floats) -> Floats:
        """Return x P, the shares one period later."""
        to_states, to_posts = self.transposed
        later: Floats = to_states @ (to_posts @ shares)
        return later

    def differences(self, value: Floats) -> Floats:
        """Return c + P V - V; the average cost lies between its smallest and largest entry."""
        return self.cost + self.ahead(value) - value

    def within(self, members: Whole) -> Chain:
        """Return the chain restricted to a closed class."""
        if members.size == self.states:
            return self
        links = self.links[members]
        posts = np.unique(links.indices)
        nexts = self.nexts[posts][:, members]
        return Chain(links[:, posts], nexts, self.cost[members])


def long_run(
    arrays: Arrays,
    choice: Whole,
    start: Floats,
    *,
    tolerance: float = 1e-10,
    near: Near | None = None,
) -> LongRun:
    """Return the long-run average cost of a policy, given by its `choice` in each state."""
    chain = chain_of(arrays, choice)
    near = near or Near(np.zeros(arrays.states), np.ones(arrays.states))
    shares, values = np.zeros(arrays.states), np.zeros(arrays.states)
    bounds: list[tuple[float, float, float]] = []  # probability, lower, upper
    for members, chance in ends(chain, start):
        within = chain.within(members)
        of_class = shares_within(within, near.shares[members])
        wanted = tolerance * (1.0 + abs(float(of_class @ within.cost)))
        values[members], low, high = average_within(within, wanted, near.value[members])
        bounds.append((chance, low, high))
        shares[members] = chance * of_class
    chances, lows, highs = np.array(bounds).T
    # The probability not yet absorbed may end in the cheapest or the most expensive class.
    missing = max(1.0 - float(chances.sum()), 0.0) if len(bounds) > 1 else 0.0
    lower = float(chances @ lows) + missing * float(lows.min())
    upper = float(chances @ highs) + missing * float(highs.max())
    return LongRun(0.5 * (lower + upper), lower, upper, shares, values)


def long_run_shares(
    arrays: Arrays, choice: Whole, start: Floats, *, near: Floats, tolerance: float
) -> Floats:
    """Return the long-run shares of the states under a policy; the search starts from `near`.

    `tolerance` limits the change of the shares in one period.
    """
    chain = chain_of(arrays, choice)
    shares = np.zeros(arrays.states)
    for members, chance in ends(chain, start):
        within = chain.within(members)
        shares[members] = chance * shares_within(within, near[members], tolerance)
    return shares


def ends(chain: Chain, start: Floats) -> list[tuple[Whole, float]]:
    """Return the closed classes that a chain may end in, each with its probability."""
    classes = closed_classes(chain)
    if len(classes) == 1:
        return [(classes[0], 1.0)]
    chances = chances_to_end(chain, classes, start)
    least = LEFT if chances.max() > LEFT else -1.0
    together = zip(classes, chances.tolist(), strict=True)
    return [(members, chance) for members, chance in together if chance > least]


def chain_of(arrays: Arrays, choice: Whole) -> Chain:
    """Return the chain of a policy."""
    from scipy.sparse import csr_array

    states = arrays.states
    if arrays.link_first.size == 1:
        counts, weight, links = np.ones(states, dtype=np.int64), np.ones(states), choice
    else:
        counts = np.diff(arrays.link_first)[choice]
        links = ranges(arrays.link_first[choice], counts)
        weight = arrays.link_prob[links]
    posts, place = np.unique(arrays.link_post[links], return_inverse=True)
    ends = np.concatenate([[0], np.cumsum(counts)])
    to_posts = csr_array((weight, place, ends), shape=(states, posts.size))
    laws = arrays.post_law[posts]
    sizes = np.diff(arrays.law_first)[laws]
    chances = arrays.law_prob[ranges(arrays.law_first[laws], sizes)]
    to = arrays.next[ranges(arrays.post_first[posts], sizes)]
    ends = np.concatenate([[0], np.cumsum(sizes)])
    to_states = csr_array((chances, to, ends), shape=(posts.size, states))
    return Chain(to_posts, to_states, arrays.cost[choice] + to_posts @ arrays.post_cost[posts])


def ranges(first: Whole, sizes: Whole) -> Whole:
    """Return the numbers first[0], first[0] + 1, ..., then those of first[1], and so on.

    >>> ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if ends.size else 0) + np.repeat(first - ends + sizes, sizes)


def closed_classes(chain: Chain) -> list[Whole]:
    """Return the closed classes of a chain: sets of states that reach each other and no others.

    They are found on states and post-decision states together; only the states are returned.
    """
    from scipy.sparse import block_array
    from scipy.sparse.csgraph import connected_components

    graph = block_array([[None, chain.links], [chain.nexts, None]], format="coo")
    count, label = connected_components(graph, directed=True, connection="strong")
    leaves = label[graph.row] != label[graph.col]
    is_closed = np.ones(count, dtype=bool)
    is_closed[label[graph.row[leaves]]] = False
    of_states = label[: chain.states]
    return [np.flatnonzero(of_states == k) for k in np.flatnonzero(is_closed)]


def chances_to_end(chain: Chain, classes: list[Whole], start: Floats) -> Floats:
    """Return the probability of ending in each class; their sum is below 1 if that takes long."""
    closed = np.zeros(start.size, dtype=bool)
    for members in classes:
        closed[members] = True
    here, ended = start.copy(), np.zeros(start.size)
    for _ in range(int(min(MOST, WORK / chain.transitions))):
        ended += np.where(closed, here, 0.0)
        here = np.where(closed, 0.0, here)
        if here.sum() <= LEFT:
            break
        here = chain.on(here)
    return np.array([ended[members].sum() for members in classes])


def average_within(chain: Chain, wanted: float, value: Floats) -> tuple[Floats, float, float]:
    """Return relative values in a closed class, and bounds of its average cost.

    The bounds are at most `wanted` apart if the search converges. It starts from `value`.
    """

    def residual(value: Floats) -> Floats:
        difference: Floats = chain.differences(value)
        return difference - value.mean()  # 0 for the V whose mean is the average cost

    value = solved(residual, value, np.ptp, wanted, chain, relative_values)
    difference = chain.differences(value)
    return value, float(difference.min()), float(difference.max())


def shares_within(chain: Chain, guess: Floats, tolerance: float = BALANCED) -> Floats:
    """Return the long-run shares in a closed class; the search starts from `guess`."""
    even = np.full(chain.states, 1.0 / chain.states)
    first = guess / guess.sum() if guess.any() else even

    def residual(shares: Floats) -> Floats:
        return chain.on(shares) - shares + even * (1.0 - shares.sum())

    shares = solved(residual, first, moved, tolerance, chain, balanced)
    shares = np.maximum(shares, 0.0)
    whole: Floats = shares / shares.sum()
    return whole


def moved(shares: Floats) -> float:
    """Return the sum of absolute values."""
    return float(np.abs(shares).sum())


def solved(
    residual: Operator,
    guess: Floats,
    size: Size,
    wanted: float,
    chain: Chain,
    at_once: Callable[[Chain], Floats],
) -> Floats:
    """Return x whose `residual`, an affine function of x, is at most `wanted` or nearly so.

    Damped steps come first, then Krylov methods. Where these stall, `at_once` solves the equations
    of a small chain directly, and more damped steps follow.
    """
    products = WORK / chain.transitions
    x = by_steps(residual, guess, size, wanted, PATIENCE)
    x = by_krylov(residual, x, size, wanted, math.ceil(min(RESTARTS, products / (2 * STEPS))))
    if size(residual(x)) > FAR * wanted and is_direct(chain):
        x = min(x, at_once(chain), key=lambda x: size(residual(x)))
    if size(residual(x)) > FAR * wanted:
        x = by_steps(residual, x, size, wanted, int(min(MOST, products)))
    return x


def by_steps(residual: Operator, guess: Floats, size: Size, wanted: float, most: int) -> Floats:
    """Add the residual to x until it is at most `wanted`; steps are damped for periodic chains."""
    x, rest = guess.copy(), residual(guess)
    for _ in range(most):
        if size(rest) <= wanted:
            break
        x += (1.0 - DAMPING) * rest
        rest = residual(x)
    return x


def by_krylov(
    residual: Operator, guess: Floats, size: Size, wanted: float, restarts: int
) -> Floats:
    """Solve residual(x) = 0 by BiCGSTAB, and by GMRES where that stalls, until nothing is gained.

    Each run starts from a freshly computed residual, so that rounding does not accumulate.
    """
    from scipy.sparse.linalg import LinearOperator, bicgstab, gmres

    constant = residual(np.zeros_like(guess))
    shape = (guess.size, guess.size)
    times = LinearOperator(shape, lambda x: constant - residual(x), dtype=np.float64)
    methods: tuple[Any, ...] = (
        partial(bicgstab, rtol=NEARER, maxiter=STEPS),
        partial(gmres, rtol=NEARER, restart=min(KEPT, guess.size), maxiter=1),
    )
    x, rest = guess, residual(guess)
    for _ in range(restarts):
        if size(rest) <= wanted:
            break
        for method in methods:
            with np.errstate(all="ignore"):  # a step that breaks down is discarded
                step, _ = method(times, rest)
                then = residual(x + step)
            gained = float(np.linalg.norm(then) / np.linalg.norm(rest))
            if gained < STALLED:
                break
        if not gained < 1.0:
            break
        x, rest = x + step, then
    return x


def is_direct(chain: Chain) -> bool:
    """Return whether the equations of a chain are few enough to be solved directly."""
    size = chain.states
    return size <= DIRECT or (size <= SPARSE and chain.matrix.nnz <= FEW * size)


def relative_values(chain: Chain) -> Floats:
    """Return V with V[0] = 0 and g + V = c + P V, by one sparse factorization."""
    from scipy.sparse import csc_array, eye_array, hstack
    from scipy.sparse.linalg import MatrixRankWarning, spsolve

    size = chain.states
    if size == 1:
        return np.zeros(1)
    equations = (eye_array(size, format="csc") - chain.matrix).tocsc()[:, 1:]
    ones = csc_array(np.ones((size, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MatrixRankWarning)  # several closed classes: no solution
        solution = spsolve(hstack([ones, equations], format="csc"), chain.cost)  # g, then V[1:]
    if not np.isfinite(solution).all():
        return np.zeros(size)
    return np.concatenate([[0.0], solution[1:]])


def balanced(chain: Chain) -> Floats:
    """Return the shares x = x P of a closed class, solved with x[0] = 1 and then normalized."""
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import spsolve

    back = chain.matrix.T
    equations = csc_array(eye_array(chain.states, format="csc") - back)[1:, 1:]
    others = spsolve(equations, back.tocsr()[1:, [0]].toarray().ravel())
    shares = np.maximum(np.concatenate([[1.0], others]), 0.0)
    whole: Floats = shares / shares.sum()
    return whole
