"""Tables: they fit the width, never lose their headline columns, and say what they left out."""

from __future__ import annotations

import io
import itertools
import json
import math

import pytest

from jitgym.evaluate import Interval
from jitgym.report.tables import KEPT, Column, Table, as_json, markdown, show

POLICIES = Column("policy", importance=KEPT, align="left")
COST = Column("cost", "average cost per period ± half-width", importance=KEPT)
GAP = Column("gap", unit="%", importance=KEPT, form=".2f", sign="+")
FILL = Column("fill_rate", unit="%", importance=30, form=".2f")
STOCK = Column("average_inventory", unit="units", importance=20, form=".2f")
TURNS = Column("turnover", "turns", importance=10, form=".2f")
NUMBERS = Column("parameters", importance=5, align="left")


def cost(mean: float, half_width: float = 0.038) -> Interval:
    return Interval(mean, half_width, 256, 0.95)


COMPARISON = Table(
    (POLICIES, COST, FILL, STOCK, TURNS, NUMBERS, GAP),
    [
        ("base-stock (tuned) =\nkanban (tuned)", cost(9.2168), 0.98, 4.5, 52.0, {"level": 25}, 0.1),
        ("ppo", cost(8.4), 0.97, 4.1, math.nan, {}, None),
        ("a policy with a very long name (textbook)", cost(25.1), 1.0, 12345.6, 5.0, {}, 2.5),
    ],
    title="A lost-sales item",
    notes=["The reference is the tuned classic with the lowest cost on these episodes."],
)
WIDE_FIGURES = Table(
    (POLICIES, COST, GAP, *(Column(f"kpi_{k}", unit="units", importance=k) for k in range(12))),
    [("kanban", cost(123456.7, 890.1), 12.3456, *(1000.0 * k for k in range(12)))],
)
NAMES_ONLY = Table((POLICIES, NUMBERS), [("kanban", {"cards": list(range(60))})])
ONE_COLUMN = Table((POLICIES,), [("kanban",), ("eoq",)])
EMPTY = Table((POLICIES, COST, GAP), [])
TABLES = (COMPARISON, WIDE_FIGURES, NAMES_ONLY, ONE_COLUMN, EMPTY)


def printed(table: Table, width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    file = io.StringIO()
    show(table, file)
    return file.getvalue()


@pytest.mark.parametrize(("table", "width"), [*itertools.product(TABLES, (60, 80, 100, 200))])
def test_a_table_fits_and_keeps_its_headline(
    table: Table, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = printed(table, width, monkeypatch)
    assert max(map(len, text.splitlines()), default=0) <= width
    assert "…" not in text
    kept = [k for k, column in enumerate(table.columns) if column.importance == KEPT]
    for row in table.texts():
        for k in kept:
            if table.columns[k].align == "right":  # figures are whole, texts may fold
                assert row[k] in text


@pytest.mark.parametrize(("table", "width"), [*itertools.product(TABLES, range(30, 140, 7))])
def test_every_column_is_there_or_named_as_left_out(
    table: Table, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = printed(table, width, monkeypatch)
    head = text.split("─")[0]
    told = " ".join(text.split()).partition("Columns left out for lack of room: ")[2]
    for column in table.columns:
        shown = all(word in head for word in column.title.split())
        assert shown or column.title in told
        assert column.importance < KEPT or column.title not in told.split(".")[0]


def test_the_least_important_columns_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    order = [NUMBERS, TURNS, STOCK, FILL]
    gone = 0
    for width in range(200, 40, -1):
        text = " ".join(printed(COMPARISON, width, monkeypatch).split())
        told = text.partition("for lack of room: ")[2]
        left_out = [column for column in order if column.title in told]
        assert left_out == order[: len(left_out)]
        assert len(left_out) >= gone
        gone = len(left_out)
    assert gone == len(order)


def test_a_terminal_too_narrow_for_the_headline_gets_whole_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = printed(COMPARISON, 20, monkeypatch)
    assert "…" not in text
    assert "9.217 ± 0.038" in text
    assert "+10.00 %" in text


def test_a_pipe_without_a_width_gets_100_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    file = io.StringIO()
    show(COMPARISON, file)
    assert file.getvalue() == printed(COMPARISON, 100, monkeypatch)


def test_markdown_holds_all_columns_and_escapes_bars() -> None:
    table = Table((POLICIES, COST), [("a|b", cost(1.0))], title="T", notes=["n"])
    lines = markdown(table).splitlines()
    assert lines[0] == "## T"
    assert lines[2:5] == [
        "| policy | average cost per period ± half-width |",
        "| --- | ---: |",
        "| a\\|b | 1.000 ± 0.038 |",
    ]
    assert lines[-1] == "- n"
    head = markdown(COMPARISON).splitlines()[2]
    assert all(column.title in head for column in COMPARISON.columns)


def test_json_holds_all_cells_as_plain_numbers() -> None:
    rows = json.loads(json.dumps(as_json(COMPARISON), allow_nan=False))
    assert rows[0]["cost"]["mean"] == 9.2168
    assert rows[0]["parameters"] == {"level": 25}
    assert rows[1]["turnover"] is None
    assert [row["gap"] for row in rows] == [0.1, None, 2.5]


def test_intervals_print_as_mean_and_half_width() -> None:
    assert str(cost(9.2168)) == "9.217 ± 0.038"
    assert str(Interval(3.0, math.nan, 1, 0.95)) == "3 ± n/a"
    assert COMPARISON.texts()[0][1] == "9.217 ± 0.038"
