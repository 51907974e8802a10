"""Recorded demand: nothing is guessed. Missing, uneven and ambiguous records are errors."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jitgym
from jitgym import ScenarioError
from jitgym.distributions import Recorded
from jitgym.plant import lay_out
from jitgym.scenario import Scenario, with_demand

Row = tuple[object, object, object]


class Shop:
    """A plant with one or more recorded demands, and the folder of its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, rows: Iterable[Row] | str | bytes, name: str = "sales.csv") -> None:
        if not isinstance(rows, str | bytes):
            rows = "\n".join(["date,item,quantity", *(",".join(map(str, row)) for row in rows)])
        text = rows.encode() if isinstance(rows, str) else rows
        (self.folder / name).write_bytes(text)

    def load(
        self,
        train: str,
        *,
        test: str = "",
        items: Iterable[str] = ("a",),
        periods: int = 2,
        **more: Any,
    ) -> Scenario:
        names = list(items)
        splits = f"train: {{{train}}}" + (f", test: {{{test}}}" if test else "")
        extra = "".join(f", {key}: {value}" for key, value in more.items())
        lines = ["name: shop", "period: one period", "horizon: {ongoing: 2}", "items:"]
        lines += [f"  i{k}: {{}}" for k in range(len(names))]
        lines += ["sources:", *(f"  s{k}: {{makes: i{k}}}" for k in range(len(names))), "demands:"]
        for k, item in enumerate(names):
            recorded = (
                f"distribution: recorded, file: sales.csv, item: {item!r}, splits: {{{splits}}}"
            )
            lines.append(f"  d{k}: {{item: i{k}, unmet: lost, quantity: {{{recorded}{extra}}}}}")
        (self.folder / "shop.yaml").write_text("\n".join(lines))
        return jitgym.load(self.folder / "shop.yaml")

    def series(self, train: str, **more: Any) -> list[float]:
        quantity = self.load(train, **more).demands["d0"].quantity
        assert isinstance(quantity, Recorded)
        return quantity.series("train").tolist()

    def told(self, train: str, **more: Any) -> str:
        with pytest.raises(ScenarioError) as caught:
            self.load(train, **more)
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def dates(first: str, count: int, *, days: int = 0, months: int = 0) -> list[str]:
    """Return evenly spaced dates; months from the 31st on use the last day of each month."""
    begin = datetime.date.fromisoformat(first)
    found = []
    for k in range(count):
        if days:
            found.append(begin + datetime.timedelta(days=days * k))
            continue
        year, month = divmod(begin.year * 12 + begin.month - 1 + k * months, 12)
        after = datetime.date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
        last = (after - datetime.timedelta(days=1)).day
        found.append(datetime.date(year, month + 1, min(begin.day, last)))
    return [str(date) for date in found]


SPACINGS = {
    "day": dates("2024-01-30", 40, days=1),
    "week": dates("2024-01-30", 40, days=7),
    "month": dates("2024-01-05", 40, months=1),
    "month, its last day": dates("2023-12-31", 40, months=1),
    "quarter": dates("2024-01-01", 40, months=3),
    "year": dates("1990-07-01", 30, months=12),
}
STATED = {
    "14 days": dates("2024-01-30", 40, days=14),
    "10 days": dates("2024-01-30", 40, days=10),
    "2 months": dates("2024-01-31", 40, months=2),
    "business day": [
        d for d in dates("2024-01-01", 60, days=1) if datetime.date.fromisoformat(d).weekday() < 5
    ],
}


