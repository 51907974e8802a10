"""Distributions as step functions of one uniform number.

A distribution is ``u -> value`` for u in [0, 1): value i holds while u lies in
[ends[i-1], ends[i]). The simulator feeds it the tape's uniforms, the exact solver its atoms, and
its mean, variance and probabilities are those of the values as they are drawn, after rounding and
cutting. Quantities are units of an item, lead times are periods.

>>> Poisson(mean=5).quantile(0.5)
5.0
>>> Finite(values=(4, 2), probabilities=(0.25, 0.75)).atoms()
[(0.375, 0.75), (0.875, 0.25)]
"""

from __future__ import annotations

import csv
import datetime
import math
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from jitgym.errors import PlacedError, ScenarioError

Floats = NDArray[np.float64]

SMALLEST = 1e-16
"""A tail with less probability than this is part of the step beside it."""

MOST_STEPS = 1_000_000
"""More different values than this are refused rather than tabulated."""

SPLITS = ("train", "tune", "validate", "test")

Nonnegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A part of a scenario: frozen, without unknown keys, without silent conversions."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, serialize_by_alias=True
    )


class Distribution(Part):
    """What all distributions share; a subclass states its parameters and `_tabulate`."""

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
    low: Annotated[int, Field(ge=0)]
    high: Annotated[int, Field(ge=0)]

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
    trials: Annotated[int, Field(ge=0)]
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


class Event(Distribution):
    """1 when this event of a clock happens in the period, else 0.

    The events of one clock share its uniform in proportion to their rates, in the order written:
    exactly one of them happens a period (uniformization of a continuous-time chain). An event
    knows its share once the scenario has placed it.
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
        """The share [low, high) of the clock's uniform; raises ValueError before it is placed."""
        if self._interval is None:
            raise ValueError(f"an event of clock {self.clock!r} has no share of it yet")
        return self._interval

    def _tabulate(self) -> tuple[Floats, Floats]:
        low, high = self.interval
        return np.array([0.0, 1.0, 0.0]), np.array([low, high, 1.0])


