"""The precision of simulated figures: intervals, paired differences, familywise levels.

A row is one episode. Episodes are independent, so their means have Student-t intervals. Two
policies on the same tape are compared by their differences, episode by episode: the interval of
these is much narrower than that of either cost (common random numbers; Law 2015, chapter 11).

Where rare events decide the cost, values are skewed, and the Student-t interval misses too often on
the side of the long tail: `skew_interval` allows for this. A policy that is trained also differs
between training seeds: `two_level` covers both seeds and episodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # a slow import that is not needed at run time
    import pandas as pd
    from numpy.typing import ArrayLike

Row = np.ndarray[tuple[int], np.dtype[np.float64]]
Grid = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

PLAIN = (0.0, 1.0)  # Student's bound and Hall's, by the factor of the skewness
CAUTIOUS = (0.0, 1.0, 2.0)  # also Hall's with twice the skewness
DRAWS = 1000  # of a bootstrap: it gives only the shape of an interval, not its size
EVEN = 1.1  # times half of the length, to the farther end: an interval that is written with ±
SIGNIFICANT_DIGITS = 6  # largest number of digits of a printed mean
STRATUM, WEIGHT = "stratum", "weight"  # columns of rows in strata (`jitgym.evaluate.strata`)
SORTED, SORTED_TIMES = 16_384, 16  # episodes that are sorted into strata, per sample or per episode
TAPE = ("split", "seed", "episode")  # the columns that identify the episode of a row


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval, in the unit of the values.

    The interval is symmetric, mean ± half-width, unless `ends` are given.
    """

    mean: float  # nan where no value is defined
    half_width: float  # half the length; nan where fewer than two values are defined
    n: int  # number of values of the mean
    level: float  # confidence, such as .95
    ends: tuple[float, float] | None = None  # of an asymmetric interval

    @property
    def low(self) -> float:
        """The lower end."""
        return self.ends[0] if self.ends else self.mean - self.half_width

    @property
    def high(self) -> float:
        """The upper end."""
        return self.ends[1] if self.ends else self.mean + self.half_width

    @property
    def reach(self) -> float:
        """The distance from the mean to the farther end."""
        return max(self.mean - self.low, self.high - self.mean) if self.ends else self.half_width

    @property
    def is_even(self) -> bool:
        """Whether both ends are about as far; it is then written as mean ± reach."""
        return self.reach <= EVEN * self.half_width

    def scaled(self, factor: float) -> Interval:
        """Return the interval of a multiple of the values, such as a share in percent."""
        ends = None
        if self.ends:
            some, other = factor * self.ends[0], factor * self.ends[1]
            ends = (min(some, other), max(some, other))
        width = abs(factor) * self.half_width
        return Interval(factor * self.mean, width, self.n, self.level, ends)

    def __repr__(self) -> str:
        """Return mean and half-width, rounded to two digits of the half-width, or both ends.

        >>> Interval(mean=9.21731, half_width=0.03814, n=256, level=0.95)
        9.217 ± 0.038
        >>> Interval(mean=37321.4, half_width=1234.5, n=256, level=0.95)
        37321 ± 1234
        >>> Interval(mean=9.21731, half_width=math.nan, n=1, level=0.95)
        9.21731 ± n/a
        >>> Interval(mean=9.21731, half_width=0.05, n=256, level=0.95, ends=(9.18731, 9.28731))
        9.217 [9.187, 9.287]
        """
        width = self.half_width
        if not 0.0 < width < math.inf:
            return f"{self.mean:.6g} ± {'n/a' if math.isnan(width) else f'{width:g}'}"
        decimals = max(0, 1 - int(f"{width:.1e}".partition("e")[2]))  # of the rounded width
        if not self.is_even:
            return f"{self.mean:.{decimals}f} [{self.low:.{decimals}f}, {self.high:.{decimals}f}]"
        return f"{self.mean:.{decimals}f} ± {self.reach:.{decimals}f}"


def interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Return the Student-t interval of the mean of independent values.

        mean +- t(n - 1, (1 + level) / 2) * standard deviation / sqrt(n)

    A nan is a value that is not defined (the fill rate of an episode without demand): it is left
    out, and `n` counts the other values. Raises ValueError for a level outside (0, 1) or an
    infinite value.
    """
    _check_level(level)
    defined = _defined(values)
    return Interval(_mean(defined), _half_width(defined, level), len(defined), level)


def skew_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Return an interval of the mean of independent values that allows for skewness.

    Each end is the farther of Student's and Hall's, which inverts a monotone cubic transformation
    of the studentized mean (Hall 1992, section 3.10, after Johnson 1978). The upper end of Hall's:

        mean + s / sqrt(n) * (1 - cbrt(1 - a (t + a / 6))) * 3 / a,
        a = skewness / sqrt(n), t = t(n - 1, (1 + level) / 2)

    with the standard deviation s and the bias-corrected skewness; the lower end mirrors it. nan and
    infinite values: as in `interval`.

    Measured coverage of 95 % intervals, in percent (2,000 samples each; standard error .5):

                                             n = 64        n = 256       n = 1,024
                                             t    this     t    this     t    this
        normal                              94.6  94.8    95.6  95.7    95.3  95.3
        exponential (skewness 2)            93.2  96.0    93.8  95.1    95.6  96.0
        lognormal (skewness 10)             86.8  94.0    92.8  96.0    94.2  95.5
        normal, 1 % far above (skewness 10) 64.2  64.6    86.9  90.4    92.5  97.4

    The last row: more than half of the samples of 64 and 8 % of those of 256 hold none of the rare
    values, and no method that knows only the sample can then cover the mean.
    """
    _check_level(level)
    defined = _defined(values)
    mean = _mean(defined)
    low, high = (_bound(defined, (1 + level) / 2, side, PLAIN) for side in (-1, 1))
    return Interval(mean, (high - low) / 2, len(defined), level, (low, high))


def upper_bound(values: ArrayLike, level: float = 0.95) -> float:
    """Return a cautious upper bound of the mean of independent values; it allows for skewness.

    The mean is above the bound with probability 1 - level at most, unless rare values are missing
    from the sample. The bound is the farthest of three: Student's, that of `skew_interval`, and the
    same with twice the skewness of the sample, because a sample shows too little of a long tail. So
    it suits a guard that must not err more often than it says; with symmetric values it is
    Student's. nan and infinite values: as in `interval`. The bound is nan where fewer than two
    values are defined.

    Measured at level .9875, where 1.25 % is the target (2,000 samples of n = 64, 256, 1,024): the
    mean of lognormal values of skewness 10 is above Student's bound in 9.1, 4.5 and 3.3 % and above
    this one in .6, .4 and 1.0 %. No bound knows what the sample does not show: an event that occurs
    in a share f of the episodes is missing from n of them with probability (1 - f)^n. If 1 % of the
    values are far above the others, this bound errs in 28.6, 8.3 and .0 %.
    """
    _check_level(level)
    return _bound(_defined(values), level, 1, CAUTIOUS)


def lower_bound(values: ArrayLike, level: float = 0.95) -> float:
    """Return a lower bound of the mean of independent values; see `upper_bound`."""
    _check_level(level)
    return _bound(_defined(values), level, -1, CAUTIOUS)


