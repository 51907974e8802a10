"""Recorded quantities, and which of them each split may use."""

from __future__ import annotations

import datetime
import difflib
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from jitgym.errors import PlacedError

from . import record_file
from .base import SPLITS, Distribution, Floats, Part, Positive, Whole
from .plain import TOLERANCE, made
from .record_file import LARGEST, Records
from .spacing import Every, Spacing

Day = datetime.date | Whole
"""A date, or the number of a period if the file numbers its periods."""


class Split(Part):
    """The records that belong to a split, from the first to the last date, both included.

    With `block` 0 the records are replayed in order. Otherwise episodes are drawn from them in
    moving blocks of that many periods.
    """

    first: Day = Field(alias="from")
    last: Day = Field(alias="to")
    block: Whole = 0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if isinstance(self.first, int) != isinstance(self.last, int):
            raise PlacedError(
                "differs in kind from `from`; expected two dates or two periods", "to"
            )
        return self

    @property
    def days(self) -> tuple[int, int]:
        """Its first and last day, as numbers."""
        first, last = (
            day if isinstance(day, int) else day.toordinal() for day in (self.first, self.last)
        )
        return first, last


class Splits(Part):
    """The dates of each split; splits that are left out use the training dates.

    The dates of `test` belong to no other split, so that no policy is judged on its training data.
    """

    train: Split
    tune: Split | None = None
    validate_: Split | None = Field(default=None, alias="validate")
    test: Split | None = None

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for name, other in (
            ("train", self.train),
            ("tune", self.tune or self.train),
            ("validate", self.validate_ or self.train),
        ):
            if self.test is None:
                break
            later = max(self.test, other, key=lambda split: split.days[0])
            if later.days[0] <= min(self.test.days[1], other.days[1]):
                raise PlacedError(
                    f"shares dates with {name}, from {later.first} on; expected dates that no "
                    "other split has, or no test split at all, to judge on the training dates",
                    "test",
                )
        return self

    def of(self, split: str) -> Split:
        """The dates of one of `SPLITS`."""
        stated = {"tune": self.tune, "validate": self.validate_, "test": self.test}.get(split)
        return stated or self.train