class PartOf(Distribution):
    """The part of a stream of requests that goes to one demand, such as a variant or a region.

    The parts of a stream are drawn together, by successive conditional binomials, so that they add
    up to it. A part knows its stream once the scenario has placed it.
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

    From period to period a regime stays with the chance `stay`, else one of the others follows,
    each with equal chance. `seen` says whether the decision maker sees it. As a distribution it is
    the stationary mixture.
    """

    distribution: Literal["regimes"] = "regimes"
    regimes: dict[str, AnyDistribution]
    stay: dict[str, Probability]
    seen: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.regimes) < 2:
            raise PlacedError(f"has {len(self.regimes)}; expected at least 2", "regimes")
        if set(self.stay) != set(self.regimes):
            raise PlacedError(f"expected a chance for each of {', '.join(self.regimes)}", "stay")
        if sum(chance == 1 for chance in self.stay.values()) > 1:
            raise PlacedError("two regimes are never left; expected one at most", "stay")
        for name, distribution in self.regimes.items():
            if isinstance(distribution, Event):
                raise PlacedError(
                    "a regime's demand has no clock; expected another distribution", "regimes", name
                )
        return self

    @cached_property
    def transitions(self) -> Floats:
        """Chance of each regime after each, (regimes, regimes)."""
        stay = np.array([self.stay[name] for name in self.regimes])
        others = (1.0 - stay) / (stay.size - 1)
        chances = np.repeat(others[:, np.newaxis], stay.size, axis=1)
        np.fill_diagonal(chances, stay)
        return chances

    @cached_property
    def stationary(self) -> Floats:
        """Long-run share of each regime, (regimes,)."""
        count = len(self.regimes)
        equations = np.vstack([self.transitions.T - np.eye(count), np.ones(count)])
        shares = np.linalg.lstsq(equations, np.append(np.zeros(count), 1.0), rcond=None)[0]
        return np.asarray(np.clip(shares, 0.0, 1.0))

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
    """Nothing in most periods: a demand comes with a probability, and has a quantity then."""

    distribution: Literal["intermittent"] = "intermittent"
    probability: Probability
    quantity: AnyDistribution

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if isinstance(self.quantity, Event):
            raise PlacedError("an intermittent quantity has no clock; expected another", "quantity")
        return self

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

    The level L ~ gamma with this mean and standard deviation, and the demand of the period with
    share s_k is Poisson(L s_k). Nobody sees L; what is known of it is the demand so far, so that
    a period's demand is drawn from its posterior predictive, a negative binomial (Fisher and Raman
    1996 make the same use of early sales). Periods before `first` and after the last share have
    none. As a distribution it is that of a period with a mean share.
    """

    distribution: Literal["life-cycle"] = "life-cycle"
    mean: Positive  # units over the whole life
    standard_deviation_of_level: Positive
    shares: Annotated[tuple[Nonnegative, ...], Field(strict=False, min_length=1)]
    first: Annotated[int, Field(ge=0)] = 0  # period of the first share

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if abs(math.fsum(self.shares) - 1.0) > 1e-6:
            raise PlacedError(f"sum to {math.fsum(self.shares):g}; expected 1", "shares")
        return self

    @property
    def shape(self) -> float:
        """Shape of the gamma distribution of the level."""
        return float((self.mean / self.standard_deviation_of_level) ** 2)

    def _tabulate(self) -> tuple[Floats, Floats]:
        mean = self.mean / (self.first + len(self.shares))
        return NegativeBinomial(mean=mean, size=self.shape).steps()


class Split(Part):
    """Which records belong to a split, first and last date included.

    With `block` 0 they are replayed in order, else episodes are drawn from them in moving blocks
    of that many periods.
    """

    first: datetime.date = Field(alias="from")
    last: datetime.date = Field(alias="to")
    block: int = Field(default=0, ge=0)


class Splits(Part):
    """Dates of each split; those left out use the training dates."""

    train: Split
    tune: Split | None = None
    validate_: Split | None = Field(default=None, alias="validate")
    test: Split | None = None

    def of(self, split: str) -> Split:
        """The dates of one of `SPLITS`."""
        stated = {"tune": self.tune, "validate": self.validate_, "test": self.test}.get(split)
        return stated or self.train


class Recorded(Distribution):
    """Recorded quantities of one item, from a CSV with the columns `date,item,quantity`.

    The file is looked for beside the scenario, then among the series that come with the catalog.
    One row is one period; days without a row do not exist. As a distribution it is the empirical
    one of the training dates.
    """

    distribution: Literal["recorded"] = "recorded"
    file: str
    item: str
    splits: Splits
    scale: Positive = 1.0  # what every record is multiplied with, rounded to whole units
    _series: dict[str, Floats] = PrivateAttr(default_factory=dict)

    @field_validator("file")
    @classmethod
    def _found(cls, file: str, info: ValidationInfo) -> str:
        folder = Path((info.context or {}).get("folder", "."))
        if (folder / file).is_file():
            path = (folder / file).resolve()
            return path.name if path.parent == _shipped() else str(path)
        if (_shipped() / file).is_file():
            return file
        raise ValueError(f"no such file {str(folder / file)!r}; expected a CSV date,item,quantity")

    @model_validator(mode="after")
    def _read(self) -> Self:
        records = _records(_shipped() / self.file, self.item)
        for name in SPLITS:
            self._series[name] = self._cut_out(records, name)
        return self

    def _cut_out(self, records: dict[datetime.date, float], name: str) -> Floats:
        split = self.splits.of(name)
        series = [records[d] for d in sorted(records) if split.first <= d <= split.last]
        if not series:
            raise PlacedError(
                f"no rows from {split.first} to {split.last}; the records of {self.item!r} run "
                f"from {min(records)} to {max(records)}; expected dates among them",
                "splits",
                name,
            )
        if split.block > len(series):
            raise PlacedError(
                f"is {split.block}; expected at most the {len(series)} rows of the split",
                "splits",
                name,
                "block",
            )
        array = np.array(series, dtype=np.float64)
        if self.scale != 1.0:
            array = np.floor(array * self.scale + 0.5)
        array.setflags(write=False)
        return array

    def series(self, split: str) -> Floats:
        """Quantities (n,) of a split, in the order of their dates."""
        return self._series[split]

    def block(self, split: str) -> int:
        """Length of the moving blocks that a split's episodes are drawn in; 0: replayed."""
        return self.splits.of(split).block

    def _tabulate(self) -> tuple[Floats, Floats]:
        values, counts = np.unique(self.series("train"), return_counts=True)
        return values, np.cumsum(counts) / float(counts.sum())


def _shipped() -> Path:
    """Folder of the series that come with the catalog."""
    return Path(__file__).resolve().parent / "catalog"


