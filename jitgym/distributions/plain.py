"""Distributions of one quantity, each period by itself."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_serializer, model_validator

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


class Deterministic(Distribution):
    """Always the same value. In a scenario a bare number means this."""

    distribution: Literal["deterministic"] = "deterministic"
    value: Nonnegative

    def _tabulate(self) -> tuple[Floats, Floats]:
        return np.array([self.value], dtype=np.float64), np.ones(1)

    @model_serializer(mode="plain")
    def _number(self) -> float:
        return self.value


class Counts(Distribution):
    """Whole numbers from 0 on, by their distribution function and its complement."""

    def _below(self, k: Floats) -> Floats:
        """P(K <= k)."""
        raise NotImplementedError

    def _above(self, k: Floats) -> Floats:
        """P(K > k), exact where it is small."""
        raise NotImplementedError

    def _reach(self) -> float:
        """A first guess of the largest value that matters."""
        raise NotImplementedError

    def _tabulate(self) -> tuple[Floats, Floats]:
        size = int(self._reach()) + 32
        while size <= MOST_STEPS:
            k = np.arange(size, dtype=np.float64)
            above = self._above(k)
            if above[-1] < SMALLEST:
                return _cut(k, self._below(k), above)
            size *= 2
        raise PlacedError(f"spreads over more than {MOST_STEPS:,} values; expected fewer")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _ = self.table  # refused here, where its place is known
        return self


def _cut(k: Floats, below: Floats, above: Floats) -> tuple[Floats, Floats]:
    """Steps from the first to the last value that matters; each end from its smaller tail."""
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
    """Negative binomial counts: variance = mean + mean^2 / size."""

    distribution: Literal["negative-binomial"] = "negative-binomial"
    mean: Nonnegative
    size: Positive

    def _below(self, k: Floats) -> Floats:
        from scipy.special import betainc

        share = self.size / (self.size + self.mean)
        return np.asarray(betainc(self.size, k + 1, share), dtype=np.float64)

    def _above(self, k: Floats) -> Floats:
        from scipy.special import betainc

        share = self.mean / (self.size + self.mean)
        return np.asarray(betainc(k + 1, self.size, share), dtype=np.float64)

    def _reach(self) -> float:
        return self.mean + 9 * math.sqrt(self.mean + self.mean**2 / self.size)


class Uniform(Distribution):
    """Whole numbers from low to high, all equally likely."""

    distribution: Literal["uniform"] = "uniform"
    low: Whole
    high: Whole

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise PlacedError(f"is {self.high}; expected at least low, which is {self.low}", "high")
        if self.high - self.low >= MOST_STEPS:
            raise PlacedError(f"spreads over more than {MOST_STEPS:,} values", "high")
        return self

    def _tabulate(self) -> tuple[Floats, Floats]:
        values = np.arange(self.low, self.high + 1, dtype=np.float64)
        return values, np.arange(1, len(values) + 1) / len(values)


class Gamma(Counts):
    """Gamma with a mean and a coefficient of variation, rounded to the nearest whole number."""

    distribution: Literal["gamma"] = "gamma"
    mean: Positive
    cv: Positive

    def _below(self, k: Floats) -> Floats:
        from scipy.special import gammainc

        shape = self.cv**-2
        return np.asarray(gammainc(shape, (k + 0.5) * shape / self.mean), dtype=np.float64)

    def _above(self, k: Floats) -> Floats:
        from scipy.special import gammaincc

        shape = self.cv**-2
        return np.asarray(gammaincc(shape, (k + 0.5) * shape / self.mean), dtype=np.float64)

    def _reach(self) -> float:
        return self.mean * (1 + 9 * self.cv)


class Normal(Counts):
    """Normal, rounded to the nearest whole number; what would be negative is 0."""

    distribution: Literal["normal"] = "normal"
    mean: Nonnegative
    # Another name inside, because `standard_deviation` is that of the values as they are drawn.
    spread: Positive = Field(alias="standard_deviation")

    def _below(self, k: Floats) -> Floats:
        from scipy.special import ndtr

        return np.asarray(ndtr((k + 0.5 - self.mean) / self.spread), dtype=np.float64)

    def _above(self, k: Floats) -> Floats:
        from scipy.special import ndtr

        return np.asarray(ndtr((self.mean - k - 0.5) / self.spread), dtype=np.float64)

    def _reach(self) -> float:
        return self.mean + 9 * self.spread


class Binomial(Counts):
    """Successes in a number of trials."""

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


class Finite(Distribution):
    """Any finite distribution: values (in any order) and their probabilities."""

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
        return self

    def _tabulate(self) -> tuple[Floats, Floats]:
        values, which = np.unique(np.array(self.values, dtype=np.float64), return_inverse=True)
        ends = np.cumsum(np.bincount(which, weights=np.array(self.probabilities)))
        ends = np.minimum(ends / ends[-1], 1.0)
        # A value without probability at the end must not take the rounding of the sum.
        ends[np.nonzero(np.diff(ends, prepend=0.0))[0][-1] :] = 1.0
        return values, ends


def scaled(distribution: Distribution, factor: float) -> Distribution:
    """A distribution of the same kind with `factor` times its mean; 0 where that is 0."""
    if factor == 0.0:
        return Deterministic(value=0.0)
    if isinstance(distribution, Deterministic):
        return Deterministic(value=distribution.value * factor)
    given = distribution.model_dump()
    # Validated anew: a copy would keep the table of steps that was computed for the old mean.
    return type(distribution).model_validate(given | {"mean": given["mean"] * factor})