def two_level(costs: ArrayLike, level: float = 0.95, seed: int = 0) -> Interval:
    """Return the interval of the mean cost of a learner over its training seeds.

    `costs` are costs or paired differences, (training seeds, episodes), in money; every seed is
    judged on the same episodes, as `rollout` does. The result is an interval for the mean over all
    training seeds and all episodes, not for the next single training; `n` is the number of seeds.

    The variance of the mean is that between seeds plus that between episodes, less their common
    rest, which both contain:

        V = var(seed means) / S + var(episode means) / E - var(rest) / (S E)

    Its t quantile has Satterthwaite's degrees of freedom. The interval is at least Student's over
    the seed means alone. A two-level bootstrap (training seeds, then episodes, both drawn with
    replacement; Owen 2007) gives the ends their shape: it may move an end outward where values are
    skewed. On its own it would be too short, because few seeds show too little of their variance.

    Measured coverage of 95 % intervals with 5 seeds and 64 episodes, in percent (400 samples each;
    standard error 1.1); the deviation of an episode and of the rest is 1:

                                         t over seeds   bootstrap alone   this
        seeds differ (deviation 1)               93.8              82.8   94.2
        seeds differ little (1/8)                77.5              96.5   95.8
        the same, episodes skewed                83.0              97.5   97.0
        seeds do not differ                      70.5              96.5   95.0
        neither seeds nor episodes differ        94.5             100.0   98.5

    With few seeds (5) this relies on seed means that are about normal: five seeds cannot show that
    one training in twenty fails. Raises ValueError for other shapes and values that are not finite.
    """
    _check_level(level)
    grid = np.asarray(costs, dtype=np.float64)
    if grid.ndim != 2 or min(grid.shape) < 1 or not np.isfinite(grid).all():
        raise ValueError(
            f"costs of shape {grid.shape}; expected finite numbers, (training seeds, episodes)"
        )
    seeds, episodes = grid.shape
    mean = float(grid.mean())
    if min(seeds, episodes) < 2:  # one seed does not show how much seeds differ
        return Interval(mean, math.nan, seeds, level)
    from scipy import stats  # a slow import, so only here

    of_seeds, of_episodes = grid.mean(axis=1), grid.mean(axis=0)
    rest = grid - of_seeds[:, np.newaxis] - of_episodes + mean
    between = float(of_seeds.var(ddof=1)) / seeds
    within = float(of_episodes.var(ddof=1)) / episodes
    twice = float((rest**2).sum()) / ((seeds - 1) * (episodes - 1)) / grid.size  # it is in both
    total = max(between, within, between + within - twice)
    if total == 0:
        return Interval(mean, 0.0, seeds, level, (mean, mean))
    freedom = (between + within) ** 2 / (
        between**2 / (seeds - 1) + within**2 / (episodes - 1)
    )  # Satterthwaite
    tail = (1 - level) / 2
    width = max(
        float(stats.t.isf(tail, freedom)) * math.sqrt(total),
        float(stats.t.isf(tail, seeds - 1)) * math.sqrt(between),
    )
    drawn = _resampled(grid, np.random.default_rng(seed)) - mean
    below, above = np.quantile(drawn, (tail, 1 - tail)) / float(drawn.std())
    stretch = width / float(stats.norm.isf(tail))  # the bootstrap gives the shape, this the size
    low = mean + min(-width, stretch * float(below))
    high = mean + max(width, stretch * float(above))
    return Interval(mean, (high - low) / 2, seeds, level, (low, high))


def _resampled(grid: Grid, generator: np.random.Generator) -> Row:
    """Return means with training seeds and episodes both drawn with replacement, (draws,)."""
    seeds, episodes = grid.shape
    first = generator.multinomial(seeds, np.full(seeds, 1 / seeds), DRAWS) / seeds
    second = generator.multinomial(episodes, np.full(episodes, 1 / episodes), DRAWS) / episodes
    means: Row = ((first @ grid) * second).sum(axis=1)
    return means


def _bound(values: Row, level: float, side: int, factors: Sequence[float]) -> float:
    """Return the upper (side 1) or lower (side -1) one-sided bound of the mean, the farthest.

    Each factor multiplies the skewness of the sample; with 0 the bound is Student's.
    """
    n = len(values)
    if n < 2:
        return math.nan
    from scipy import special  # a slow import, so only here

    mean, spread = float(values.mean()), float(values.std(ddof=1))
    if spread == 0:
        return mean
    quantile = float(special.stdtrit(n - 1, level))
    skewness = n * float((((values - mean) / spread) ** 3).sum()) / ((n - 1) * max(n - 2, 1))
    slant = side * skewness / math.sqrt(n)
    reach = max(_untransformed(quantile, factor * slant) for factor in factors)
    return mean + side * reach * spread / math.sqrt(n)


