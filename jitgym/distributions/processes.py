"""Dependent quantities: events of a clock, parts of a stream, regimes, a life cycle."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, PrivateAttr, model_validator

from jitgym.errors import PlacedError

from .base import Distribution, Floats, Nonnegative, Positive, Probability
from .plain import LARGEST_SIZE, Binomial, NegativeBinomial, check_mean, made, scaled

if TYPE_CHECKING:
    AnyDistribution = Distribution  # the union of them all is in `named`, which knows these

MOST_REGIMES = 100
"""A demand with more regimes is refused: the transition matrix is tabulated."""

MOST_WAIT = 1_000_000
"""The largest number of periods before a life cycle begins."""


class Event(Distribution):
    """1 if this event of a clock happens in the period, else 0.

    The events of one clock share its uniform in proportion to their rates, in the order written.
    Exactly one of them happens per period (uniformization of a continuous-time chain). An event
    knows its share after the scenario has placed it.
    """

    distribution: Literal["event"] = "event"
    rate: Nonnegative
    clock: str
    _interval: tuple[float, float] | None = PrivateAttr(default=None)

    def placed(self, low: float, high: float) -> Event:
        """A copy that happens while the clock's uniform lies in [low, high)."""
        copy = Event(rate=self.rate, clock=self.clock)
        copy._interval = (low, high)
        return copy

    @property
    def interval(self) -> tuple[float, float]:
        """The share [low, high) of the clock's uniform; raises ValueError if not yet placed."""
        if self._interval is None:
            raise ValueError(f"an event of clock {self.clock!r} has no share of it yet")
        return self._interval

    def _tabulate(self) -> tuple[Floats, Floats]:
        low, high = self.interval
        return np.array([0.0, 1.0, 0.0]), np.array([low, high, 1.0])


class PartOf(Distribution):
    """The part of a stream of requests that goes to one demand, such as a variant or a region.

    The parts of a stream are drawn together, by successive conditional binomials, so that they add
    up to the stream. A part knows its stream after the scenario has placed it.
    """

    distribution: Literal["part-of"] = "part-of"
    stream: str
    share: Annotated[float, Field(gt=0, le=1)]
    _whole: Distribution | None = PrivateAttr(default=None)

    def placed(self, whole: Distribution) -> PartOf:
        """A copy that knows the distribution of its stream."""
        copy = PartOf(stream=self.stream, share=self.share)
        copy._whole = whole
        return copy

    def _tabulate(self) -> tuple[Floats, Floats]:
        if self._whole is None:
            raise ValueError(f"a part of stream {self.stream!r} does not know it yet")
        support, chances = self._whole.pmf()
        mass = np.zeros(int(support[-1]) + 1)
        for total, chance in zip(support.astype(int).tolist(), chances.tolist(), strict=True):
            values, ends = Binomial(trials=total, probability=self.share).steps()
            mass[values.astype(int)] += chance * np.diff(ends, prepend=0.0)
        ends = np.minimum(np.cumsum(mass), 1.0)
        ends[-1] = 1.0
        return np.arange(mass.size, dtype=np.float64), ends


class Regimes(Distribution):
    """Demand whose distribution depends on a regime that lasts (a Markov-modulated process).

    From one period to the next, a regime stays with probability `stay`; otherwise one of the others
    follows, all with equal probability. `seen` says whether the decision maker sees the regime. As
    a distribution it is the stationary mixture. When multiplied, each regime's distribution is
    multiplied.
    """

    distribution: Literal["regimes"] = "regimes"
    regimes: dict[str, AnyDistribution]
    stay: dict[str, Probability]
    seen: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.regimes) < 2:
            raise PlacedError(f"has {len(self.regimes)}; expected at least 2", "regimes")
        if len(self.regimes) > MOST_REGIMES:
            raise PlacedError(
                f"has {len(self.regimes)}; expected at most {MOST_REGIMES}", "regimes"
            )
        if set(self.stay) != set(self.regimes):
            raise PlacedError(
                f"expected a probability for each of {', '.join(self.regimes)}", "stay"
            )
        if sum(chance == 1 for chance in self.stay.values()) > 1:
            raise PlacedError("has two regimes that never end; expected at most one", "stay")
        for name, distribution in self.regimes.items():
            if isinstance(distribution, Event):
                raise PlacedError(
                    "is an event, but a regime has no clock; expected another distribution",
                    "regimes",
                    name,
                )
        means = np.array([distribution.expectation for distribution in self.regimes.values()])
        check_mean(self.expectation, float(means @ self.stationary))
        return self

    @cached_property
    def transitions(self) -> Floats:
        """Transition probabilities, from row to column, (regimes, regimes)."""
        stay = np.array([self.stay[name] for name in self.regimes])
        others = (1.0 - stay) / (stay.size - 1)
        chances = np.repeat(others[:, np.newaxis], stay.size, axis=1)
        np.fill_diagonal(chances, stay)
        return chances

    @cached_property
    def stationary(self) -> Floats:
        """Long-run share of each regime, (regimes,)."""
        # A regime lasts 1 / (1 - stay) periods on average; all others are equally likely next.
        leaves = np.array([1.0 - self.stay[name] for name in self.regimes])
        if leaves.min() == 0.0:
            return np.asarray(leaves == 0.0, dtype=np.float64)
        lasts = leaves.min() / leaves
        return np.asarray(lasts / lasts.sum(), dtype=np.float64)

    def _tabulate(self) -> tuple[Floats, Floats]:
        parts = [distribution.pmf() for distribution in self.regimes.values()]
        support = np.unique(np.concatenate([values for values, _ in parts]))
        mass = np.zeros(support.size)
        for share, (values, chances) in zip(self.stationary, parts, strict=True):
            mass[np.searchsorted(support, values)] += share * chances
        ends = np.minimum(np.cumsum(mass), 1.0)
        ends[-1] = 1.0
        return support, ends


