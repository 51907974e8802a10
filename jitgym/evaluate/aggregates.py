"""Figures over several scenarios: interquartile mean, probability of improvement, profiles.

A score is a cost as a multiple of a reference's on the same scenario; below 1 the agent is better.
Few training seeds make medians noisy, and one scenario where an agent fails makes a mean
meaningless; Agarwal, Schwarzer, Castro, Courville and Bellemare (2021, Deep reinforcement learning
at the edge of the statistical precipice) recommend these instead. Their intervals come from a
stratified bootstrap: seeds are drawn with replacement within each scenario.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from .statistics import Interval

Array = npt.NDArray[np.float64]

DRAWS = 2000  # of the bootstrap


def interquartile_mean(scores: npt.ArrayLike) -> float:
    """Return the mean of the middle half of all scores, whatever their shape.

    A quarter of the scores, rounded down, is left out at each end.

    >>> interquartile_mean([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 100.0])
    4.5
    """
    values = np.sort(np.asarray(scores, dtype=np.float64).ravel())
    if not values.size:
        raise ValueError("there is no score; expected at least one")
    cut = values.size // 4
    return float(values[cut : values.size - cut].mean())


def probability_of_improvement(
    ours: Sequence[npt.ArrayLike], theirs: Sequence[npt.ArrayLike]
) -> float:
    """Return the probability that a run of ours has a lower score than one of theirs.

    `ours` and `theirs` have the scores of each scenario, (runs,). All pairs of runs of a scenario
    count, a tie as half (Mann and Whitney 1947); the result is the mean over the scenarios.

    >>> probability_of_improvement([[1.0, 3.0]], [[2.0, 2.0]])
    0.5
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(
            f"{len(ours)} and {len(theirs)} scenarios; expected the same ones, at least one"
        )
    found = []
    for one, other in zip(ours, theirs, strict=True):
        left = np.asarray(one, dtype=np.float64)[:, np.newaxis]
        right = np.asarray(other, dtype=np.float64)
        found.append(float((left < right).mean() + 0.5 * (left == right).mean()))
    return math.fsum(found) / len(found)


def profile(scores: npt.ArrayLike, at: Sequence[float]) -> list[float]:
    """Return the share of all scores that are at most as large as each of these.

    >>> profile([0.9, 1.0, 1.2, 1.5], [1.0, 1.2])
    [0.5, 0.75]
    """
    values = np.asarray(scores, dtype=np.float64).ravel()
    return [float((values <= each).mean()) for each in at]


def bootstrapped(
    figure: Callable[[list[Array]], float],
    scores: Sequence[npt.ArrayLike],
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a figure of the scores of each scenario, (runs,), with its bootstrap interval.

    Runs are drawn with replacement within each scenario. With one run per scenario the interval is
    not known: nan.
    """
    given = [np.asarray(each, dtype=np.float64) for each in scores]
    value = figure(given)
    if min(each.size for each in given) < 2:
        return Interval(value, math.nan, sum(each.size for each in given), level)
    draw = np.random.default_rng(seed)
    drawn = [
        figure([each[draw.integers(each.size, size=each.size)] for each in given])
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2))
    ends = float(low), float(high)
    return Interval(value, (ends[1] - ends[0]) / 2, sum(e.size for e in given), level, ends)