def _untransformed(quantile: float, slant: float) -> float:
    """Return the number of standard errors from the mean to its bound, for this skewness."""
    if abs(slant) < 1e-6:  # the limit
        return quantile
    return (1 - float(np.cbrt(1 - slant * (quantile + slant / 6)))) * 3 / slant


def _defined(values: ArrayLike) -> Row:
    """Return the values that are not nan. Raises ValueError for an infinite one."""
    numbers = np.asarray(values, dtype=np.float64).ravel()
    if np.isinf(numbers).any():
        raise ValueError("infinite values have no interval; expected finite values, or nan")
    return numbers[~np.isnan(numbers)]


def _mean(values: Row) -> float:
    return float(values.mean()) if len(values) > 0 else math.nan


def written(intervals: Sequence[Interval], sign: str = "", form: str = "") -> list[str]:
    """Return each as "mean ± half-width" or "mean [low, high]".

    All have the same decimals, so that a column lines up.
    The narrowest half-width has two digits, but no mean has more than the significant digits: the
    large cost of a policy that fails must not hide the digits of the others. A `form`, such as
    ".2f", overrides this.

    >>> written([Interval(9.2168, 0.0377, 256, 0.95), Interval(11.5, 1.25, 256, 0.95)])
    ['9.217 ± 0.038', '11.500 ± 1.250']
    """
    wanted = _decimals(intervals)
    texts = []
    for one in intervals:
        size = max(abs(one.mean), one.half_width if math.isfinite(one.half_width) else 0.0)
        most = SIGNIFICANT_DIGITS - 1 - _exponent(size or 1.0)
        shown = form or f".{max(0, min(wanted, most))}f"
        mean = number(one.mean, shown, sign)
        if one.ends and math.isfinite(one.half_width) and not one.is_even:
            low, high = (number(end, shown, sign) for end in one.ends)
            texts.append(f"{mean} [{low}, {high}]")
        else:
            texts.append(f"{mean} ± {number(one.reach, shown)}")
    return texts


def number(value: float | None, form: str, sign: str = "") -> str:
    """Return a number in this format, or "n/a" if it is not defined or not known."""
    if value is None or math.isnan(value):
        return "n/a"
    return format(value, f"{sign}z{form}")  # z: no "-0.00"


def _decimals(intervals: Sequence[Interval]) -> int:
    """Return the decimals for two digits of the narrowest half-width, else for the largest mean."""
    widths = [one.half_width for one in intervals if one.half_width > 0]
    if widths:
        return 1 - _exponent(min(widths))
    largest = max((abs(one.mean) for one in intervals if one.mean), default=1.0)
    return SIGNIFICANT_DIGITS - 1 - _exponent(largest)


def _exponent(value: float) -> int:
    return math.floor(math.log10(value)) if math.isfinite(value) and value > 0 else 0


def _half_width(values: Row, level: float) -> float:
    if len(values) < 2:
        return math.nan  # one value does not show the spread: it is unknown, not 0
    from scipy import stats  # a slow import, so only here

    quantile = float(stats.t.isf((1 - level) / 2, len(values) - 1))
    return quantile * float(values.std(ddof=1)) / math.sqrt(len(values))


def by_episode(rows: pd.DataFrame, column: str = "cost") -> pd.Series[float]:
    """Return one column of one policy's rows, indexed and sorted by (split, seed, episode).

    Raises ValueError if a column is missing or an episode occurs twice.
    """
    missing = [name for name in (*TAPE, column) if name not in rows.columns]
    if missing:
        raise ValueError(f"rows lack {', '.join(missing)}; expected the columns of a rollout")
    values: pd.Series[float] = rows.set_index(list(TAPE))[column].sort_index()
    twice = values.index[values.index.duplicated()]
    if len(twice) > 0:
        raise ValueError(f"{_episode(twice[0])} occurs twice; expected the rows of one policy")
    return values