class Intermittent(Distribution):
    """No demand in most periods: with a given probability, a demand of some quantity comes.

    When multiplied, its quantity is multiplied; it comes as often as before.
    """

    distribution: Literal["intermittent"] = "intermittent"
    probability: Probability
    quantity: AnyDistribution

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if isinstance(self.quantity, Event):
            raise PlacedError(
                "is an event, not a quantity; expected another distribution", "quantity"
            )
        check_mean(self.expectation, self.probability * self.quantity.expectation)
        return self

    def _times(self, factor: float) -> Distribution:
        return made(Intermittent, **self.parameters() | {"quantity": scaled(self.quantity, factor)})

    def _tabulate(self) -> tuple[Floats, Floats]:
        support, chances = self.quantity.pmf()
        values = np.unique(np.append(support, 0.0))
        mass = np.zeros(values.size)
        mass[np.searchsorted(values, support)] = self.probability * chances
        mass[0] += 1.0 - self.probability
        ends = np.minimum(np.cumsum(mass), 1.0)
        ends[-1] = 1.0
        return values, ends


class LifeCycle(Distribution):
    """Demand of a new product: an unknown level, spread over its life.

    The level L is gamma-distributed with this mean and standard deviation, and the demand of the
    period with share s_k is Poisson(L s_k). Nobody sees L; only the demand so far is known. So the
    demand of a period is drawn from its posterior predictive distribution, a negative binomial
    (Fisher and Raman 1996 use early sales in the same way). Periods before `first` and after the
    last share have no demand. As a distribution it is that of a period with the mean share.

    When multiplied, the level keeps its coefficient of variation: there is more demand, and the
    forecast is not more accurate.
    """

    distribution: Literal["life-cycle"] = "life-cycle"
    mean: Positive  # units over the whole life
    standard_deviation_of_level: Positive
    shares: Annotated[tuple[Nonnegative, ...], Field(strict=False, min_length=1)]
    first: Annotated[int, Field(ge=0, le=MOST_WAIT)] = 0  # period of the first share

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if abs(math.fsum(self.shares) - 1.0) > 1e-6:
            raise PlacedError(f"sum to {math.fsum(self.shares):g}; expected 1", "shares")
        try:
            drawn = self.expectation
        except PlacedError as error:
            raise PlacedError(
                f"is {self.standard_deviation_of_level:g}, with a mean of {self.mean:g}; this "
                f"{error}",
                "standard_deviation_of_level",
            ) from None
        check_mean(drawn, self._mean_of_a_period)
        return self

    @property
    def shape(self) -> float:
        """Shape of the gamma distribution of the level; limited where the level is almost known."""
        ratio = self.mean / self.standard_deviation_of_level
        return min(ratio * ratio, LARGEST_SIZE)

    @property
    def _mean_of_a_period(self) -> float:
        return self.mean / (self.first + len(self.shares))

    def _tabulate(self) -> tuple[Floats, Floats]:
        return made(NegativeBinomial, mean=self._mean_of_a_period, size=self.shape).steps()

    def _times(self, factor: float) -> Distribution:
        changed = {
            "mean": self.mean * factor,
            "standard_deviation_of_level": self.standard_deviation_of_level * factor,
        }
        return made(LifeCycle, **self.parameters() | changed)
