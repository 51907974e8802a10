"""Lead times: the probability that an order of a given age arrives now."""

from __future__ import annotations

import numpy as np

from .base import Distribution, Floats

LEAST_TAIL = 1e-9
"""A hazard ends where a smaller share of the orders than this would still be outstanding."""


def hazard(lead_time: Distribution) -> Floats:
    """Hazard h (Lmax + 1,) of a lead time L: h[a] = P(L = a | L >= a); h[Lmax] = 1.

    A tail below 1e-9 is cut off, because differences of probabilities there are rounding errors.
    Raises ValueError for lead times that are not whole periods.

    >>> from .plain import Uniform
    >>> hazard(Uniform(low=2, high=4)).round(3).tolist()
    [0.0, 0.0, 0.333, 0.5, 1.0]
    """
    support, probabilities = lead_time.pmf()
    if np.any(support != np.floor(support)):
        raise ValueError("a lead time counts whole periods")
    mass = np.zeros(int(support[-1]) + 1)
    mass[support.astype(np.int64)] = probabilities
    alive = np.cumsum(mass[::-1])[::-1]
    alive = alive[alive >= LEAST_TAIL]
    rates = np.minimum(mass[: len(alive)] / alive, 1.0)
    rates[-1] = 1.0
    return rates


def is_monotone(rates: Floats) -> bool:
    """Whether a hazard never decreases; then orders need not cross (Kaplan 1970)."""
    return bool(np.all(np.diff(rates) >= -1e-6))
