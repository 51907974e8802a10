"""Demand with a known cycle, as a level that does not know the time sees it.

A level that is the same in every period must cover the demand of consecutive periods of the cycle:
from each phase on, with equal probability. Phases are not independent: with 16 and 0 units in turn,
two periods always need 16. `cycle` holds a probability mass per phase: entry k is that of k units.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SAME = 1e-10  # two masses of the queue that differ by less are equal
LONGEST_RUN = 2000  # periods that are calculated until the queue is steady


def from_each_phase(cycle: Sequence[Array], periods: Array, more: Array) -> Array:
    """Return the masses of demand over a random number of periods plus `more`, (phases, units).

    Row k counts from phase k on. `more` is independent.

    >>> sixteen, none = np.eye(17)[16], np.ones(1)
    >>> found = from_each_phase([sixteen, none], periods=np.array([0.0, 0.0, 1.0]), more=np.ones(1))
    >>> found.argmax(axis=1).tolist()
    [16, 16]
    """
    longest = max(each.size for each in cycle)
    size = (longest - 1) * (periods.size - 1) + more.size
    padded = 1 << max(size - 1, 1).bit_length()
    each = np.array([np.fft.rfft(mass, padded) for mass in cycle])
    product = np.ones_like(each)
    transform = periods[0] * product
    for k, chance in enumerate(periods[1:].tolist()):
        product = product * np.roll(each, -k, axis=0)
        transform = transform + chance * product
    found = np.fft.irfft(transform * np.fft.rfft(more, padded), padded, axis=1)[:, :size]
    found = np.clip(found, 0.0, None)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def waiting_behind(capacity: float, cycle: Sequence[Array], size: int) -> Array:
    """Return the mass of the units that wait if at most `capacity` units are made per period.

        W' = max(0, W + D - capacity)                                         (Lindley 1952)

    It is the mean over the phases, in the long run; at most `size` - 1 units wait. A capacity
    between two whole numbers is one of them at random, so that its mean is kept.

    >>> ten, none = np.eye(11)[10], np.ones(1)
    >>> waiting_behind(6, [ten, none], size=20)[:5].tolist()  # 4 units wait after each 10
    [0.5, 0.0, 0.0, 0.0, 0.5]
    """
    least = int(np.floor(capacity))
    share = capacity - least
    before = np.zeros(size)
    before[0] = 1.0
    for _ in range(max(1, LONGEST_RUN // len(cycle))):
        total, waiting = np.zeros(size), before
        for demand in cycle:
            arrived = np.convolve(waiting, demand)
            waiting = (1 - share) * _less(arrived, least, size)
            if share:
                waiting += share * _less(arrived, least + 1, size)
            total += waiting
        if np.abs(waiting - before).max() < SAME:
            break
        before = waiting
    return np.asarray(total / total.sum())


def _less(units: Array, made: int, size: int) -> Array:
    """Return the mass of what is left of the units when up to `made` of them are made."""
    left = np.zeros(size)
    rest = units[made : made + size]
    left[: rest.size] = rest
    left[0] += units[:made].sum()
    left[-1] += units[made + size :].sum()
    return left


def forecast_at(means: Array, weight: float) -> Array:
    """Return the exponentially smoothed forecast at the start of each phase, in the long run.

    >>> forecast_at(np.array([16.0, 0.0]), 0.2).round(2).tolist()
    [7.11, 8.89]
    """
    # After a cycle the forecast is (1 - w)^n of what it was before, plus the weighted demands.
    count = means.size
    kept = (1.0 - weight) ** count
    aged = weight * (1.0 - weight) ** np.arange(count - 1, -1, -1)
    found = float(means[-1]) if kept >= 1 else float(aged @ means / (1.0 - kept))
    forecasts = np.zeros(count)
    for k in range(count):
        forecasts[k] = found
        found += weight * (means[k] - found)
    return forecasts