def differences(a: pd.DataFrame, b: pd.DataFrame, column: str = "cost") -> Row:
    """Return `a - b`, episode by episode, of two policies on the same tape, (episodes,).

    The order of the rows does not matter. Raises ValueError if the two do not hold the same
    episodes (split, seed, episode).
    """
    left, right = by_episode(a, column), by_episode(b, column)
    if not left.index.equals(right.index):
        unmatched = left.index.symmetric_difference(right.index)
        raise ValueError(
            f"{len(unmatched)} episodes are in only one of the two, first {_episode(unmatched[0])};"
            " expected both on the same tape (equal split, seed and episodes)"
        )
    return np.asarray(left.to_numpy() - right.to_numpy(), dtype=np.float64)


def paired(a: pd.DataFrame, b: pd.DataFrame, column: str = "cost", level: float = 0.95) -> Interval:
    """Return the interval of the mean of `a - b`, by episode, of two policies on the same tape.

    A pair with a nan is left out. Raises ValueError as `differences` does.
    """
    return interval(differences(a, b, column), level)


def skew_paired(
    a: pd.DataFrame, b: pd.DataFrame, column: str = "cost", level: float = 0.95
) -> Interval:
    """Return the interval of the mean of `a - b`, by episode, that allows for skewness.

    Rows in strata are weighted. A pair with a nan is left out. Raises ValueError as `differences`
    does.
    """
    return skew_of(_apart(a, b, column), column, level)


def paired_p_value(a: pd.DataFrame, b: pd.DataFrame, column: str = "cost") -> float:
    """Return the two-sided p-value of no difference, by the intervals of `skew_paired`."""
    apart = _apart(a, b, column)
    return p_value(lambda level: skew_of(apart, column, level))