@pytest.mark.parametrize("name", SPACINGS)
@pytest.mark.parametrize("lost", [1, 7, 20])
def test_a_missing_period_is_named_and_the_message_says_how_to_mark_it_as_zero(
    name: str, lost: int, shop: Shop
) -> None:
    days = SPACINGS[name]
    rows: list[Row] = [(day, "a", k + 1) for k, day in enumerate(days)]
    whole = f"from: {days[0]}, to: {days[-1]}"
    shop.write(rows)
    assert shop.series(whole) == [row[2] for row in rows]
    for gone in ([lost], [lost, lost + 1], range(lost, 28, 3)):
        shop.write([row for k, row in enumerate(rows) if k not in gone])
        told = shop.told(whole)
        assert told.startswith(f"{shop.folder / 'sales.csv'}, line {lost + 1}: 'a' has no row for")
        assert f"no row for {days[lost]} after this row" in told
        assert f"every {name.split(',')[0]}" in told
        assert "missing: zero" in told
        filled = [0 if k in gone else k + 1 for k in range(len(days))]
        assert shop.series(whole, missing="zero") == filled


@pytest.mark.parametrize("name", STATED)
def test_every_spacing_that_is_stated_is_checked(name: str, shop: Shop) -> None:
    days = STATED[name]
    whole = f"from: {days[0]}, to: {days[-1]}"
    shop.write([(day, "a", 1) for day in days])
    assert f"every: {name}" in shop.told(whole)
    assert len(shop.series(whole, every=name)) == len(days)
    shop.write([(day, "a", 1) for day in days if day != days[9]])
    assert f"no row for {days[9]}" in shop.told(whole, every=name)
    assert sum(shop.series(whole, every=name, missing="zero")) == len(days) - 1
    shop.write([*((day, "a", 1) for day in days), ("2025-02-01", "a", 1)])
    assert "line " in (told := shop.told(whole, every=name))
    assert "date is 2025-02-01; expected" in told


def test_half_of_the_weeks_without_a_row_halve_the_mean(shop: Shop) -> None:
    rng = np.random.default_rng(0)
    quantities = rng.poisson(17, 104) * (rng.random(104) < 0.5)
    days = dates("2023-01-02", 104, days=7)
    rows = [(d, "a", q) for d, q in zip(days, quantities, strict=True) if q > 0]
    shop.write(rows)
    whole = f"from: {rows[0][0]}, to: {rows[-1][0]}"
    assert "has no row for" in shop.told(whole)
    first, last = days.index(rows[0][0]), days.index(rows[-1][0])
    mean = shop.load(whole, missing="zero").demands["d0"].mean
    assert mean == pytest.approx(np.mean(quantities[first : last + 1]))


def test_dates_at_the_ends_of_the_calendar_are_counted_correctly(shop: Shop) -> None:
    shop.write([("0001-01-01", "a", 1), ("9999-12-31", "a", 1)])
    assert "has 3,652,059 periods of one day, from 0001-01-01 to 9999-12-31" in shop.told(
        "from: 0001-01-01, to: 9999-12-31"
    )
    shop.write([("9998-01-01", "a", 1), ("9999-01-01", "a", 2)])
    assert shop.series("from: 9998-01-01, to: 9999-12-31") == [1, 2]


def test_the_length_of_a_period_is_not_guessed_from_dates_that_are_far_apart(shop: Shop) -> None:
    days = dates("2024-01-01", 9, days=14)
    shop.write([(day, "a", 1) for k, day in enumerate(days) if k != 4])
    whole = f"from: {days[0]}, to: {days[-1]}"
    told = shop.told(whole, missing="zero")
    assert "no two dates are one week apart" in told
    assert "every: 14 days" in told
    assert sum(shop.series(whole, missing="zero", every="14 days")) == 8


@pytest.mark.parametrize("more", [{}, {"missing": "zero"}])
def test_a_date_that_is_out_of_step_is_named(more: dict[str, str], shop: Shop) -> None:
    days = dates("2024-01-01", 9, days=7)
    days[5] = "2024-02-06"
    shop.write([(day, "a", 1) for day in days])
    whole = f"from: {days[0]}, to: {days[-1]}"
    told = shop.told(whole, **more)
    assert "line 7: date 2024-02-06 comes after 2024-01-29, but most dates are 7 days" in told
    assert "expected 2024-02-05, or the length of a period" in told
    assert sum(shop.series(whole, every="day", missing="zero")) == 9


