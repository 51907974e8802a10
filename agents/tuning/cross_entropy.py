"""The cross-entropy method (Rubinstein and Kroese 2004): a search among real vectors under noise.

Each generation is drawn from a normal distribution with all covariances; the next one is fitted to
the best of it. A generation is thinned by successive halving (Karnin, Koren and Somekh 2013): all
of it runs on few replications, the better part on all. Whoever gives the cost
sees to common random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

POPULATION = 96  # of a generation
RUNGS = ((1 / 16, 24), (1.0, 16))  # (share of the replications, how many are kept as the best)
GENERATIONS = 16
SPREAD = 1 / 6  # of each range: the first standard deviation
MEMORY = 0.3  # of the old distribution that stays
WIDER = 0.05  # of the first spread, added at first and falling to nothing: against closing in early


def cross_entropy(
    cost: Callable[[Array, float], Array], start: Array, low: Array, high: Array, seed: int
) -> Iterator[Array]:
    """Look for the cheapest vector; yields the middle of the distribution after each generation.

    Parameters
    ----------
    cost
        (vectors, share of the replications) -> what each costs, (count, numbers) -> (count,).
    start, low, high
        The first middle and the bounds, (numbers,).
    seed
        Of the draws.
    """
    rng = np.random.default_rng(seed)
    first = SPREAD * (high - low)
    middle, covariance = start, np.diag(first**2)
    for generation in range(GENERATIONS):
        drawn = rng.multivariate_normal(middle, covariance, POPULATION - 1, method="eigh")
        vectors = np.clip(np.vstack([middle, drawn]), low, high)
        for share, kept in RUNGS:
            vectors = vectors[np.argsort(cost(vectors, share), kind="stable")[:kept]]
        # Around the old middle: it stays wide in the direction in which the best lie (Hansen 2016).
        away = vectors - middle
        spread = away.T @ away / len(away)
        middle = MEMORY * middle + (1 - MEMORY) * vectors.mean(axis=0)
        wider = WIDER * (1 - generation / GENERATIONS)
        covariance = MEMORY * covariance + (1 - MEMORY) * spread + np.diag((wider * first) ** 2)
        yield middle