COLUMNS = ("date", "item", "quantity")


def _records(path: Path, item: str) -> dict[datetime.date, float]:
    """Date -> quantity of one item; every row of the file is checked.

    Raises ScenarioError with the file and line of what is wrong.
    """
    found: dict[datetime.date, float] = {}
    items: dict[str, None] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            _check_columns(path, reader.fieldnames or ())
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                date, quantity = _date(where, row["date"]), _quantity(where, row["quantity"])
                items[row["item"]] = None
                if row["item"] != item:
                    continue
                if date in found:
                    raise ScenarioError(f"{where}: a second row of {item!r} on {date}; expected 1")
                found[date] = quantity
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScenarioError(f"{path}: cannot be read ({error}); expected a CSV file") from None
    if not found:
        raise PlacedError(f"{item!r} is not in {path.name}; expected one of {_few(items)}", "item")
    return found


def _check_columns(path: Path, columns: tuple[str, ...] | list[str] | Any) -> None:
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise ScenarioError(
            f"{path}, line 1: missing column {', '.join(map(repr, missing))}; "
            "expected the columns date,item,quantity"
        )


def _date(where: str, text: str | None) -> datetime.date:
    try:
        return datetime.date.fromisoformat((text or "").strip())
    except ValueError:
        raise ScenarioError(f"{where}: date is {text!r}; expected YYYY-MM-DD") from None


def _quantity(where: str, text: str | None) -> float:
    try:
        quantity = float(text or "")
    except ValueError:
        quantity = math.nan
    if not (math.isfinite(quantity) and quantity >= 0):
        raise ScenarioError(f"{where}: quantity is {text!r}; expected a number of at least 0")
    return quantity


def _few(names: dict[str, None], most: int = 12) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def _number_is_deterministic(given: object) -> object:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return {"distribution": "deterministic", "value": given}
    return given


_Listed = (
    Deterministic
    | Poisson
    | Geometric
    | NegativeBinomial
    | Uniform
    | Gamma
    | Normal
    | Binomial
    | Finite
    | Event
    | Intermittent
)

AnyDistribution = Annotated[
    Annotated[_Listed, Field(discriminator="distribution")],
    BeforeValidator(_number_is_deterministic),
]
"""Any distribution by its name, or a number."""

DemandDistribution = Annotated[
    Annotated[
        _Listed | Recorded | PartOf | Regimes | LifeCycle, Field(discriminator="distribution")
    ],
    BeforeValidator(_number_is_deterministic),
]
"""Any distribution by its name, recorded quantities, or a number."""


LEAST_TAIL = 1e-9
"""Ages that fewer orders than this share would reach are left out of a hazard."""


def hazard(lead_time: Distribution) -> Floats:
    """Hazard h (Lmax + 1,) of a lead time L: h[a] = P(L = a | L >= a); h[Lmax] = 1.

    A tail below 1e-9 is cut off: there, differences of probabilities are rounding error. Raises
    ValueError for lead times that are not whole periods.

    >>> hazard(Uniform(low=2, high=4)).round(3).tolist()
    [0.0, 0.0, 0.333, 0.5, 1.0]
    """
    support, probabilities = lead_time.pmf()
    if np.any(support != np.floor(support)):
        raise ValueError("a lead time counts whole periods")
    mass = np.zeros(int(support[-1]) + 1)
    mass[support.astype(np.int64)] = probabilities
    alive = np.cumsum(mass[::-1])[::-1]
    alive = alive[alive >= LEAST_TAIL]
    rates = np.minimum(mass[: len(alive)] / alive, 1.0)
    rates[-1] = 1.0
    return rates


def is_monotone(rates: Floats) -> bool:
    """Whether a hazard never decreases (Kaplan 1970: orders then cannot cross)."""
    return bool(np.all(np.diff(rates) >= -1e-6))


def scaled(distribution: Distribution, factor: float) -> Distribution:
    """A distribution of the same kind with `factor` times its mean; 0 where that is 0."""
    if factor == 0.0:
        return Deterministic(value=0.0)
    if isinstance(distribution, Deterministic):
        return Deterministic(value=distribution.value * factor)
    given = distribution.model_dump()
    # Validated anew: a copy would keep the table of steps that was computed for the old mean.
    return type(distribution).model_validate(given | {"mean": given["mean"] * factor})


for _nested in (Regimes, Intermittent):
    _nested.model_rebuild()