def test_items_of_one_file_have_the_same_periods(shop: Shop) -> None:
    mondays, tuesdays = dates("2024-01-01", 8, days=7), dates("2024-01-02", 8, days=7)
    shop.write([(d, "a", 1) for d in mondays] + [(d, "b", 1) for d in tuesdays])
    whole = f"from: {mondays[0]}, to: {mondays[-1]}"
    for more in ({}, {"missing": "zero"}):
        told = shop.told(whole, **more)
        assert "line 10: 'b' has a row for 2024-01-02, but those of 'a' are one week apart" in told
    assert sum(shop.series(whole, missing="zero", every="day")) == 8


def test_periods_before_the_first_row_of_an_item_are_refused_or_zero(shop: Shop) -> None:
    days = dates("2024-01-01", 8, days=7)
    shop.write([(d, "a", 1) for d in days] + [(d, "b", 2) for d in days[3:6]])
    whole = f"from: {days[0]}, to: {days[-1]}"
    assert "'b' has no row for 2024-01-01; expected a row" in shop.told(whole, items=["b"])
    assert shop.series(whole, items=["b"], missing="zero") == [0, 0, 0, 2, 2, 2, 0, 0]
    assert shop.series(f"from: {days[3]}, to: {days[5]}", items=["b"]) == [2, 2, 2]


def test_periods_beyond_the_ends_of_a_file_are_refused(shop: Shop) -> None:
    days = dates("2024-01-01", 8, days=7)
    shop.write([(d, "a", 1) for d in days])
    for more in ({}, {"missing": "zero"}):
        told = shop.told(f"from: {days[0]}, to: 2024-03-31", **more)
        assert "splits.train.to: has the period 2024-02-26, but the records" in told
        assert "expected to: 2024-02-19" in told
        assert "expected from: 2024-01-01" in shop.told(f"from: 2023-01-01, to: {days[-1]}", **more)
    assert len(shop.series("from: 2023-12-31, to: 2024-02-25")) == 8  # no Monday more


def test_all_demands_of_a_plant_have_the_same_periods(shop: Shop) -> None:
    weeks, months = dates("2024-01-01", 30, days=7), dates("2024-01-01", 30, months=1)
    shop.write([(d, "a", 1) for d in weeks])
    shop.write([(d, "b", 1) for d in months], "months.csv")
    whole = f"from: {weeks[0]}, to: {weeks[-1]}"
    shop.load(whole, items=["a", "a"])
    file = shop.folder / "shop.yaml"
    text = file.read_text()
    head, _, tail = text.rpartition("sales.csv, item: 'a'")
    file.write_text(f"{head}months.csv, item: 'b'{tail}")
    with pytest.raises(
        ScenarioError, match=r"d1\.quantity: has a record every month, but 'd0' every"
    ):
        jitgym.load(file)
    head, _, tail = text.rpartition("from: 2024-01-01")
    file.write_text(f"{head}from: 2024-01-08{tail}")
    with pytest.raises(ScenarioError, match=r"d1\.quantity\.splits: begins split train at 2024-"):
        jitgym.load(file)


def test_test_dates_belong_to_no_other_split(shop: Shop) -> None:
    days = dates("2024-01-01", 20, days=7)
    shop.write([(d, "a", 1) for d in days])
    train, test = f"from: {days[0]}, to: {days[9]}", f"from: {days[9]}, to: {days[-1]}"
    told = shop.told(train, test=test)
    assert f"splits.test: shares dates with train, from {days[9]} on; expected" in told
    shop.load(train, test=f"from: {days[10]}, to: {days[-1]}")
    tune = f"tune: {{from: {days[10]}, to: {days[12]}}}"
    told = shop.told(train, test=f"from: {days[12]}, to: {days[-1]}}}, {tune[:-1]}")
    assert f"splits.test: shares dates with tune, from {days[12]} on" in told