def _apart(a: pd.DataFrame, b: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the differences of a column by episode, with stratum and weight where `a` has them."""
    import pandas  # a slow import, so only here

    found = pandas.DataFrame({column: differences(a, b, column)})
    if WEIGHT in a:
        for name in (STRATUM, WEIGHT):
            found[name] = by_episode(a, name).to_numpy()
    return found


def skew_of(rows: pd.DataFrame, column: str = "cost", level: float = 0.95) -> Interval:
    """Return the interval of the mean of a column of rows, which allows for skewness.

    Rows in strata (`jitgym.evaluate.strata`) are weighted.
    """
    values = rows[column].to_numpy(dtype=np.float64)
    if WEIGHT not in rows:
        return skew_interval(values, level)
    return stratified(values, rows[STRATUM], rows[WEIGHT], level)


def mean_of(rows: pd.DataFrame, column: str = "cost") -> float:
    """Return the mean of a column of rows, weighted where rows are in strata; nan is left out."""
    values = rows[column].to_numpy(dtype=np.float64)
    known = ~np.isnan(values)
    if not known.any():
        return math.nan
    weights = rows[WEIGHT].to_numpy(dtype=np.float64) if WEIGHT in rows else np.ones(len(values))
    return float(np.average(values[known], weights=weights[known]))


def stratified(
    values: ArrayLike, strata: ArrayLike, weights: ArrayLike, level: float = 0.95
) -> Interval:
    """Return an interval of the mean of a stratified sample that allows for skewness.

    `values`, `strata` and `weights` are (n,); in each stratum all weights are equal, and all add up
    to n. With the share W, the size m, the mean, the variance v and the third central moment k of
    each stratum, and the number N of episodes that were sorted into strata:

        mean = sum of W mean,   V = sum of W^2 v / m + variance between strata / N

    The ends are Hall's, as in `skew_interval`, with skewness / sqrt(n) replaced by
    sum of W^3 k / m^2 / V^(3/2), and Satterthwaite's degrees of freedom (Cochran 1977, 5.9).

    Measured on automotive-line, where rare failures of a supplier decide the cost (skewness 8.4 to
    8.7; 2,000 samples of 10,240 episodes): intervals of costs and of differences cover the mean in
    95.0 % with 64 episodes and in 95.0 to 95.3 % with 256, and those of costs are a seventh as wide
    as without strata (docs/coverage.md).

    The interval is nan if a stratum has fewer than two values that are defined.
    """
    _check_level(level)
    from scipy import special  # a slow import, so only here

    given = np.asarray(values, dtype=np.float64)
    number, weight = np.asarray(strata, dtype=np.int64), np.asarray(weights, dtype=np.float64)
    n = given.size
    parts = [given[number == k] for k in np.unique(number)]
    share = np.array([weight[number == k].sum() / n for k in np.unique(number)])
    parts = [_defined(part) for part in parts]
    size = np.array([part.size for part in parts], dtype=np.float64)
    if (size < 2).any():  # its variance is not known
        known = ~np.isnan(given)
        some = float(np.average(given[known], weights=weight[known])) if known.any() else math.nan
        return Interval(some, math.nan, int(known.sum()), level)
    means = np.array([part.mean() for part in parts])
    mean = float((share * means).sum())
    within = share**2 * np.array([part.var(ddof=1) for part in parts]) / size
    between = float((share * (means - mean) ** 2).sum()) / max(SORTED, SORTED_TIMES * n)
    total = float(within.sum()) + between
    if total == 0:
        return Interval(mean, 0.0, n, level, (mean, mean))
    third = np.array([((part - part.mean()) ** 3).sum() for part in parts])
    third *= size / ((size - 1) * np.maximum(size - 2, 1))
    slant = float((share**3 * third / size**2).sum()) / total**1.5
    freedom = total**2 / float((within**2 / (size - 1)).sum() + between**2 / (SORTED - 1))
    quantile = float(special.stdtrit(freedom, (1 + level) / 2))
    low, high = (_untransformed(quantile, side * slant) for side in (-1, 1))
    error = math.sqrt(total)
    ends = mean - low * error, mean + high * error
    return Interval(mean, (ends[1] - ends[0]) / 2, n, level, ends)


def p_value(build: Callable[[float], Interval]) -> float:
    """Return the two-sided p-value of a mean of 0: 1 - the largest level that leaves 0 out.

    `build` returns the interval of a level. The result is 1 where no interval is defined.

    >>> round(p_value(lambda level: interval([1.0, 2.0, 3.0, 4.0], level)), 3)
    0.03
    """
    one = build(0.95)
    if math.isnan(one.half_width):
        return 1.0
    if one.half_width == 0:
        return 1.0 if one.mean == 0 else 0.0
    below, above = 0.0, 1.0  # 1 - level: at the first 0 is inside
    for _ in range(50):
        middle = (below + above) / 2
        found = build(1 - middle) if 0 < 1 - middle < 1 else None
        if found is not None and not found.low <= 0.0 <= found.high:
            above = middle
        else:
            below = middle
    return above


def holm(p_values: Sequence[float], level: float = 0.95) -> list[bool]:
    """Return which hypotheses are rejected, so that all tests together err in 1 - level at most.

    The smallest p-value is compared with (1 - level) / k, the next with (1 - level) / (k - 1), and
    so on, until one is larger (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [True, False, False]
    >>> holm([0.01, 0.04, 0.03, 0.005])
    [True, False, False, True]
    """
    _check_level(level)
    order = sorted(range(len(p_values)), key=lambda k: p_values[k])
    rejected = [False] * len(p_values)
    for place, k in enumerate(order):
        if p_values[k] > (1 - level) / (len(p_values) - place):
            break
        rejected[k] = True
    return rejected


def familywise(level: float, k: int) -> float:
    """Return the level of each of `k` intervals that hold together with probability `level`.

        1 - (1 - level) / k

    This is Bonferroni's correction. It does not need independent intervals; intervals from one tape
    are not independent.

    >>> round(familywise(0.95, 10), 6)
    0.995
    """
    _check_level(level)
    if k < 1:
        raise ValueError(f"a family of {k} intervals; expected at least 1")
    return 1 - (1 - level) / k


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"confidence level {level:g}; expected a number between 0 and 1")


def _episode(key: tuple[str, int, int]) -> str:
    split, seed, episode = key
    return f"(split {split}, seed {seed}, episode {episode})"
