"""Chains: what one policy costs in the long run, from a first state on.

Where a chain ends in one closed class of states, its average cost g and relative values V solve
g + V = c + P V on that class. As in `solvers`, whatever V is found, g lies between the least and
the largest difference of c + P V and V. A chain that may end in several classes costs the mean over
them, each with the chance to end there.

Values and shares are found by the damped operator where that is soon done. Where the chain forgets
slowly, as a line with a long backlog does, they are found from their linear equations by BiCGSTAB
(van der Vorst 1992), in hundreds of products with P instead of many thousands.
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

DIRECT = 500  # states up to which equations can be solved at once
SPARSE = 50_000  # likewise where few transitions lead from each state, as in a line
FEW = 8  # transitions
DAMPING = 0.05
PATIENCE = 50  # steps after which equations are solved
MOST = 200_000  # steps
WORK = 1e11  # steps x transitions, about a minute: then the bounds say how far it came
FAR = 100.0  # times what is wanted; rounding alone leaves less
LEFT = 1e-13  # probability that may still be under way
BALANCED = 1e-13  # of shares, how much may still move in a period

NEARER = 1e-3  # what one start of a Krylov method brings the residual down to, if it can
STEPS = 200  # of BiCGSTAB, at most, in one start: two products with P each
KEPT = 40  # directions of GMRES, likewise
RESTARTS = 40
STALLED = 0.9  # what BiCGSTAB must bring the residual below, as a share of what it was


@dataclass(frozen=True)
class LongRun:
    """Average cost a period with its bounds, long-run shares of the states, relative values."""

    cost: float
    lower: float
    upper: float
    shares: Floats  # (states,)
    value: Floats  # (states,); 0 outside of closed classes


@dataclass(frozen=True)
class Near:
    """What relative values and shares are looked for from."""

    value: Floats  # (states,)
    shares: Floats  # (states,)


@dataclass(frozen=True)
class Chain:
    """What one policy does, in two factors: P = links @ nexts. Far fewer numbers than P has."""

    links: csr_array[Any]  # chance of each post-decision state, (states, posts)
    nexts: csr_array[Any]  # chance of each next state, (posts, states)
    cost: Floats  # mean cost of a period, (states,)

    @property
    def states(self) -> int:
        """How many states there are."""
        return self.cost.size

    @property
    def transitions(self) -> int:
        """How many numbers one step takes."""
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
        """Return P V, the mean value a period later."""
        later: Floats = self.links @ (self.nexts @ value)
        return later

    def on(self, shares: Floats) -> Floats:
        """Return x P, the shares a period later."""
        to_states, to_posts = self.transposed
        later: Floats = to_states @ (to_posts @ shares)
        return later

    def differences(self, value: Floats) -> Floats:
        """Return c + P V - V: the average cost lies between the least and the largest."""
        return self.cost + self.ahead(value) - value

    def within(self, members: Whole) -> Chain:
        """Return the chain on a closed class."""
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
    """Return the long-run average cost of a policy, `choice` of each state, from `start` on."""
    chain = chain_of(arrays, choice)
    near = near or Near(np.zeros(arrays.states), np.ones(arrays.states))
    shares, values = np.zeros(arrays.states), np.zeros(arrays.states)
    bounds: list[tuple[float, float, float]] = []  # chance, least, most
    for members, chance in ends(chain, start):
        within = chain.within(members)
        of_class = shares_within(within, near.shares[members])
        wanted = tolerance * (1.0 + abs(float(of_class @ within.cost)))
        values[members], low, high = average_within(within, wanted, near.value[members])
        bounds.append((chance, low, high))
        shares[members] = chance * of_class
    chances, lows, highs = np.array(bounds).T
    # What is still under way may end where it is cheapest, or dearest.
    missing = max(1.0 - float(chances.sum()), 0.0) if len(bounds) > 1 else 0.0
    lower = float(chances @ lows) + missing * float(lows.min())
    upper = float(chances @ highs) + missing * float(highs.max())
    return LongRun(0.5 * (lower + upper), lower, upper, shares, values)


def long_run_shares(
    arrays: Arrays, choice: Whole, start: Floats, *, near: Floats, tolerance: float
) -> Floats:
    """Return the long-run shares of the states under a policy, looked for from `near` on.

    `tolerance` is how much of them may still move in a period.
    """
    chain = chain_of(arrays, choice)
    shares = np.zeros(arrays.states)
    for members, chance in ends(chain, start):
        within = chain.within(members)
        shares[members] = chance * shares_within(within, near[members], tolerance)
    return shares


def ends(chain: Chain, start: Floats) -> list[tuple[Whole, float]]:
    """Return the closed classes that a chain may end in, each with its chance."""
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
    """Return the closed classes of a chain: states that reach each other, and nothing else.

    Those of states and post-decision states together, without the latter.
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
    """Return the chance to end in each class: not 1 in all where some are under way for long."""
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
    """Return relative values in a closed class, and bounds of its average cost, `wanted` apart.

    They are looked for from `value` on.
    """

    def residual(value: Floats) -> Floats:
        difference: Floats = chain.differences(value)
        return difference - value.mean()  # 0 at the V whose mean is the average cost

    value = solved(residual, value, np.ptp, wanted, chain, relative_values)
    difference = chain.differences(value)
    return value, float(difference.min()), float(difference.max())


def shares_within(chain: Chain, guess: Floats, tolerance: float = BALANCED) -> Floats:
    """Return the long-run shares of the states of a closed class, looked for from others on."""
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
    """Return x whose `residual`, an affine function of x, is no larger than wanted.

    Or as small as it comes: by damped steps, then by Krylov's methods, and where those stall
    `at_once` if the chain is small, and by more steps.
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
    """Add the residual to x until it is no larger than wanted; damped, for periodic chains."""
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

    Each is started again from the residual computed anew: rounding does not add up.
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
            with np.errstate(all="ignore"):  # what breaks down is thrown away
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
    """Return whether the equations of a chain are small enough to be solved at once."""
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
    """Return the shares x = x P of a closed class: at first x[0] is 1."""
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import spsolve

    back = chain.matrix.T
    equations = csc_array(eye_array(chain.states, format="csc") - back)[1:, 1:]
    others = spsolve(equations, back.tocsr()[1:, [0]].toarray().ravel())
    shares = np.maximum(np.concatenate([[1.0], others]), 0.0)
    whole: Floats = shares / shares.sum()
    return whole