def test_periods_may_be_numbered(shop: Shop) -> None:
    shop.write([(k, "a", k) for k in range(1, 11) if k != 7])
    assert shop.series("from: 1, to: 6") == [1, 2, 3, 4, 5, 6]
    assert "no row for period 7 after this row" in shop.told("from: 1, to: 10")
    assert sum(shop.series("from: 1, to: 10", missing="zero")) == 48
    assert "expected to: 10" in shop.told("from: 8, to: 11")
    assert "expected numbers of periods here" in shop.told("from: 2024-01-01, to: 2024-01-07")
    shop.write([(45292 + k, "a", k) for k in range(9)])
    assert "45292 is Excel's number for 2024-01-01" in shop.told("from: 2024-01-01, to: 2024-01-07")
    assert "expected two dates or two periods" in shop.told("from: 2024-01-01, to: 7")


HEAD = "date,item,quantity\n"
GOOD = HEAD + "2024-01-01,a,1\n2024-01-02,a,2\n2024-01-03,a,3\n"
SAME = {
    "byte order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "Windows line ends": GOOD.replace("\n", "\r\n"),
    "old line ends": GOOD.replace("\n", "\r"),
    "capitals and spaces in the header": GOOD.replace(HEAD, " Date,ITEM , Quantity \n"),
    "spaces in cells": GOOD.replace(",", " , ").replace(HEAD.replace(",", " , "), HEAD),
    "unsorted": HEAD + "2024-01-03,a,3\n2024-01-01,a,1\n2024-01-02,a,2\n",
    "empty lines": GOOD.replace("\n", "\n\n"),
    "another order, and more columns": "quantity,shop,date,item\n1,x,2024-01-01,a\n"
    "2,x,2024-01-02,a\n3,x,2024-01-03,a\n",
    "quotes": GOOD.replace("a,2", '"a","2"'),
    "other ways to write a number": GOOD.replace("a,2", "a,+2.0").replace("a,3", "a,.3e1"),
}


@pytest.mark.parametrize("content", SAME.values(), ids=SAME)
def test_files_with_the_same_content_are_read_alike(content: str | bytes, shop: Shop) -> None:
    shop.write(content)
    assert shop.series("from: 2024-01-01, to: 2024-01-03") == [1, 2, 3]


