"""Costs period by period: how long the warm-up must be, and intervals over the time of one path.

Where demand is a record, every episode repeats the same path, so that an interval over episodes
says nothing about another year. Moving blocks of periods do, as far as one year is like the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy, View, as_policy
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

from . import closed_loop
from .statistics import Interval

Array = npt.NDArray[np.float64]

BATCH = 5  # periods of a batch of MSER-5
BLOCK = 8  # periods of a block, as of the resampled records of training
DRAWS = 2000


def costs_by_period(
    policy: Policy | Callable[[View], npt.ArrayLike],
    scenario: Scenario,
    episodes: int = 64,
    seed: int = 0,
    split: str = "test",
) -> Array:
    """Return the cost of each period, the mean over episodes, (periods,), with the warm-up."""
    layout = lay_out(scenario)
    engine = closed_loop.at_start(layout, split, seed, np.arange(episodes))
    decide = closed_loop.deciding(as_policy(policy), layout, episodes)
    periods = engine.plant.periods
    found = np.empty(periods)
    for period in closed_loop.run(engine, decide, periods):
        found[period] = engine.cost.mean()
    return found


def mser5(costs: npt.ArrayLike) -> int:
    """Return how many first periods to leave out, by MSER-5 (White, Cobb and Spratt 2000).

        min over d of  sum over j > d of (y_j - mean of the rest)^2 / (n - d)^2

    with the means y_1 ... y_n of batches of five periods. At most half of the batches are left out;
    where the least is at the end of these, the series is too short to tell, and the result is the
    number of periods.

    >>> mser5([9.0] * 20 + [5.0, 5.2, 4.9, 5.1, 4.8] * 40)
    20
    """
    values = np.asarray(costs, dtype=np.float64)
    count = values.size // BATCH
    if count < 4:
        return int(values.size)
    means = values[: count * BATCH].reshape(count, BATCH).mean(axis=1)
    most = count // 2
    scores = [float(means[d:].var()) / (count - d) for d in range(most + 1)]
    least = int(np.argmin(scores))
    return int(values.size) if least == most else least * BATCH


def moving_blocks(
    values: npt.ArrayLike, block: int = BLOCK, level: float = 0.95, seed: int = 0
) -> Interval:
    """Return the interval of the mean of a series, from moving blocks of it (Kuensch 1989).

    Blocks that begin anywhere are drawn with replacement until they are as long as the series; the
    interval is 2 mean - quantile, from both sides. A series shorter than two blocks has none: nan.
    """
    series = np.asarray(values, dtype=np.float64)
    n, mean = series.size, float(series.mean())
    if n < 2 * block:
        return Interval(mean, math.nan, n, level)
    draw = np.random.default_rng(seed)
    count = -(-n // block)
    first = draw.integers(n - block + 1, size=(DRAWS, count))
    places = (first[:, :, np.newaxis] + np.arange(block)).reshape(DRAWS, -1)[:, :n]
    means = series[places].mean(axis=1)
    # Periods at the ends of the series are in fewer blocks, so the mean of all draws is not `mean`.
    low, high = np.quantile(means - means.mean(), ((1 - level) / 2, (1 + level) / 2))
    ends = mean - float(high), mean - float(low)
    return Interval(mean, (ends[1] - ends[0]) / 2, n, level, ends)
