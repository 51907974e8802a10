"""Evenly spaced periods: the ones that a list of dates has, and the ones that it lacks.

A day is a number here: the ordinal of a date, or the number of a period.
"""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

UNITS = {
    "day": ("day", 1),
    "business day": ("business day", 1),
    "week": ("day", 7),
    "month": ("month", 1),
    "quarter": ("month", 3),
    "year": ("month", 12),
}
"""Periods by name: the unit that they are counted in, and the number of units."""

INFERRED = ("year", "quarter", "month", "week", "day")
"""Periods that are tried on the dates, the longest first. Business days are not inferred, because a
Saturday without a row may be a Saturday without demand."""


@dataclass(frozen=True)
class Spacing:
    """Periods that are a number of days, business days (Monday to Friday) or months apart.

    Every month begins on the same day of the month, or on the last day of a shorter month. So the
    ends of months are evenly spaced, too.
    """

    name: str  # "week", "14 days"
    unit: str  # day, business day, month or period
    step: int
    origin: int  # the day of period 0
    day_of_month: int = 0

    def index(self, day: int) -> int | None:
        """The number of the period that begins on a day; None where none begins."""
        count = self._count(day)
        if count is None:
            return None
        start = self._count(self.origin)
        assert start is not None
        number, rest = divmod(count - start, self.step)
        return None if rest else number

    def day(self, index: int) -> int:
        """The day on which the period with this number begins."""
        start = self._count(self.origin)
        assert start is not None
        count = start + index * self.step
        if self.unit == "month":
            year, month = divmod(count, 12)
            last = calendar.monthrange(year, month + 1)[1]
            return datetime.date(year, month + 1, min(self.day_of_month, last)).toordinal()
        if self.unit == "business day":
            return count // 5 * 7 + count % 5 + 1
        return count

    def _count(self, day: int) -> int | None:
        """Units since the beginning of the calendar."""
        if self.unit == "month":
            date = datetime.date.fromordinal(day)
            last = calendar.monthrange(date.year, date.month)[1]
            if date.day != min(self.day_of_month, last):
                return None
            return date.year * 12 + date.month - 1
        if self.unit == "business day":
            week, weekday = divmod(day - 1, 7)  # day 1 of the calendar is a Monday
            return week * 5 + weekday if weekday < 5 else None
        return day

    def fits(self, days: Sequence[int]) -> bool:
        """Whether a period begins on each of these days."""
        return all(self.index(day) is not None for day in days)


def _parsed(every: str) -> tuple[str, int]:
    found = re.fullmatch(r"(?:(\d+) )?(business day|day|week|month|quarter|year)s?", every)
    if found is None or found[1] == "0":
        raise ValueError(
            f"is {every!r}; expected day, business day, week, month, quarter or year, or several "
            "of them, such as 14 days"
        )
    unit, step = UNITS[found[2]]
    return unit, step * int(found[1] or 1)


def _checked(every: str) -> str:
    _parsed(every)
    return every


Every = Annotated[str, AfterValidator(_checked)]
"""The length of a period: week, 14 days."""


def stated(every: str, days: Sequence[int]) -> Spacing:
    """The spacing that the scenario states, from the first of these days (sorted)."""
    unit, step = _parsed(every)
    return Spacing(every, unit, step, days[0], _day_of_month(days) if unit == "month" else 0)


def found(days: Sequence[int], dated: bool) -> Spacing:
    """The longest of the usual periods that fits all of these days (sorted)."""
    if not dated:
        return Spacing("period", "period", 1, days[0])
    names = INFERRED if len(days) > 1 else ("day",)
    last = _day_of_month(days)
    tried = (Spacing(name, *UNITS[name], days[0], last) for name in names)
    return next(spacing for spacing in tried if spacing.fits(days))


def _day_of_month(days: Sequence[int]) -> int:
    return max(datetime.date.fromordinal(day).day for day in days)


def shown(day: int, dated: bool) -> str:
    """A day as text: 2024-01-31, or the number of its period."""
    return str(datetime.date.fromordinal(day)) if dated else f"period {day}"
