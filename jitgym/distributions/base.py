"""What every distribution is: steps of one uniform, and what follows from them."""

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
"""A tail with less probability than this is part of the step beside it."""

MOST_STEPS = 1_000_000
"""More different values than this are refused rather than tabulated."""

SPLITS = ("train", "tune", "validate", "test")

LARGEST = 1e15
"""No number of a document is larger: sums and squares stay finite, whole numbers exact."""

LARGEST_SEED = 2**62
"""Nor is a whole number that only names something, such as a seed."""

LEAST_POSITIVE = 1e-12
"""Nor is what something is divided by, such as a lot, smaller."""

LEAST_TRACE = 1e-100
"""Nor is any other number, outside of distributions, that is not 0: its inverse stays finite."""


def _divides(value: float) -> float:
    if value < LEAST_POSITIVE:
        raise ValueError(f"is {value!r}; expected at least {LEAST_POSITIVE:g}")
    return value


Nonnegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_divides)]
Probability = Annotated[float, Field(ge=0, le=1)]
Whole = Annotated[int, Field(ge=0, le=int(LARGEST))]


class Part(BaseModel):
    """A part of a scenario: frozen, without unknown keys, without silent conversions.

    Every number in it, whatever field it stands in, is finite and at most `LARGEST` in size.
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
        """Return a copy without what was computed of the original and kept."""
        copy = super().model_copy(update=update, deep=deep)
        for name in copy.__dict__.keys() - type(self).model_fields.keys():
            del copy.__dict__[name]
        return copy


def _power_of_ten(number: int) -> str:
    """A whole number that may have more digits than a float can count."""
    return f"about {'-' if number < 0 else ''}10^{round(math.log10(2) * number.bit_length())}"


def expect_finite(value: object, least: float, *place: str | int) -> None:
    """Raise PlacedError for the first number that is too large or too small to reckon with.

    Parts are left out: they have looked at their own numbers.
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
    """What all distributions share; a subclass states its parameters and `_tabulate`."""

    least: ClassVar[float] = 0.0
    distribution: str

    def __eq__(self, other: object) -> bool:
        # By parameters: pydantic would compare the cached arrays first.
        return type(self) is type(other) and all(
            getattr(self, name) == getattr(other, name) for name in type(self).model_fields
        )

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in type(self).model_fields)))

    def _tabulate(self) -> tuple[Floats, Floats]:
        """Values and the ends of their steps, computed once by `table`."""
        raise NotImplementedError

    def _times(self, factor: float) -> Distribution:
        """The same kind of distribution with `factor` (above 0) times its mean; see `scaled`."""
        raise PlacedError(f"{self.distribution} demand cannot be multiplied; expected another kind")

    def parameters(self) -> dict[str, Any]:
        """What it is made of, by the names that are written."""
        fields = type(self).model_fields
        return {about.alias or name: getattr(self, name) for name, about in fields.items()}

    @cached_property
    def table(self) -> tuple[Floats, Floats]:
        """The arrays of `steps`, read-only."""
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
        """(representative u, probability) of each step; u is the step's middle."""
        _, ends = self.table
        begins = np.concatenate(([0.0], ends[:-1]))
        middles = (begins + ends) / 2
        inside = np.where(middles < ends, middles, begins)  # a step may be one rounding error wide
        return list(zip(inside.tolist(), (ends - begins).tolist(), strict=True))

    def pmf(self) -> tuple[Floats, Floats]:
        """Support (n,), ascending, and its probabilities (n,)."""
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
        """Mean of the values as they are drawn."""
        support, probabilities = self.pmf()
        return math.fsum(support * probabilities)

    @cached_property
    def variance(self) -> float:
        """Variance of the values as they are drawn."""
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
        # The name is a default, which compact output leaves out; without it nothing can be read.
        return {"distribution": self.distribution, **handler(self)}
