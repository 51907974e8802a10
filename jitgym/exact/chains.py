"""Chains: what one policy costs in the long run, from a first state on.

Where a chain ends in one closed class of states, its average cost g and relative values V solve
g + V = c + P V on that class. As in `solvers`, whatever V is found, g lies between the least and
the largest difference of c + P V and V. A chain that may end in several classes costs the mean over
them, each with the chance to end there.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .model import Arrays

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

DIRECT = 3000  # states up to which equations can be solved at once
SPARSE = 50_000  # likewise where few transitions lead from each state, as in a line
FEW = 8  # transitions
DAMPING = 0.05
MOST = 200_000  # steps
PATIENCE = 2000  # steps after which equations are solved at once, where that is cheap
LEFT = 1e-13  # probability that may still be under way


@dataclass(frozen=True)
class LongRun:
    """Average cost a period with its bounds, and long-run shares of the states."""

    cost: float
    lower: float
    upper: float
    shares: Floats  # (states,)


def long_run(arrays: Arrays, choice: Whole, start: Floats, *, tolerance: float = 1e-10) -> LongRun:
    """Return the long-run average cost of a policy, `choice` of each state, from `start` on."""
    matrix, cost = matrix_of(arrays, choice)
    classes = closed_classes(matrix)
    chances = chances_to_end(matrix, classes, start)
    shares = np.zeros(arrays.states)
    lower = upper = 0.0
    for members, chance in zip(classes, chances, strict=True):
        if chance <= LEFT and len(classes) > 1:
            continue
        within, of_class = matrix[members][:, members], cost[members]
        low, high = average_within(within, of_class, tolerance)
        lower += chance * low
        upper += chance * high
        shares[members] = chance * shares_within(within)
    return LongRun(0.5 * (lower + upper), lower, upper, shares)


def matrix_of(arrays: Arrays, choice: Whole) -> tuple[csr_array[Any], Floats]:
    """Return a policy's transition matrix, (states, states), and its mean cost, (states,)."""
    from scipy.sparse import csr_array

    states = np.arange(arrays.states)
    if arrays.link_first.size == 1:
        owner, links = states, choice
        weight = np.ones(states.size)
    else:
        counts = np.diff(arrays.link_first)[choice]
        owner, links = np.repeat(states, counts), ranges(arrays.link_first[choice], counts)
        weight = arrays.link_prob[links]
    posts = arrays.link_post[links]
    cost = arrays.cost[choice] + np.bincount(
        owner, weights=weight * arrays.post_cost[posts], minlength=states.size
    )
    laws = arrays.post_law[posts]
    sizes = np.diff(arrays.law_first)[laws]
    chances = np.repeat(weight, sizes) * arrays.law_prob[ranges(arrays.law_first[laws], sizes)]
    to = arrays.next[ranges(arrays.post_first[posts], sizes)]
    shape = (states.size, states.size)
    matrix = csr_array((chances, (np.repeat(owner, sizes), to)), shape=shape)
    return matrix, cost


def ranges(first: Whole, sizes: Whole) -> Whole:
    """Return the numbers first[0], first[0] + 1, ..., then those of first[1], and so on.

    >>> ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if ends.size else 0) + np.repeat(first - ends + sizes, sizes)


def closed_classes(matrix: csr_array[Any]) -> list[Whole]:
    """Return the closed classes of a chain: states that reach each other, and nothing else."""
    from scipy.sparse.csgraph import connected_components

    count, label = connected_components(matrix, directed=True, connection="strong")
    coo = matrix.tocoo()
    leaves = label[coo.row] != label[coo.col]
    is_closed = np.ones(count, dtype=bool)
    is_closed[label[coo.row[leaves]]] = False
    return [np.flatnonzero(label == k) for k in np.flatnonzero(is_closed)]


def chances_to_end(matrix: csr_array[Any], classes: list[Whole], start: Floats) -> Floats:
    """Return the chance to end in each class."""
    if len(classes) == 1:
        return np.ones(1)
    closed = np.zeros(start.size, dtype=bool)
    for members in classes:
        closed[members] = True
    here, ended, back = start.copy(), np.zeros(start.size), matrix.T.tocsr()
    for _ in range(MOST):
        ended += np.where(closed, here, 0.0)
        here = np.where(closed, 0.0, here)
        if here.sum() <= LEFT:
            break
        here = back @ here
    return np.array([ended[members].sum() for members in classes])


def average_within(matrix: csr_array[Any], cost: Floats, tolerance: float) -> tuple[float, float]:
    """Return bounds of the average cost within a closed class."""
    value = np.zeros(cost.size)
    difference = cost + matrix @ value - value
    for step in range(MOST):
        if step == PATIENCE and is_direct(matrix):
            value = relative_values(matrix, cost)
            difference = cost + matrix @ value - value
        if np.ptp(difference) <= tolerance * (1.0 + abs(difference[0])):
            break
        value += (1.0 - DAMPING) * difference
        value -= value[0]
        difference = cost + matrix @ value - value
    return float(difference.min()), float(difference.max())


def is_direct(matrix: csr_array[Any]) -> bool:
    """Return whether the equations of a chain are small enough to be solved at once."""
    size = matrix.shape[0]
    return bool(size <= DIRECT or (size <= SPARSE and matrix.nnz <= FEW * size))


def relative_values(matrix: csr_array[Any], cost: Floats) -> Floats:
    """Return V with V[0] = 0 and g + V = c + P V, by one sparse factorization."""
    from scipy.sparse import csc_array, eye_array, hstack
    from scipy.sparse.linalg import MatrixRankWarning, spsolve

    size = cost.size
    if size == 1:
        return np.zeros(1)
    equations = (eye_array(size, format="csc") - matrix).tocsc()[:, 1:]
    ones = csc_array(np.ones((size, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MatrixRankWarning)  # several closed classes: no solution
        solution = spsolve(hstack([ones, equations], format="csc"), cost)  # g, then V[1:]
    if not np.isfinite(solution).all():
        return np.zeros(size)
    return np.concatenate([[0.0], solution[1:]])


def shares_within(matrix: csr_array[Any]) -> Floats:
    """Return the long-run shares of the states of a closed class."""
    size = matrix.shape[0]
    back = matrix.T.tocsr()
    here = np.full(size, 1.0 / size)
    for step in range(MOST):
        if step == PATIENCE and is_direct(matrix):
            return balanced(back)
        there = (1.0 - DAMPING) * (back @ here) + DAMPING * here
        if np.abs(there - here).sum() < 1e-13:
            return there
        here = there
    return here


def balanced(back: csr_array[Any]) -> Floats:
    """Return the shares x = x P of a closed class, given P transposed: at first x[0] is 1."""
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import spsolve

    equations = csc_array(eye_array(back.shape[0], format="csc") - back)[1:, 1:]
    others = spsolve(equations, back[1:, [0]].toarray().ravel())
    shares = np.maximum(np.concatenate([[1.0], others]), 0.0)
    whole: Floats = shares / shares.sum()
    return whole
