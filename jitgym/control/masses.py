"""Probability masses over whole units: entry k is the probability of k units."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from jitgym.distributions import Distribution, Finite
from jitgym.scenario import Demand
from jitgym.units import whole_up

Array = npt.NDArray[np.float64]

ONCE = np.array([0.0, 1.0])
"""The mass of exactly one period."""


def mass(distribution: Distribution, scale: float = 1.0) -> Array:
    """Return the mass of scale x a distribution.

    A value between two whole numbers is split between them, so that the mean is kept.

    >>> from jitgym.distributions import Deterministic
    >>> mass(Deterministic(value=1.25)).tolist()
    [0.0, 0.75, 0.25]
    """
    support, probabilities = distribution.pmf()
    below = np.floor(scale * support).astype(np.int64)
    rest = scale * support - below
    found = np.zeros(int(below[-1]) + 2)
    np.add.at(found, below, probabilities * (1 - rest))
    np.add.at(found, below + 1, probabilities * rest)
    return np.asarray(found if found[-1] > 0 else found[:-1])


def mass_of(demand: Demand, scale: float = 1.0) -> Array:
    """Return the mass of scale x a demand; of a random period, if periods differ."""
    phases = demand.phases
    kinds = {id(phase): phase for phase in phases}
    shares = {key: sum(id(phase) == key for phase in phases) / len(phases) for key in kinds}
    masses = {key: mass(phase, scale) for key, phase in kinds.items()}
    total = np.zeros(max(each.size for each in masses.values()))
    for key, each in masses.items():
        total[: each.size] += shares[key] * each
    return np.asarray(total)


def geometric(mean: float) -> Array:
    """Return the mass of a geometric number that starts at 0."""
    share = mean / (1 + mean)
    if share < 1e-12:
        return np.ones(1)
    found = (1 - share) * share ** np.arange(math.ceil(math.log(1e-12) / math.log(share)) + 1)
    return np.asarray(found / found.sum())


def compound(demand: Array, periods: Array, more: Array) -> Array:
    """Return the mass of demand over a random number of periods plus the independent `more`.

    >>> compound(np.array([0.5, 0.5]), periods=np.array([0, 0.5, 0.5]), more=np.ones(1)).round(3)
    array([0.375, 0.5  , 0.125])
    """
    size = (demand.size - 1) * (periods.size - 1) + more.size
    padded = 1 << (size - 1).bit_length()
    transform = np.polynomial.polynomial.polyval(np.fft.rfft(demand, padded), periods)
    found = (
        np.fft.irfft(transform * np.fft.rfft(more, padded), padded) if padded > 1 else np.ones(1)
    )
    found = np.clip(found[:size], 0.0, None)
    return np.asarray(found / found.sum())


def quantile(of: Array, ratio: float) -> float:
    """Return the smallest number of units that covers this share of a mass."""
    return best_window(of, ratio, 1) + 1.0


def best_window(of: Array, ratio: float, width: int) -> float:
    """Return r such that equally likely positions r + 1, ..., r + width have the lowest cost.

    It is the smallest r >= -1 at which the mass covers the ratio on average over the window. With
    width 1, r + 1 is the newsvendor level.
    """
    covered = np.minimum(np.cumsum(of), 1.0)
    covered = np.concatenate([covered, np.ones(width)])
    total = np.concatenate([[0.0], np.cumsum(covered)])
    share = (total[width:] - total[:-width]) / width
    return float(np.argmax(share >= min(ratio, 1 - 1e-12) - 1e-12)) - 1.0


def mean_of(of: Array) -> float:
    """Return the mean of a mass, in units."""
    return float(np.arange(of.size) @ of)


def deviation_of(of: Array) -> float:
    """Return the standard deviation of a mass, in units."""
    return float(np.sqrt((np.arange(of.size) - mean_of(of)) ** 2 @ of))


def below_the_level(demand: Array, lot: float, smallest: float) -> Array:
    """Return the mass of the distance between an order-up-to level and the position below it.

    Orders are whole lots, and not below the smallest order. After an order the distance is equally
    likely from 0 to a lot less one unit. Demand then increases it until the smallest order is due
    (renewals, as in an (s,S) policy). With orders of single units it is 0.

    >>> below_the_level(np.array([0.0, 1.0]), lot=4, smallest=4).tolist()
    [0.25, 0.25, 0.25, 0.25]
    >>> below_the_level(np.array([0.0, 0.0, 1.0]), lot=1, smallest=5).tolist()  # 0, 2, 4, 0, ...
    [0.3333333333333333, 0.0, 0.3333333333333333, 0.0, 0.3333333333333333]
    """
    least, reach = max(1, int(whole_up(smallest))), max(1, int(whole_up(lot)))
    if least == 1:
        return np.ones(1)
    visits = np.zeros(least)
    visits[:reach] = 1.0 / reach
    if least > reach and demand[0] < 1.0:
        for below in range(least):
            back = demand[1 : below + 1]
            visits[below] += back @ visits[below - 1 :: -1][: back.size] if back.size else 0.0
            visits[below] /= 1.0 - demand[0]
    return np.asarray(visits / visits.sum())


def steadied(demand: Demand) -> Distribution:
    """Return the demand without its pattern and seasons, for a policy that knows these.

    It has the long-run mean, in whole units, and the deviations of each phase from its own mean.

    >>> from jitgym.distributions import Deterministic
    >>> months = {"item": "steel", "unmet": "lost", "quantity": Deterministic(value=10)}
    >>> steadied(Demand(**months, pattern=(0.5, 1.5))).pmf()
    (array([10.]), array([1.]))
    """
    phases, mean = demand.phases, demand.mean
    kinds = {id(phase): phase for phase in phases}
    found = np.zeros(1)
    for key, phase in kinds.items():
        support, probabilities = phase.pmf()
        units = np.maximum(mean + support - phase.expectation, 0.0)
        below = np.floor(units).astype(np.int64)
        share = sum(id(other) == key for other in phases) / len(phases)
        found = np.append(found, np.zeros(max(0, int(below.max()) + 2 - found.size)))
        np.add.at(found, below, share * probabilities * (1 - units + below))
        np.add.at(found, below + 1, share * probabilities * (units - below))
    values = np.flatnonzero(found)
    chances = found[values] / found[values].sum()
    return Finite(
        distribution="finite", values=tuple(values.tolist()), probabilities=tuple(chances.tolist())
    )
