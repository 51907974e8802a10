"""The precision of simulated figures: Student-t intervals, paired differences, familywise levels.

A row is one episode. Episodes are independent, so their means have Student-t intervals. Two
policies on the same tape are compared by their differences, episode by episode: the interval of
these is much narrower than that of either cost (common random numbers; Law 2015, chapter 11).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # a slow import that is not needed at run time
    import pandas as pd
    from numpy.typing import ArrayLike

SIGNIFICANT_DIGITS = 6  # largest number of digits of a printed mean
TAPE = ("split", "seed", "episode")  # the columns that identify the episode of a row


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval, in the unit of the values."""

    mean: float  # nan where no value is defined
    half_width: float  # nan where fewer than two values are defined
    n: int  # number of values of the mean
    level: float  # confidence, such as .95

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half_width

    def __repr__(self) -> str:
        """Return the mean and the half-width, rounded to two digits of the half-width.

        >>> Interval(mean=9.21731, half_width=0.03814, n=256, level=0.95)
        9.217 ± 0.038
        >>> Interval(mean=37321.4, half_width=1234.5, n=256, level=0.95)
        37321 ± 1234
        >>> Interval(mean=9.21731, half_width=math.nan, n=1, level=0.95)
        9.21731 ± n/a
        """
        width = self.half_width
        if not 0.0 < width < math.inf:
            return f"{self.mean:.6g} ± {'n/a' if math.isnan(width) else f'{width:g}'}"
        decimals = max(0, 1 - int(f"{width:.1e}".partition("e")[2]))  # of the rounded width
        return f"{self.mean:.{decimals}f} ± {width:.{decimals}f}"


def interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Return the Student-t interval of the mean of independent values.

        mean +- t(n - 1, (1 + level) / 2) * standard deviation / sqrt(n)

    A nan is a value that is not defined (the fill rate of an episode without demand): it is left
    out, and `n` counts the other values. Raises ValueError for a level outside (0, 1) or an
    infinite value.
    """
    _check_level(level)
    numbers = np.asarray(values, dtype=np.float64).ravel()
    if np.isinf(numbers).any():
        raise ValueError("infinite values have no interval; expected finite values, or nan")
    defined = numbers[~np.isnan(numbers)]
    n = len(defined)
    mean = float(defined.mean()) if n > 0 else math.nan
    return Interval(mean, _half_width(defined, level), n, level)


def written(intervals: Sequence[Interval], sign: str = "", form: str = "") -> list[str]:
    """Return each as "mean ± half-width", all with the same decimals, so that a column lines up.

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
        texts.append(f"{number(one.mean, shown, sign)} ± {number(one.half_width, shown)}")
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


def _half_width(values: np.ndarray[tuple[int], np.dtype[np.float64]], level: float) -> float:
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


def paired(a: pd.DataFrame, b: pd.DataFrame, column: str = "cost", level: float = 0.95) -> Interval:
    """Return the interval of the mean of `a - b`, by episode, of two policies on the same tape.

    The order of the rows does not matter. A pair with a nan is left out. Raises ValueError if the
    two do not hold the same episodes (split, seed, episode).
    """
    left, right = by_episode(a, column), by_episode(b, column)
    unmatched = left.index.symmetric_difference(right.index)
    if len(unmatched) > 0:
        raise ValueError(
            f"{len(unmatched)} episodes are in only one of the two, first {_episode(unmatched[0])};"
            " expected both on the same tape (equal split, seed and episodes)"
        )
    return interval(left.to_numpy() - right.to_numpy(), level)


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
