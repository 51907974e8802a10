"""Recorded quantities, and which of them each split may use."""

from __future__ import annotations

import csv
import datetime
import math
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from jitgym.errors import PlacedError, ScenarioError

from .base import SPLITS, Distribution, Floats, Part, Positive, Whole


class Split(Part):
    """Which records belong to a split, first and last date included.

    With `block` 0 they are replayed in order, else episodes are drawn from them in moving blocks
    of that many periods.
    """

    first: datetime.date = Field(alias="from")
    last: datetime.date = Field(alias="to")
    block: Whole = 0


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
    return Path(__file__).resolve().parents[1] / "catalog"


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