class Recorded(Distribution):
    """Recorded quantities of one item, from a CSV with the columns `date,item,quantity`.

    The file is looked for beside the scenario, then among the series that come with the catalog.
    One row is one period, and every period from the first to the last date of each split has a row.
    A period without a row is an error, unless `missing: zero` says that it had no demand. Dates are
    written YYYY-MM-DD, or all as numbers of periods. The length of a period (day, week, month,
    quarter or year) follows from the dates of all items in the file, or is stated by `every`, which
    also accepts others (14 days, business day). Months begin on the same day of the month, or on
    its last day. Quantities are written with a decimal point and without separators of thousands.
    As a distribution it is the empirical distribution of the training dates.

    When multiplied, or with a `scale`, whole quantities stay whole: the rounding error is carried
    over to the next quantity that is not 0. So the mean is multiplied, and periods without demand
    stay without demand.
    """

    distribution: Literal["recorded"] = "recorded"
    file: str
    item: str
    splits: Splits
    missing: Literal["zero"] | None = None  # demand of a period without a row; None: it is an error
    every: Every | None = None  # week, 14 days, business day; None: from the dates
    scale: Positive = 1.0  # factor of every record
    _series: dict[str, Floats] = PrivateAttr(default_factory=dict)
    _first: dict[str, str] = PrivateAttr(default_factory=dict)
    _spacing: str = PrivateAttr(default="")

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
        records = record_file.read(_shipped() / self.file)
        if self.item not in records.items:
            near = difflib.get_close_matches(self.item, records.items, n=3, cutoff=0.8)
            known = _few(near or list(records.items))
            raise PlacedError(
                f"{self.item!r} is not in {records.path.name}; expected one of {known}", "item"
            )
        apart = records.spacing(self.item, self.every, self.missing)
        days = records.periods(apart)
        self._spacing = apart.name
        for name in SPLITS:
            self._series[name] = self._cut_out(records, apart, days, name)
        return self

    def _cut_out(self, records: Records, apart: Spacing, days: list[int], name: str) -> Floats:
        """The quantities of all periods of a split; raises an error where one is unknown."""
        split = self.splits.of(name)
        if isinstance(split.first, int) == records.dated:
            raise PlacedError(self._other_days(records, split), "splits", name)
        first, last = split.days
        low, high = bisect_left(days, first), bisect_right(days, last)
        rows = records.items[self.item]
        if low >= high or not any(day in rows for day in days[low:high]):
            raise PlacedError(
                f"has no rows from {split.first} to {split.last}; the records of {self.item!r} run "
                f"from {records.shown(min(rows))} to {records.shown(max(rows))}; expected dates "
                "between them",
                "splits",
                name,
            )
        self._check_ends(records, apart, name)
        gap = next((day for day in days[low:high] if day not in rows), None)
        if gap is not None and self.missing is None:
            raise records.missing(self.item, gap, apart)
        if split.block > high - low:
            raise PlacedError(
                f"is {split.block}; expected at most the {high - low} periods of the split",
                "splits",
                name,
                "block",
            )
        self._first[name] = records.shown(days[low])
        array = np.array([rows[day][0] if day in rows else 0.0 for day in days[low:high]])
        array = self._multiplied(array, name)
        array.setflags(write=False)
        return array

    def _other_days(self, records: Records, split: Split) -> str:
        day = records.days[0]
        if records.dated:
            return (
                f"begins at {split.first!r}, a number; expected dates, as in {records.path.name}, "
                f"such as {records.shown(day)}"
            )
        told = (
            f"begins at {split.first}, but the dates in {records.path.name} are numbers, such as "
            f"{day}; expected numbers of periods here, or dates YYYY-MM-DD in the file"
        )
        if 20_000 <= day <= 80_000:
            date = datetime.date(1899, 12, 30) + datetime.timedelta(days=day)
            told += f" (if {day} is Excel's number for {date}, format the column as yyyy-mm-dd)"
        return told

    def _check_ends(self, records: Records, apart: Spacing, name: str) -> None:
        """Raise PlacedError if a split begins before the file or ends after it."""
        first, last = self.splits.of(name).days
        begin, end = records.days[0], records.days[-1]
        count = apart.index(end)
        assert count is not None
        for key, far, near in (
            ("from", _outside(apart, -1), begin),
            ("to", _outside(apart, count + 1), end),
        ):
            if far is not None and (first <= far if key == "from" else last >= far):
                raise PlacedError(
                    f"has the period {records.shown(far)}, but the records in "
                    f"{records.path.name} run from {records.shown(begin)} to {records.shown(end)}; "
                    f"expected {key}: {records.shown(near).removeprefix('period ')}",
                    "splits",
                    name,
                    key,
                )

    def _multiplied(self, array: Floats, name: str) -> Floats:
        """The records times the scale; whole records stay whole, and rounding is carried over."""
        if array.max() * self.scale > LARGEST:
            raise PlacedError(
                f"raises {array.max():g} to {array.max() * self.scale:g}; expected at most "
                f"{LARGEST:g} per period",
                "scale",
            )
        if self.scale == 1.0 or np.any(array != np.floor(array)):
            return array * self.scale
        written = float(array.mean()) * self.scale
        whole = np.diff(np.floor(np.cumsum(array) * self.scale + 0.5), prepend=0.0)
        drawn = float(whole.mean())
        if abs(drawn - written) > TOLERANCE * written:
            raise PlacedError(
                f"times {self.scale:g}, split {name} has mean {written:g}, but would be drawn in "
                f"whole units with mean {drawn:g}; expected a scale that leads to whole units, "
                f"such as {drawn * self.scale / written:.6g}",
                "scale",
            )
        return np.asarray(whole)

    def series(self, split: str) -> Floats:
        """Quantities (n,) of a split, in the order of their dates."""
        return self._series[split]

    def block(self, split: str) -> int:
        """Length of the moving blocks that episodes of a split are drawn in; 0: replayed."""
        return self.splits.of(split).block

    @property
    def spacing(self) -> str:
        """The length of a period: week, 14 days."""
        return self._spacing

    def first(self, split: str) -> str:
        """The first date of a split's series."""
        return self._first[split]

    def _times(self, factor: float) -> Distribution:
        file = str(_shipped() / self.file)  # the same file from any folder
        return made(Recorded, **self.parameters() | {"file": file, "scale": self.scale * factor})

    def _tabulate(self) -> tuple[Floats, Floats]:
        values, counts = np.unique(self.series("train"), return_counts=True)
        return values, np.cumsum(counts) / float(counts.sum())


def _outside(apart: Spacing, index: int) -> int | None:
    """The day of a period outside of the file; None at the ends of the calendar."""
    try:
        day = apart.day(index)
        _ = datetime.date.fromordinal(max(day, 1))
    except (ValueError, OverflowError):
        return None
    return day if day >= 0 else None


def _shipped() -> Path:
    """The folder of the series that come with the catalog."""
    return Path(__file__).resolve().parents[1] / "catalog"


def _few(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
