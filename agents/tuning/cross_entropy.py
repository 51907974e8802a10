"""The cross-entropy method (Rubinstein and Kroese 2004): a noisy search among real vectors.

Each generation is drawn from a normal distribution with a full covariance matrix, which is fitted
to the best of the generation before. A generation is thinned by successive halving (Karnin, Koren
and Somekh 2013): all vectors run on a few replications, and only the better ones run on all. The
cost function must use common random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

POPULATION = 96  # vectors of a generation
RUNGS = ((1 / 16, 24), (1.0, 16))  # (share of the replications, how many are kept as the best)
GENERATIONS = 16
SPREAD = 1 / 6  # the first standard deviation, as a share of each range
MEMORY = 0.3  # share of the old distribution that stays
WIDER = 0.05  # share of the first spread that is added, falling to 0: it delays convergence


def cross_entropy(
    cost: Callable[[Array, float], Array], start: Array, low: Array, high: Array, seed: int
) -> Iterator[Array]:
    """Search for the cheapest vector; yield the mean of the distribution after each generation.

    Parameters
    ----------
    cost
        (vectors, share of the replications) -> the cost of each; (count, numbers) -> (count,).
    start, low, high
        The first mean and the bounds, (numbers,).
    seed
        The seed of the draws.
    """
    rng = np.random.default_rng(seed)
    first = SPREAD * (high - low)
    middle, covariance = start, np.diag(first**2)
    for generation in range(GENERATIONS):
        drawn = rng.multivariate_normal(middle, covariance, POPULATION - 1, method="eigh")
        vectors = np.clip(np.vstack([middle, drawn]), low, high)
        for share, kept in RUNGS:
            vectors = vectors[np.argsort(cost(vectors, share), kind="stable")[:kept]]
        # Spread around the old mean: it stays wide in the direction of the best (Hansen 2016).
        away = vectors - middle
        spread = away.T @ away / len(away)
        middle = MEMORY * middle + (1 - MEMORY) * vectors.mean(axis=0)
        wider = WIDER * (1 - generation / GENERATIONS)
        covariance = MEMORY * covariance + (1 - MEMORY) * spread + np.diag((wider * first) ** 2)
        yield middle
