"""The base of every distribution: a step function of one uniform, its moments and quantiles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from jitgym.errors import PlacedError

Floats = NDArray[np.float64]

SMALLEST = 1e-16
"""A tail with less probability than this is merged into the step beside it."""

MOST_STEPS = 1_000_000
"""A distribution with more different values than this is refused."""

SPLITS = ("train", "tune", "validate", "test")

LARGEST = 1e15
"""The largest number in a document: sums and squares stay finite, whole numbers stay exact."""

LARGEST_SEED = 2**62
"""The largest whole number that only names something, such as a seed."""

LEAST_POSITIVE = 1e-12
"""The smallest number that others are divided by, such as a lot size."""

LEAST_TRACE = 1e-100
"""The smallest other number, except 0, outside of distributions: its inverse stays finite."""


def _divides(value: float) -> float:
    if value < LEAST_POSITIVE:
        raise ValueError(f"is {value!r}; expected at least {LEAST_POSITIVE:g}")
    return value


Nonnegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_divides)]
Probability = Annotated[float, Field(ge=0, le=1)]
Whole = Annotated[int, Field(ge=0, le=int(LARGEST))]


class Part(BaseModel):
    """A part of a scenario. It is frozen, refuses unknown keys, and converts nothing silently.

    Every number in it, in any field, is finite and at most `LARGEST` in size.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, serialize_by_alias=True
    )

    least: ClassVar[float] = LEAST_TRACE

    @model_validator(mode="after")
    def _numbers_are_finite(self) -> Self:
        for name, about in type(self).model_fields.items():
            expect_finite(getattr(self, name), self.least, about.alias or name)
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy without the cached values of the original."""
        copy = super().model_copy(update=update, deep=deep)
        for name in copy.__dict__.keys() - type(self).model_fields.keys():
            del copy.__dict__[name]
        return copy


def _power_of_ten(number: int) -> str:
    """The size of a whole number that may be too large for a float."""
    return f"about {'-' if number < 0 else ''}10^{round(math.log10(2) * number.bit_length())}"


def expect_finite(value: object, least: float, *place: str | int) -> None:
    """Raise PlacedError for the first number that is too large or too small to compute with.

    Parts are skipped: each part checks its own numbers.
    """
    if isinstance(value, float | int):
        if not abs(value) <= (LARGEST if isinstance(value, float) else LARGEST_SEED):
            shown = repr(value) if isinstance(value, float) else _power_of_ten(value)
            raise PlacedError(
                f"is {shown}; expected a finite number of at most {LARGEST:g}", *place
            )
        if 0 < abs(value) < least:
            raise PlacedError(f"is {value!r}; expected 0, or at least {least:g}", *place)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            expect_finite(inner, least, *place, key)
    elif isinstance(value, list | tuple):
        for position, inner in enumerate(value):
            expect_finite(inner, least, *place, position)


class Distribution(Part):
    """The base class of all distributions; a subclass has its parameters and `_tabulate`."""

    least: ClassVar[float] = 0.0
    distribution: str

    def __eq__(self, other: object) -> bool:
        # Compare parameters only: pydantic would compare the cached arrays first.
        return type(self) is type(other) and all(
            getattr(self, name) == getattr(other, name) for name in type(self).model_fields
        )

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in type(self).model_fields)))

    def _tabulate(self) -> tuple[Floats, Floats]:
        """Values and the ends of their steps; `table` computes them once."""
        raise NotImplementedError

    def _times(self, factor: float) -> Distribution:
        """A distribution of the same kind with `factor` (above 0) times the mean; see `scaled`."""
        raise PlacedError(f"{self.distribution} demand cannot be multiplied; expected another kind")

    def parameters(self) -> dict[str, Any]:
        """The parameters, by the names that a document uses."""
        fields = type(self).model_fields
        return {about.alias or name: getattr(self, name) for name, about in fields.items()}

    @cached_property
    def table(self) -> tuple[Floats, Floats]:
        """The arrays of `steps`; they are read-only."""
        values, ends = self._tabulate()
        begins = np.concatenate(([0.0], ends[:-1]))
        kept = ends > begins
        values, ends = values[kept], ends[kept]
        values.setflags(write=False)
        ends.setflags(write=False)
        return values, ends

    def steps(self) -> tuple[Floats, Floats]:
        """Values (n,) and ends (n,): value i holds for u in [ends[i-1], ends[i]).

        Ends increase strictly and the last one is 1; values ascend, except for `Event`.
        """
        return self.table

    @overload
    def quantile(self, u: float) -> float: ...
    @overload
    def quantile(self, u: Floats) -> Floats: ...
    def quantile(self, u: ArrayLike) -> float | Floats:
        """The value at uniform u, of u's shape; u = 1 gives the last step's value."""
        values, ends = self.table
        at = np.searchsorted(ends, np.asarray(u, dtype=np.float64), side="right")
        drawn = values[np.minimum(at, len(values) - 1)]
        return float(drawn) if drawn.ndim == 0 else drawn

    def atoms(self) -> list[tuple[float, float]]:
        """(representative u, probability) of each step; u is the middle of the step."""
        _, ends = self.table
        begins = np.concatenate(([0.0], ends[:-1]))
        middles = (begins + ends) / 2
        inside = np.where(middles < ends, middles, begins)  # a step may be one rounding error wide
        return list(zip(inside.tolist(), (ends - begins).tolist(), strict=True))

    def pmf(self) -> tuple[Floats, Floats]:
        """The support (n,), ascending, and its probabilities (n,)."""
        values, ends = self.table
        support, which = np.unique(values, return_inverse=True)
        probabilities = np.bincount(which, weights=np.diff(ends, prepend=0.0))
        return support, probabilities.astype(np.float64)

    @overload
    def cdf(self, x: float) -> float: ...
    @overload
    def cdf(self, x: Floats) -> Floats: ...
    def cdf(self, x: ArrayLike) -> float | Floats:
        """P(value <= x), of x's shape."""
        support, probabilities = self.pmf()
        below = np.concatenate(([0.0], np.minimum(np.cumsum(probabilities), 1.0)))
        at = below[np.searchsorted(support, np.asarray(x, dtype=np.float64), side="right")]
        return float(at) if at.ndim == 0 else at

    @cached_property
    def expectation(self) -> float:
        """Mean of the values that are drawn."""
        support, probabilities = self.pmf()
        return math.fsum(support * probabilities)

    @cached_property
    def variance(self) -> float:
        """Variance of the values that are drawn."""
        support, probabilities = self.pmf()
        return math.fsum((support - self.expectation) ** 2 * probabilities)

    @property
    def standard_deviation(self) -> float:
        """Square root of the variance."""
        return math.sqrt(self.variance)

    @property
    def support_max(self) -> float:
        """The largest value that can be drawn."""
        return float(self.table[0].max())

    @model_serializer(mode="wrap")
    def _named(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any] | float:
        # The name is a default, which compact output omits, but reading needs it.
        return {"distribution": self.distribution, **handler(self)}