WRONG = {
    "semicolons": (GOOD.replace(",", ";"), "line 1: columns are separated by semicolons; expected"),
    "tabs": (GOOD.replace(",", "\t"), "line 1: columns are separated by tabs; expected commas"),
    "other names": (
        GOOD.replace("quantity", "qty"),
        "line 1: missing column 'quantity'; expected the columns date,item,quantity, found "
        "date,item,qty",
    ),
    "a name twice": (
        GOOD.replace(HEAD, "date,item,quantity,Quantity\n"),
        "line 1: has two columns 'quantity'; expected one",
    ),
    "nothing": ("", "line 1: missing column 'date', 'item', 'quantity'; expected the columns"),
    "only a header": (HEAD, "has no rows; expected at least one below the first line"),
    "thousands": (GOOD.replace("a,2", "a,1,234"), "line 3: has 4 cells; expected 3, as the first"),
    "a short row": (GOOD.replace(",a,2", ",a"), "line 3: has 2 cells; expected 3, as the first"),
    "quoted thousands": (
        GOOD.replace("a,2", 'a,"1,234"'),
        "line 3: quantity is '1,234'; expected a number of at least 0, without separators between "
        "its digits: 1234, or 1.234 if the comma is a decimal point",
    ),
    "millions": (GOOD.replace("a,2", 'a,"1,234,567.5"'), "between its digits: 1234567.5"),
    "thousands with spaces": (GOOD.replace("a,2", "a,1 234"), "between its digits: 1234"),
    "thousands with points": (GOOD.replace("a,2", 'a,"1.234,5"'), "decimal point: 1234.5"),
    "a decimal comma": (GOOD.replace("a,2", 'a,"0,015"'), "expected a number of at least 0"),
    "empty quantity": (GOOD.replace("a,2", "a,"), "line 3: quantity is empty; expected a number"),
    "a return": (GOOD.replace("a,2", "a,-2"), "line 3: quantity is '-2'; expected a number of at"),
    "not finite": (GOOD.replace("a,2", "a,inf"), "line 3: quantity is 'inf'; expected a number"),
    "too large": (GOOD.replace("a,2", "a,1e308"), "line 3: quantity is '1e308'; expected at most"),
    "underscores": (GOOD.replace("a,2", "a,1_000"), "line 3: quantity is '1_000'; expected a num"),
    "other digits": (GOOD.replace("a,2", "a,٢"), "line 3: quantity is '٢'; expected a number"),
    "empty item": (GOOD.replace("a,2", " ,2"), "line 3: item is empty; expected a name"),
    "empty date": (GOOD.replace("2024-01-02", ""), "line 3: date is ''; expected YYYY-MM-DD"),
    "twice": (
        GOOD + "2024-01-02,a ,5\n",
        "line 5: a second row of 'a' on 2024-01-02; expected 1 (the first is on line 3;",
    ),
    "ambiguous date": (
        GOOD.replace("2024-01-02", "01/02/2024"),
        "line 3: date is '01/02/2024'; expected YYYY-MM-DD: 2024-02-01 or 2024-01-02, whichever",
    ),
    "day first": (GOOD.replace("2024-01-02", "31.1.2024"), "expected YYYY-MM-DD: 2024-01-31"),
    "year first": (GOOD.replace("2024-01-02", "2024/1/2"), "expected YYYY-MM-DD: 2024-01-02"),
    "without dashes": (GOOD.replace("2024-01-02", "20240102"), "expected YYYY-MM-DD: 2024-01-02"),
    "a time": (GOOD.replace("2024-01-02", "2024-01-02 00:00:00"), "2024-01-02, without the time"),
    "a month": (GOOD.replace("2024-01-02", "2024-01"), "as its first day, 2024-01-01"),
    "no such day": (
        GOOD.replace("2024-01-02", "2024-02-30"),
        "which is not a date of the calendar",
    ),
    "two kinds of dates": (GOOD.replace("2024-01-02", "45293"), "line 3: date is '45293', unlike"),
    "an open quote": (GOOD + '2024-01-04,"a,2\n', "cannot be read (unexpected end of data)"),
    "another encoding": (GOOD.replace("a,2", "ä,2").encode("latin-1"), "is not UTF-8 text; exp"),
    "zero bytes": (GOOD.replace("a,2", "a\0,2"), "is not UTF-8 text; expected a CSV file"),
    "UTF-16": (GOOD.encode("utf-16"), "is not UTF-8 text; expected a CSV file saved as UTF-8"),
}


@pytest.mark.parametrize(("content", "expectation"), WRONG.values(), ids=WRONG)
def test_a_row_that_cannot_be_read_is_reported_with_file_line_and_what_to_write(
    content: str | bytes, expectation: str, shop: Shop
) -> None:
    shop.write(content)
    told = shop.told("from: 2024-01-01, to: 2024-01-03")
    assert told.startswith(str(shop.folder / "sales.csv"))
    assert expectation in told


def test_an_unknown_item_is_reported_with_similar_names(shop: Shop) -> None:
    shop.write([(d, f"part-{k}", 1) for d in dates("2024-01-01", 2, days=1) for k in range(40)])
    told = shop.told("from: 2024-01-01, to: 2024-01-02", items=["part-41"])
    assert "quantity.item: 'part-41' is not in sales.csv; expected one of part-" in told


def test_an_unknown_spacing_is_refused_with_the_known_ones(shop: Shop) -> None:
    shop.write(GOOD)
    told = shop.told("from: 2024-01-01, to: 2024-01-03", every="fortnight")
    assert "quantity.every: is 'fortnight'; expected day, business day, week, month" in told


