"""The published tables by name, and how the rows of a file of such a form are run."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]

from jitgym import ScenarioError
from jitgym.documents import suggest

Figures = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """A published table: its columns, and the code that gives the figures of a row."""

    name: str
    instance: tuple[str, ...]  # columns that say what the instance is
    printed: tuple[str, ...]  # columns with costs of policies; empty: the table prints none
    code: str  # module and function
    exact: str = ""  # a column with the exact optimum, if there is one
    as_cost: str = ""  # module and function: (row, printed figure) -> cost; "": it is the cost
    base: str = ""  # a column with the printed cost of the best base-stock policy, if ours is known

    def figures(self, row: dict[str, str]) -> Figures:
        """Return `ours`, and what else is known of a row."""
        found: Figures = _function(self.code)(row)
        return found

    def cost_of(self, row: dict[str, str], printed: float) -> float:
        """Return the cost that a printed figure stands for."""
        return float(_function(self.as_cost)(row, printed)) if self.as_cost else printed


def _function(place: str) -> Callable[..., Any]:
    module, function = place.split(":")
    found: Callable[..., Any] = getattr(import_module(f".{module}", __package__), function)
    return found


@dataclass(frozen=True)
class Row:
    """A row of a table with its figures; costs as the table prints them."""

    instance: dict[str, str]
    published: float | None  # the best printed policy; None where no cost is printed
    classic: float | None  # the best classic here
    ours: float | None  # None where the model cannot express the row
    interval: tuple[float, float] | None  # of ours, 95 %; None where it is exact
    exact: float | None  # the optimum, where it is known exactly
    note: str = ""
    base: float | None = None  # our cost of the best base-stock policy, on the tape of `ours`
    printed_base: float | None = None  # the printed cost of it

    @property
    def below_base(self) -> tuple[float, float] | None:
        """Ours and the published best relative to base-stock, each on its own tape; shares.

        What the luck of a tape adds to one policy, it adds to the other too, so that the two shares
        can be compared where the costs carry the errors of their simulations.
        """
        if None in (self.base, self.printed_base, self.ours, self.published):
            return None
        ours, best = self.ours or 0.0, self.published or 0.0
        return ours / (self.base or 1.0) - 1, best / (self.printed_base or 1.0) - 1

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "instance": self.instance,
            "published": self.published,
            "classic": self.classic,
            "ours": self.ours,
            "interval": None if self.interval is None else list(self.interval),
            "exact": self.exact,
            "note": self.note,
            "base": self.base,
            "printed_base": self.printed_base,
        }


TABLES = {
    record.name: record
    for record in (
        Record(
            "lost_sales_zero_shot",
            ("demand", "mean", "holding", "penalty", "lead_time"),
            ("best_base_stock", "best_capped_base_stock", "gc_lsn"),
            "lost_sales:zero_shot",
        ),
        Record(
            "lost_sales_random_lead_times",
            ("demand", "mean", "holding", "penalty", "kaplan_pmf_0_to_10"),
            ("best_base_stock", "best_capped_base_stock", "gc_lsn"),
            "lost_sales:random_lead_times",
            base="best_base_stock",
        ),
        Record(
            "lost_sales",
            ("demand", "mean", "holding", "penalty", "lead_time"),
            ("base_stock_cost", "capped_cost"),
            "lost_sales:zero_shot",
            exact="rederived_optimum",
        ),
        Record(
            "lost_sales_long_lead_times",
            ("demand", "mean", "holding", "penalty", "lead_time"),
            ("best_base_stock_cost", "deep_controlled_learning_cost"),
            "lost_sales:zero_shot",
        ),
        Record(
            "serial_pirhooshyaran",
            (
                "stages",
                "demand_mean",
                "demand_deviation",
                "holding_upstream_to_downstream",
                "backorder",
                "lead_times_upstream_to_downstream",
            ),
            ("cost",),
            "serial:normal_serial",
        ),
        Record(
            "one_warehouse_kaynov",
            ("no", "unmet", "warehouse_lead_time", "retailer_lead_times", "demands"),
            ("echelon_base_stock_proportional", "echelon_base_stock_min_shortage", "ppo"),
            "one_warehouse:kaynov",
        ),
        Record(
            "one_warehouse_dogru",
            ("penalty", "coefficient_of_variation"),
            ("lower_bound_heuristic", "best_learned", "two_number_rule"),
            "one_warehouse:dogru",
        ),
        Record(
            "s_S_zheng_federgruen",
            ("poisson_mean", "fixed_cost", "holding", "backorder"),
            ("cost",),
            "solved:s_S",
        ),
        Record(
            "two_station_tandem",
            ("demand_rate", "service_rates", "holding", "backorder"),
            ("kanban_cost", "base_stock_cost", "conwip_cost"),
            "solved:tandem",
            exact="rederived_optimum",
        ),
        Record(
            "dual_sourcing",
            (
                "regular_lead_time",
                "expedited_lead_time",
                "regular_unit_cost",
                "expedited_unit_cost",
                "holding",
                "backorder",
            ),
            (
                "capped_dual_index_gap_pct",
                "dual_index_gap_pct",
                "single_index_gap_pct",
                "tailored_base_surge_gap_pct",
                "a3c_gap_pct",
            ),
            "solved:dual_sourcing",
            exact="optimum_total",
            as_cost="solved:cost_of_gap",
        ),
        Record(
            "perishable",
            ("shelf_life", "lead_time", "waste_cost", "issuing"),
            ("value_iteration_return", "best_base_stock_return"),
            "solved:perishable",
            as_cost="solved:cost_of_return",
        ),
        Record(
            "joint_replenishment",
            (
                "setting",
                "holding",
                "backorder",
                "minor_costs",
                "major_cost",
                "truck_capacity",
                "demand_high",
            ),
            (),
            "solved:joint_replenishment",
        ),
        Record(
            "lot_sizing_dehaybe",
            ("demand",),
            ("s_S", "rolling_dynamic_program"),
            "lot_sizing:optimal",
        ),
    )
}


def find(name: str) -> Record:
    """Return a table by its name. Raises ScenarioError if there is none."""
    if name not in TABLES:
        raise ScenarioError(f"unknown table {name!r}; {suggest(name, TABLES)}")
    return TABLES[name]


def read_rows(record: Record, path: Path) -> list[dict[str, str]]:
    """Return the rows of a file of the form of a table.

    Raises ScenarioError with file, line and column where something is missing or no number.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            columns, rows = reader.fieldnames or [], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScenarioError(f"{path}: cannot be read ({error}); expected a table in CSV") from None
    more = [name for name in (record.exact, record.base) if name]
    wanted = (*record.instance, *record.printed, *more)
    if missing := [name for name in wanted if name not in columns]:
        raise ScenarioError(
            f"{path}: has no column {missing[0]!r}; expected the columns {', '.join(wanted)}"
        )
    if not rows:
        raise ScenarioError(f"{path}: has no rows; expected one for each instance")
    for line, row in enumerate(rows, start=2):
        published(record, row, f"{path}, line {line}")
    return rows


