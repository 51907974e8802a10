"""Distributions of one quantity that is independent from period to period.

The mean of the values that are drawn equals the mean that is written. Otherwise the distribution is
refused, and the error states the mean that would be drawn. When a distribution is multiplied
(`scaled`, by a pattern, a season or `demand_scale`), it keeps its kind, and its mean is multiplied
exactly. The docstring of each kind says what else stays the same.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_serializer, model_validator

from jitgym import units
from jitgym.errors import PlacedError

from .base import (
    MOST_STEPS,
    SMALLEST,
    Distribution,
    Floats,
    Nonnegative,
    Positive,
    Probability,
    Whole,
)

TOLERANCE = 0.01
"""A distribution is refused if the mean that is drawn is off by more than this share."""

NEGLIGIBLE = 1e-12
"""Units per period; a difference of two means below this does not count."""

UNBIASED = 0.001
"""Rounding to the nearest may change a mean by this share; beyond it, the steps are moved."""

LARGEST_SIZE = 1e9
"""A negative binomial with a larger size is drawn as its limit, a Poisson distribution.

The variances differ by the share mean / size. Incomplete beta functions lose digits for such sizes.
"""


class Deterministic(Distribution):
    """Always the same value. A plain number in a scenario means this."""

    distribution: Literal["deterministic"] = "deterministic"
    value: Nonnegative

    def _tabulate(self) -> tuple[Floats, Floats]:
        return np.array([self.value], dtype=np.float64), np.ones(1)

    def _times(self, factor: float) -> Distribution:
        return made(Deterministic, value=self.value * factor)

    @model_serializer(mode="plain")
    def _number(self) -> float:
        return self.value


class Counts(Distribution):
    """Whole numbers from 0 on, given by their distribution function and its complement."""

    def _below(self, k: Floats) -> Floats:
        """P(K <= k)."""
        raise NotImplementedError

    def _above(self, k: Floats) -> Floats:
        """P(K > k), accurate where it is small."""
        raise NotImplementedError

    def _reach(self) -> float:
        """A first guess of the largest value with a probability that matters."""
        raise NotImplementedError

    @property
    def written(self) -> float:
        """The mean as it is written."""
        mean: float = getattr(self, "mean")  # noqa: B009  (the subclass has it)
        return mean

    def _times(self, factor: float) -> Distribution:
        return made(type(self), **self.parameters() | {"mean": self.written * factor})

    def _tabulate(self) -> tuple[Floats, Floats]:
        k, above = self._range()
        return _cut(k, self._below(k), above)

    def _range(self) -> tuple[Floats, Floats]:
        """Whole numbers k (n,) up to the last one that matters, and P(K > k) of each."""
        size = int(min(self._reach(), MOST_STEPS)) + 32
        while size <= MOST_STEPS:
            k = np.arange(size, dtype=np.float64)
            above = self._above(k)
            if above[-1] < SMALLEST:
                return k, above
            size *= 2
        raise PlacedError(f"spreads over more than {MOST_STEPS:,} values; expected fewer")

    @model_validator(mode="after")
    def _drawn_as_written(self) -> Self:
        # Make the table here, so that an error names the place in the document.
        check_mean(self.expectation, self.written)
        return self


def check_mean(drawn: float, written: float) -> None:
    """Raise PlacedError unless the mean that is drawn is the mean that is written."""
    if not abs(drawn - written) <= TOLERANCE * written + NEGLIGIBLE:
        raise PlacedError(
            f"is written with mean {written:g} but would be drawn with mean {drawn:g}; expected "
            "parameters that can be drawn, or a finite distribution"
        )


def _cut(k: Floats, below: Floats, above: Floats) -> tuple[Floats, Floats]:
    """Steps from the first to the last value that matters; each end is cut by its smaller tail."""
    first = int(np.argmax(below >= SMALLEST))
    last = int(np.argmax(above < SMALLEST))
    ends = np.where(below < 0.5, below, 1.0 - above)[first : last + 1]
    ends[-1] = 1.0
    return k[first : last + 1], np.maximum.accumulate(ends)


class Poisson(Counts):
    """Poisson counts with the given mean."""

    distribution: Literal["poisson"] = "poisson"
    mean: Nonnegative

    def _below(self, k: Floats) -> Floats:
        from scipy.special import pdtr

        return np.asarray(pdtr(k, self.mean), dtype=np.float64)

    def _above(self, k: Floats) -> Floats:
        from scipy.special import pdtrc

        return np.asarray(pdtrc(k, self.mean), dtype=np.float64)

    def _reach(self) -> float:
        return self.mean + 9 * math.sqrt(self.mean)


class Geometric(Counts):
    """Geometric counts from 0: P(K = k) = p (1 - p)^k with p = 1 / (1 + mean)."""

    distribution: Literal["geometric"] = "geometric"
    mean: Nonnegative

    def _log_above(self, k: Floats) -> Floats:
        if self.mean == 0:
            return np.full(len(k), -np.inf)
        return (k + 1) * -math.log1p(1 / self.mean)

    def _below(self, k: Floats) -> Floats:
        return -np.expm1(self._log_above(k))

    def _above(self, k: Floats) -> Floats:
        return np.exp(self._log_above(k))

    def _reach(self) -> float:
        return 37 * (self.mean + 1)


class NegativeBinomial(Counts):
    """Negative binomial counts: variance = mean + mean^2 / size.

    This is a Poisson distribution whose mean is itself gamma-distributed, with a coefficient of
    variation of 1 / sqrt(size). When multiplied, it keeps that coefficient and so its size.
    """

    distribution: Literal["negative-binomial"] = "negative-binomial"
    mean: Nonnegative
    size: Positive

    def _below(self, k: Floats) -> Floats:
        from scipy.special import betainc

        if self.size > LARGEST_SIZE:
            return self._limit()._below(k)
        share = self.size / (self.size + self.mean)
        return np.asarray(betainc(self.size, k + 1, share), dtype=np.float64)

    def _above(self, k: Floats) -> Floats:
        from scipy.special import betainc

        if self.size > LARGEST_SIZE:
            return self._limit()._above(k)
        share = self.mean / (self.size + self.mean)
        return np.asarray(betainc(k + 1, self.size, share), dtype=np.float64)

    def _reach(self) -> float:
        return self.mean + 9 * math.sqrt(self.mean + self.mean * (self.mean / self.size))

    def _limit(self) -> Poisson:
        return Poisson.model_construct(mean=self.mean)


class Uniform(Distribution):
    """Whole numbers from low to high, all equally likely.

    When multiplied, it stays uniform if both ends stay whole numbers. Otherwise it becomes a finite
    distribution with the multiplied values (see `Finite`).
    """

    distribution: Literal["uniform"] = "uniform"
    low: Whole
    high: Whole

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise PlacedError(f"is {self.high}; expected at least low, which is {self.low}", "high")
        if self.high - self.low >= MOST_STEPS:
            raise PlacedError(
                f"spreads over more than {MOST_STEPS:,} values; expected fewer", "high"
            )
        return self

    def _tabulate(self) -> tuple[Floats, Floats]:
        values = np.arange(self.low, self.high + 1, dtype=np.float64)
        return values, np.arange(1, len(values) + 1) / len(values)

    def _times(self, factor: float) -> Distribution:
        low, high = self.low * factor, self.high * factor
        if high > 0.5 and units.is_whole(low) and units.is_whole(high):
            return made(Uniform, low=round(low), high=round(high))
        return multiplied(*self.pmf(), factor)


class Rounded(Counts):
    """A continuous quantity in whole units, with the mean that is written.

    It is rounded to the nearest whole number, and 0 is drawn in place of a negative number. Where
    this changes the mean by more than .1 %, the quantity is first shifted by the amount that
    restores the mean. Small quantities need this (a gamma with mean .4 rarely exceeds one half),
    and so does a normal that is often negative.
    """

    def _inside(self, k: Floats, place: float | None) -> Floats:
        """P(K <= k) for steps at a place; None: halfway between whole numbers."""
        raise NotImplementedError

    def _beyond(self, k: Floats, place: float | None) -> Floats:
        """P(K > k) for steps at a place; None: halfway between whole numbers."""
        raise NotImplementedError

    def _places(self) -> tuple[float, float]:
        """One place of the steps where the mean is too large, and one where it is too small."""
        raise NotImplementedError

    def _below(self, k: Floats) -> Floats:
        return self._inside(k, self.place)

    def _above(self, k: Floats) -> Floats:
        return self._beyond(k, self.place)

    @cached_property
    def place(self) -> float | None:
        """The place of the steps; None where rounding to the nearest keeps the mean."""
        k = np.arange(int(min(self._reach(), MOST_STEPS)) + 32, dtype=np.float64)
        while self._beyond(k[-1:], None)[0] >= SMALLEST and k.size < MOST_STEPS:
            k = np.arange(2 * k.size, dtype=np.float64)

        def excess(place: float | None) -> float:
            return float(self._beyond(k, place).sum()) - self.written

        large, small = self._places()
        if abs(excess(None)) <= UNBIASED * self.written or not excess(large) > 0 > excess(small):
            return None
        from scipy.optimize import brentq  # slow to import, so only where it is needed

        return float(brentq(excess, large, small, xtol=1e-14, rtol=1e-14))


class Gamma(Rounded):
    """Gamma with a mean and a coefficient of variation, drawn in whole units with that mean.

    When multiplied, it keeps its coefficient of variation.
    """

    distribution: Literal["gamma"] = "gamma"
    mean: Positive
    cv: Annotated[float, Field(ge=1e-6, allow_inf_nan=False)]

    def _inside(self, k: Floats, place: float | None) -> Floats:
        from scipy.special import gammainc

        shape = 1 / self.cv / self.cv
        edge = k + (0.5 if place is None else place)
        return np.asarray(gammainc(shape, edge * shape / self.mean), dtype=np.float64)

    def _beyond(self, k: Floats, place: float | None) -> Floats:
        from scipy.special import gammaincc

        shape = 1 / self.cv / self.cv
        edge = k + (0.5 if place is None else place)
        return np.asarray(gammaincc(shape, edge * shape / self.mean), dtype=np.float64)

    def _places(self) -> tuple[float, float]:
        return 0.0, 1.0  # all rounded up, all rounded down

    def _reach(self) -> float:
        return self.mean * (1 + 9 * self.cv)


class Normal(Rounded):
    """Normal in whole units, 0 in place of a negative number, with the mean that is written.

    A normal demand that is often negative (its standard deviation is half its mean or more) is
    shifted to the left until the part above 0 has that mean. Its standard deviation is then smaller
    than the one that is written. A gamma or negative binomial suits such a demand better.

    When multiplied, its standard deviation is multiplied by the same factor as its mean, so that
    the coefficient of variation stays, as for a gamma. So a busy season is as irregular, in
    proportion, as a quiet one, and every factor cuts off the same share at 0. (If only the mean
    were multiplied, most of a quiet season would be cut off.)
    """

    distribution: Literal["normal"] = "normal"
    mean: Positive
    # The field has another name, because `standard_deviation` is that of the values drawn.
    spread: Positive = Field(alias="standard_deviation")

    def _deviations(self, k: Floats, place: float | None) -> Floats:
        """The place of the steps, in standard deviations from the middle."""
        with np.errstate(over="ignore"):  # far away is far away
            if place is None:
                return (k + 0.5 - self.mean) / self.spread
            return (k - math.floor(self.mean)) / self.spread + place

    def _inside(self, k: Floats, place: float | None) -> Floats:
        from scipy.special import ndtr

        return np.asarray(ndtr(self._deviations(k, place)), dtype=np.float64)

    def _beyond(self, k: Floats, place: float | None) -> Floats:
        from scipy.special import ndtr

        return np.asarray(ndtr(-self._deviations(k, place)), dtype=np.float64)

    def _places(self) -> tuple[float, float]:
        return -39.0, 39.0  # of the step at the mean, in standard deviations

    def _reach(self) -> float:
        return self.mean + 9 * self.spread

    def _times(self, factor: float) -> Distribution:
        return made(Normal, mean=self.mean * factor, standard_deviation=self.spread * factor)


class Binomial(Counts):
    """The number of successes in a number of trials.

    When multiplied, the number of trials is multiplied and rounded, and the probability corrects
    for the rounding. So the probability changes as little as whole trials allow.
    """

    distribution: Literal["binomial"] = "binomial"
    trials: Whole
    probability: Probability

    def _below(self, k: Floats) -> Floats:
        from scipy.special import bdtr

        n = self.trials
        return np.where(k >= n, 1.0, bdtr(np.minimum(k, n), n, self.probability))

    def _above(self, k: Floats) -> Floats:
        from scipy.special import bdtrc

        n = self.trials
        return np.where(k >= n, 0.0, bdtrc(np.minimum(k, n), n, self.probability))

    def _reach(self) -> float:
        return self.trials

    @property
    def written(self) -> float:
        """The mean as it is written."""
        return self.trials * self.probability

    def _times(self, factor: float) -> Distribution:
        mean = self.written * factor
        trials = max(int(units.whole_up(mean)), round(self.trials * factor), 1)
        return made(Binomial, trials=trials, probability=min(mean / trials, 1.0))


class Finite(Distribution):
    """Any finite distribution: values (in any order) and their probabilities.

    When multiplied, its values are multiplied. If all values are whole, whole units are drawn: a
    value that would be a fraction becomes the two whole numbers beside it, with probabilities that
    keep its mean.
    """

    distribution: Literal["finite"] = "finite"
    values: Annotated[tuple[Nonnegative, ...], Field(min_length=1, strict=False)]
    probabilities: Annotated[tuple[Probability, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if len(self.values) != len(self.probabilities):
            raise PlacedError(
                f"has {len(self.probabilities)} entries; expected one for each of the "
                f"{len(self.values)} values",
                "probabilities",
            )
        total = math.fsum(self.probabilities)
        if abs(total - 1) > 1e-9:
            raise PlacedError(f"sum to {total:.12g}; expected 1", "probabilities")
        with np.errstate(over="ignore", invalid="ignore"):
            written = float(np.dot(self.values, self.probabilities))
        if not math.isfinite(written):
            raise PlacedError("have no finite mean; expected smaller ones", "values")
        check_mean(self.expectation, written)
        return self

    def _tabulate(self) -> tuple[Floats, Floats]:
        values, which = np.unique(np.array(self.values, dtype=np.float64), return_inverse=True)
        ends = np.cumsum(np.bincount(which, weights=np.array(self.probabilities)))
        ends = np.minimum(ends / ends[-1], 1.0)
        # A last value with probability 0 must not receive the rounding error of the sum.
        ends[np.nonzero(np.diff(ends, prepend=0.0))[0][-1] :] = 1.0
        return values, ends

    def _times(self, factor: float) -> Distribution:
        return multiplied(np.array(self.values), np.array(self.probabilities), factor)


def multiplied(values: Floats, probabilities: Floats, factor: float) -> Distribution:
    """Values (n,) times a factor, with the multiplied mean; whole values stay whole.

    >>> multiplied(np.array([4.0]), np.array([1.0]), 1.25)
    Deterministic(distribution='deterministic', value=5.0)
    >>> multiplied(np.array([4.0]), np.array([1.0]), 1.125).pmf()
    (array([4., 5.]), array([0.5, 0.5]))
    """
    product = values * factor
    if np.any(values != np.floor(values)):
        return _finite(product, probabilities)
    below = units.whole(product)
    rest = np.where((below > 0) & units.is_whole(product), 0.0, product - below)
    support, which = np.unique(np.concatenate([below, below + 1]), return_inverse=True)
    weights = np.concatenate([probabilities * (1 - rest), probabilities * rest])
    return _finite(support, np.asarray(np.bincount(which, weights=weights), dtype=np.float64))


def _finite(values: Floats, probabilities: Floats) -> Distribution:
    values, probabilities = values[probabilities > 0], probabilities[probabilities > 0]
    if len(values) == 1:
        return made(Deterministic, value=float(values[0]))
    return made(Finite, values=tuple(values.tolist()), probabilities=tuple(probabilities.tolist()))


def made(kind: type[Distribution], **parameters: Any) -> Distribution:
    """A distribution with computed parameters; raises PlacedError if it cannot be drawn."""
    try:
        return kind.model_validate(parameters)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        told = fault.get("ctx", {}).get("error", fault["msg"])
        name = kind.model_fields["distribution"].default
        place = (*fault["loc"], *getattr(told, "place", ()))
        which = f"whose {'.'.join(map(str, place))}" if place else "that"
        raise PlacedError(f"leads to a {name} distribution {which} {told}") from None


def scaled(distribution: Distribution, factor: float) -> Distribution:
    """A distribution of the same kind with `factor` times the mean; always 0 if `factor` is 0.

    Raises PlacedError if the kind cannot be multiplied, or if another mean would be drawn.
    """
    if factor == 1.0:
        return distribution
    if factor == 0.0 or distribution.expectation == 0.0:
        return Deterministic(value=0.0)
    return distribution._times(factor)