@pytest.mark.parametrize("factor", [0.0, 0.3, 0.5, 1.2, 3.7])
def test_scaled_recorded_demand_has_the_scaled_mean_in_whole_units(
    factor: float, shop: Shop
) -> None:
    rng = np.random.default_rng(1)
    days = dates("2020-01-06", 200, days=7)
    for largest in (2, 40):
        quantities = rng.integers(0, largest, 200)
        shop.write([(d, "a", q) for d, q in zip(days, quantities, strict=True)])
        scenario = shop.load(f"from: {days[0]}, to: {days[-1]}")
        more = with_demand(scenario, factor)
        assert more.demands["d0"].mean == pytest.approx(factor * quantities.mean(), rel=0.01)
        quantity = more.demands["d0"].quantity
        if isinstance(quantity, Recorded):
            series = quantity.series("test")
            assert np.all(series == np.floor(series))
            assert np.all(series[quantities == 0] == 0)


def test_recorded_fractions_of_units_are_scaled_without_rounding(shop: Shop) -> None:
    shop.write(GOOD.replace("a,2", "a,2.5"))
    assert shop.series("from: 2024-01-01, to: 2024-01-03", scale=1.1) == pytest.approx(
        [1.1, 2.75, 3.3]
    )


def test_a_scale_that_whole_units_cannot_follow_is_refused(shop: Shop) -> None:
    shop.write(GOOD)
    told = shop.told("from: 2024-01-01, to: 2024-01-03", scale=1.1)
    for scale, fault in (
        ("1.0e+14", "raises 3 to 3e+14; expected at most 1e+12 per period"),
        ("1.0e+300", "is 1e+300; expected a finite number of at most 1e+15"),
    ):
        beyond = shop.told("from: 2024-01-01, to: 2024-01-03", scale=scale)
        assert f"demands.d0.quantity.scale: {fault}" in beyond
    assert "train has mean 2.2, but would be drawn in whole units with mean 2.33333" in told


@pytest.mark.parametrize("method", ["exponential-smoothing", "croston", "tsb"])
def test_forecasts_begin_with_the_mean_of_all_periods_including_zeros(
    method: str, shop: Shop
) -> None:
    days = dates("2024-01-01", 12, days=7)
    shop.write([(d, "a", 6) for k, d in enumerate(days) if k % 3 == 0 or k in (1, 11)])
    scenario = shop.load(f"from: {days[0]}, to: {days[-1]}", missing="zero")
    scenario = jitgym.load(scenario, **{"demands.d0.forecast": {"method": method}})
    layout = lay_out(scenario)
    cell = next(part.start for part in layout.state if part.name == "d0.forecast")
    assert layout.plant.initial[cell] == pytest.approx(6 * 6 / 12)


def test_reading_takes_time_in_proportion_to_the_file_which_is_read_once(shop: Shop) -> None:
    days = dates("2000-01-01", 1000, days=1)
    whole = f"from: {days[0]}, to: {days[-1]}"
    took = []
    for count in (20, 160):
        shop.write([(d, f"i{k}", 1) for k in range(count) for d in days])
        start = time.perf_counter()
        shop.load(whole, items=[f"i{k}" for k in range(10)])
        took.append(time.perf_counter() - start)
    assert took[1] < 30 * took[0]


@pytest.mark.parametrize("name", ["car_parts.csv", "online_retail.csv"])
def test_records_of_real_shops_can_be_read(name: str, shop: Shop) -> None:
    source = Path(__file__).resolve().parents[2] / "shared" / "data" / name
    if not source.is_file():
        pytest.skip("the file does not come with the project")
    shop.write(source.read_bytes())
    if name == "car_parts.csv":
        whole = "from: 1998-01-01, to: 2002-03-01"
        assert len(shop.series(whole, items=["part-21033374"])) == 51
    else:
        whole = "from: 2009-12-07, to: 2011-11-28"
        assert "no row for 2009-12-28" in shop.told(whole, items=["sku-16161U"])
        assert len(shop.series(whole, items=["sku-16161U"], missing="zero")) == 104