def published(record: Record, row: dict[str, str], place: str = "") -> float | None:
    """Return the least printed cost of a policy; None for a table that prints no costs.

    Raises ScenarioError if the row should have one and has none.
    """
    if not record.printed:
        return None
    found = []
    for name in record.printed:
        text = (row.get(name) or "").strip()
        try:
            found += [float(text)] if text else []
        except ValueError:
            raise ScenarioError(f"{place}: {name} is {text!r}; expected a number") from None
    if not found:
        raise ScenarioError(f"{place}: prints no cost; expected {' or '.join(record.printed)}")
    return min(record.cost_of(row, figure) for figure in found)


def run(
    record: Record,
    rows: Sequence[dict[str, str]],
    workers: int,
    told: Callable[[int], None] = lambda _: None,
) -> list[Row]:
    """Return the rows with their figures; `told` hears how many are done."""
    jobs = (joblib.delayed(_figures)(record, row) for row in rows)
    found = joblib.Parallel(n_jobs=workers, backend="loky", return_as="generator")(jobs)
    done: list[Row] = []
    for row, figures in zip(rows, found, strict=True):
        interval = figures.get("interval")
        done.append(
            Row(
                {name: row[name] for name in record.instance},
                published(record, row),
                figures.get("classic"),
                figures.get("ours"),
                None if interval is None else (interval[0], interval[1]),
                float(row[record.exact]) if record.exact else figures.get("exact"),
                figures.get("note", ""),
                figures.get("base"),
                float(row[record.base]) if record.base else None,
            )
        )
        told(len(done))
    return done


def _figures(record: Record, row: dict[str, str]) -> Figures:
    try:
        return record.figures(row)
    except (ScenarioError, ValueError) as error:
        return {"ours": None, "note": str(error)}
